package softwareone_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/memstore"
)

// target is a handler with an installed row and an invited one, made anew for every input.
type target struct {
	svc     *installation.Service
	handler *softwareone.Handler
	issuer  *softwareone.Issuer
	log     bytes.Buffer
	code    string // of the invitation
}

// Rows of a target.
const (
	fuzzRow     = "EXI-1000-0000-0001" // of clientAccount
	fuzzInvited = "EXI-1000-0000-0002"
)

func newTarget(t testing.TB) *target {
	t.Helper()
	x := &target{}
	now := func() time.Time { return time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC) }
	svc, handler, issuer := newHandler(t, memstore.New(), now, &x.log)
	x.svc = svc.As(installation.Actor{Kind: installation.Host})
	x.handler, x.issuer = handler, issuer
	extension := installation.Value(installation.Extension{ID: stock, Name: "Stock Sync",
		Owner: vendorAccount})
	if _, err := x.svc.Upsert(t.Context(),
		installation.UpsertRequest{ID: fuzzRow, Parts: installation.Parts{
			Extension: extension,
			Account:   installation.Value(installation.Account{ID: clientAccount}),
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(`{"api_secret":"c4nary-stored","warehouse":"EU-2"}`),
			}),
		}}); err != nil {
		t.Fatal(err)
	}
	invited, err := x.svc.Invite(t.Context(), installation.InviteRequest{ID: fuzzInvited,
		Parts: installation.Parts{Extension: extension}})
	if err != nil {
		t.Fatal(err)
	}
	x.code = invited.Code.RevealString()
	return x
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

// serve sends a request and holds what is true of every answer: no failure of the server, what
// is refused changes nothing, nor does what only reads, and no secret shows.
func (x *target) serve(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	before := x.state(t)
	rec := httptest.NewRecorder()
	x.handler.ServeHTTP(rec, r)
	safe := r.Method != http.MethodPost && r.Method != http.MethodPut &&
		r.Method != http.MethodDelete
	switch {
	case rec.Code >= 500:
		t.Errorf("status %d; logged: %s", rec.Code, x.log.String())
	case (rec.Code >= 400 || safe) && before != x.state(t):
		t.Errorf("status %d, and something changed", rec.Code)
	case rec.Code >= 400 && rec.Header().Get("Content-Type") != "application/problem+json":
		t.Errorf("status %d without a problem: %s", rec.Code, rec.Body)
	case rec.Header().Get("Cache-Control") != "no-store":
		t.Error("the answer may be stored")
	}
	if b := rec.Body.Bytes(); !json.Valid(b) && len(b) > 0 {
		t.Errorf("the body is not JSON: %q", b)
	}
	if text := rec.Body.String() + x.log.String(); strings.Contains(text, "c4nary-") ||
		strings.Contains(text, x.code) {
		t.Errorf("a secret shows: %s", text)
	}
	return rec
}

// request makes a request without the checks that clients make.
func request(method, target string, body []byte, token string) (*http.Request, bool) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, false
	}
	r := &http.Request{Method: method, URL: u, Header: make(http.Header),
		Body: io.NopCloser(bytes.NewReader(body)), Host: "platform.example"}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return r, true
}

var fuzzTokens = []string{clientToken, client2Token, vendorToken, rivalToken, opsToken, noneToken,
	bothToken, stockSecret, ledgerSecret}

