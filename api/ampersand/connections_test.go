package ampersand_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/examples/hostapp/memory"
)

// TestListConnections proves that the list is a bare array, oldest first, filtered and without
// credentials.
func TestListConnections(t *testing.T) {
	w := newWorld(t, anyStore)
	for query, want := range map[string]string{
		"":                     "connection-salesforce connection-hubspot connection-org-71",
		"?provider=salesforce": "connection-salesforce connection-org-71",
		"?groupRef=group-123":  "connection-salesforce connection-hubspot",
		"?consumerRef=u-9":     "connection-org-71",
		"?groupRef=group-123&provider=hubspot&consumerRef=consumer-123": "connection-hubspot",
		"?groupRef=none":                        "",
		"?provider=salesforce&consumerRef=none": "",
	} {
		r := w.do(t, "GET", conns+query, "").want(t, 200)
		var ids []string
		for _, c := range decode[[]struct{ ID string }](t, r) {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); got != want || !strings.HasPrefix(r.body, "[") {
			t.Errorf("%s lists %q, want %q", query, got, want)
		}
		if strings.Contains(r.body, "c4nary") || strings.Contains(r.body, "null") ||
			strings.Contains(r.body, "oauth2AuthorizationCode") {
			t.Errorf("credentials or null in %s", r.body)
		}
	}
	w.do(t, "GET", conns+"?provider=a&provider=b", "").want(t, 400)
}

// TestCredentialsOnlyOnRequest proves that a connection shows only the credentials that the
// query names, after they are recorded.
func TestCredentialsOnlyOnRequest(t *testing.T) {
	const at = conns + "/connection-org-71"
	const plain = `{"id":"connection-org-71","projectId":"project-456",` +
		`"provider":"salesforce",` +
		`"group":{"groupRef":"org-71","groupName":"Name of org-71","projectId":"project-456",` +
		`"createTime":"2026-03-02T10:00:00.120000Z"},` +
		`"consumer":{"consumerRef":"u-9","consumerName":"Name of u-9",` +
		`"projectId":"project-456","createTime":"2026-03-02T10:00:00.120000Z"},` +
		`"createTime":"2026-03-02T10:00:00.120000Z","authScheme":"oauth2/authorizationCode",` +
		`"status":"working"}`
	const access = `,"oauth2AuthorizationCode":{"accessToken":{"token":"c4nary-access",` +
		`"expiresAt":"2026-03-02T11:00:00.000000Z"},"scopes":["api"]}}`
	const both = `,"oauth2AuthorizationCode":{"accessToken":{"token":"c4nary-access",` +
		`"expiresAt":"2026-03-02T11:00:00.000000Z"},` +
		`"refreshToken":{"token":"c4nary-refresh"},"scopes":["api"]}}`
	with := func(more string) string { return strings.TrimSuffix(plain, "}") + more }
	for name, tt := range map[string]struct {
		query, want string
		recorded    int
		refresh     bool
	}{
		"no":           {"", plain, 0, false},
		"access":       {"?includeCreds=true", with(access), 1, false},
		"refresh too":  {"?includeRefreshToken=true", with(both), 1, true},
		"refresh wins": {"?includeCreds=false&includeRefreshToken=true", with(both), 1, true},
		"both":         {"?includeCreds=true&includeRefreshToken=true", with(both), 1, true},
		"said no":      {"?includeCreds=false&includeRefreshToken=false", plain, 0, false},
		"not expired":  {"?includeCreds=true&refresh=ifExpired", with(access), 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, anyStore)
			r := w.do(t, "GET", at+tt.query, "").want(t, 200)
			if r.body != tt.want {
				t.Errorf("body is\n%s\nwant\n%s", r.body, tt.want)
			}
			if r := w.do(t, "HEAD", at+tt.query, "").want(t, 200); r.body != "" {
				t.Errorf("HEAD has a body: %s", r.body)
			}
			reveals := w.host.Reveals(memory.DemoProject)
			if len(reveals) != tt.recorded {
				t.Fatalf("%d records", len(reveals))
			}
			if tt.recorded > 0 && (reveals[0].Connection != "connection-org-71" ||
				reveals[0].By != "demo" || reveals[0].RefreshToken != tt.refresh ||
				reveals[0].RequestID != r.header.Get("X-Request-Id") ||
				!reveals[0].At.Equal(w.Now())) {
				t.Errorf("recorded %+v", reveals[0])
			}
		})
	}
}

