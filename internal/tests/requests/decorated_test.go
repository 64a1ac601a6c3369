package requests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// fourMethods is a store without optional interfaces.
type fourMethods struct{ installation.Store }

// transcript calls every method of a service on a store, and returns the answers as text.
func transcript(t *testing.T, store installation.Store) (lines []string) {
	t.Helper()
	clock := fixture.NewClock()
	svc, err := installation.New(store, fixture.Ring(t), &installation.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	host := svc.In(fixture.Tenant).As(fixture.HostActor)
	note := func(call string, answer any, err error) {
		lines = append(lines, fmt.Sprintf("%s: %+v, %v", call, answer, err))
	}
	calls := append(fixture.Methods("a"), fixture.Methods("b")...)
	for _, m := range append(calls, fixture.WideMethods()...) {
		note(m.Name, nil, m.Call(t.Context(), host))
	}
	install := installation.UpsertRequest{ID: "c", Parts: fixture.Parts()}
	_, err = host.Upsert(t.Context(), install)
	note("Upsert", nil, err)
	for _, req := range []installation.ListRequest{
		{}, {Extension: "EXT-1"}, {Extension: "EXT-1", Owner: "nobody"}, {AllTenants: true},
	} {
		n, err := host.Count(t.Context(), req)
		note("Count", n, err)
	}
	page, err := host.Events(t.Context(), "", 0)
	for _, e := range page.Events {
		note("Events", e, nil)
	}
	note("Events", len(page.Events), err)
	report, err := host.Check(t.Context())
	note("Check", report, err)
	rewrapped, err := host.Rewrap(t.Context(), installation.RewrapRequest{})
	note("Rewrap", rewrapped, err)
	in, err := host.AcceptRestore(t.Context())
	note("AcceptRestore", in.Epoch, err)
	void, err := host.VoidInvitations(t.Context(), "")
	note("VoidInvitations", void, err)
	install.Parts.Name = installation.Value("after the restore")
	res, err := host.Upsert(t.Context(), install)
	note("Upsert", res.Revision, err)
	return lines
}

// A service answers the same on a decorated store, whatever the store beneath can do.
func TestServiceOnDecoratedStore(t *testing.T) {
	for name, beneath := range map[string]func() installation.Store{
		"all abilities": func() installation.Store { return memstore.New() },
		"no abilities":  func() installation.Store { return fourMethods{memstore.New()} },
	} {
		t.Run(name, func(t *testing.T) {
			once := installation.Decorator{Store: beneath()}
			twice := installation.Decorator{Store: &installation.Decorator{Store: beneath()}}
			want := transcript(t, beneath())
			able := name == "all abilities"
			check := slices.ContainsFunc(want, func(line string) bool {
				return strings.HasPrefix(line, "Check: ") && strings.HasSuffix(line, ", <nil>")
			})
			restore := slices.Contains(want, "AcceptRestore: 0, accept restore: "+
				installation.ErrUnsupported.Error())
			if !check || restore == able {
				t.Errorf("on the bare store:\n%s", strings.Join(want, "\n"))
			}
			for times, store := range []installation.Store{once, twice} {
				if diff := cmp.Diff(want, transcript(t, store)); diff != "" {
					t.Errorf("in %d decorators (-bare +decorated):\n%s", times+1, diff)
				}
			}
		})
	}
}

// uncounted is a store that cannot count. Its error is wrapped.
type uncounted struct{ installation.Decorator }

func (s uncounted) Count(context.Context, installation.Query) (int64, error) {
	return 7, fmt.Errorf("decorated: %w", installation.ErrUnsupported)
}

// A service counts page by page if the store counts nothing, and passes on any other error.
func TestCountWithoutCounter(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	host := w.On(t, uncounted{installation.Decorator{Store: w.Store}}, fixture.Ring(t))
	for _, req := range []installation.ListRequest{{}, {AllTenants: true}} {
		want, err := w.Host.Count(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := host.Count(t.Context(), req); err != nil || got != want || want == 0 {
			t.Errorf("count %d, %v, want %d", got, err, want)
		}
	}
	broken := errors.New("broken")
	w.Store.FailWith(func(method string, _ any) error {
		if method == "Count" || method == "List" {
			return broken
		}
		return nil
	})
	for _, svc := range []*installation.Service{w.Host, host} {
		_, err := svc.Count(t.Context(), installation.ListRequest{})
		fixture.WantErr(t, "count", err, broken)
	}
}