func FuzzBody(f *testing.F) {
	for _, body := range []string{
		"", "{}", "[]", "null", installBody, inviteBody, configuredBody, redeemBody("x"),
		`{"a":1,"a":2}`, `{} {}`, "\xff", strings.Repeat("[", 100),
		`{"configuration":{"api_secret":"***","warehouse":"***"}}`,
		`{"configuration":{"api_secret":{"x":"***"},"":null,"~/":[1e999]}}`,
		`{"extension":{"id":"` + stock +
			`"},"invitation":{"validity":{"period":"1y"},"externalId":"\u0000"},"modules":[{}]}`,
		`{"extension":{"id":"` + stock + `"},"account":{"id":"` + otherClient +
			`"},"modules":[{"id":"MOD-0112"}]}`,
	} {
		for e := range endpoints("") {
			f.Add(uint8(e), uint8(e), []byte(body))
			f.Add(uint8(e), uint8(2), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, e, token uint8, body []byte) {
		x := newTarget(t)
		all := append(endpoints(fuzzRow), endpoints(fuzzInvited)...)
		endpoint := all[int(e)%len(all)]
		r, _ := request(endpoint.method, endpoint.path, body,
			fuzzTokens[int(token)%len(fuzzTokens)])
		if rec := x.serve(t, r); rec.Code < 300 && bytes.Contains(body, []byte(`"code"`)) &&
			strings.HasSuffix(endpoint.path, "redeem") {
			t.Errorf("redeemed with %s", body)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"", "limit=0", "limit=1&offset=1", "eq(extension.id,'" + stock +
			"')&order=-name,+id&select=-*,+id", "select=audit&gt(audit.created.at,2026-01-01)",
		"or(status=Invited,not(in(account.id,(" + clientAccount + "))))",
		"account.id=" + clientAccount + "&select=-modules.id", "ne(invitation,null())",
		"any(modules,not(name=null()))&all(terms,id=x)", "any(modules)&render%28%29=",
		"like(name,*%26*)", "%", "select=+audit.installed.by.id,-audit.installed",
		"order=audit.created.at", "offset=100001", "eq(id,'\x7f')",
		"extension.id=" + strings.Repeat("x", 300), "account.id=" + strings.Repeat("x", 300),
		"account.id=ACC-1", "select=-configuration",
	} {
		f.Add(uint8(2), query)
		f.Add(uint8(7), query)
	}
	f.Fuzz(func(t *testing.T, token uint8, query string) {
		x := newTarget(t)
		for _, path := range []string{"/installations", "/extensions/" + stock + "/installations",
			"/installations/" + fuzzRow} {
			r, _ := request("GET", path, nil, fuzzTokens[int(token)%len(fuzzTokens)])
			r.URL.RawQuery = query
			rec := x.serve(t, r)
			if rec.Code != 200 || path == "/installations/"+fuzzRow {
				continue
			}
			got := decode[page](t, rec.Body.String())
			if n := len(got.Data); n > got.Meta.Pagination.Total ||
				n > got.Meta.Pagination.Limit || got.Meta.Pagination.Total > 2 {
				t.Errorf("%d rows of %+v", n, got.Meta.Pagination)
			}
		}
		r, _ := request("POST", "/installations/-/token", nil, stockSecret)
		r.URL.RawQuery = query
		x.serve(t, r)
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(uint8(0), "Bearer x.y.z", `"1"`, "application/json", "")
	f.Add(uint8(1), "", "*", "", "gzip")
	f.Add(uint8(5), "bearer", `W/"1", "2"`, "application/json; charset=latin1", "identity")
	f.Add(uint8(6), "good", `"99999999999999999999"`, "text/plain", "")
	f.Add(uint8(7), "good", `"0"`, "application/x+json;;", "")
	f.Add(uint8(5), "idt:TKN-0001-0001:x", "", "application/json", "")
	f.Add(uint8(5), "Bearer idt:TKN-0001-0001:\x00", "", "application/json", "")
	f.Fuzz(func(t *testing.T, e uint8, authorization, ifMatch, contentType, encoding string) {
		x, endpoint := newTarget(t), endpoints(fuzzRow)[int(e)%len(endpoints(fuzzRow))]
		r, _ := request(endpoint.method, endpoint.path, []byte(endpoint.body), vendorToken)
		good := authorization == "good"
		if !good {
			r.Header.Set("Authorization", authorization)
		}
		for name, value := range map[string]string{"If-Match": ifMatch,
			"Content-Type": contentType, "Content-Encoding": encoding} {
			r.Header.Set(name, value)
		}
		if rec := x.serve(t, r); !good && rec.Code != http.StatusUnauthorized {
			t.Errorf("status %d without an identity", rec.Code)
		}
	})
}

// FuzzToken signs whatever it is given, so that claims are looked at that no issuer would make.
func FuzzToken(f *testing.F) {
	claims := func(account, typ, extension, inst, user string) string {
		return fmt.Sprintf(`{"iss":"https://api.platform.softwareone.com",`+
			`"aud":"https://api.platform.softwareone.com","exp":1893456000,`+
			`"%saccountId":%q,"%saccountType":%q,"%sextensionId":%q,"%sinstallationId":%q,`+
			`"%suserId":%q,"%smodules":{"MOD-0478":["read"]}}`,
			claimNames, account, claimNames, typ, claimNames, extension, claimNames, inst,
			claimNames, user, claimNames)
	}
	for e := range endpoints("") {
		f.Add(uint8(e), claims(clientAccount, "Client", stock, fuzzRow, ""))
		f.Add(uint8(e), claims(vendorAccount, "Vendor", stock, "", ""))
		f.Add(uint8(e), claims(operations, "Operations", "", "", "USR-1"))
		f.Add(uint8(e), claims(clientAccount, "Client", stock, "EXI-\x01", "\x00"))
	}
	f.Add(uint8(0), goodClaims)
	f.Add(uint8(0), `{"iss":"x","exp":1e99,"aud":[]}`)
	f.Fuzz(func(t *testing.T, e uint8, payload string) {
		x, endpoint := newTarget(t), endpoints(fuzzRow)[int(e)%len(endpoints(fuzzRow))]
		r, _ := request(endpoint.method, endpoint.path, []byte(endpoint.body),
			signed(t, jose.HS256, signingKey, payload))
		rec := x.serve(t, r)
		if c, err := x.issuer.Verify(signed(t, jose.HS256, signingKey, payload)); err != nil &&
			rec.Code != http.StatusUnauthorized {
			t.Errorf("status %d for a token that is not valid: %v, %v", rec.Code, c, err)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/", "//", "/installations", "/installations/", "/installations/-",
		"/installations/-/token", "/installations/" + fuzzRow,
		"/installations/" + fuzzRow + "/redeem",
		"/extensions/" + stock + "/installations/" + fuzzRow, "/extensions/%2e%2e/installations",
		"/installations/%00", "/installations/..%2f" + fuzzRow,
		"/installations/" + strings.Repeat("x", 300), "/installations/\xff",
		"/extensions/" + strings.Repeat("x", 300) + "/installations", "/installations?x",
	} {
		f.Add("GET", path, uint8(2))
		f.Add("POST", path, uint8(0))
		f.Add("DELETE", path, uint8(5))
	}
	f.Fuzz(func(t *testing.T, method, path string, token uint8) {
		r, ok := request(method, path, nil, fuzzTokens[int(token)%len(fuzzTokens)])
		if !ok {
			t.Skip("no server parses it")
		}
		newTarget(t).serve(t, r)
	})
}

// TestUnauthenticated: ten thousand requests without an identity change nothing.
func TestUnauthenticated(t *testing.T) {
	x := newTarget(t)
	before := x.state(t)
	all := append(endpoints(fuzzRow), endpoints(fuzzInvited)...)
	for i := range 10_000 {
		e := all[i%len(all)]
		r, _ := request(e.method, e.path, []byte(strings.ReplaceAll(e.body, `"x"`,
			`"`+x.code+`"`)), fmt.Sprintf("idt:TKN-0001-0001:%d", i))
		if i%3 == 0 {
			r.Header.Del("Authorization")
		}
		rec := httptest.NewRecorder()
		if x.handler.ServeHTTP(rec, r); rec.Code != http.StatusUnauthorized {
			t.Fatalf("%s %s: status %d", e.method, e.path, rec.Code)
		}
	}
	if x.state(t) != before {
		t.Error("something changed")
	}
	// The same requests with an identity do change something.
	r, _ := request("POST", "/installations/"+fuzzInvited+"/redeem", []byte(redeemBody(x.code)),
		client2Token)
	rec := httptest.NewRecorder()
	if x.handler.ServeHTTP(rec, r); rec.Code != http.StatusOK || x.state(t) == before {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
}