// TestRejectedReadRecordsNothing proves that a request that is rejected, or that finds no
// connection, leaves no record of shown credentials.
func TestRejectedReadRecordsNothing(t *testing.T) {
	const at = conns + "/connection-org-71"
	w := newWorld(t, anyStore)
	for _, query := range []string{
		"?includeCreds=yes", "?includeRefreshToken=1", "?refresh=now",
		"?includeCreds=true&includeCreds=true",
	} {
		w.do(t, "GET", at+query, "").want(t, 400, `"in":"query"`)
	}
	w.do(t, "GET", conns+"/nope?includeCreds=true", "").want(t, 404)
	if n := len(w.host.Reveals(memory.DemoProject)); n != 0 {
		t.Errorf("%d records of what was not shown", n)
	}
}

// TestRefreshReplacesAccessToken replaces the access token when forced or expired, which resets
// the status of the connection.
func TestRefreshReplacesAccessToken(t *testing.T) {
	const at = conns + "/connection-org-71"
	w := newWorld(t, anyStore)
	w.do(t, "GET", at+"?refresh=ifExpired", "").want(t, 200, `"status":"working"`)
	w.do(t, "HEAD", at+"?refresh=force", "").want(t, 200)
	r := w.do(t, "GET", at+"?refresh=force", "").want(t, 200, `"status":"created"`,
		`"updateTime"`)
	if strings.Contains(r.body, "oauth2AuthorizationCode") {
		t.Errorf("shows %s", r.body)
	}
	fresh := w.do(t, "GET", at+"?includeRefreshToken=true", "").want(t, 200,
		`"token":"c4nary-refresh"`, `"issuedAt":"2026-03-02T10:00:00.120000Z"`)
	if strings.Contains(fresh.body, "c4nary-access") {
		t.Error("the access token stayed")
	}
	w.Advance(2 * time.Hour)
	if again := w.do(t, "GET", at+"?includeRefreshToken=true&refresh=ifExpired", "").
		want(t, 200); again.body == fresh.body {
		t.Error("an expired token stayed")
	}
}

// anyProvider allows any provider for connections.
func anyProvider(o *choices) { o.handler.Catalogue = nil }

// generate creates a connection with some credentials and returns its path.
func (w *world) generate(t *testing.T, credentials string) string {
	t.Helper()
	r := w.do(t, "POST", conns+":generate",
		`{"groupRef":"g","consumerRef":"c","provider":"other",`+credentials+`}`).want(t, 201)
	return conns + "/" + decode[struct{ ID string }](t, r).ID
}

// connectionPatcher returns a function that updates a connection. It fails the test if the
// answer shows a credential.
func (w *world) connectionPatcher(
	t *testing.T,
) func(at, mask, connection string, status int, texts ...string) {
	return func(at, mask, connection string, status int, texts ...string) {
		t.Helper()
		body := `{"updateMask":` + mask + `,"connection":` + connection + `}`
		r := w.do(t, "PATCH", at, body).want(t, status, texts...)
		if strings.Contains(r.body, "c4nary") {
			t.Errorf("a credential shows: %s", r.body)
		}
	}
}

// TestConnectionMaskReplacesNamedFields updates connections of each scheme; credentials must
// fit it.
func TestConnectionMaskReplacesNamedFields(t *testing.T) {
	w := newWorld(t, anyStore, anyProvider)
	patch := w.connectionPatcher(t)
	key := w.generate(t, `"apiKey":"c4nary-1","providerWorkspaceRef":"before"`)
	patch(key, `["providerWorkspaceRef"]`, `{"providerWorkspaceRef":"after",`+
		`"providerMetadata":{"x":{"value":"y"}},"apiKey":"c4nary-2"}`, 200,
		`"providerWorkspaceRef":"after"`, `"updateTime"`)
	w.do(t, "GET", key+"?includeCreds=true", "").want(t, 200, `"apiKey":"c4nary-1"`)
	patch(key, `["apiKey","providerMetadata"]`,
		`{"apiKey":"c4nary-2","providerMetadata":{"x":{"value":"y","displayName":"X"}}}`, 200,
		`"providerMetadata":{"x":{"value":"y","source":"input","displayName":"X"}}`,
		`"providerWorkspaceRef":"after"`)
	w.do(t, "GET", key+"?includeCreds=true", "").want(t, 200, `"apiKey":"c4nary-2"`)
	patch(key, `["providerMetadata"]`, `{"providerMetadata":{}}`, 200)
	if r := w.do(t, "GET", key, ""); strings.Contains(r.body, "providerMetadata") {
		t.Errorf("metadata stayed: %s", r.body)
	}
}

