package ampersand_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/internal/jsontree"
)

// target is a world with one installation, served in this process.
type target struct {
	*world
	fill func(string) string // puts its IDs into a path or body
}

func newTarget(t testing.TB) *target {
	t.Helper()
	w, _ := newHandlers(t, onMemory)
	w.connect("connection-key", "anthropic", memory.DemoGroup, memory.DemoConsumer)
	return &target{w, filler(w.install(t), "connection-salesforce")}
}

// filler returns a function that puts the IDs of an installation and a connection into a text.
func filler(one, conn string) func(string) string {
	return strings.NewReplacer("{id}", idOf(one), "{conn}", conn).Replace
}

// state returns the state of a target, to compare.
func (x *target) state(t testing.TB) string {
	t.Helper()
	all, err := x.host.Connections(t.Context(), memory.DemoProject,
		ampersand.ConnectionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	reveals := len(x.host.Reveals(memory.DemoProject))
	return string(marshal([]any{x.store.commits.Load(), all, reveals}))
}

// try sends a request and checks the rules for every answer: no failure of the server, and no
// change by a rejected request or by a read.
func (x *target) try(t testing.TB, r *http.Request) reply {
	t.Helper()
	before, query := x.state(t), r.URL.RawQuery
	reads := (r.Method == "GET" || r.Method == "HEAD") &&
		!strings.Contains(query, "include") && !strings.Contains(query, "refresh")
	got := receive(t, x.first, r)
	after := x.state(t)
	valid := json.Valid([]byte(got.body))
	switch {
	case got.status >= 500:
		t.Errorf("status %d; logged: %s", got.status, x.log.String())
	case got.status >= 300 && got.status < 400:
		t.Errorf("status %d: a redirect", got.status)
	case (got.status >= 400 || reads) && before != after:
		t.Errorf("status %d, and something changed:\n%s\n%s", got.status, before, after)
	case got.status >= 400 &&
		(!valid || got.header.Get("Content-Type") != "application/problem+json"):
		t.Errorf("status %d without a problem: %s", got.status, got.body)
	case got.header.Get("Cache-Control") != "no-store":
		t.Error("the answer may be stored")
	case got.body != "" && !valid &&
		!strings.HasPrefix(got.header.Get("Content-Type"), "text/plain"):
		t.Errorf("the body is not JSON: %q", got.body)
	}
	text := got.body + x.log.String()
	if strings.Contains(text, "c4nary") && !strings.Contains(query, "include") {
		t.Errorf("a secret shows: %s", text)
	}
	return got
}

func FuzzBody(f *testing.F) {
	bodies := []string{
		"", "{}", "[]", "null", creation("org-71", `"contact":`+contact), updateBody,
		changes("read", `{"op":"add","path":"/a","value":null}`),
		update(reads(`"a.b":`+contact), "config.content.read.objects.a.b",
			"config.content.proxy.enabled", `config.content.read.objects.\`),
		update(`{"write":{"objects":{"":{}}}}`, "config.content.write.objects", "connectionId",
			"config.createdBy"),
		`{"updateMask":["connectionId","config.createdBy"],` +
			`"installation":{"connectionId":"connection-salesforce",` +
			`"config":{"createdBy":"builder:b"}}}`,
		`{"objects":["contact","contact"],"note":"x"}`, `{"groupRef":"g","consumerRef":"c",` +
			`"provider":"anthropic","apiKey":"x"}`,
		`{"updateMask":["providerMetadata","apiKey"],` +
			`"connection":{"providerMetadata":{"":{"value":"\u0000"}},"apiKey":"***"}}`,
		`{"a":1,"a":2}`, `{} {}`, "\xff", strings.Repeat("[", 100), `{"groupRef":"\ud800"}`,
		changes("subscribe", `{"op":"remove","path":"/~0~1"},{"op":"replace","path":"/-",`+
			`"value":"***"}`),
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
		r, _ := newRequest(endpoint.method, x.fill(endpoint.path), string(body), "X-Api-Key",
			apiKey)
		x.try(t, r)
	})
}

// FuzzMask proves that no path of a mask changes another object.
func FuzzMask(f *testing.F) {
	for _, p := range []string{
		readMask + "lead", readMask + `a\.b.disabled`, readMask + "contact", readMask + ".",
		writeMask + ".x",
	} {
		f.Add(p, "lead")
		f.Add(p, "a.b")
		f.Add(p, "~1/..")
	}
	f.Fuzz(func(t *testing.T, mask, name string) {
		if !json.Valid(marshal(name)) || strings.Contains(name, "contact") {
			t.Skip("not a name of another object")
		}
		x := newTarget(t)
		named := string(marshal(name)) + ":" + string(marshal(json.RawMessage(object("x", 5))))
		body := update(`{"read":{"objects":{`+named+`}},"write":{"objects":{`+named+`}}}`, mask)
		one := x.fill(path + "/{id}")
		r, _ := newRequest("PATCH", one, body, "X-Api-Key", apiKey)
		if got := x.try(t, r); got.status != http.StatusOK {
			return
		}
		got := x.do(t, "GET", one, "")
		if !strings.Contains(got.body, `"contact":`+contact) {
			t.Errorf("mask %q changed another object: %s", mask, got.body)
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
		r, _ := newRequest(endpoint.method, x.fill(endpoint.path), x.fill(endpoint.body))
		good := key == "good"
		if good {
			key = apiKey
		}
		for name, value := range map[string]string{
			"X-Api-Key": key, "Authorization": authorization,
			"If-Match": match, "Content-Type": contentType,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := x.try(t, r); !good && got.status != http.StatusUnauthorized {
			t.Errorf("status %d without an identity", got.status)
		}
	})
}

// FuzzToken signs any header and claims, to test tokens that no builder would make.
func FuzzToken(f *testing.F) {
	x := newTarget(f)
	good := string(marshal(x.claims(memory.DemoGroup, memory.DemoConsumer)))
	for e := range endpoints {
		f.Add(uint8(e), `{"alg":"RS256","kid":"kid-1"}`, good)
		f.Add(uint8(e), `{"alg":"RS256","kid":"kid-1"}`,
			string(marshal(x.claims("org-71", "u-9"))))
	}
	f.Add(uint8(0), `{"alg":"none","kid":"kid-1"}`, good)
	f.Add(uint8(0), `{"alg":"RS256","kid":"kid-1","crit":["b64"],"b64":false}`, good)
	f.Add(uint8(0), `{}`, `{}`)
	f.Add(uint8(0), `{"alg":"RS256","kid":"kid-1"}`, `{"sub":1,"groupRef":null,"iat":1e99,`+
		`"exp":"x"}`)
	f.Fuzz(func(t *testing.T, e uint8, header, payload string) {
		x, endpoint := newTarget(t), endpoints[int(e)%len(endpoints)]
		r, _ := newRequest(endpoint.method, x.fill(endpoint.path), x.fill(endpoint.body))
		r.Header.Set("Authorization", "Bearer "+signedText(testKey(), []byte(header),
			[]byte(payload)))
		got := x.try(t, r)
		if got.status == http.StatusUnauthorized ||
			got.status == http.StatusRequestEntityTooLarge {
			return
		}
		c, err := jsontree.Parse([]byte(payload), jsontree.Limits{})
		if err != nil || c.Child("groupRef") == nil || c.Child("consumerRef") == nil ||
			c.Child("exp") == nil || c.Child("iat") == nil {
			t.Fatalf("status %d for %s", got.status, payload)
		}
		if got.status < 300 && endpoint.stranger() != http.StatusOK &&
			!c.Child("groupRef").IsString(memory.DemoGroup) {
			t.Errorf("status %d for %s", got.status, payload)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, e := range endpoints {
		f.Add(e.method, e.path)
	}
	for _, p := range []string{
		"/", "//", "/projects/", "/projects//installations", "/projects/%2e%2e/installations",
		project + "/installations?groupRef=%00", path + "/:pause",
		path + "/x:y:pause", path + "/%3Apause", integration + "/objects/%2F/config-content",
		conns + "/%00", conns + "?provider=" + strings.Repeat("x", 300),
		path + "/{id}?skipSampling=%", conns + "/{conn}?includeCreds=true&refresh=ifExpired",
		path + "/" + strings.Repeat("x", 300), "*",
		integration + "/revisions/:hydrate", path +
			"/{id}/operations?pageSize=99999999999999999999",
	} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS",
			""} {
			f.Add(method, p)
		}
	}
	f.Fuzz(func(t *testing.T, method, p string) {
		x := newTarget(t)
		r, ok := newRequest(method, x.fill(p), updateBody, "X-Api-Key", apiKey)
		if !ok {
			t.Skip("not a path that a server passes on")
		}
		x.try(t, r)
	})
}
