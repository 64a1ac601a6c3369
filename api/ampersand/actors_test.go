package ampersand_test

import (
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/examples/hostapp/memory"
)

// endpoint is a request for the installation {id} of group-123 and a connection {conn} of its
// consumer.
type endpoint struct {
	method, path, body string
	owner, consumer    int  // status for the builder, and for a consumer of the group
	empty              bool // a list, empty for callers that may not see its items
}

var updateBody = replaceObject("contact", contact)

// endpoints has all of them.
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
	{"PATCH", contentOf("contact"), changes("read", `{"op":"replace","path":"/schedule",`+
		`"value":"x"}`), 200, 200, false},
	{"PATCH", contentOf("contact"), `{"installationId":"{id}","action":"read",` +
		`"changes":[{"op":"replace","path":"/schedule","value":"y"}]}`, 200, 200, false},
	{"GET", project + "/integrations", "", 200, 200, false},
	{"GET", integration + "/revisions/revision-123:hydrate?connectionId={conn}", "", 200, 200,
		false},
	{"GET", conns, "", 200, 200, true},
	{"GET", conns + "?groupRef=group-123", "", 200, 200, true},
	{"GET", conns + "/{conn}", "", 200, 200, false},
	{"GET", conns + "/{conn}?includeCreds=true", "", 200, 403, false},
	{"GET", conns + "/{conn}?includeRefreshToken=true", "", 200, 403, false},
	{"GET", conns + "/{conn}?refresh=force", "", 200, 403, false},
	{"PATCH", conns + "/{conn}", `{"updateMask":["providerWorkspaceRef"],` +
		`"connection":{"providerWorkspaceRef":"x"}}`, 200, 200, false},
	{"POST", conns + ":generate", `{"groupRef":"group-123","consumerRef":"consumer-123",` +
		`"provider":"anthropic","apiKey":"k"}`, 201, 201, false},
	{"GET", project, "", 200, 200, false},
	{"GET", project + "/provider-apps", "", 200, 200, false},
	{"GET", integration, "", 200, 200, false},
	{"GET", integration + "/objects/contact/metadata?groupRef=group-123", "", 200, 200, false},
	{"GET", project + "/providers/salesforce/objects/contact/metadata?groupRef=group-123", "", 200,
		200, false},
	{"POST", "/oauth-connect", connectBody, 200, 200, false},
	{"POST", "/custom-auth/connect", customBody, 200, 200, false},
	{"PATCH", conns + "/{conn}:oauth-update", "", 200, 200, false},
	{"DELETE", conns + "/{conn}", "", 409, 409, false},
	{"DELETE", path + "/{id}", "", 204, 204, false},
}

// stranger returns the status for a consumer of another group.
func (e endpoint) stranger() int {
	switch {
	case e.empty, e.path == project, e.path == integration,
		strings.HasSuffix(e.path, "/integrations"), strings.HasSuffix(e.path, "/provider-apps"):
		return http.StatusOK
	case e.method == "POST" && e.path == path, e.connects():
		return http.StatusForbidden
	}
	return http.StatusNotFound
}

// colleague returns the status for another consumer of the group. Installations are shared, and
// connections are not.
func (e endpoint) colleague() int {
	switch {
	case strings.HasPrefix(e.path, conns+"/"), strings.Contains(e.path, ":hydrate"):
		return http.StatusNotFound
	case e.connects():
		return http.StatusForbidden
	}
	return e.consumer
}

// connects reports whether the endpoint makes a connection for the consumer in the body.
func (e endpoint) connects() bool {
	return strings.HasSuffix(e.path, ":generate") || strings.HasSuffix(e.path, "connect")
}

// requester sends requests with some headers.
type requester struct {
	name    string
	headers []string
	status  int // expected
}

// outsiders are callers that may change nothing.
func (w *world) outsiders(e endpoint) []requester {
	now := w.Now().Unix()
	own := w.claims(memory.DemoGroup, memory.DemoConsumer)
	token := func(key *rsa.PrivateKey, alg, kid string) []string {
		return bearer(signed(key, claims{"alg": alg, "kid": kid}, own))
	}
	return []requester{
		{"nobody", nil, 401},
		{"an unknown key", []string{"X-Api-Key", "nope"}, 401},
		{"an empty key", []string{"X-Api-Key", " "}, 401},
		{"an expired token", bearer(w.own(claims{"iat": now - 500, "exp": now - 100})), 401},
		{"a long-lived token", bearer(w.own(claims{"exp": now + 3600})), 401},
		{"another algorithm", token(testKey(), "RS384", "kid-1"), 401},
		{"another's signature", token(otherKey(), "RS256", "kid-1"), 401},
		{"another project's key", []string{"X-Api-Key", "c4nary-other-key"}, 404},
		{"another project's token", token(otherKey(), "RS256", "kid-other"), 404},
		{"a consumer of another group", bearer(w.token("org-71", "u-9")), e.stranger()},
	}
}

// TestAccessByCaller sends each request as every kind of caller: 401 without an identity, 404
// across projects, 404 or an empty list across groups, and 403 for writes in the name of
// others.
func TestAccessByCaller(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		for _, e := range endpoints {
			t.Run(e.method+" "+e.path, func(t *testing.T) { testAccess(t, open, e) })
		}
	})
}

