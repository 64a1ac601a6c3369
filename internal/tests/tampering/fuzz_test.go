package tampering

import (
	"context"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// hostile is a store that returns the same record and outcome for everything, and commits
// nothing.
type hostile struct {
	installation.Store
	record  *installation.Record
	outcome *installation.Outcome
}

func (s *hostile) Get(context.Context, installation.Key) (*installation.Record, error) {
	return fixture.CopyRecord(s.record), nil
}

func (s *hostile) List(context.Context, installation.Query) (installation.Page, error) {
	return installation.Page{Records: []*installation.Record{fixture.CopyRecord(s.record)}}, nil
}

func (s *hostile) Outcome(
	context.Context,
	string,
	installation.Digest,
) (*installation.Outcome, error) {
	return s.outcome, nil
}

func (s *hostile) Commit(_ context.Context, c installation.Change) (installation.Receipt, error) {
	if c.Idempotency != nil {
		return installation.Receipt{Revision: c.If, Outcome: s.outcome}, nil
	}
	return installation.Receipt{}, installation.ErrUnavailable
}

// FuzzServiceReadsAnyBytes proves that a service answers any body and any outcome with what was
// sealed, or with an error: it never panics, and shows nobody the row of someone else.
func FuzzServiceReadsAnyBytes(f *testing.F) {
	w := fixture.NewWorld(f)
	req := installation.InviteRequest{ID: "i", Parts: fixture.SecretParts("ACC-1", "s3cr3t")}
	req.IdempotencyKey = "k"
	if _, err := w.Host.Invite(f.Context(), req); err != nil {
		f.Fatal(err)
	}
	change := w.Store.Changes()[0]
	good := change.Record
	want := w.Get(f, "i")
	body, outcome := good.Body.Bytes(), change.Idempotency.Data
	f.Add(body, outcome)
	f.Add([]byte{}, []byte{})
	f.Add([]byte{record.Version}, []byte{record.Version})
	edit := fixture.DecodeBody(f, good.Body)
	edit.Manifest, edit.Values = nil, nil
	edit.Lifecycle.Status, edit.Lifecycle.Purged = "uninstalled", true
	f.Add(fixture.EncodeBody(edit).Bytes(), body)
	edit.Key.Bytes, edit.Key.KeyID = nil, ""
	f.Add(fixture.EncodeBody(edit).Bytes(), outcome[:len(outcome)/2])

	store := &hostile{Store: memstore.New()}
	svc, err := installation.New(store, fixture.Ring(f), &installation.Options{Now: w.Now})
	if err != nil {
		f.Fatal(err)
	}
	host := svc.In(fixture.Tenant).As(fixture.HostActor)
	stranger := svc.In(fixture.Tenant).As(fixture.StrangerActor)
	known := []error{
		installation.ErrSealed, installation.ErrShredded, installation.ErrUnknownKey,
		installation.ErrNotFound, installation.ErrForbidden, installation.ErrConflict,
		installation.ErrUnavailable, installation.ErrInvitation, installation.ErrExists,
		installation.ErrIdempotencyMismatch, installation.ErrStale,
	}
	f.Fuzz(func(t *testing.T, rawBody, rawOutcome []byte) {
		record := fixture.CopyRecord(good)
		record.Body = installation.BodyFromBytes(rawBody)
		until := change.Idempotency.Until
		store.record, store.outcome = record, &installation.Outcome{
			Until: until,
			Data:  rawOutcome,
		}
		got, err := host.Get(t.Context(), "i")
		if got == nil || got.ID != "i" || (err == nil) != (got.Configuration != nil) {
			t.Fatalf("get: %+v, %v", got, err)
		}
		// Another process of the fuzzer may have sealed the body, with the same keys and
		// content.
		if c := got.Configuration; c != nil {
			c.ID, c.RevisionID = want.Configuration.ID, want.Configuration.RevisionID // random
		}
		if d := fixture.Diff(want, got); err == nil && d != "" {
			t.Fatalf("a body that nobody sealed opens (-want +got):\n%s", d)
		}
		if got, err := stranger.Get(
			t.Context(),
			"i",
		); got != nil ||
			!errors.Is(err, installation.ErrNotFound) {
			t.Fatalf("a stranger is shown %+v, %v", got, err)
		}
		if list, err := host.List(
			t.Context(),
			installation.ListRequest{},
		); err != nil ||
			len(list.Installations) != 1 {
			t.Fatalf("list: %+v, %v", list, err)
		}
		for _, m := range fixture.Methods("i") {
			err := m.Call(t.Context(), host)
			if err != nil && !isOne(err, known) {
				t.Fatalf("%s: %v", m.Name, err)
			}
		}
		res, err := host.Invite(t.Context(), req)
		switch {
		case err != nil && !isOne(err, known):
			t.Fatalf("sent again: %v", err)
		case err == nil && (!res.Replayed || res.ID != "i"):
			t.Fatalf("an outcome is answered with %+v", res)
		}
		if res, err := stranger.Invite(t.Context(), req); err == nil && res.Connection != nil {
			t.Fatalf("a stranger is answered with %+v", res)
		}
	})
}

func isOne(err error, known []error) bool {
	for _, k := range known {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
