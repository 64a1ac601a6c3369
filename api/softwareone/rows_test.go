package softwareone_test

import (
	"context"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
)

// TestIDs: twelve random digits, and another draw for those that are taken, whoever has them.
func TestIDs(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := softwareone.NewID()
		if !idForm.MatchString(id) || seen[id] {
			t.Fatalf("id %q, seen %t", id, seen[id])
		}
		seen[id] = true
	}
	onStores(t, func(t *testing.T, w *world) {
		var draws []string
		softwareone.SetNewID(w.handler, func() string {
			id := draws[0]
			draws = draws[1:]
			return id
		})
		draws = []string{"EXI-0000-0000-0001"}
		w.install(t, clientToken, stock)
		draws = []string{"EXI-0000-0000-0001", "EXI-0000-0000-0002"}
		if got := w.install(t, client2Token, stock); got.ID != "EXI-0000-0000-0002" {
			t.Errorf("installed as %s", got.ID)
		}
		draws = []string{"EXI-0000-0000-0001", "EXI-0000-0000-0002", "EXI-0000-0000-0003"}
		if got, _ := w.invite(t, stock); got.ID != "EXI-0000-0000-0003" {
			t.Errorf("invited as %s", got.ID)
		}
		draws = []string{"EXI-0000-0000-0004"}
		// that is no reason for another draw
		w.do(t, "POST", "/installations", clientToken, installBody).refused(t, 409, installed)
		for range 8 {
			draws = append(draws, "EXI-0000-0000-0001")
		}
		w.do(t, "POST", "/installations", clientToken, strings.Replace(installBody, stock, ledger,
			1)).refused(t, 500, "The request could not be completed.")
		if !strings.Contains(w.log.String(), "every id that was drawn is taken") {
			t.Error("not logged")
		}
	})
}

// TestUnopenableRowsAreShown: a row that cannot be opened shows with what is known of it, and
// one whose key was destroyed shows what is left.
func TestUnopenableRowsAreShown(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		inst := w.install(t, clientToken, stock)
		w.do(t, "PUT", "/installations/"+inst.ID, vendorToken, configuredBody).want(t, 200)
		w.install(t, client2Token, stock)
		stranger := w.stranger(t)
		there := w.server.Config.Handler
		w.over(t, stranger, newDirectory(t))
		path := "/installations/" + inst.ID
		for _, token := range []string{vendorToken, clientToken, opsToken, stockSecret} {
			w.do(t, "GET", path, token, "").
				want(t, 200, `{"id":"`+inst.ID+`","revision":2,"status":"Installed",`+
					`"extension":{"id":"EXT-4410-7725"},"account":{"id":"ACC-8834-0012"},`+
					`"modules":[]}`)
		}
		w.do(t, "GET", path, rivalToken, "").refused(t, 404, noSuchRow)
		w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 500)
		for _, token := range []string{vendorToken, opsToken, stockSecret} {
			for _, query := range []string{"", "?status=Installed&order=id",
				"?extension.id=" + stock} {
				p := decode[page](t,
					w.do(t, "GET", "/installations"+query, token, "").want(t, 200).body)
				if len(p.Data) != 2 || p.Data[0].Extension.ID != stock ||
					p.Data[0].Account.ID == "" || p.Data[0].Configuration != nil ||
					p.Data[0].Modules == nil {
					t.Errorf("listed %+v", p.Data)
				}
			}
		}
		req := installation.UninstallRequest{ID: inst.ID, Final: true}
		asHost := stranger.As(installation.Actor{Kind: installation.Host})
		if _, err := asHost.Uninstall(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		w.server.Config.Handler = there
		for _, token := range []string{vendorToken, clientToken, opsToken, stockSecret} {
			got := w.do(t, "GET", path, token, "").want(t, 200).row(t)
			if got.Status != "Uninstalled" || got.Account.ID != clientAccount ||
				got.Extension.ID != stock || got.Revision != 3 {
				t.Errorf("it reads %+v", got)
			}
		}
		w.do(t, "DELETE", path, vendorToken, "").want(t, 204)
		w.do(t, "DELETE", path, opsToken, "").want(t, 204)
		w.do(t, "POST", path+"/redeem", clientToken, redeemBody("x")).
			refused(t, 400, badInvitation)
		w.install(t, clientToken, stock)
	})
}

// TestUnopenableRowCanEnd: a row that cannot be opened can be ended, by operations and by the
// vendor, and is not in the way of the next one then.
func TestUnopenableRowCanEnd(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		for _, token := range []string{vendorToken, opsToken} {
			inst := w.install(t, clientToken, stock)
			path := "/installations/" + inst.ID
			there := w.server.Config.Handler
			w.over(t, w.stranger(t), newDirectory(t))
			w.do(t, "POST", "/installations", clientToken, installBody).refused(t, 409, installed)
			for _, other := range []string{clientToken, stockSecret} {
				w.do(t, "DELETE", path, other, "").want(t, 403)
			}
			w.do(t, "DELETE", path, rivalToken, "").refused(t, 404, noSuchRow)
			w.do(t, "DELETE", path, token, "", "If-Match", `"9"`).want(t, 409)
			w.do(t, "DELETE", path, token, "").want(t, 204)
			w.do(t, "DELETE", path, token, "").want(t, 204)
			w.server.Config.Handler = there
			got := w.do(t, "GET", path, vendorToken, "").want(t, 200).row(t)
			// No seal vouches for who ended it, so the row does not say.
			if got.Status != "Uninstalled" || got.Revision != 2 ||
				got.Audit["uninstalled"].At == "" || got.Audit["uninstalled"].By.ID != "" {
				t.Errorf("it reads %+v", got)
			}
			again := w.install(t, clientToken, stock)
			w.do(t, "DELETE", "/installations/"+again.ID, opsToken, "").want(t, 204)
		}
	})
}

// TestRowsWhileKeysUnavailable: while the keys cannot be had a GET is worth another try, and a
// DELETE needs none.
func TestRowsWhileKeysUnavailable(t *testing.T) {
	w := newWorld(t, newMemory())
	inst := w.install(t, clientToken, stock)
	path := "/installations/" + inst.ID
	svc, err := installation.New(w.store,
		away{newKeys(t, "k1", "0123456789abcdef0123456789abcdef")},
		&installation.Options{Now: w.Now, Policy: softwareone.Policy})
	if err != nil {
		t.Fatal(err)
	}
	w.over(t, svc, newDirectory(t))
	for _, token := range []string{vendorToken, opsToken, clientToken} {
		w.do(t, "GET", path, token, "").
			refused(t, 503, "The service cannot answer at the moment.")
	}
	w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 503)
	w.do(t, "DELETE", path, vendorToken, "").want(t, 204)
}

// away are keys that cannot be had.
type away struct{ crypto.KeyWrapper }

func (away) Unwrap(context.Context, crypto.Wrapped, crypto.Binding) (*crypto.DataKey, error) {
	return nil, installation.ErrKeyUnavailable
}

// stranger is a service over the same store without the keys of its rows.
func (w *world) stranger(t testing.TB) *installation.Service {
	t.Helper()
	svc, err := installation.New(w.store, newKeys(t, "k2", "fedcba9876543210fedcba9876543210"),
		&installation.Options{
			Now: w.Now, Policy: softwareone.Policy, Owner: softwareone.Owners(newDirectory(t)),
		})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}
