package installation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/google/go-cmp/cmp"
)

// ids are the ids of a list, in order.
func ids(list []*installation.Installation) []string {
	var out []string
	for _, i := range list {
		out = append(out, i.ID)
	}
	return out
}

// fill makes installations of two extensions in three accounts, and invitations.
func fill(t *testing.T, w *world) {
	t.Helper()
	for _, e := range []string{"EXT-1", "EXT-2"} {
		for _, a := range []string{"ACC-1", "ACC-2", "ACC-3"} {
			w.advance(time.Second)
			_, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: e + "/" + a, Parts: installation.Parts{
				Extension:  installation.Value(installation.Extension{ID: e, Owner: "ACC-vendor"}),
				Account:    installation.Value(installation.Account{ID: a}),
				Connection: installation.Value(installation.Connection{ID: "connection-of-" + a}),
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		w.advance(time.Second)
		if _, err := w.host.Invite(t.Context(), installation.InviteRequest{ID: e + "/invited", Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: e, Owner: "ACC-vendor"}),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "EXT-2/ACC-3"}); err != nil {
		t.Fatal(err)
	}
}

// A list holds the rows that the actor may see and the filters name, in the order of their creation, and Count agrees.
func TestListFilters(t *testing.T) {
	w := newWorld(t)
	fill(t, w)
	live := []installation.Status{installation.StatusInstalled}
	for _, test := range []struct {
		name string
		svc  *installation.Service
		req  installation.ListRequest
		want []string
	}{
		{"all", w.host, installation.ListRequest{}, []string{"EXT-1/ACC-1", "EXT-1/ACC-2", "EXT-1/ACC-3", "EXT-1/invited", "EXT-2/ACC-1", "EXT-2/ACC-2", "EXT-2/ACC-3", "EXT-2/invited"}},
		{"reverse", w.host, installation.ListRequest{Reverse: true, Extension: "EXT-1"}, []string{"EXT-1/invited", "EXT-1/ACC-3", "EXT-1/ACC-2", "EXT-1/ACC-1"}},
		{"account", w.host, installation.ListRequest{Account: "ACC-3"}, []string{"EXT-1/ACC-3", "EXT-2/ACC-3"}},
		{"pair", w.host, installation.ListRequest{Account: "ACC-3", Extension: "EXT-2"}, []string{"EXT-2/ACC-3"}},
		{"connection", w.host, installation.ListRequest{Connection: "connection-of-ACC-2"}, []string{"EXT-1/ACC-2", "EXT-2/ACC-2"}},
		{"owner", w.host, installation.ListRequest{Owner: "nobody"}, nil},
		{"status", w.host, installation.ListRequest{Status: []installation.Status{installation.StatusUninstalled}}, []string{"EXT-2/ACC-3"}},
		{"status and account", w.host, installation.ListRequest{Account: "ACC-3", Status: live}, []string{"EXT-1/ACC-3"}},
		{"two states", w.host, installation.ListRequest{Extension: "EXT-2", Status: []installation.Status{installation.StatusInvited, installation.StatusUninstalled}}, []string{"EXT-2/ACC-3", "EXT-2/invited"}},
		{"letter case", w.host, installation.ListRequest{Account: "acc-3"}, nil},
		{"extension", w.extension, installation.ListRequest{}, []string{"EXT-1/ACC-1", "EXT-1/ACC-2", "EXT-1/ACC-3", "EXT-1/invited"}},
		{"extension asks for another", w.extension, installation.ListRequest{Extension: "EXT-2"}, nil},
		{"vendor, live", w.vendor, installation.ListRequest{Status: live}, []string{"EXT-1/ACC-1", "EXT-1/ACC-2", "EXT-1/ACC-3", "EXT-2/ACC-1", "EXT-2/ACC-2"}},
		{"customer", w.customer, installation.ListRequest{}, []string{"EXT-1/ACC-1", "EXT-2/ACC-1"}},
		{"customer asks for another", w.customer, installation.ListRequest{Account: "ACC-2"}, nil},
		{"customer by extension", w.customer, installation.ListRequest{Extension: "EXT-2"}, []string{"EXT-2/ACC-1"}},
	} {
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
			// Page by page, and from every offset, it is the same list.
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
			for skip := range len(test.want) + 2 {
				req := test.req
				req.Skip = skip
				list, err := test.svc.List(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want[min(skip, len(test.want)):], ids(list.Installations), cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
					t.Errorf("skipping %d (-want +got):\n%s", skip, diff)
				}
			}
		})
	}
}