func testAccess(t *testing.T, open opener, e endpoint) {
	w := newWorld(t, open)
	w.connect("colleague", "hubspot", memory.DemoGroup, "consumer-124")
	fill := filler(w.install(t), "connection-salesforce")
	ask := func(by requester) reply {
		t.Helper()
		r := w.send(t, e.method, fill(e.path), fill(e.body), by.headers...).want(t, by.status)
		if t.Failed() {
			t.Fatalf("as %s", by.name)
		}
		return r
	}
	before := w.store.commits.Load()
	for _, by := range w.outsiders(e) {
		r := ask(by)
		if e.empty && by.status == 200 && strings.Contains(r.body, memory.DemoGroup) {
			t.Fatalf("%s is shown %s", by.name, r.body)
		}
	}
	w.wantCommits(t, before)
	for _, by := range []requester{
		{"the project's key", []string{"X-Api-Key", apiKey}, e.owner},
		{"a consumer of the group", bearer(w.own()), e.consumer},
		{"a colleague of the consumer", bearer(w.token(memory.DemoGroup, "consumer-124")),
			e.colleague()},
	} {
		if e.method == "DELETE" && e.owner == 204 { // once each
			w = newWorld(t, open)
			fill = filler(w.install(t), "")
		}
		ask(by)
	}
}

// TestConsumerInstallsForItsGroup proves that a consumer installs only for its group, in its
// own name, with its own connection or the default one.
func TestConsumerInstallsForItsGroup(t *testing.T) {
	w := newWorld(t, anyStore)
	w.connect("colleague", "salesforce", memory.DemoGroup, "consumer-124")
	body := strings.Replace(creation(memory.DemoGroup, ""), `"createdBy":"consumer:u-9",`, "",
		1)
	by := func(creator string) string {
		return strings.Replace(body, `"config":{`, `"config":{"createdBy":"`+creator+`",`, 1)
	}
	w.as(t, w.own(), "POST", path, strings.Replace(body, memory.DemoGroup, "org-71", 1)).
		want(t, 403, "The token is for another group.")
	w.as(t, w.own(), "POST", path, by("consumer:u-9")).want(t, 403, "in its own name")
	w.as(t, w.own(), "POST", path, by("builder:b-1")).want(t, 403)
	w.as(t, w.own(), "POST", path, strings.Replace(body, `{"groupRef"`,
		`{"connectionId":"colleague","groupRef"`, 1)).want(t, 400, "connectionId")
	r := w.as(t, w.own(), "POST", path, by("consumer:consumer-123")).want(t, 201,
		`"createdBy":"consumer:consumer-123"`)
	one := path + "/" + decode[wire](t, r).ID
	w.as(t, w.own(), "PATCH", one, setCreator(`api:x`)).want(t, 403)
	w.as(t, w.own(), "DELETE", one, "").want(t, 204)
	w.as(t, w.own(), "POST", path, body).want(t, 201, `"createdBy":"consumer:consumer-123"`)
}

// TestAuditHasVerifiedCaller proves that the audit trail has the verified caller, whatever
// creator the request gives.
func TestAuditHasVerifiedCaller(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.Advance(time.Minute)
	w.as(t, w.own(), "PATCH", one, replaceObject("lead", object("lead", 5))).want(t, 200)
	inst, err := w.svc.Get(t.Context(), idOf(one))
	if err != nil || inst.Audit.Created.By.ID != "demo" ||
		inst.Audit.Updated.By.ID != memory.DemoConsumer {
		t.Errorf("error %v, audit %+v", err, inst.Audit)
	}
}

// TestUnknownMethodsAndPaths expects 405 with Allow for unknown methods and 404 for unknown
// paths.
func TestUnknownMethodsAndPaths(t *testing.T) {
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
		if r := w.do(t, tt.method, tt.path, "").want(t, 405); r.header.Get(
			"Allow") != tt.allow {
			t.Errorf("%s %s allows %q, want %q", tt.method, tt.path, r.header.Get("Allow"),
				tt.allow)
		}
	}
	for _, p := range []string{"/", "/projects", "/projects/", project + "s",
		one + "/x", project + "//installations", "/v1" + path, path + "/../" +
			memory.DemoIntegration} {
		w.do(t, "GET", p, "").want(t, 404)
	}
	for _, p := range []string{project, path, one, conns} { // as a client that adds a slash
		w.do(t, "GET", p, "").want(t, 200).wantBody(t, w.do(t, "GET", p+"/", "").body)
	}
	if r := w.do(t, "HEAD", one, "").want(t, 200); r.body != "" ||
		r.header.Get("Etag") != `"1"` {
		t.Errorf("HEAD answers %q, %v", r.body, r.header)
	}
}

// TestUnauthenticatedRequestsChangeNothing sends ten thousand requests without an identity.
func TestUnauthenticatedRequestsChangeNothing(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	fill := filler(one, "connection-salesforce")
	before := w.store.commits.Load()
	for i := range 10_000 {
		e := endpoints[i%len(endpoints)]
		r := send(t, inProcess(w.handler), e.method, fill(e.path), fill(e.body))
		if r.status != http.StatusUnauthorized {
			t.Fatalf("%s %s: status %d", e.method, e.path, r.status)
		}
	}
	w.wantCommits(t, before)
}
