package refreshing

import (
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/google/go-cmp/cmp"
)

// listed returns the IDs that a list has. It fails if Count does not agree.
func (w *world) listed(req installation.ListRequest) []string {
	w.t.Helper()
	var ids []string
	for inst, err := range w.svc.All(w.t.Context(), req) {
		if err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, inst.ID)
	}
	n, err := w.svc.Count(w.t.Context(), req)
	if err != nil || int(n) != len(ids) {
		w.t.Errorf("%+v: count %d, error %v; list %v", req, n, err, ids)
	}
	return ids
}

func TestListsOfConnections(t *testing.T) {
	for name, change := range map[string]func(*world){
		"with Options.Refresh":    refreshing,
		"without Options.Refresh": func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.InBubble(t, func(t *testing.T) {
				w := newWorld(t, change)
				now := time.Now()
				w.install("EXI-2")
				w.grants[id] = "another"
				if _, err := w.refreshed(w.svc); err == nil {
					t.Fatal("a dead connection was refreshed")
				}
				w.install("EXI-3")
				if _, err := w.svc.Refresh(t.Context(), installation.RefreshRequest{
					ID: "EXI-3",
				}, w.refresh); err != nil {
					t.Fatal(err)
				}
				type request = installation.ListRequest
				soon, later := now.Add(time.Minute), now.Add(2*time.Hour)
				for what, test := range map[string]struct {
					req  request
					want []string
				}{
					"failed":      {request{Failed: true}, []string{id}},
					"provider":    {request{Provider: "crm"}, []string{id, "EXI-2", "EXI-3"}},
					"no provider": {request{Provider: "erp"}, nil},
					"both":        {request{Provider: "crm", Failed: true}, []string{id}},
					"expired": {
						request{ExpiresBefore: now, Account: "ACC-EXI-2"}, []string{"EXI-2"},
					},
					"expire soon": {request{ExpiresBefore: soon, Provider: "erp"}, nil},
					"expires later": {
						request{ExpiresBefore: later, Account: "ACC-EXI-3"}, []string{"EXI-3"},
					},
				} {
					if diff := cmp.Diff(test.want, w.listed(test.req)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", what, diff)
					}
				}
			})
		})
	}
}
