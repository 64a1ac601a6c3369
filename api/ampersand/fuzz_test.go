package ampersand_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/internal/jsontree"
)

// request makes a request without the checks that clients make.
func request(method, path string, body []byte) (*http.Request, bool) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, false
	}
	r := &http.Request{Method: method, URL: u, Header: make(http.Header), Body: io.NopCloser(bytes.NewReader(body)), Host: "api.example"}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, true
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// target is a world with one installation and its path filled into requests.
type target struct {
	*world
	fill func(string) string
}

func newTarget(t testing.TB) *target {
	t.Helper()
	w, _ := unserved(t, onMemory)
	w.host.AddConnection(memory.DemoProject, "connection-key", connected("anthropic", memory.DemoGroup, memory.DemoConsumer))
	rec := serve(w.handler, w.keyed(t, "POST", path, creation(memory.DemoGroup, `"contact":`+contact)))
	var made wire
	mustUnmarshal(t, rec.Body.Bytes(), &made)
	return &target{w, strings.NewReplacer("{id}", made.ID, "{conn}", "connection-salesforce").Replace}
}

// keyed makes a request with the project's API key.
func (w *world) keyed(t testing.TB, method, path, body string) *http.Request {
	t.Helper()
	r, ok := request(method, path, []byte(body))
	if !ok {
		t.Fatalf("%q is no path", path)
	}
	r.Header.Set("X-Api-Key", apiKey)
	return r
}

