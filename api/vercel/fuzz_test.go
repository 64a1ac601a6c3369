package vercel_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/memstore"
)

// target is a handler with one installation, made anew for every input.
type target struct {
	svc     *installation.Service
	handler *vercel.Handler
	webhook http.Handler
	log     bytes.Buffer
}

var fuzzClock = &clock{now: time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)}

func newTarget(t testing.TB) *target {
	t.Helper()
	target := &target{}
	svc, err := installation.New(memstore.New(), ring(t),
		&installation.Options{Now: fuzzClock.Now, Policy: vercel.Policy, Claims: vercel.NoClaims})
	if err != nil {
		t.Fatal(err)
	}
	target.svc = svc.In(clientID).As(installation.Actor{Kind: installation.Host})
	verifier, err := vercel.NewVerifier(clientID,
		&vercel.VerifierOptions{Key: firstKey, Now: fuzzClock.Now})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&target.log, nil))
	if target.handler, err = vercel.NewHandler(svc, verifier,
		&vercel.Options{Plans: catalogue(t), Log: log}); err != nil {
		t.Fatal(err)
	}
	if target.webhook, err = target.handler.Webhook(crypto.NewSecret(clientSecret)); err != nil {
		t.Fatal(err)
	}
	if _, err := target.svc.Upsert(t.Context(),
		installation.UpsertRequest{ID: icfg, Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: clientID}),
			Account:   installation.Value(installation.Account{ID: account}),
			Connection: installation.Value(installation.Connection{
				AccessToken: installation.Token{Value: crypto.NewSecret("c4nary-stored")},
			}),
		}}); err != nil {
		t.Fatal(err)
	}
	return target
}

// state is what there is, in a form to compare.
func (x *target) state(t testing.TB) string {
	t.Helper()
	page, err := x.svc.Events(t.Context(), "", installation.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(page.Events)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// serve sends a request and holds what is true of every answer: no failure of the server, and
// what is refused changes nothing.
func (x *target) serve(t testing.TB, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	before := x.state(t)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	after := x.state(t)
	switch {
	case rec.Code >= 500:
		t.Errorf("status %d; logged: %s", rec.Code, x.log.String())
	case rec.Code >= 400 && before != after:
		t.Errorf("status %d, and something changed", rec.Code)
	case rec.Code >= 400 && !strings.HasPrefix(rec.Body.String(), `{"error":{"code":"`):
		t.Errorf("status %d without the error object: %s", rec.Code, rec.Body)
	case rec.Header().Get("Cache-Control") != "no-store":
		t.Error("the answer may be stored")
	}
	if b := rec.Body.Bytes(); !json.Valid(b) && len(b) > 0 {
		t.Errorf("the body is not JSON: %q", b)
	}
	if text := rec.Body.String() + x.log.String(); strings.Contains(text, "c4nary") {
		t.Errorf("a secret shows: %s", text)
	}
	return rec
}

// request makes a request without the checks that clients make.
func request(method, path string, body []byte) (*http.Request, bool) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, false
	}
	r := &http.Request{Method: method, URL: u, Header: make(http.Header),
		Body: io.NopCloser(bytes.NewReader(body)), Host: "partner.example"}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, true
}

// bearer returns a good token for an endpoint.
func bearer(user bool) string {
	i := &issuer{clock: fuzzClock}
	if user {
		return "Bearer " + i.user(icfg)
	}
	return "Bearer " + i.system(icfg)
}

