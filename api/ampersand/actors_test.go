package ampersand_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/examples/hostapp/memory"
)

// endpoint is one of all, on the installation of group-123 with the id {id} and the connection {conn} of its consumer.
type endpoint struct {
	method, path, body string
	owner, consumer    int // status for the builder, and for a consumer of the group
	empty              bool
}

const updateBody = `{"updateMask":["config.content.read.objects.contact"],"installation":{"config":{"content":{"read":{"objects":{"contact":` + contact + `}}}}}}`

// endpoints are all there are. Lists of who may not see are empty; those that nothing belongs to are the same for all.
var endpoints = []endpoint{
	{"GET", project + "/installations", "", 200, 200, true},
	{"GET", path, "", 200, 200, true},
	{"GET", path + "?groupRef=group-123", "", 200, 200, true},
	{"POST", path, creation(memory.DemoGroup, ""), 409, 403, false},
	{"GET", path + "/{id}", "", 200, 200, false},
	{"PATCH", path + "/{id}", updateBody, 200, 200, false},
	{"POST", path + "/{id}:pause", "", 204, 204, false},
	{"POST", path + "/{id}:unpause", `{"objects":["contact"]}`, 204, 204, false},
	{"GET", path + "/{id}/operations", "", 200, 200, false},
	{"GET", path + "/{id}/objects/contact/backfill-progress", "", 404, 404, false},
	{"PATCH", contentOf("contact"), changes("read", `{"op":"replace","path":"/schedule","value":"x"}`), 200, 200, false},
	{"PATCH", contentOf("contact"), `{"installationId":"{id}","action":"read","changes":[{"op":"replace","path":"/schedule","value":"y"}]}`, 200, 200, false},
	{"GET", project + "/integrations", "", 200, 200, false},
	{"GET", integration + "/revisions/revision-123:hydrate?connectionId={conn}", "", 200, 200, false},
	{"GET", conns, "", 200, 200, true},
	{"GET", conns + "?groupRef=group-123", "", 200, 200, true},
	{"GET", conns + "/{conn}", "", 200, 200, false},
	{"GET", conns + "/{conn}?includeCreds=true", "", 200, 403, false},
	{"GET", conns + "/{conn}?includeRefreshToken=true", "", 200, 403, false},
	{"GET", conns + "/{conn}?refresh=force", "", 200, 403, false},
	{"PATCH", conns + "/{conn}", `{"updateMask":["providerWorkspaceRef"],"connection":{"providerWorkspaceRef":"x"}}`, 200, 200, false},
	{"POST", conns + ":generate", `{"groupRef":"group-123","consumerRef":"consumer-123","provider":"anthropic","apiKey":"k"}`, 201, 201, false},
	{"DELETE", conns + "/{conn}", "", 409, 409, false},
	{"DELETE", path + "/{id}", "", 204, 204, false},
}

// TestActors sends each request in the name of everybody: 401 without identity, 404 across projects, an empty list or 404 across groups, 403 in
// another's name.
func TestActors(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		for _, e := range endpoints {
			t.Run(e.method+" "+e.path, func(t *testing.T) {
				w := newWorld(t, open)
				w.host.AddConnection(memory.DemoProject, "colleague", connected("hubspot", memory.DemoGroup, "consumer-124"))
				one := w.install(t)
				id := one[strings.LastIndexByte(one, '/')+1:]
				fill := strings.NewReplacer("{id}", id, "{conn}", "connection-salesforce").Replace
				stranger := http.StatusNotFound // a consumer of another group
				switch {
				case e.empty, strings.HasSuffix(e.path, "/integrations"):
					stranger = http.StatusOK
				case e.method == "POST" && (e.path == path || strings.HasSuffix(e.path, ":generate")):
					stranger = http.StatusForbidden
				}
				colleague := e.consumer // another consumer of the group: the installation is shared, a connection is not
				switch {
				case strings.HasPrefix(e.path, conns+"/"), strings.Contains(e.path, ":hydrate"):
					colleague = http.StatusNotFound
				case strings.HasSuffix(e.path, ":generate"):
					colleague = http.StatusForbidden
				}
				now := w.Now().Unix()
				elsewhere := signed(otherKey(), claims{"alg": "RS256", "kid": "kid-other"}, w.claims(memory.DemoGroup, memory.DemoConsumer))
				before := w.store.commits.Load()
				for _, a := range []struct {
					name    string
					headers []string
					status  int
				}{
					{"nobody", nil, 401},
					{"an unknown key", []string{"X-Api-Key", "nope"}, 401},
					{"an empty key", []string{"X-Api-Key", " "}, 401},
					{"an expired token", bearer(w.own(claims{"iat": now - 500, "exp": now - 100})), 401},
					{"a long-lived token", bearer(w.own(claims{"exp": now + 3600})), 401},
					{"another algorithm", bearer(signed(testKey(), claims{"alg": "RS384", "kid": "kid-1"}, w.claims(memory.DemoGroup, memory.DemoConsumer))), 401},
					{"another's signature", bearer(signed(otherKey(), claims{"alg": "RS256", "kid": "kid-1"}, w.claims(memory.DemoGroup, memory.DemoConsumer))), 401},
					{"another project's key", []string{"X-Api-Key", "c4nary-other-key"}, 404},
					{"another project's token", bearer(elsewhere), 404},
					{"a consumer of another group", bearer(w.token("org-71", "u-9")), stranger},
				} {
					r := send(t, w.server.URL, e.method, fill(e.path), fill(e.body), a.headers...).want(t, a.status)
					if e.empty && a.status == 200 && strings.Contains(r.body, memory.DemoGroup) {
						t.Errorf("%s is shown %s", a.name, r.body)
					}
					if t.Failed() {
						t.Fatalf("as %s", a.name)
					}
				}
				if n := w.store.commits.Load() - before; n != 0 {
					t.Errorf("%d commits for who may do nothing", n)
				}
				for _, a := range []struct {
					name    string
					headers []string
					status  int
				}{
					{"the project's key", []string{"X-Api-Key", apiKey}, e.owner},
					{"a consumer of the group", bearer(w.own()), e.consumer},
					{"a colleague of the consumer", bearer(w.token(memory.DemoGroup, "consumer-124")), colleague},
				} {
					if e.method == "DELETE" && e.owner == 204 { // once each
						w = newWorld(t, open)
						one = w.install(t)
						fill = strings.NewReplacer("{id}", one[strings.LastIndexByte(one, '/')+1:]).Replace
					}
					send(t, w.server.URL, e.method, fill(e.path), fill(e.body), a.headers...).want(t, a.status)
					if t.Failed() {
						t.Fatalf("as %s", a.name)
					}
				}
			})
		}
	})
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// TestConsumerInstalls: a consumer installs for its group, in its own name and by its own or its group's default connection.
func TestConsumerInstalls(t *testing.T) {
	w := newWorld(t, anyStore)
	w.host.AddConnection(memory.DemoProject, "colleague", connected("salesforce", memory.DemoGroup, "consumer-124"))
	body := strings.Replace(creation(memory.DemoGroup, ""), `"createdBy":"consumer:u-9",`, "", 1)
	by := func(maker string) string {
		return strings.Replace(body, `"config":{`, `"config":{"createdBy":"`+maker+`",`, 1)
	}
	w.as(t, w.own(), "POST", path, strings.Replace(body, memory.DemoGroup, "org-71", 1)).want(t, 403, "The token is for another group.")
	w.as(t, w.own(), "POST", path, by("consumer:u-9")).want(t, 403, "in its own name")
	w.as(t, w.own(), "POST", path, by("builder:b-1")).want(t, 403)
	w.as(t, w.own(), "POST", path, strings.Replace(body, `{"groupRef"`, `{"connectionId":"colleague","groupRef"`, 1)).want(t, 400, "connectionId")
	r := w.as(t, w.own(), "POST", path, by("consumer:consumer-123")).want(t, 201, `"createdBy":"consumer:consumer-123"`)
	one := path + "/" + decode[wire](t, r).ID
	w.as(t, w.own(), "PATCH", one, `{"updateMask":["config.createdBy"],"installation":{"config":{"createdBy":"api:x"}}}`).want(t, 403)
	w.as(t, w.own(), "DELETE", one, "").want(t, 204)
	w.as(t, w.own(), "POST", path, body).want(t, 201, `"createdBy":"consumer:consumer-123"`)
}

