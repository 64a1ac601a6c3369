package vercel_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
)

var (
	unauthorized = refusal("unauthorized", "The request has no valid credentials.")
	wrongKind    = refusal("forbidden", "This kind of authentication is not for this endpoint.")
	elsewhere    = refusal("forbidden", "The token is for another installation.")
	adminOnly    = refusal("forbidden", "Only an ADMIN of the team may do this.")
	contradicts  = refusal("forbidden", "X-Vercel-Auth contradicts the token.")
	noAccount    = refusal("forbidden", "The token names no account.")
	null         = json.RawMessage("null")
)

// endpoints are all there are, with a body that is good.
var endpoints = []struct {
	method, below, body string
	user, system        bool // which tokens it takes
}{
	{"PUT", "", upsertBody, true, false},
	{"GET", "", "", false, true},
	{"PATCH", "", `{"billingPlanId":"team"}`, true, false},
	{"DELETE", "", "", true, true},
	{"GET", "/plans", "", false, true},
}

type badTokenCase struct {
	name, authorization string
}

// badTokenCases returns Authorization headers that are not valid.
func badTokenCases(w *world, good string) []badTokenCase {
	parts := strings.Split(good, ".")
	return []badTokenCase{
		{"no header", ""},
		{"no token", "Bearer "},
		{"only a scheme", "Bearer"},
		{"another scheme", "Basic " + good},
		{"two tokens", "Bearer " + good + " " + good},
		{"a list", "Bearer " + good + "," + good},
		{"no JWT", "Bearer secret"},
		{"four parts", "Bearer " + good + ".x"},
		{"a long token", "Bearer " + strings.Repeat("a", 17<<10)},
		{"a header that is no base64", "Bearer ~." + parts[1] + "." + parts[2]},
		{"a header that is no JSON",
			"Bearer " + encode([]byte("x")) + "." + parts[1] + "." + parts[2]},
		{"a header that is no object",
			"Bearer " + encode([]byte("[]")) + "." + parts[1] + "." + parts[2]},
		{"no key id", "Bearer " + w.issuer.sign("", "RS256", w.issuer.userClaims(icfg))},
		{"an unknown key id",
			"Bearer " + w.issuer.sign("k9", "RS256", w.issuer.userClaims(icfg))},
		{"a key id that is no string", "Bearer " + encode([]byte(`{"alg":"RS256","kid":1}`)) +
			"." + parts[1] + "." + parts[2]},
		{"algorithm none", "Bearer " + w.issuer.sign("k1", "none", w.issuer.userClaims(icfg))},
		{"algorithm none, unsigned", "Bearer " +
			segment(map[string]string{"alg": "none", "kid": "k1"}) + "." + parts[1] + "."},
		{"algorithm HS256", "Bearer " + w.issuer.sign("k1", "HS256", w.issuer.userClaims(icfg))},
		{"algorithm RS384", "Bearer " + w.issuer.sign("k1", "RS384", w.issuer.userClaims(icfg))},
		{"algorithm PS256", "Bearer " + w.issuer.sign("k1", "PS256", w.issuer.userClaims(icfg))},
		{"another signature", "Bearer " + parts[0] + "." + parts[1] + "." +
			encode(signature(testKeys()[1], parts[0]+"."+parts[1]))},
		{"other claims under the signature",
			"Bearer " + parts[0] + "." + segment(w.issuer.systemClaims(icfg)) + "." + parts[2]},
		{"no signature", "Bearer " + parts[0] + "." + parts[1] + "."},
		{"another issuer",
			"Bearer " + w.issuer.user(icfg, claims{"iss": "https://vercel.example"})},
		{"another audience", "Bearer " + w.issuer.user(icfg, claims{"aud": "oac_other"})},
		{"no audience", "Bearer " + w.issuer.user(icfg, claims{"aud": nil})},
		{"expired", "Bearer " +
			w.issuer.user(icfg, claims{"exp": w.Now().Add(-10 * time.Second).Unix()})},
		{"no expiry", "Bearer " + w.issuer.user(icfg, claims{"exp": nil})},
		{"not yet valid",
			"Bearer " + w.issuer.user(icfg, claims{"nbf": w.Now().Add(11 * time.Second).Unix()})},
		{"not valid from words", "Bearer " + w.issuer.user(icfg, claims{"nbf": "tomorrow"})},
		{"user without role", "Bearer " + w.issuer.user(icfg, claims{"user_role": nil})},
		{"user without id", "Bearer " + w.issuer.user(icfg, claims{"user_id": nil})},
		{"user by subject alone",
			"Bearer " + w.issuer.user(icfg, claims{"user_id": nil, "user_role": nil})},
		{"user by id null",
			"Bearer " + w.issuer.user(icfg, claims{"user_id": null, "user_role": null})},
		{"role that is a list",
			"Bearer " + w.issuer.user(icfg, claims{"user_role": []string{"ADMIN"}})},
		{"account that is a number", "Bearer " + w.issuer.system(icfg, claims{"account_id": 7})},
		{"installation that is a list",
			"Bearer " + w.issuer.system(icfg, claims{"installation_id": []string{icfg}})},
	}
}

