package ampersand_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// writers is how many change one installation at once.
const writers = 64

// TestConcurrentUpdates: updates of different objects, by masks and by JSON Patch, in two processes, all survive, and none is refused.
func TestConcurrentUpdates(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		var objects []string
		for i := range writers {
			objects = append(objects, fmt.Sprintf(`"o%d":%s`, i, object("o", 5)))
		}
		one := w.install(t, objects...)
		w.host.SetIntegration(memory.DemoProject, ampersand.Integration{ID: memory.DemoIntegration, Provider: "salesforce", Latest: ampersand.Revision{ID: "revision-124"}})
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				name := fmt.Sprintf("o%d", i)
				do := func(method, path, body string) reply {
					base := w.server.URL
					if i%8 == 0 {
						base = w.second.URL
					}
					return send(t, base, method, path, body, "X-Api-Key", apiKey)
				}
				var r reply
				switch i / 8 % 4 {
				case 0:
					r = do("PATCH", one, update(reads(`"`+name+`":`+object(name, 17)), "config.content.read.objects."+name))
				case 1:
					r = do("PATCH", contentOf(name), changes("read", `{"op":"replace","path":"/schedule","value":"*/17 * * * *"}`))
				case 2:
					r = do("PATCH", one, update(reads(`"`+name+`":{"disabled":true}`), "config.content.read.objects."+name+".disabled"))
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
		if a, b := strings.Count(r.body, `*/17`), strings.Count(r.body, `"disabled":true`); a != writers/2 || b != writers/2 {
			t.Errorf("%d schedules and %d switches survived, want %d each", a, b, writers/2)
		}
		if got := w.get(t, one); got.Config.RevisionID != "revision-124" || got.CreatedBy != "consumer:u-9" {
			t.Errorf("it is %+v", got)
		}
	})
}

// TestMakerSurvives: an update that names another maker and one that does not, at once.
func TestMakerSurvives(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				if i%2 == 0 {
					w.do(t, "PATCH", one, `{"updateMask":["config.createdBy"],"installation":{"config":{"createdBy":"builder:b-1"}}}`).want(t, 200)
					return
				}
				name := fmt.Sprintf("o%d", i)
				w.do(t, "PATCH", one, update(reads(`"`+name+`":`+object(name, 5)), "config.content.read.objects."+name)).want(t, 200)
			})
		}
		group.Wait()
		r := w.do(t, "GET", one, "").want(t, 200)
		if got := decode[wire](t, r); got.Config.CreatedBy != "builder:b-1" || strings.Count(r.body, `"objectName":"o`) != 8 {
			t.Errorf("it is %s", r.body)
		}
	})
}

// TestTwice sends the same PATCH and the same DELETE twice at once: the PATCH is carried out, one DELETE finds something.
func TestTwice(t *testing.T) {
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
		if got := twice("PATCH", update(reads(`"contact":`+object("contact", 7)), "config.content.read.objects.contact")); got != [2]int{200, 200} {
			t.Errorf("PATCH: %v", got)
		}
		if inst, err := w.svc.Get(t.Context(), one[strings.LastIndexByte(one, '/')+1:]); err != nil || inst.Revision != 2 {
			t.Errorf("error %v, revision %d, want 2", err, inst.Revision)
		}
		if got := twice("DELETE", ""); got != [2]int{204, 404} && got != [2]int{404, 204} {
			t.Errorf("DELETE: %v", got)
		}
	})
}

// TestDeleteMeetsUpdates: a DELETE takes the connection that the installation has by then.
func TestDeleteMeetsUpdates(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		w.host.AddConnection(memory.DemoProject, "another", connected("salesforce", memory.DemoGroup, "u-10"))
		swap := func() {
			const body = `{"updateMask":["connectionId"],"installation":{"connectionId":"another"}}`
			send(t, w.second.URL, "PATCH", one, body, "X-Api-Key", apiKey).want(t, 200)
		}
		w.store.first.Store(&swap)
		w.do(t, "DELETE", one, "").want(t, 204)
		w.do(t, "GET", project+"/connections/another", "").want(t, 404)
		w.do(t, "GET", project+"/connections/connection-salesforce", "").want(t, 200)
	})
}

// TestConnectionDeletedMeanwhile: an installation that came to have a connection which was deleted meanwhile is taken back.
func TestConnectionDeletedMeanwhile(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		remove := func(id string) func() {
			return func() { w.do(t, "DELETE", project+"/connections/"+id, "").want(t, 204) }
		}
		gone := remove("connection-salesforce")
		w.store.first.Store(&gone)
		w.do(t, "POST", path, creation(memory.DemoGroup, "")).want(t, 409, "The connection was deleted meanwhile.")
		if r := w.do(t, "GET", path, "").want(t, 200); r.body != "[]" {
			t.Errorf("left over: %s", r.body)
		}

		w.host.AddConnection(memory.DemoProject, "first", connected("salesforce", memory.DemoGroup, "u-10"))
		one := w.install(t)
		w.host.AddConnection(memory.DemoProject, "second", connected("salesforce", memory.DemoGroup, "u-10"))
		gone = remove("second")
		w.store.first.Store(&gone)
		w.do(t, "PATCH", one, `{"updateMask":["connectionId"],"installation":{"connectionId":"second"}}`).want(t, 409)
		if got := w.get(t, one); got.Connection.ID != "first" {
			t.Errorf("it has %s", got.Connection.ID)
		}
	})
}

// TestConnectionsRace installs, swaps and deletes around two connections for a while. In the end every installation has a connection that is there.
func TestConnectionsRace(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		const integrations = 6
		for i := range integrations {
			w.host.SetIntegration(memory.DemoProject, ampersand.Integration{ID: fmt.Sprintf("i%d", i), Provider: "salesforce", Latest: ampersand.Revision{ID: "r"}})
		}
		var group sync.WaitGroup
		var made, conns atomic.Int64
		for i := range integrations {
			at := fmt.Sprintf("%s/integrations/i%d/installations", project, i)
			group.Go(func() {
				for range 8 {
					w.host.AddConnection(memory.DemoProject, fmt.Sprintf("race-%d", conns.Add(1)), connected("salesforce", "org-race", "u"))
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
			if _, err := w.host.Connection(context.Background(), memory.DemoProject, inst.Connection.ID); err != nil {
				t.Errorf("%s has %s, which is not there", inst.ID, inst.Connection.ID)
			}
		}
	})
}