// TestCredentialsFitScheme updates connections of each scheme with credentials of each.
func TestCredentialsFitScheme(t *testing.T) {
	w := newWorld(t, anyStore, anyProvider)
	patch := w.connectionPatcher(t)
	key := w.generate(t, `"apiKey":"c4nary-1"`)
	for field, value := range map[string]string{
		"basicAuth":               `{"username":"u","password":"c4nary"}`,
		"oauth2ClientCredentials": `{"clientId":"i","clientSecret":"c4nary","scopes":["a"]}`,
		"oauth2PasswordCredentials": `{"username":"u","password":"c4nary","clientId":"i",` +
			`"clientSecret":"c4nary"}`,
	} {
		at := w.generate(t, `"`+field+`":`+value)
		patch(at, `["`+field+`"]`, `{"`+field+`":`+value+`}`, 200, `"status":"created"`)
		patch(at, `["apiKey"]`, `{"apiKey":"c4nary"}`, 400,
			`"name":"updateMask[0]","detail":"does not fit the authScheme of the connection"`)
		patch(key, `["`+field+`"]`, `{"`+field+`":`+value+`}`, 400, `does not fit`)
		patch(at, `["`+field+`"]`, `{"`+field+`":{}}`, 400, `"name":"connection.`+field+`.`)
		patch(at, `["`+field+`"]`, `{"`+field+`":7}`, 400, `"name":"connection.`+field+`"`)
	}
	patch(conns+"/connection-org-71", `["oauth2AuthorizationCode"]`,
		`{"oauth2AuthorizationCode":{"accessToken":{"token":"c4nary"}}}`, 400,
		"is not an allowed path")
}

// TestInvalidConnectionMask sends masks that are not valid or have no value.
func TestInvalidConnectionMask(t *testing.T) {
	w := newWorld(t, anyStore, anyProvider)
	patch := w.connectionPatcher(t)
	key := w.generate(t, `"apiKey":"c4nary-1"`)
	const allowed = `Allowed masks: 'providerWorkspaceRef', 'providerMetadata', 'apiKey',` +
		` 'basicAuth', 'oauth2ClientCredentials' and 'oauth2PasswordCredentials'`
	patch(key, `["nope"]`, `{}`, 400,
		`"name":"updateMask[0]","detail":"is not an allowed path"`, allowed)
	patch(key, `["status"]`, `{"status":"working"}`, 400, allowed)
	patch(key, `["apiKey"]`, `{}`, 400, `"name":"updateMask[0]","detail":"is required"`,
		allowed)
	patch(key, `["apiKey"]`, `{"apiKey":""}`, 400, `"name":"connection.apiKey"`)
	patch(key, `["apiKey"]`, `{"apiKey":["c4nary"]}`, 400)
	patch(key, `["providerMetadata"]`, `{"providerMetadata":{"x":"y"}}`, 400,
		`connection.providerMetadata.x`)
	patch(key, `["providerMetadata"]`, `{"providerMetadata":{"x":{"value":"y","source":"me"}}}`,
		400)
	patch(key, `[]`, `{}`, 400)
	patch(key, `"apiKey"`, `{}`, 400)
	w.do(t, "PATCH", key, `{}`).want(t, 400, `"name":"updateMask"`, `"name":"connection"`)
	patch(conns+"/nope", `["apiKey"]`, `{"apiKey":"x"}`, 404)
}