// TestBadTokensAreUnauthorized sends what is no valid identity to every endpoint: 401, an error
// body, and nothing changes.
func TestBadTokensAreUnauthorized(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	good := w.issuer.user(icfg)
	expired := time.Hour + 10*time.Second
	tests := badTokenCases(w, good)
	before := w.store.commits.Load()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, e := range endpoints {
				r := w.do(t, e.method, path+e.below, "", e.body, "Authorization",
					tt.authorization)
				r.want(t, http.StatusUnauthorized, unauthorized)
				checkHeaders(t, r)
				if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("WWW-Authenticate is %q", r.header.Get("WWW-Authenticate"))
				}
			}
		})
	}
	w.advance(expired)
	w.do(t, "DELETE", path, good, "").want(t, http.StatusUnauthorized)
	if n := w.store.commits.Load() - before; n > 0 {
		t.Errorf("%d commits", n)
	}
}

// TestValidTokensAreAccepted sends what is a valid identity, however it looks.
func TestValidTokensAreAccepted(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	good := w.issuer.system(icfg)
	for name, header := range map[string]string{
		"lower case": "bearer " + good,
		"upper case": "BEARER " + good,
		"more space": "Bearer   " + good + " ",
		"expired within the leeway": "Bearer " +
			w.issuer.system(icfg, claims{"exp": w.Now().Add(-9 * time.Second).Unix()}),
		"valid within the leeway": "Bearer " +
			w.issuer.system(icfg, claims{"nbf": w.Now().Add(9 * time.Second).Unix()}),
		"several audiences": "Bearer " +
			w.issuer.system(icfg, claims{"aud": []string{"x", clientID}}),
		"a type": "Bearer " +
			w.issuer.system(icfg, claims{"type": "access_token"}),
		"no subject": "Bearer " + w.issuer.system(icfg, claims{"sub": null}),
		"user claims of null": "Bearer " +
			w.issuer.system(icfg, claims{"user_id": null, "user_role": null}),
		"no installation": "Bearer " +
			w.issuer.system(icfg, claims{"installation_id": null}),
		"installation left out": "Bearer " +
			w.issuer.system(icfg, claims{"installation_id": nil}),
	} {
		t.Run(name, func(t *testing.T) {
			w.do(t, "GET", path, "", "", "Authorization", header).want(t, http.StatusOK)
		})
	}
}

func TestTwoAuthorizationHeaders(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("GET", path, nil)
	r.Header["Authorization"] = []string{"Bearer " + w.issuer.system(icfg), "Bearer x"}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("status %d", rec.Code)
	}
}

