package ampersand_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// writers is how many change one installation at once.
const writers = 64

// TestConcurrentUpdatesAllSurvive updates different objects at once, with masks and JSON
// Patches in two processes.
func TestConcurrentUpdatesAllSurvive(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		var objects []string
		for i := range writers {
			objects = append(objects, fmt.Sprintf(`"o%d":%s`, i, object("o", 5)))
		}
		one := w.install(t, objects...)
		w.setIntegration(memory.DemoIntegration, "salesforce", "revision-124")
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				name := fmt.Sprintf("o%d", i)
				to := w.first
				if i%8 == 0 {
					to = w.second
				}
				do := func(method, path, body string) reply {
					return send(t, to, method, path, body, "X-Api-Key", apiKey)
				}
				var r reply
				switch i / 8 % 4 {
				case 0:
					r = do("PATCH", one, replaceObject(name, object(name, 17)))
				case 1:
					r = do("PATCH", contentOf(name),
						changes("read", `{"op":"replace","path":"/schedule",`+
							`"value":"*/17 * * * *"}`))
				case 2:
					r = do("PATCH", one, update(reads(`"`+name+`":{"disabled":true}`),
						"config.content.read.objects."+name+".disabled"))
				case 3:
					r = do("POST", one+":pause", `{"objects":["`+name+`"]}`)
				}
				if r.status != 200 && r.status != 204 {
					t.Errorf("%s: status %d: %s", name, r.status, r.body)
				}
			})
		}
		group.Wait()
		r := w.do(t, "GET", one, "").want(t, 200)
		schedules := strings.Count(r.body, `*/17`)
		switches := strings.Count(r.body, `"disabled":true`)
		if schedules != writers/2 || switches != writers/2 {
			t.Errorf("%d schedules and %d switches survived, want %d each",
				schedules, switches, writers/2)
		}
		if got := w.get(t, one); got.Config.RevisionID != "revision-124" ||
			got.CreatedBy != "consumer:u-9" {
			t.Errorf("it is %+v", got)
		}
	})
}

// TestConcurrentCreatorSurvives races updates with a new creator and updates without one.
func TestConcurrentCreatorSurvives(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				if i%2 == 0 {
					w.do(t, "PATCH", one, setCreator("builder:b-1")).want(t, 200)
					return
				}
				name := fmt.Sprintf("o%d", i)
				w.do(t, "PATCH", one, replaceObject(name, object(name, 5))).want(t, 200)
			})
		}
		group.Wait()
		r := w.do(t, "GET", one, "").want(t, 200)
		if got := decode[wire](t, r); got.Config.CreatedBy != "builder:b-1" ||
			strings.Count(r.body, `"objectName":"o`) != 8 {
			t.Errorf("it is %s", r.body)
		}
	})
}

// TestSameRequestTwice sends the same PATCH and the same DELETE twice at once. Both PATCH
// succeed, and one DELETE.
func TestSameRequestTwice(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		twice := func(method, body string) [2]int {
			var statuses [2]int
			var group sync.WaitGroup
			for i := range statuses {
				group.Go(func() { statuses[i] = w.do(t, method, one, body).status })
			}
			group.Wait()
			return statuses
		}
		got := twice("PATCH", replaceObject("contact", object("contact", 7)))
		if got != [2]int{200, 200} {
			t.Errorf("PATCH: %v", got)
		}
		if inst, err := w.svc.Get(t.Context(), idOf(one)); err != nil || inst.Revision != 2 {
			t.Errorf("error %v, revision %d, want 2", err, inst.Revision)
		}
		if got := twice("DELETE", ""); got != [2]int{204, 404} && got != [2]int{404, 204} {
			t.Errorf("DELETE: %v", got)
		}
	})
}

// TestDeleteAfterConcurrentSwap proves that DELETE removes the connection that the installation
// has at that time.
func TestDeleteAfterConcurrentSwap(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		w.connect("another", "salesforce", memory.DemoGroup, "u-10")
		swap := func() {
			send(t, w.second, "PATCH", one, swapTo("another"), "X-Api-Key", apiKey).want(t, 200)
		}
		w.store.interrupt(swap)
		w.do(t, "DELETE", one, "").want(t, 204)
		w.do(t, "GET", conns+"/another", "").want(t, 404)
		w.do(t, "GET", conns+"/connection-salesforce", "").want(t, 200)
	})
}

