package redisstore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/go-installation/installation"
)

// listAll and countAll list and count the records that [create] makes.
var (
	listAll  = installation.Query{Tenant: "tenant", Term: "all", Limit: 10}
	countAll = installation.Query{AllTenants: true, Term: "@all"}
)

// wantError checks that an error matches one of those wanted.
func wantError(tb testing.TB, what string, err error, want ...error) {
	tb.Helper()
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		tb.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// wantUnavailable checks that an error says that nothing was done, and no more.
func wantUnavailable(tb testing.TB, what string, err error) {
	tb.Helper()
	if wantError(tb, what, err, installation.ErrUnavailable); err == nil {
		tb.FailNow()
	}
	if errors.Is(err, installation.ErrUnknownOutcome) {
		tb.Errorf("%s: error %v matches %v", what, err, installation.ErrUnknownOutcome)
	}
	noClaim(tb, what, err)
}

// noClaim checks that an error does not claim to know what is stored.
func noClaim(tb testing.TB, what string, err error) {
	tb.Helper()
	for _, claim := range []error{
		installation.ErrNotFound, installation.ErrConflict, installation.ErrExists,
		installation.ErrTrimmed,
	} {
		if errors.Is(err, claim) {
			tb.Errorf("%s: error %v matches %v", what, err, claim)
		}
	}
}

func keysIn(page installation.Page) []installation.Key {
	keys := make([]installation.Key, len(page.Records))
	for i, r := range page.Records {
		keys[i] = r.Key
	}
	return keys
}

// pagesOf returns the keys on all pages of a list.
func pagesOf(
	tb testing.TB, s installation.Store, q installation.Query,
) (keys []installation.Key) {
	tb.Helper()
	for range 100 {
		page, err := s.List(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		keys = append(keys, keysIn(page)...)
		if q.After = page.Next; q.After == "" {
			return keys
		}
	}
	tb.Fatal("the list has no end")
	return nil
}