// TestTokenKindsPerEndpoint: which token each endpoint takes. What it does not take is 403 and
// changes nothing.
func TestTokenKindsPerEndpoint(t *testing.T) {
	for _, e := range endpoints {
		name := e.method + e.below
		refuse := func(what, token, body string, headers ...string) {
			t.Run(name+" "+what, func(t *testing.T) {
				w := newWorld(t)
				w.install(t)
				before := w.store.commits.Load()
				r := w.do(t, e.method, path+e.below, w.signed(token), e.body, headers...)
				r.want(t, http.StatusForbidden, body)
				checkHeaders(t, r)
				if w.store.commits.Load() != before {
					t.Error("it changed something")
				}
			})
		}
		accept := func(what, token string, headers ...string) {
			t.Run(name+" "+what, func(t *testing.T) {
				w := newWorld(t)
				w.install(t)
				w.do(t, e.method, path+e.below, w.signed(token), e.body, headers...).
					want(t, http.StatusOK)
			})
		}
		if e.user {
			accept("as ADMIN", "admin", "X-Vercel-Auth", "user")
			accept("as ADMIN with an empty header", "admin", "X-Vercel-Auth", " ")
			accept("as ADMIN in capitals", "admin", "X-Vercel-Auth", " USER ")
			refuse("as USER", "reader", adminOnly)
			refuse("as someone of another role", "odd role", adminOnly)
			refuse("as ADMIN who says system", "admin", contradicts, "X-Vercel-Auth", "system")
			refuse("as ADMIN who says something else", "admin", contradicts, "X-Vercel-Auth",
				"service")
			refuse("as ADMIN of another installation", "admin elsewhere", elsewhere)
			refuse("as ADMIN of no installation", "admin nowhere", elsewhere)
		} else {
			refuse("as ADMIN", "admin", wrongKind)
			refuse("as USER", "reader", wrongKind)
		}
		if e.system {
			accept("as system with an empty header", "system", "X-Vercel-Auth", " ")
			accept("as system", "system", "X-Vercel-Auth", "System")
			accept("as system without installation", "system nowhere")
			refuse("as system that says user", "system", contradicts, "X-Vercel-Auth", "user")
			refuse("as system of another installation", "system elsewhere", elsewhere)
			refuse("as system of no account", "system of nobody", noAccount)
		} else {
			refuse("as system", "system", wrongKind)
		}
	}
}

// signed returns a token by what the tests call it.
func (w *world) signed(name string) string {
	switch i := w.issuer; name {
	case "admin":
		return i.user(icfg)
	case "reader":
		return i.user(icfg, claims{"user_role": "USER"})
	case "odd role":
		return i.user(icfg, claims{"user_role": "OWNER"})
	case "admin elsewhere":
		return i.user(strings.ToLower(icfg))
	case "admin nowhere":
		return i.user(icfg, claims{"installation_id": null})
	case "system":
		return i.system(icfg)
	case "system nowhere":
		return i.system(icfg, claims{"installation_id": null})
	case "system elsewhere":
		return i.system("icfg_0")
	case "system of nobody":
		return i.system(icfg, claims{"account_id": nil, "installation_id": null})
	}
	panic(name)
}

// TestOtherAccountsAreNotFound sends the tokens of another account, which name the
// installation, to every endpoint: it does not exist for them. That holds with the policy of
// this package and with the default one.
func TestOtherAccountsAreNotFound(t *testing.T) {
	for name, policy := range map[string]installation.Policy{"own policy": vercel.Policy,
		"default policy": installation.DefaultPolicy} {
		w := newWorld(t, func(o *choices) { o.service.Policy = policy })
		w.install(t)
		before := w.store.commits.Load()
		foreign := claims{"account_id": other}
		for _, e := range endpoints {
			for actor, token := range map[string]string{
				"ADMIN":  w.issuer.user(icfg, foreign),
				"system": w.issuer.system(icfg, foreign),
				"system without installation": w.issuer.system(icfg, foreign,
					claims{"installation_id": null}),
			} {
				if actor == "ADMIN" && !e.user || actor != "ADMIN" && !e.system {
					continue
				}
				t.Run(name+" "+e.method+e.below+" "+actor, func(t *testing.T) {
					for _, key := range []string{"", "k-1"} {
						w.do(t, e.method, path+e.below, token, e.body, "Idempotency-Key", key).
							want(t, http.StatusNotFound, missing)
					}
				})
			}
		}
		if n := w.store.commits.Load() - before; n > 0 {
			t.Errorf("%s: %d commits", name, n)
		}
	}
}