func FuzzBody(f *testing.F) {
	for _, body := range []string{
		"", "{}", "[]", "null", upsertBody, `{"billingPlanId":"team"}`,
		`{"cascadeResourceDeletion":true,"reason":"x"}`, `{"a":1,"a":2}`, `{} {}`, "\xff",
		`{"scopes":[null],"acceptedPolicies":{"":""},"credentials":{"access_token":"***",` +
			`"token_type":"\u0000"},"account":{"url":"\ud800"}}`,
		strings.Repeat("[", 100),
	} {
		for e := range endpoints {
			f.Add(uint8(e), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, e uint8, body []byte) {
		x, endpoint := newTarget(t), endpoints[int(e)%len(endpoints)]
		r, _ := request(endpoint.method, path+endpoint.below, body)
		r.Header.Set("Authorization", bearer(endpoint.user))
		x.serve(t, x.handler, r)
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(uint8(0), "Bearer x.y.z", "user", "k", `"1"`, "application/json")
	f.Add(uint8(1), "", "system", "", "*", "")
	f.Add(uint8(2), "bearer", "\x00", strings.Repeat("k", 300), `W/"1", "2"`,
		"application/json; charset=latin1")
	f.Add(uint8(3), "good", "USER", "k\xff", `"99999999999999999999"`, "text/plain")
	f.Add(uint8(4), "good", "", "", `"0"`, "application/x+json;;")
	f.Fuzz(func(t *testing.T, e uint8, authorization, auth, key, match, contentType string) {
		x, endpoint := newTarget(t), endpoints[int(e)%len(endpoints)]
		good := authorization == "good"
		if good {
			authorization = bearer(endpoint.user)
		}
		r, _ := request(endpoint.method, path+endpoint.below, []byte(endpoint.body))
		for name, value := range map[string]string{
			"Authorization": authorization, "X-Vercel-Auth": auth, "Idempotency-Key": key,
			"If-Match": match, "Content-Type": contentType,
		} {
			r.Header.Set(name, value)
		}
		if rec := x.serve(t, x.handler, r); !good && rec.Code != http.StatusUnauthorized {
			t.Errorf("status %d without a token", rec.Code)
		}
	})
}

// FuzzToken signs whatever it is given, so that claims are looked at that Vercel would never
// send.
func FuzzToken(f *testing.F) {
	add := func(header string, c claims) {
		b, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		for e := range endpoints {
			f.Add(uint8(e), header, string(b))
		}
	}
	i := &issuer{clock: fuzzClock}
	const header = `{"alg":"RS256","kid":"k1"}`
	add(header, i.userClaims(icfg))
	add(header, i.systemClaims(icfg))
	add(`{"alg":"none","kid":"k1"}`, i.userClaims(icfg))
	add(`{"alg":"RS256","kid":"k1","crit":["x"]}`, i.systemClaims("icfg_0"))
	add(`{}`, claims{})
	f.Add(uint8(0), header,
		`{"iss":"https://marketplace.vercel.com","aud":["`+clientID+`"],"exp":1e99,"nbf":"x",`+
			`"account_id":null,"installation_id":7}`)
	f.Fuzz(func(t *testing.T, e uint8, header, payload string) {
		x, endpoint := newTarget(t), endpoints[int(e)%len(endpoints)]
		text := encode([]byte(header)) + "." + encode([]byte(payload))
		r, _ := request(endpoint.method, path+endpoint.below, []byte(endpoint.body))
		r.Header.Set("Authorization", "Bearer "+text+"."+encode(signature(testKeys()[0], text)))
		rec := x.serve(t, x.handler, r)
		if rec.Code >= 400 {
			return
		}
		c, err := jsontree.Parse([]byte(payload), jsontree.Limits{})
		if err != nil || !c.Child("account_id").IsString(account) {
			t.Fatalf("status %d for %s", rec.Code, payload)
		}
		if id := c.Child("installation_id"); endpoint.user && !endpoint.system &&
			!id.IsString(icfg) ||
			id != nil && id.Kind() == jsontree.String && id.Text() != "" && id.Text() != icfg {
			t.Errorf("status %d for %s", rec.Code, payload)
		}
		if role := c.Child("user_role"); endpoint.user && !endpoint.system &&
			!role.IsString("ADMIN") {
			t.Errorf("status %d for %s", rec.Code, payload)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{
		path, path + "/plans", "/", "//", "/v1/installations/", "/v1/installations//plans",
		"/v1/../v1/installations/x", "/v1/installations/%2e%2e",
		"/v1/installations/a%2Fb", "/v1/installations/%00",
		"/v1/installations/" + strings.Repeat("x", 300), "*", "/v1/installations/x?a=b#c",
	} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS",
			"CONNECT", ""} {
			f.Add(method, p)
		}
	}
	f.Fuzz(func(t *testing.T, method, p string) {
		x := newTarget(t)
		r, ok := request(method, p, []byte(`{"billingPlanId":"team"}`))
		if !ok {
			t.Skip("not a path that a server passes on")
		}
		// A token for the path, as far as the path names an installation.
		parts := strings.Split(r.URL.Path, "/")
		i := &issuer{clock: fuzzClock}
		r.Header.Set("Authorization", "Bearer "+i.system(parts[min(3, len(parts)-1)]))
		if rec := x.serve(t, x.handler, r); rec.Code >= 300 && rec.Code < 400 {
			t.Errorf("status %d: a redirect", rec.Code)
		}
	})
}

func FuzzWebhook(f *testing.F) {
	for _, body := range []string{removed(icfg, fuzzClock.Now()), removed("", time.Time{}), `{}`,
		`[]`, `{"type":7}`, "", "\xff",
		`{"type":"integration-configuration.removed","createdAt":9e99,` +
			`"payload":{"configuration":{"id":"` + icfg + `"}}}`,
	} {
		f.Add([]byte(body), "")
		f.Add([]byte(body), "00")
	}
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		x := newTarget(t)
		r, _ := request("POST", "/", body)
		good := signature == ""
		if good {
			signature = sign(string(body))
		}
		r.Header.Set("X-Vercel-Signature", signature)
		if rec := x.serve(t, x.webhook, r); !good && rec.Code < 400 &&
			!strings.EqualFold(signature, sign(string(body))) {
			t.Errorf("status %d with another signature", rec.Code)
		}
	})
}