// TestConnectionDeletedDuringWrite proves that a write is undone if its connection was deleted
// meanwhile.
func TestConnectionDeletedDuringWrite(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		remove := func(id string) func() {
			return func() { w.do(t, "DELETE", conns+"/"+id, "").want(t, 204) }
		}
		gone := remove("connection-salesforce")
		w.store.interrupt(gone)
		w.do(t, "POST", path, creation(memory.DemoGroup, "")).want(t, 409,
			"The connection was deleted meanwhile.")
		w.do(t, "GET", path, "").want(t, 200).wantBody(t, "[]")

		w.connect("first", "salesforce", memory.DemoGroup, "u-10")
		one := w.install(t)
		w.connect("second", "salesforce", memory.DemoGroup, "u-10")
		gone = remove("second")
		w.store.interrupt(gone)
		w.do(t, "PATCH", one, swapTo("second")).want(t, 409)
		if got := w.get(t, one); got.Connection.ID != "first" {
			t.Errorf("it has %s", got.Connection.ID)
		}
	})
}

// TestUndoneSwapKeepsStoredSecrets proves that secrets that the host stored with a connection come
// back if the new connection was deleted meanwhile, and stay if the connection stays.
func TestUndoneSwapKeepsStoredSecrets(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		w.connect("second", "salesforce", memory.DemoGroup, "u-10")
		id := idOf(one)
		inst, err := w.svc.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		conn := *inst.Connection
		conn.RefreshToken.Value = crypto.NewSecret("r3fresh")
		conn.Metadata = installation.JSON(`{"token":"m3ta"}`)
		_, err = w.svc.Patch(t.Context(), installation.PatchRequest{
			ID: id, Parts: installation.Parts{Connection: installation.Value(conn)},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.do(t, "PATCH", one, swapTo("connection-salesforce")).want(t, 200)
		wantStored(t, w, id, "r3fresh", `{"token":"m3ta"}`)
		w.store.interrupt(func() { w.do(t, "DELETE", conns+"/second", "").want(t, 204) })
		w.do(t, "PATCH", one, swapTo("second")).want(t, 409)
		wantStored(t, w, id, "r3fresh", `{"token":"m3ta"}`)
	})
}

// wantStored checks the stored secrets of a connection.
func wantStored(t *testing.T, w *world, id, refresh, metadata string) {
	t.Helper()
	o, err := w.svc.Open(t.Context(), installation.OpenRequest{ID: id, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	conn, err := o.Credentials()
	if err != nil || conn.ID != "connection-salesforce" {
		t.Fatalf("connection %v, %v", conn, err)
	}
	if got := conn.RefreshToken.Value.RevealString(); got != refresh {
		t.Errorf("the refresh token is %q, want %q", got, refresh)
	}
	if got := conn.Metadata.Text().RevealString(); got != metadata {
		t.Errorf("the metadata is %s, want %s", got, metadata)
	}
}

// TestNoInstallationWithDeletedConnection installs and deletes with shared connections for a
// while. In the end, every installation has an existing connection.
func TestNoInstallationWithDeletedConnection(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		const integrations = 6
		for i := range integrations {
			w.setIntegration(fmt.Sprintf("i%d", i), "salesforce", "r")
		}
		var group sync.WaitGroup
		var made, conns atomic.Int64
		for i := range integrations {
			at := fmt.Sprintf("%s/integrations/i%d/installations", project, i)
			group.Go(func() {
				for range 8 {
					id := fmt.Sprintf("race-%d", conns.Add(1))
					w.connect(id, "salesforce", "org-race", "u")
					r := w.do(t, "POST", at, creation("org-race", ""))
					switch r.status {
					case 201:
						made.Add(1)
						w.do(t, "DELETE", at+"/"+decode[wire](t, r).ID, "").want(t, 204)
					case 400, 409: // another one's DELETE took the connection
					default:
						t.Errorf("status %d: %s", r.status, r.body)
					}
				}
				w.do(t, "POST", at, creation("org-race", ""))
			})
		}
		group.Wait()
		if made.Load() == 0 {
			t.Error("nothing was ever made")
		}
		for inst, err := range w.svc.All(t.Context(), installation.ListRequest{}) {
			if err != nil {
				t.Fatal(err)
			}
			_, err := w.host.Connection(t.Context(), memory.DemoProject, inst.Connection.ID)
			if err != nil {
				t.Errorf("%s has %s, which is not there", inst.ID, inst.Connection.ID)
			}
		}
	})
}
