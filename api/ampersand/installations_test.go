package ampersand_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// TestCreateInstallation expects all fields of a new installation, with the default connection
// of its group.
func TestCreateInstallation(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		r := w.do(t, "POST", path, creation(memory.DemoGroup, `"contact":`+contact)).
			want(t, 201, `"createTime":"2026-03-02T10:00:00.120000Z"`)
		got := decode[wire](t, r)
		content := `{"provider":"salesforce","read":{"objects":{"contact":` + contact + `}}}`
		if got.ProjectID != memory.DemoProject || got.IntegrationID != memory.DemoIntegration ||
			got.HealthStatus != "healthy" || got.CreatedBy != "consumer:u-9" ||
			got.Group.GroupRef != memory.DemoGroup || got.Group.GroupName != "Harbor Foods" ||
			got.UpdateTime != nil ||
			got.Connection.ID != "connection-salesforce" ||
			got.Connection.Status != "working" ||
			got.Config.RevisionID != "revision-123" || got.Config.ID == "" ||
			got.Config.CreateTime != got.CreateTime ||
			got.Config.CreatedBy != "consumer:u-9" ||
			string(got.Config.Content) != content {
			t.Errorf("answer is %s", r.body)
		}
		credentials := strings.Contains(r.body, "oauth2AuthorizationCode")
		if credentials || strings.Contains(r.body, "null") {
			t.Errorf("null or credentials in %s", r.body)
		}
		if r.header.Get("Etag") != `"1"` || r.header.Get("Cache-Control") != "no-store" ||
			r.header.Get("Content-Type") != "application/json" {
			t.Errorf("headers are %v", r.header)
		}
		w.do(t, "GET", path+"/"+got.ID, "").want(t, 200).wantBody(t, r.body)
		inst, err := w.svc.Get(t.Context(), got.ID)
		if err != nil || inst.Extension.Owner != memory.DemoProject ||
			inst.Account.ID != memory.DemoGroup || len(inst.Sealed) != 0 ||
			inst.Configuration.CreatedBy != "consumer:u-9" {
			t.Errorf("error %v, stored %+v", err, inst)
		}
	})
}

var validCreate = creation(memory.DemoGroup, `"contact":`+contact)

// createWith returns a valid request with one replacement.
func createWith(old, new string) string { return strings.Replace(validCreate, old, new, 1) }

