package requests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A forged or foreign cursor opens no list of another actor.
func TestForeignCursorsOpenNoOtherList(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	for i := range 5 {
		h.Install(fmt.Sprint("EXI-", i), fmt.Sprint("ACC-", i))
	}
	list, err := h.Host().List(ctx, installation.ListRequest{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []string{
		"x", "!", strings.Repeat("A", 100_000), "\x00", "AAAA",
		list.Next + "A", list.Next[1:], list.Next,
	} {
		customer := h.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
		got, err := customer.List(ctx, installation.ListRequest{After: after})
		if err != nil && !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("cursor %.20q: got error %v, want ErrInvalid", after, err)
		}
		if err == nil {
			for _, i := range got.Installations {
				if i.Account.ID != "ACC-1" {
					t.Errorf("cursor %.20q: got a row of %s", after, i.Account.ID)
				}
			}
		}
	}
}

// A list of rows that the actor may not see is empty and has no cursor.
func TestCursorsRevealNoOtherRows(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	otherVendor := w.Service.As(installation.Actor{
		Kind: installation.Vendor, ID: "ACC-other",
	})
	for name, list := range map[string]struct {
		svc *installation.Service
		req installation.ListRequest
	}{
		"customer asks for another account": {
			w.Customer, installation.ListRequest{Account: "ACC-2", Limit: 1},
		},
		"extension asks for another extension": {
			w.Extension, installation.ListRequest{Extension: "EXT-2", Limit: 1},
		},
		"vendor asks for another vendor": {
			w.Vendor, installation.ListRequest{Owner: "ACC-other", Limit: 1},
		},
		"other vendor asks for the extension": {
			otherVendor, installation.ListRequest{Extension: "EXT-1", Limit: 1},
		},
		"customer asks for a foreign connection": {
			w.As("ACC-9"),
			installation.ListRequest{Connection: "connection-of-ACC-1", Limit: 1},
		},
	} {
		got, err := list.svc.List(t.Context(), list.req)
		if err != nil || got.Next != "" || len(got.Installations) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// The same iterator can run again and starts from its request each time.
func TestAllCanRunTwice(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	all := w.Host.All(t.Context(), installation.ListRequest{Limit: 2, Skip: 1})
	collect := func(stop int) (out []string) {
		for i, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			if out = append(out, i.ID); len(out) == stop {
				break
			}
		}
		return out
	}
	collect(3)
	first, second := collect(0), collect(0)
	if diff := cmp.Diff(first, second); diff != "" || len(first) != 7 {
		t.Errorf("%d rows, then (-first +second):\n%s", len(first), diff)
	}
}

// A skip without a matching index reads whole pages, not single rows.
func TestSkipReadsPages(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	lists := 0
	svc, err := installation.New(countingLists{w.Store.Store, &lists},
		fixture.Ring(t), &installation.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	vendor := svc.In("tenant-1").As(installation.Actor{
		Kind: installation.Vendor, ID: "ACC-vendor",
	})
	got, err := vendor.List(t.Context(), installation.ListRequest{
		Skip: 1, Status: []installation.Status{installation.StatusUninstalled},
	})
	if err != nil || len(got.Installations) != 0 || lists != 1 {
		t.Errorf("%d reads for %+v, %v", lists, got, err)
	}
}

// countingLists is a store that counts its calls of List.
type countingLists struct {
	installation.Store
	n *int
}

func (s countingLists) List(
	ctx context.Context, q installation.Query,
) (installation.Page, error) {
	*s.n++
	return s.Store.List(ctx, q)
}

// ids returns the ids of a list, in order.
func ids(list []*installation.Installation) []string {
	var out []string
	for _, i := range list {
		out = append(out, i.ID)
	}
	return out
}

// fill makes installations of two extensions in three accounts, and invitations.
func fill(t *testing.T, w *fixture.World) {
	t.Helper()
	for _, e := range []string{"EXT-1", "EXT-2"} {
		for _, a := range []string{"ACC-1", "ACC-2", "ACC-3"} {
			w.Advance(time.Second)
			_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
				ID: e + "/" + a,
				Parts: installation.Parts{
					Extension: installation.Value(installation.Extension{
						ID: e, Owner: "ACC-vendor",
					}),
					Account: installation.Value(installation.Account{ID: a}),
					Connection: installation.Value(installation.Connection{
						ID: "connection-of-" + a,
					}),
				},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		w.Advance(time.Second)
		if _, err := w.Host.Invite(t.Context(), installation.InviteRequest{
			ID: e + "/invited",
			Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: e, Owner: "ACC-vendor"}),
			},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{
		ID: "EXT-2/ACC-3",
	}); err != nil {
		t.Fatal(err)
	}
}

// listCase is a list request of an actor and the ids it must return.
type listCase struct {
	name string
	svc  *installation.Service
	req  installation.ListRequest
	want []string
}

// hostListCases returns one case for each filter, on what fill made.
func hostListCases(w *fixture.World) []listCase {
	live := []installation.Status{installation.StatusInstalled}
	ended := []installation.Status{installation.StatusUninstalled}
	invitedOrEnded := []installation.Status{
		installation.StatusInvited, installation.StatusUninstalled,
	}
	return []listCase{
		{"all", w.Host, installation.ListRequest{}, []string{
			"EXT-1/ACC-1", "EXT-1/ACC-2", "EXT-1/ACC-3", "EXT-1/invited",
			"EXT-2/ACC-1", "EXT-2/ACC-2", "EXT-2/ACC-3", "EXT-2/invited",
		}},
		{
			"reverse", w.Host, installation.ListRequest{Reverse: true, Extension: "EXT-1"},
			[]string{"EXT-1/invited", "EXT-1/ACC-3", "EXT-1/ACC-2", "EXT-1/ACC-1"},
		},
		{
			"account", w.Host, installation.ListRequest{Account: "ACC-3"},
			[]string{"EXT-1/ACC-3", "EXT-2/ACC-3"},
		},
		{
			"pair", w.Host, installation.ListRequest{Account: "ACC-3", Extension: "EXT-2"},
			[]string{"EXT-2/ACC-3"},
		},
		{
			"connection", w.Host, installation.ListRequest{Connection: "connection-of-ACC-2"},
			[]string{"EXT-1/ACC-2", "EXT-2/ACC-2"},
		},
		{"owner", w.Host, installation.ListRequest{Owner: "nobody"}, nil},
		{"status", w.Host, installation.ListRequest{Status: ended}, []string{"EXT-2/ACC-3"}},
		{
			"status and account", w.Host,
			installation.ListRequest{Account: "ACC-3", Status: live},
			[]string{"EXT-1/ACC-3"},
		},
		{
			"two states", w.Host,
			installation.ListRequest{Extension: "EXT-2", Status: invitedOrEnded},
			[]string{"EXT-2/ACC-3", "EXT-2/invited"},
		},
		{"letter case", w.Host, installation.ListRequest{Account: "acc-3"}, nil},
	}
}

// actorListCases returns requests of actors who see a part of what fill made.
func actorListCases(w *fixture.World) []listCase {
	live := []installation.Status{installation.StatusInstalled}
	return []listCase{
		{"extension", w.Extension, installation.ListRequest{}, []string{
			"EXT-1/ACC-1", "EXT-1/ACC-2", "EXT-1/ACC-3", "EXT-1/invited",
		}},
		{
			"extension asks for another", w.Extension,
			installation.ListRequest{Extension: "EXT-2"}, nil,
		},
		{"vendor, live", w.Vendor, installation.ListRequest{Status: live}, []string{
			"EXT-1/ACC-1", "EXT-1/ACC-2", "EXT-1/ACC-3", "EXT-2/ACC-1", "EXT-2/ACC-2",
		}},
		{
			"customer", w.Customer, installation.ListRequest{},
			[]string{"EXT-1/ACC-1", "EXT-2/ACC-1"},
		},
		{
			"customer asks for another", w.Customer,
			installation.ListRequest{Account: "ACC-2"}, nil,
		},
		{
			"customer by extension", w.Customer,
			installation.ListRequest{Extension: "EXT-2"}, []string{"EXT-2/ACC-1"},
		},
	}
}

// A list returns the rows that the actor may see and that match the filters, in the order
// of their creation. Count agrees with it.
func TestListFilters(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	for _, test := range append(hostListCases(w), actorListCases(w)...) {
		t.Run(test.name, func(t *testing.T) {
			list, err := test.svc.List(t.Context(), test.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ids(list.Installations)); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
			n, err := test.svc.Count(t.Context(), test.req)
			if err != nil || n != int64(len(test.want)) {
				t.Errorf("counted %d, %v; want %d", n, err, len(test.want))
			}
			wantSamePages(t, test)
			wantSameOffsets(t, test)
		})
	}
}

// wantSamePages fails the test unless pages of two rows add up to the same list.
func wantSamePages(t *testing.T, test listCase) {
	t.Helper()
	var paged []string
	req := test.req
	req.Limit = 2
	for i, err := range test.svc.All(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, i.ID)
	}
	if diff := cmp.Diff(test.want, paged); diff != "" {
		t.Errorf("page by page (-want +got):\n%s", diff)
	}
}

// wantSameOffsets fails the test unless every offset returns the rest of the same list.
func wantSameOffsets(t *testing.T, test listCase) {
	t.Helper()
	for skip := range len(test.want) + 2 {
		req := test.req
		req.Skip = skip
		list, err := test.svc.List(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		rest := test.want[min(skip, len(test.want)):]
		if got := ids(list.Installations); !slices.Equal(rest, got) {
			t.Errorf("skipping %d: got %q, want %q", skip, got, rest)
		}
	}
}

// A store that counts gives the same count as the service does alone.
func TestStoreCountMatchesServiceCount(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	svc, err := installation.New(w.Store.Store, fixture.Ring(t),
		&installation.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	host := svc.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	for _, req := range []installation.ListRequest{
		{}, {Extension: "EXT-1"}, {Account: "ACC-1"},
		{Status: []installation.Status{installation.StatusInstalled}},
		{Status: []installation.Status{installation.StatusInvited, installation.StatusExpired}},
		{Status: []installation.Status{installation.StatusInvited}},
	} {
		want, err := w.Host.Count(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := host.Count(t.Context(), req); err != nil || got != want {
			t.Errorf("%+v: %d, %v; want %d", req, got, err, want)
		}
	}
}

// All stops when the loop stops, and after the first error.
func TestAllStops(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	n := 0
	for range w.Host.All(t.Context(), installation.ListRequest{Limit: 1}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("the loop ran %d times, want 3", n)
	}
	n = 0
	for i, err := range w.Service.All(t.Context(), installation.ListRequest{}) {
		n++
		if i != nil || !errors.Is(err, installation.ErrForbidden) {
			t.Errorf("without an actor: %v, %v", i, err)
		}
	}
	if n != 1 {
		t.Errorf("got the error %d times, want once", n)
	}
}