// TestAudit: who did it is the caller that was verified, whatever a request says of its maker.
func TestAudit(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.advance(time.Minute)
	w.as(t, w.own(), "PATCH", one, updateBodyOf("lead")).want(t, 200)
	inst, err := w.svc.Get(t.Context(), one[strings.LastIndexByte(one, '/')+1:])
	if err != nil || inst.Audit.Created.By.ID != "demo" || inst.Audit.Updated.By.ID != memory.DemoConsumer {
		t.Errorf("error %v, audit %+v", err, inst.Audit)
	}
}

func updateBodyOf(name string) string {
	return update(reads(`"`+name+`":`+object(name, 5)), "config.content.read.objects."+name)
}

// TestMethods: other methods are refused with those there are, other paths do not exist.
func TestMethods(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	for _, tt := range []struct{ method, path, allow string }{
		{"PUT", path, "GET, HEAD, POST"},
		{"POST", one, "DELETE, GET, HEAD, PATCH"},
		{"GET", one + ":pause", "POST"},
		{"DELETE", one + ":unpause", "POST"},
		{"POST", project + "/installations", "GET, HEAD"},
		{"GET", conns + ":generate", "POST"},
		{"GET", contentOf("contact"), "PATCH"},
		{"POST", one + ":nope", "DELETE, GET, HEAD, PATCH"},
		{"OPTIONS", path, "GET, HEAD, POST"},
	} {
		if r := w.do(t, tt.method, tt.path, "").want(t, 405); r.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s allows %q, want %q", tt.method, tt.path, r.header.Get("Allow"), tt.allow)
		}
	}
	for _, p := range []string{"/", "/projects", "/projects/", project, path + "/", one + "/", one + "/x", project + "//installations", "/v1" + path, path + "/../" + memory.DemoIntegration} {
		w.do(t, "GET", p, "").want(t, 404)
	}
	if r := w.do(t, "HEAD", one, "").want(t, 200); r.body != "" || r.header.Get("Etag") != `"1"` {
		t.Errorf("HEAD answers %q, %v", r.body, r.header)
	}
}

// TestUnauthenticatedFlood: ten thousand requests without identity change nothing.
func TestUnauthenticatedFlood(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	id := one[strings.LastIndexByte(one, '/')+1:]
	fill := strings.NewReplacer("{id}", id, "{conn}", "connection-salesforce").Replace
	before := w.store.commits.Load()
	for i := range 10_000 {
		e := endpoints[i%len(endpoints)]
		r, _ := request(e.method, fill(e.path), []byte(fill(e.body)))
		rec := serve(w.handler, r)
		if rec.Code != http.StatusUnauthorized {
			t.Fatalf("%s %s: status %d", e.method, e.path, rec.Code)
		}
	}
	if n := w.store.commits.Load() - before; n != 0 {
		t.Errorf("%d commits", n)
	}
}