// TestOtherIntegrationsAreNotFound: another integration of the same partner does not see the
// installation, even with a token that names it.
func TestOtherIntegrationsAreNotFound(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	verifier, err := vercel.NewVerifier("oac_second",
		&vercel.VerifierOptions{KeySetURL: w.issuer.url, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	second, err := vercel.NewHandler(w.svc, verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(second)
	t.Cleanup(server.Close)
	send(t, server.URL, "GET", path, w.issuer.system(icfg, claims{"aud": "oac_second"}), "").
		want(t, http.StatusNotFound, missing)
	send(t, server.URL, "GET", path, w.issuer.system(icfg), "").want(t, http.StatusUnauthorized)
}

// TestUnauthenticatedFlood: ten thousand requests of nobody change nothing and fetch no keys.
func TestUnauthenticatedFlood(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	before, reads := w.store.commits.Load(), w.issuer.reads.Load()
	token := w.issuer.sign("k9", "RS256", w.issuer.userClaims(icfg))
	for n := range 10_000 {
		e := endpoints[n%len(endpoints)]
		r := httptest.NewRequest(e.method, path+e.below, strings.NewReader(e.body))
		r.Header.Set("Content-Type", "application/json")
		if n%2 == 0 {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusUnauthorized {
			t.Fatalf("request %d: status %d", n, rec.Code)
		}
	}
	if w.store.commits.Load() != before {
		t.Error("something was written")
	}
	if n := w.issuer.reads.Load() - reads; n > 0 {
		t.Errorf("the key set was read %d times within its pause", n)
	}
}

// TestActor: who a token speaks for.
func TestActor(t *testing.T) {
	long := strings.Repeat("ü", 300)
	tests := []struct {
		name   string
		claims vercel.Claims
		want   installation.Actor
	}{
		{"admin", vercel.Claims{Auth: vercel.AuthUser, AccountID: "a", UserID: "u",
			UserRole: vercel.RoleAdmin, UserName: "Iris"},
			installation.Actor{Kind: installation.Customer, ID: "a",
				User: installation.Reference{ID: "u", Name: "Iris"}}},
		{"reader", vercel.Claims{Auth: vercel.AuthUser, AccountID: "a", UserID: "u",
			UserRole: vercel.RoleUser},
			installation.Actor{Kind: installation.Customer, ID: "a", ReadOnly: true,
				User: installation.Reference{ID: "u"}}},
		{"odd name", vercel.Claims{Auth: vercel.AuthUser, AccountID: "a", UserID: "u",
			UserRole: vercel.RoleAdmin, UserName: "a\nb\x00" + long},
			installation.Actor{Kind: installation.Customer, ID: "a",
				User: installation.Reference{ID: "u", Name: "ab" + long[:2*254]}}},
		{"system", vercel.Claims{Auth: vercel.AuthSystem, AccountID: "a"},
			installation.Actor{Kind: installation.Platform, ID: "a"}},
		{"system of nobody", vercel.Claims{Auth: vercel.AuthSystem}, installation.Actor{}},
		{"user of nobody", vercel.Claims{Auth: vercel.AuthUser, UserID: "u",
			UserRole: vercel.RoleAdmin}, installation.Actor{}},
	}
	for _, tt := range tests {
		if got := tt.claims.Actor(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestPolicy(t *testing.T) {
	mine := &installation.Installation{ID: "i", Account: installation.Account{ID: "a"}}
	confined := installation.Actor{Kind: installation.Platform, ID: "a"}
	whole := installation.Actor{Kind: installation.Platform}
	stranger := installation.Actor{Kind: installation.Platform, ID: "b"}
	for _, do := range []installation.Action{
		installation.ActionSee, installation.ActionSeeConfiguration, installation.ActionReveal,
		installation.ActionInvite, installation.ActionAccept,
		installation.ActionUpsert, installation.ActionConfigure, installation.ActionUninstall,
		installation.ActionDelete,
	} {
		may := do == installation.ActionSee || do == installation.ActionUninstall
		if vercel.Policy(confined, do, mine) != may || vercel.Policy(whole, do, mine) != may {
			t.Errorf("%s: the platform may %v, want %v", do, !may, may)
		}
		if vercel.Policy(stranger, do, mine) {
			t.Errorf("%s: on another account", do)
		}
		customer := installation.Actor{Kind: installation.Customer, ID: "a"}
		if vercel.Policy(customer, do, mine) != installation.DefaultPolicy(customer, do, mine) {
			t.Errorf("%s: differs for a customer", do)
		}
	}
	if vercel.Policy(whole, installation.ActionMaintain, nil) ||
		vercel.Policy(confined, installation.ActionSee, nil) {
		t.Error("the platform maintains, or sees what is of no account")
	}
	if vercel.NoClaims(mine) != nil {
		t.Error("something is claimed")
	}
}