// invalidCreates has requests that are incomplete or inconsistent.
var invalidCreates = map[string]struct {
	body    string
	status  int
	parts   []string
	headers []string
	query   string
}{
	"no body":  {body: "", status: 400},
	"an array": {body: "[]", status: 400},
	"nothing in it": {body: "{}", status: 400,
		parts: []string{`"name":"groupRef","detail":"is required"`,
			`"name":"config","detail":"is required"`, `"in":"body"`,
			`"causes":["groupRef: is required"`}},
	"no content": {body: `{"groupRef":"g","config":{}}`, status: 400,
		parts: []string{`"name":"config.content"`}},
	"no provider": {body: `{"groupRef":"g","config":{"content":{}}}`,
		status: 400, parts: []string{`"name":"config.content.provider"`}},
	"another provider": {body: createWith(`"salesforce"`, `"hubspot"`), status: 400,
		parts: []string{`"name":"config.content.provider"`}},
	"an invalid group": {body: createWith(`"group-123"`, `7`), status: 400,
		parts: []string{`"name":"groupRef"`}},
	"a group without a connection": {body: createWith("group-123", "org-none"), status: 400,
		parts: []string{`"name":"connectionId"`, `Let the customer connect first`}},
	"no connection to the provider": {body: createWith("group-123", "org-hub"), status: 400,
		parts: []string{`"name":"connectionId"`}},
	"an unknown connection": {body: createWith(`{"groupRef"`,
		`{"connectionId":"nope","groupRef"`), status: 400,
		parts: []string{`"name":"connectionId"`}},
	"another group's connection": {body: createWith(`{"groupRef"`,
		`{"connectionId":"connection-org-71","groupRef"`), status: 400,
		parts: []string{`must be a connection of the group`}},
	"another provider's connection": {body: createWith(`{"groupRef"`,
		`{"connectionId":"connection-hubspot","groupRef"`), status: 400,
		parts: []string{`to the provider of the integration`}},
	"a connection that is null": {body: createWith(`{"groupRef"`,
		`{"connectionId":null,"groupRef"`), status: 400},
	"an invalid creator": {body: createWith("consumer:u-9", "somebody"), status: 400,
		parts: []string{`"name":"config.createdBy"`}},
	"a creator without id": {body: createWith("consumer:u-9", "builder:"), status: 400},
	"an invalid content": {body: createWith(`{"provider"`, `7,"x":{"provider"`),
		status: 400, parts: []string{`"name":"config.content"`}},
	"an object without name": {body: createWith(`"objectName":"contact",`, ``),
		status: 400,
		parts:  []string{`"name":"config.content.read.objects.contact.objectName"`}},
	"an object without fields": {body: createWith(`"selectedFields":{"email":true},`, ``),
		status: 400, parts: []string{`read.objects.contact.selectedFields`}},
	"a field that is no flag": {body: createWith(`"email":true`, `"email":"yes"`),
		status: 400, parts: []string{`read.objects.contact.selectedFields.email`}},
	"a schedule that is null": {body: createWith(`"*/30 * * * *"`, `null`), status: 400,
		parts: []string{`read.objects.contact.schedule`}},
	"a mask": {body: createWith(`{"provider"`,
		`{"apiKey":"***","provider"`), status: 400,
		parts: []string{`config.content.apiKey`}},
	"a name twice": {body: createWith(`{"groupRef"`,
		`{"groupRef":"x","groupRef"`), status: 400},
	"names in another case": {body: createWith(`"groupRef"`, `"GroupRef"`), status: 400},
	"data behind":           {body: validCreate + "{}", status: 400},
	"broken UTF-8": {body: createWith("contactHook", "contact\xff"),
		status: 400},
	"text": {body: validCreate, status: 415,
		headers: []string{"Content-Type", "text/plain"}},
	"a compressed text": {body: validCreate, status: 415,
		headers: []string{"Content-Encoding", "gzip"},
		parts:   []string{`without compression`, `application/json, uncompressed`}},
	"too large": {body: createWith("contactHook", strings.Repeat("x",
		256<<10)), status: 413},
	"an invalid flag": {body: validCreate, query: "?skipSampling=maybe",
		status: 400, parts: []string{`"in":"query","name":"skipSampling"`}},
	"a flag twice": {body: validCreate,
		query: "?skipSampling=true&skipSampling=true", status: 400},
	"an invalid query": {body: validCreate, query: "?a=%zz", status: 400},
}

// TestInvalidCreateSavesNothing sends incomplete and inconsistent requests.
func TestInvalidCreateSavesNothing(t *testing.T) {
	w := newWorld(t, anyStore)
	w.connect("connection-hub", "hubspot", "org-hub", "u-9")
	for name, tt := range invalidCreates {
		t.Run(name, func(t *testing.T) {
			w.do(t, "POST", path+tt.query, tt.body, tt.headers...).want(t, tt.status,
				tt.parts...)
		})
	}
	w.do(t, "POST", strings.Replace(path, memory.DemoIntegration, "nope", 1), validCreate).
		want(t, 404)
	w.wantCommits(t, 0)
}

// TestCreateDefaults proves which connection and creator are the defaults, and that unknown
// fields are ignored.
func TestCreateDefaults(t *testing.T) {
	w := newWorld(t, anyStore)
	w.connect("newer", "salesforce", "org-71", "u-10")
	w.connect("failing", "salesforce", "org-71", "u-11")
	w.host.SetStatus(memory.DemoProject, "failing", ampersand.ConnectionBadCredentials)
	const minimal = `{"groupRef":"org-71","config":{"revisionId":"old",` +
		`"content":{"provider":"salesforce"}},"unknown":7}`
	got := decode[wire](t, w.do(t, "POST", path, minimal).want(t, 201))
	if got.Connection.ID != "newer" || got.CreatedBy != "api:create-installation" ||
		got.Config.CreatedBy != "api:create-installation" ||
		got.Config.RevisionID != "revision-123" {
		t.Errorf("made %+v", got)
	}
	w.do(t, "DELETE", path+"/"+got.ID, "").want(t, 204)
	got = decode[wire](t, w.do(t, "POST", path, strings.Replace(minimal, `{"groupRef"`,
		`{"connectionId":"failing","groupRef"`, 1)).want(t, 201))
	if got.Connection.ID != "failing" || got.HealthStatus != "unhealthy" {
		t.Errorf("made %+v", got)
	}
}