// state is what there is, in a form to compare.
func (x *target) state(t testing.TB) string {
	t.Helper()
	all, err := x.host.Connections(t.Context(), memory.DemoProject, ampersand.ConnectionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal([]any{x.store.commits.Load(), all, len(x.host.Reveals(memory.DemoProject))})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// try sends a request and holds what is true of every answer: no failure of the server, and what is refused or only looks changes nothing.
func (x *target) try(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	before := x.state(t)
	looks := (r.Method == "GET" || r.Method == "HEAD") && !strings.Contains(r.URL.RawQuery, "include") && !strings.Contains(r.URL.RawQuery, "refresh")
	rec := serve(x.handler, r)
	after := x.state(t)
	body := rec.Body.Bytes()
	switch {
	case rec.Code >= 500:
		t.Errorf("status %d; logged: %s", rec.Code, x.log.String())
	case rec.Code >= 300 && rec.Code < 400:
		t.Errorf("status %d: a redirect", rec.Code)
	case (rec.Code >= 400 || looks) && before != after:
		t.Errorf("status %d, and something changed:\n%s\n%s", rec.Code, before, after)
	case rec.Code >= 400 && (!json.Valid(body) || rec.Header().Get("Content-Type") != "application/problem+json"):
		t.Errorf("status %d without a problem: %s", rec.Code, body)
	case rec.Header().Get("Cache-Control") != "no-store":
		t.Error("the answer may be stored")
	case len(body) > 0 && !json.Valid(body):
		t.Errorf("the body is not JSON: %q", body)
	}
	if text := rec.Body.String() + x.log.String(); strings.Contains(text, "c4nary") && !strings.Contains(r.URL.RawQuery, "include") {
		t.Errorf("a secret shows: %s", text)
	}
	return rec
}

func FuzzBody(f *testing.F) {
	bodies := []string{
		"", "{}", "[]", "null", creation("org-71", `"contact":`+contact), updateBody, changes("read", `{"op":"add","path":"/a","value":null}`),
		update(reads(`"a.b":`+contact), "config.content.read.objects.a.b", "config.content.proxy.enabled", `config.content.read.objects.\`),
		update(`{"write":{"objects":{"":{}}}}`, "config.content.write.objects", "connectionId", "config.createdBy"),
		`{"updateMask":["connectionId","config.createdBy"],"installation":{"connectionId":"connection-salesforce","config":{"createdBy":"builder:b"}}}`,
		`{"objects":["contact","contact"],"note":"x"}`, `{"groupRef":"g","consumerRef":"c","provider":"anthropic","apiKey":"x"}`,
		`{"updateMask":["providerMetadata","apiKey"],"connection":{"providerMetadata":{"":{"value":"\u0000"}},"apiKey":"***"}}`,
		`{"a":1,"a":2}`, `{} {}`, "\xff", strings.Repeat("[", 100), `{"groupRef":"\ud800"}`,
		changes("subscribe", `{"op":"remove","path":"/~0~1"},{"op":"replace","path":"/-","value":"***"}`),
	}
	for e := range endpoints {
		if endpoints[e].method == "GET" || endpoints[e].method == "DELETE" {
			continue
		}
		for _, body := range bodies {
			f.Add(uint8(e), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, e uint8, body []byte) {
		x, endpoint := newTarget(t), endpoints[int(e)%len(endpoints)]
		r, _ := request(endpoint.method, x.fill(endpoint.path), body)
		r.Header.Set("X-Api-Key", apiKey)
		x.try(t, r)
	})
}

// FuzzMask looks at the paths of masks alone: whatever is in them, other objects stay as they are.
func FuzzMask(f *testing.F) {
	for _, p := range []string{"config.content.read.objects.lead", `config.content.read.objects.a\.b.disabled`, "config.content.write.objects.x", `config.content.read.objects.contact`, `config.content.read.objects..`} {
		f.Add(p, "lead")
		f.Add(p, "a.b")
		f.Add(p, "~1/..")
	}
	f.Fuzz(func(t *testing.T, path, name string) {
		if !json.Valid(marshal(name)) || strings.Contains(name, "contact") {
			t.Skip("not a name of another object")
		}
		x := newTarget(t)
		named := string(marshal(name)) + ":" + string(marshal(json.RawMessage(object("x", 5))))
		body := update(`{"read":{"objects":{`+named+`}},"write":{"objects":{`+named+`}}}`, path)
		r := x.keyed(t, "PATCH", x.fill("/projects/project-456/integrations/integration-789/installations/{id}"), body)
		if rec := x.try(t, r); rec.Code != http.StatusOK {
			return
		}
		got := serve(x.handler, x.keyed(t, "GET", r.URL.Path, ""))
		if !strings.Contains(got.Body.String(), `"contact":`+contact) {
			t.Errorf("mask %q changed another object: %s", path, got.Body)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(uint8(0), "x", "Bearer x.y.z", `"1"`, "application/json")
	f.Add(uint8(5), "", "", "*", "")
	f.Add(uint8(6), "", "bearer", `W/"1", "2"`, "application/json; charset=latin1")
	f.Add(uint8(4), "good", "", `"99999999999999999999"`, "text/plain")
	f.Add(uint8(10), "good", "Basic x", `"0"`, "application/x+json;;")
	f.Fuzz(func(t *testing.T, e uint8, key, authorization, match, contentType string) {
		x, endpoint := newTarget(t), endpoints[int(e)%len(endpoints)]
		r, _ := request(endpoint.method, x.fill(endpoint.path), []byte(x.fill(endpoint.body)))
		good := key == "good"
		if good {
			key = apiKey
		}
		for name, value := range map[string]string{"X-Api-Key": key, "Authorization": authorization, "If-Match": match, "Content-Type": contentType} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if rec := x.try(t, r); !good && rec.Code != http.StatusUnauthorized {
			t.Errorf("status %d without an identity", rec.Code)
		}
	})
}

// FuzzToken signs whatever it is given, so that claims are looked at that no builder would make.
func FuzzToken(f *testing.F) {
	x := newTarget(f)
	good := string(marshal(x.claims(memory.DemoGroup, memory.DemoConsumer)))
	for e := range endpoints {
		f.Add(uint8(e), `{"alg":"RS256","kid":"kid-1"}`, good)
		f.Add(uint8(e), `{"alg":"RS256","kid":"kid-1"}`, string(marshal(x.claims("org-71", "u-9"))))
	}
	f.Add(uint8(0), `{"alg":"none","kid":"kid-1"}`, good)
	f.Add(uint8(0), `{"alg":"RS256","kid":"kid-1","crit":["b64"],"b64":false}`, good)
	f.Add(uint8(0), `{}`, `{}`)
	f.Add(uint8(0), `{"alg":"RS256","kid":"kid-1"}`, `{"sub":1,"groupRef":null,"iat":1e99,"exp":"x"}`)
	f.Fuzz(func(t *testing.T, e uint8, header, payload string) {
		x, endpoint := newTarget(t), endpoints[int(e)%len(endpoints)]
		r, _ := request(endpoint.method, x.fill(endpoint.path), []byte(x.fill(endpoint.body)))
		r.Header.Set("Authorization", "Bearer "+signedText(testKey(), []byte(header), []byte(payload)))
		rec := x.try(t, r)
		if rec.Code == http.StatusUnauthorized || rec.Code == http.StatusRequestEntityTooLarge {
			return
		}
		c, err := jsontree.Parse([]byte(payload), jsontree.Limits{})
		if err != nil || c.Child("groupRef") == nil || c.Child("consumerRef") == nil || c.Child("exp") == nil || c.Child("iat") == nil {
			t.Fatalf("status %d for %s", rec.Code, payload)
		}
		if rec.Code < 300 && !endpoint.empty && !strings.HasSuffix(endpoint.path, "/integrations") && !c.Child("groupRef").IsString(memory.DemoGroup) {
			t.Errorf("status %d for %s", rec.Code, payload)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, e := range endpoints {
		f.Add(e.method, e.path)
	}
	for _, p := range []string{
		"/", "//", "/projects/", "/projects//installations", "/projects/%2e%2e/installations", project + "/installations?groupRef=%00", path + "/:pause",
		path + "/x:y:pause", path + "/%3Apause", integration + "/objects/%2F/config-content", conns + "/%00", conns + "?provider=" + strings.Repeat("x", 300),
		path + "/{id}?skipSampling=%", conns + "/{conn}?includeCreds=true&refresh=ifExpired", path + "/" + strings.Repeat("x", 300), "*",
		integration + "/revisions/:hydrate", path + "/{id}/operations?pageSize=99999999999999999999",
	} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", ""} {
			f.Add(method, p)
		}
	}
	f.Fuzz(func(t *testing.T, method, p string) {
		x := newTarget(t)
		r, ok := request(method, x.fill(p), []byte(updateBody))
		if !ok {
			t.Skip("not a path that a server passes on")
		}
		r.Header.Set("X-Api-Key", apiKey)
		x.try(t, r)
	})
}