// TestGenerateConnection creates connections with each kind of credentials, and their group and
// consumer.
func TestGenerateConnection(t *testing.T) {
	w := newWorld(t, anyStore)
	const code = `"oauth2AuthorizationCode":{"accessToken":{"token":"c4nary-a",` +
		`"expiresAt":"2026-03-02T12:00:00+01:00"},"refreshToken":{"token":"c4nary-r"},` +
		`"scopes":["api"]}`
	r := w.do(t, "POST", conns+":generate", `{"groupRef":"g-1","groupName":"Tidewater",`+
		`"consumerRef":"c-1","provider":"salesforce","providerWorkspaceRef":"ws",`+code+`}`).
		want(t, 201, `"groupName":"Tidewater"`, `"consumerName":"c-1"`,
			`"authScheme":"oauth2/authorizationCode"`, `"status":"created"`,
			`"providerWorkspaceRef":"ws"`)
	if strings.Contains(r.body, "c4nary") {
		t.Errorf("credentials show: %s", r.body)
	}
	at := conns + "/" + decode[struct{ ID string }](t, r).ID
	w.do(t, "GET", at+"?includeRefreshToken=true", "").want(t, 200, `"token":"c4nary-a"`,
		`"expiresAt":"2026-03-02T11:00:00.000000Z"`, `"token":"c4nary-r"`)
	w.do(t, "POST", path, creation("g-1", "")).want(t, 201, `"groupName":"Tidewater"`)

	for name, tt := range map[string]struct {
		body  string
		parts []string
	}{
		"no body": {``, nil},
		"nothing in it": {`{}`, []string{`"name":"groupRef"`,
			`"name":"consumerRef"`, `"name":"provider"`}},
		"an empty group": {`{"groupRef":"","consumerRef":"c",` +
			`"provider":"salesforce",` + code + `}`, []string{`"name":"groupRef"`}},
		"an unknown provider": {`{"groupRef":"g","consumerRef":"c","provider":"nope"}`,
			[]string{`"name":"provider"`}},
		"another scheme's": {`{"groupRef":"g","consumerRef":"c",` +
			`"provider":"salesforce","apiKey":"c4nary"}`, []string{`"name":"apiKey"`}},
		"two schemes'": {`{"groupRef":"g","consumerRef":"c",` +
			`"provider":"salesforce","apiKey":"c4nary",` + code + `}`,
			[]string{`"name":"oauth2AuthorizationCode"`}},
		"custom": {`{"groupRef":"g","consumerRef":"c",` +
			`"provider":"salesforce","customAuth":{"x":"c4nary"},` + code + `}`,
			[]string{`"name":"customAuth"`}},
		"no token": {`{"groupRef":"g","consumerRef":"c",` +
			`"provider":"salesforce","oauth2AuthorizationCode":{}}`,
			[]string{`oauth2AuthorizationCode.accessToken`}},
		"an invalid time": {`{"groupRef":"g","consumerRef":"c",` +
			`"provider":"salesforce",` +
			`"oauth2AuthorizationCode":{"accessToken":{"token":"c4nary",` +
			`"expiresAt":"soon"}}}`, []string{`accessToken.expiresAt`}},
		"a key for who needs a key": {`{"groupRef":"g","consumerRef":"c",` +
			`"provider":"anthropic","apiKey":7}`, []string{`"name":"apiKey"`}},
	} {
		t.Run(name, func(t *testing.T) {
			if r := w.do(t, "POST", conns+":generate", tt.body).want(t, 400,
				tt.parts...); strings.Contains(r.body, "c4nary") {
				t.Errorf("credentials show: %s", r.body)
			}
		})
	}
	w.do(t, "POST", conns+":generate", `{"groupRef":"g","consumerRef":"c",`+
		`"provider":"anthropic","apiKey":"c4nary"}`).want(t, 201, `"authScheme":"apiKey"`)
}

// TestConnectionHasSchemeOfProvider proves that a connection without credentials has the scheme
// of its provider, and later gets only matching credentials.
func TestConnectionHasSchemeOfProvider(t *testing.T) {
	w := newWorld(t, anyStore)
	generate := func(provider, more string) string {
		t.Helper()
		r := w.do(t, "POST", conns+":generate", `{"groupRef":"g","consumerRef":"c",`+
			`"provider":"`+provider+`"`+more+`}`).want(t, 201, `"status":"created"`)
		return conns + "/" + decode[struct{ ID string }](t, r).ID
	}
	w.do(t, "GET", generate("salesforce", "")+"?includeRefreshToken=true&refresh=force", "").
		want(t, 200, `"authScheme":"oauth2/authorizationCode"`)
	key := generate("anthropic", "")
	w.do(t, "PATCH", key,
		`{"updateMask":["basicAuth"],"connection":{"basicAuth":{"username":"u",`+
			`"password":"c4nary"}}}`).want(t, 400)
	w.do(t, "PATCH", key, `{"updateMask":["apiKey"],"connection":{"apiKey":"c4nary"}}`).
		want(t, 200, `"authScheme":"apiKey"`)
	w.do(t, "GET", key+"?includeCreds=true", "").want(t, 200, `"apiKey":"c4nary"`)
}