// TestOneInstallationPerGroup races eight requests for the same group and integration.
func TestOneInstallationPerGroup(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		const tries = 8
		statuses := make(chan int, tries)
		for range tries {
			go func() {
				statuses <- w.do(t, "POST", path, creation(memory.DemoGroup,
					"")).status
			}()
		}
		made := 0
		for range tries {
			switch s := <-statuses; s {
			case 201:
				made++
			case 409:
			default:
				t.Errorf("status %d", s)
			}
		}
		if made != 1 {
			t.Errorf("%d were made", made)
		}
		w.do(t, "POST", path, creation(memory.DemoGroup, "")).want(t, 409,
			`There is an installation already.`)
		w.do(t, "POST", path, creation("org-71", "")).want(t, 201)
	})
}

// TestListInstallations proves that both lists are bare arrays, filtered by group.
func TestListInstallations(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		w.setIntegration("second", "hubspot", "r")
		w.do(t, "GET", path, "").want(t, 200).wantBody(t, "[]")
		one := w.install(t)
		w.Advance(time.Second)
		w.do(t, "POST", path, creation("org-71", "")).want(t, 201)
		w.Advance(time.Second)
		second := project + "/integrations/second/installations"
		w.do(t, "POST", second, strings.Replace(creation(memory.DemoGroup, ""), "salesforce",
			"hubspot", 1)).want(t, 201)
		for at, groups := range map[string]string{
			path:                       "group-123 org-71",
			path + "?groupRef=org-71":  "org-71",
			path + "?groupRef=none":    "",
			second:                     "group-123",
			project + "/installations": "group-123 org-71 group-123",
			"/projects/harbor-app/installations?groupRef=group-123": "group-123 group-123",
		} {
			var found []string
			for _, i := range decode[[]wire](t, w.do(t, "GET", at, "").want(t, 200)) {
				found = append(found, i.Group.GroupRef)
			}
			if got := strings.Join(found, " "); got != groups {
				t.Errorf("%s lists %q, want %q", at, got, groups)
			}
		}
		if first := decode[[]json.RawMessage](t, w.do(t, "GET", path, ""))[0]; string(
			first) != w.do(t, "GET", one, "").body {
			t.Errorf("in a list it is %s", first)
		}
		w.do(t, "GET", path+"?groupRef=a&groupRef=b", "").want(t, 400, `"in":"query"`)
		w.do(t, "GET", strings.Replace(path, memory.DemoIntegration, "nope", 1), "").
			want(t, 404)
		w.do(t, "GET", strings.Replace(one, memory.DemoIntegration, "second", 1), "").
			want(t, 404)
	})
}

// TestUninstalledIsNotFound proves that the API has no installations that the host uninstalled.
func TestUninstalledIsNotFound(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	id := idOf(one)
	if _, err := w.svc.Uninstall(t.Context(), installation.UninstallRequest{
		ID: id}); err != nil {
		t.Fatal(err)
	}
	w.do(t, "GET", path, "").wantBody(t, "[]")
	for _, method := range []string{"GET", "DELETE"} {
		w.do(t, method, one, "").want(t, 404)
	}
	w.do(t, "PATCH", one, swapTo("connection-salesforce")).want(t, 404)
	w.do(t, "POST", one+":pause", "").want(t, 404)
}

// TestDeleteRemovesUnusedConnection proves that DELETE also deletes the connection, unless
// another installation uses it.
func TestDeleteRemovesUnusedConnection(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		w.setIntegration("second", "salesforce", "r")
		one := w.install(t)
		second := project + "/integrations/second/installations"
		two := second + "/" + decode[wire](t, w.do(t, "POST", second, creation(memory.DemoGroup,
			"")).want(t, 201)).ID
		conn := conns + "/connection-salesforce"

		w.do(t, "DELETE", one, "", "If-Match", `"9"`).want(t, 409)
		w.do(t, "GET", one, "").want(t, 200)
		w.do(t, "DELETE", one, "", "If-Match", `"1"`).want(t, 204).wantBody(t, "")
		w.do(t, "DELETE", one, "").want(t, 404)
		w.do(t, "GET", one, "").want(t, 404)
		w.do(t, "GET", conn, "").want(t, 200)
		w.do(t, "DELETE", two, "").want(t, 204)
		w.do(t, "GET", conn, "").want(t, 404)
		w.do(t, "POST", path, creation(memory.DemoGroup, "")).want(t, 400, "connectionId")
	})
}