// Where the store counts, the service asks it, and both ways agree.
func TestCountByTheStore(t *testing.T) {
	w := newWorld(t)
	fill(t, w)
	svc, err := installation.New(w.store.Store, testRing(t), &installation.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	host := svc.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	for _, req := range []installation.ListRequest{
		{}, {Extension: "EXT-1"}, {Account: "ACC-1"}, {Status: []installation.Status{installation.StatusInstalled}},
		{Status: []installation.Status{installation.StatusInvited, installation.StatusExpired}}, {Status: []installation.Status{installation.StatusInvited}},
	} {
		want, err := w.host.Count(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := host.Count(t.Context(), req); err != nil || got != want {
			t.Errorf("%+v: %d, %v; want %d", req, got, err, want)
		}
	}
}

// An iteration stops when the loop does, and at the first error.
func TestAllStops(t *testing.T) {
	w := newWorld(t)
	fill(t, w)
	n := 0
	for range w.host.All(t.Context(), installation.ListRequest{Limit: 1}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("the loop ran %d times", n)
	}
	n = 0
	for i, err := range w.svc.All(t.Context(), installation.ListRequest{}) {
		n++
		if i != nil || !errors.Is(err, installation.ErrForbidden) {
			t.Errorf("without an actor: %v, %v", i, err)
		}
	}
	if n != 1 {
		t.Errorf("an error came %d times", n)
	}
}

// Reveal needs a right, a reason and names; its event is committed before a value leaves; each secret has its own answer.
func TestReveal(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	ref := installation.Ref{Kind: installation.RefConfig, Pointer: "/api_secret"}
	wrong := installation.Ref{Kind: installation.RefConfig, Pointer: "/warehouse"}
	answers, err := w.extension.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "sync", Refs: []installation.Ref{ref, wrong}})
	if err != nil {
		t.Fatal(err)
	}
	if got := answers[0].Value.RevealString(); got != "s3cr3t-config" || answers[0].Err != nil {
		t.Errorf("revealed %q, %v", got, answers[0].Err)
	}
	wantErr(t, "a place without a secret", answers[1].Err, installation.ErrNotFound)
	events := w.events(t)
	last := events[len(events)-1]
	want := installation.Event{
		ID: last.ID, Type: installation.EventRevealed, Key: installation.Key{Tenant: "tenant-1", ID: "i"}, Revision: 1, Generation: 1,
		Time: w.Now(), Extension: "EXT-1", Account: "ACC-1", Actor: installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"},
		Reason: "sync", Changed: []string{"config/api_secret"},
	}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := w.get(t, "i").Revision; got != 1 {
		t.Errorf("a reveal made revision %d", got)
	}

	svc := failing(t, w, fmt.Errorf("log full: %w", installation.ErrUnavailable)).As(installation.Actor{Kind: installation.Host})
	answers, err = svc.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "r", Refs: []installation.Ref{ref}})
	if answers != nil || !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("without its event a value left: %v, %v", answers, err)
	}
}

// Other JSON than strings is revealed as its text.
func TestRevealOfOtherTypes(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	if _, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{
		installation.Set("/pin", installation.JSON(`12345678901234567890`)),
		installation.Set("/label", installation.JSON(`"a"`)),
	}}); err != nil {
		t.Fatal(err)
	}
	if got := w.reveal(t, "i", installation.Ref{Kind: installation.RefConfig, Pointer: "/pin"}); got != "12345678901234567890" {
		t.Errorf("the number came back as %s", got)
	}
}

// Check counts the records under each key, and says what is under none.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	fill(t, w)
	report, err := w.host.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]installation.KeyCount{{ID: "k1", Primary: true, Records: 8}}, report.Keys); diff != "" || report.Records != 8 || !report.OK() {
		t.Errorf("report %+v\n%s", report, diff)
	}
	other, err := crypto.GenerateKey("k2")
	if err != nil {
		t.Fatal(err)
	}
	svc, err := installation.New(w.store.Store, testRingOf(t, other), &installation.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	report, err = svc.As(installation.Actor{Kind: installation.Host}).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range report.Findings {
		found = found || f.Rule == "key-missing" && strings.Contains(f.Detail, "k1")
	}
	if !found {
		t.Errorf("no finding names the key that 8 records miss: %+v", report.Findings)
	}
	_, err = w.vendor.Check(t.Context())
	wantErr(t, "check by a vendor", err, installation.ErrForbidden)
}

// New refuses what cannot work, with a sentence that says what to do.
func TestNewRefuses(t *testing.T) {
	ring := testRing(t)
	for name, make := range map[string]func() (*installation.Service, error){
		"no store":     func() (*installation.Service, error) { return installation.New(nil, ring, nil) },
		"nil memstore": func() (*installation.Service, error) { return installation.New((*memstore.Store)(nil), ring, nil) },
		"no keys":      func() (*installation.Service, error) { return installation.New(memstore.New(), nil, nil) },
		"nil keyring": func() (*installation.Service, error) {
			return installation.New(memstore.New(), (*crypto.Keyring)(nil), nil)
		},
		"empty keyring": func() (*installation.Service, error) { return installation.New(memstore.New(), &crypto.Keyring{}, nil) },
		"negative duration": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{Grace: -1})
		},
		"http": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "http://portal.example/"})
		},
		"no host": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "https:///accept"})
		},
		"user in URL": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "https://good.example:443@evil.example/"})
		},
		"relative URL": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "//evil.example/x"})
		},
		"script": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "javascript:alert(1)"})
		},
		"fragment": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "https://portal.example/#a"})
		},
	} {
		if svc, err := make(); err == nil || svc != nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A period is counted by the calendar; a month that has no such day ends on its last one.
func TestPeriod(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d.Add(15 * time.Hour)
	}
	for _, test := range []struct {
		period     installation.Period
		from, want string
	}{
		{"7d", "2026-02-25", "2026-03-04"}, {"2w", "2026-12-25", "2027-01-08"}, {"1m", "2026-01-31", "2026-02-28"},
		{"1m", "2028-01-31", "2028-02-29"}, {"3m", "2026-11-30", "2027-02-28"}, {"1y", "2028-02-29", "2029-02-28"}, {"1m", "2026-02-28", "2026-03-28"},
	} {
		got, err := test.period.After(day(test.from))
		if err != nil || !got.Equal(day(test.want)) {
			t.Errorf("%s after %s: %v, %v; want %s", test.period, test.from, got, err, test.want)
		}
	}
	for _, bad := range []installation.Period{"", "d", "7", "0d", "-1d", "07d", "7h", "7 d", "1000d", "100y", "+7d", "7D"} {
		_, err := bad.After(day("2026-01-01"))
		wantErr(t, string(bad), err, installation.ErrInvalid)
	}
}