// TestConnectionHasSchemeOfCredentials uses a provider with several schemes.
func TestConnectionHasSchemeOfCredentials(t *testing.T) {
	w := newWorld(t, anyStore)
	for _, tt := range []struct{ credentials, scheme string }{
		{`,"apiKey":"c4nary"`, "apiKey"},
		{`,"oauth2AuthorizationCode":{"accessToken":{"token":"c4nary"}}`,
			"oauth2/authorizationCode"},
		{``, "none"},
	} {
		w.do(t, "POST", conns+":generate", `{"groupRef":"g","consumerRef":"c",`+
			`"provider":"hubspot"`+tt.credentials+`}`).want(t, 201,
			`"authScheme":"`+tt.scheme+`"`)
	}
}

// TestUsedConnectionIsNotDeleted deletes an unused connection, and keeps one that an
// installation uses.
func TestUsedConnectionIsNotDeleted(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		w.do(t, "DELETE", conns+"/connection-salesforce", "").want(t, 409,
			"An installation uses the connection.")
		w.do(t, "GET", conns+"/connection-salesforce", "").want(t, 200)
		w.do(t, "DELETE", conns+"/connection-hubspot", "").want(t, 204)
		w.do(t, "DELETE", conns+"/connection-hubspot", "").want(t, 404)
		w.do(t, "DELETE", one, "").want(t, 204)
		w.do(t, "DELETE", conns+"/connection-salesforce", "").want(t, 404)
	})
}

// TestConnectionMaskLimits proves that a mask names each path once.
func TestConnectionMaskLimits(t *testing.T) {
	w := newWorld(t, anyStore)
	const at = conns + "/connection-org-71"
	patch := func(mask string) reply {
		return w.do(t, "PATCH", at,
			`{"updateMask":[`+mask+`],"connection":{"providerWorkspaceRef":"x",`+
				`"providerMetadata":{"k":{"value":"v"}}}}`)
	}
	patch(`"providerMetadata","providerWorkspaceRef"`).want(t, 200)
	patch(`"providerMetadata","providerMetadata"`).want(t, 400,
		`"name":"updateMask[1]","detail":"must be named once"`)
	many := strings.TrimSuffix(strings.Repeat(`"providerMetadata",`, 7), ",")
	patch(many).want(t, 400, `"issues":[{"in":"body","name":"updateMask","detail":`)
}

// TestConnectionRejectsRevisions proves that no condition on the revision of a connection is
// true, and that If-Match: * is.
func TestConnectionRejectsRevisions(t *testing.T) {
	w := newWorld(t, anyStore)
	const at = conns + "/connection-org-71"
	const body = `{"updateMask":["providerWorkspaceRef"],` +
		`"connection":{"providerWorkspaceRef":"changed"}}`
	for tag, status := range map[string]int{`"1"`: 409, `W/"1"`: 409, `"other"`: 409,
		`1`: 400} {
		for _, method := range []string{"PATCH", "DELETE"} {
			sent := ""
			if method == "PATCH" {
				sent = body
			}
			w.do(t, method, at, sent, "If-Match", tag).want(t, status)
		}
	}
	if r := w.do(t, "GET", at, "").want(t, 200); strings.Contains(r.body, "changed") ||
		r.header.Get("Etag") != "" {
		t.Errorf("it is %s, %v", r.body, r.header)
	}
	w.do(t, "PATCH", at, body, "If-Match", "*").want(t, 200)
	w.do(t, "DELETE", at, "", "If-Match", "*").want(t, 204)
	w.do(t, "DELETE", at, "", "If-Match", "*").want(t, 404)
}
