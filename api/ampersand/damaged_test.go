package ampersand_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// TestDamagedRecordIsLeftOutOfLists proves that a damaged record is logged, left out of lists,
// and 500 by itself.
func TestDamagedRecordIsLeftOutOfLists(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.do(t, "POST", path, creation("org-71", "")).want(t, 201)
	key := installation.Key{Tenant: memory.DemoProject, ID: idOf(one)}
	record, err := w.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body := record.Body.Bytes()
	body[len(body)/2] ^= 1
	record.Body = installation.BodyFromBytes(body)
	record.Revision++
	damage := installation.Change{
		Op: [16]byte{1}, Now: w.Now(), Key: key, If: 1, Record: record,
	}
	if _, err := w.store.Store.Commit(t.Context(), damage); err != nil {
		t.Fatal(err)
	}
	list := decode[[]wire](t, w.do(t, "GET", path, "").want(t, 200))
	if len(list) != 1 || list[0].Group.GroupRef != "org-71" {
		t.Errorf("lists %+v", list)
	}
	if !strings.Contains(w.log.String(), key.ID) {
		t.Errorf("logged: %s", w.log)
	}
	w.do(t, "GET", one, "").want(t, 500)
}

// TestDeleteInstallationWithLostKey proves that callers who may see an installation can delete
// it after its key is lost. Until then it is in no list and blocks the next one, which is told
// its ID. Its connection is free afterwards.
func TestDeleteInstallationWithLostKey(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		for name, headers := range map[string]func(w *world) []string{
			"the project's key": func(*world) []string {
				return []string{"X-Api-Key",
					apiKey}
			},
			"a consumer of the group": func(w *world) []string {
				return bearer(w.token("org-71", "u-9"))
			},
			"a colleague of the holder": func(w *world) []string {
				return bearer(w.token("org-71", "u-10"))
			},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, open)
				one := w.installFor(t, "org-71")
				w.replaceKeys(t, keyring(t, "k2"))
				by := headers(w)
				w.send(t, "GET", path+"?groupRef=org-71", "", by...).want(t, 200).
					wantBody(t, "[]")
				w.send(t, "GET", one, "", by...).want(t, 500)
				w.do(t, "POST", path, creation("org-71", "")).want(t, 409,
					`"remedy":"Delete the installation `+idOf(one)+` first, or change it.`)
				w.do(t, "DELETE", conns+"/connection-org-71", "").want(t, 409)
				w.as(t, w.own(), "DELETE", one, "").want(t, 404)
				w.send(t, "DELETE", one, "", "X-Api-Key", "c4nary-other-key").want(t, 404)
				w.send(t, "DELETE", strings.Replace(one, memory.DemoIntegration, "nope", 1), "",
					by...).want(t, 404)
				w.send(t, "DELETE", one, "", append(by, "If-Match", `"9"`)...).want(t, 409)
				w.send(t, "DELETE", one, "", by...).want(t, 204)
				w.send(t, "DELETE", one, "", by...).want(t, 404)
				w.do(t, "POST", path, creation("org-71", "")).want(t, 201)
			})
		}
		w := newWorld(t, open)
		one := w.installFor(t, "org-71")
		w.replaceKeys(t, keyring(t, "k2"))
		w.do(t, "DELETE", one, "").want(t, 204)
		w.do(t, "DELETE", conns+"/connection-org-71", "").want(t, 204)
	})
}

// TestKeepInstallationWithUnavailableKey proves that an installation is not deleted while its
// key is unavailable, because its connection would be left over.
func TestKeepInstallationWithUnavailableKey(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.replaceKeys(t, failingKeys{keyring(t, "k2"), installation.ErrKeyUnavailable})
	w.do(t, "DELETE", one, "").want(t, 503)
}

// TestKeyErrorsAreNotLogged proves that a list logs which installation it leaves out, and not the
// text of an error of the host's own key wrapper.
func TestKeyErrorsAreNotLogged(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.replaceKeys(t, failingKeys{keyring(t, "k2"), errors.New("dial c4nary-password@kms")})
	w.do(t, "GET", path, "")
	w.wantLog(t, idOf(one))
}

// replaceKeys serves the same store with other keys.
func (w *world) replaceKeys(t *testing.T, keys crypto.KeyWrapper) {
	t.Helper()
	svc, err := installation.New(w.store, keys, &installation.Options{
		Now: w.Now, Policy: ampersand.Policy, Owner: ampersand.Owner, Schema: ampersand.Schema,
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := ampersand.NewHandler(svc, w.host.Host(), &ampersand.Options{
		Now: w.Now, Log: slog.New(slog.NewTextHandler(&lockedWriter{w: w.log}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.first = onServer(t, handler)
}

// failingKeys cannot open a data key.
type failingKeys struct {
	crypto.KeyWrapper
	err error
}

func (k failingKeys) Unwrap(
	context.Context, crypto.Wrapped, crypto.Binding,
) (*crypto.DataKey, error) {
	return nil, k.err
}