// TestHealthStatus proves that an installation is unhealthy if the host says so or its
// connection fails.
func TestHealthStatus(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.host.SetStatus(memory.DemoProject, "connection-salesforce",
		ampersand.ConnectionBadCredentials)
	if got := w.get(t, one); got.HealthStatus != "unhealthy" ||
		got.Connection.Status != "bad_credentials" {
		t.Errorf("it is %+v", got)
	}
	w.host.SetStatus(memory.DemoProject, "connection-salesforce", ampersand.ConnectionWorking)
	id := idOf(one)
	parts := installation.Parts{Health: installation.Value(installation.Unhealthy)}
	if _, err := w.svc.Patch(t.Context(), installation.PatchRequest{ID: id,
		Parts: parts}); err != nil {
		t.Fatal(err)
	}
	if got := w.get(t, one); got.HealthStatus != "unhealthy" || got.UpdateTime != nil {
		t.Errorf("it is %+v", got)
	}
}

// TestListLoadsConnectionsOnce proves that a list asks the host once for all connections, and
// only for those of its group.
func TestListLoadsConnectionsOnce(t *testing.T) {
	a := new(recordingConnections)
	w := newWorld(t, anyStore, func(o *choices) {
		o.wrap = func(h ampersand.Host) ampersand.Host {
			a.hostConnections, h.Connections = h.Connections, a
			return h
		}
	})
	list := func(what, query, groups string, want ...ampersand.ConnectionFilter) {
		t.Helper()
		a.single, a.filters = 0, nil
		var got []string
		for _, i := range decode[[]wire](t, w.do(t, "GET", query, "").want(t, 200)) {
			got = append(got, i.Group.GroupName+" by "+i.Connection.ID)
		}
		if strings.Join(got, ", ") != groups || a.single != 0 || !slices.Equal(a.filters,
			want) {
			t.Errorf("%s: lists %q; asked %d times for one, and for %+v", what, got, a.single,
				a.filters)
		}
	}
	list("nothing", path, "")
	w.install(t)
	one := ampersand.ConnectionFilter{Group: memory.DemoGroup}
	list("one", path, "Harbor Foods by connection-salesforce", one)
	w.do(t, "POST", path, creation("org-71", "")).want(t, 201)
	const both = "Harbor Foods by connection-salesforce, Name of org-71 by connection-org-71"
	list("two groups", path, both, ampersand.ConnectionFilter{})
	list("of all integrations", project+"/installations", both, ampersand.ConnectionFilter{})
	list("of one group", path+"?groupRef=group-123", "Harbor Foods by connection-salesforce",
		one)
	list("of another", path+"?groupRef=nope", "")

	before := w.do(t, "GET", path, "")
	a.lost = true
	w.do(t, "GET", path, "").want(t, 200).wantBody(t, before.body)
	a.lost = false
	ctx, cancel := context.WithCancel(t.Context())
	a.then = cancel
	r, _ := newRequest("GET", path, "", "X-Api-Key", apiKey)
	r = r.WithContext(ctx)
	if got := receive(t, inProcess(w.handler), r); got.status != http.StatusServiceUnavailable {
		t.Errorf("for a client that left: status %d", got.status)
	}
}

// recordingConnections records the calls of a host.
type recordingConnections struct {
	hostConnections
	single  int // calls of Connection
	filters []ampersand.ConnectionFilter
	lost    bool   // list no connections
	then    func() // called before an answer
}

func (a *recordingConnections) Connection(
	ctx context.Context, project, id string,
) (*ampersand.Connection, error) {
	a.single++
	return a.hostConnections.Connection(ctx, project, id)
}

func (a *recordingConnections) Connections(
	ctx context.Context, project string, f ampersand.ConnectionFilter,
) ([]*ampersand.Connection, error) {
	a.filters = append(a.filters, f)
	if a.then != nil {
		a.then()
	}
	if a.lost {
		return nil, nil
	}
	return a.hostConnections.Connections(ctx, project, f)
}
