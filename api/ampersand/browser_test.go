package ampersand_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// Bodies as @amp-labs/react sends them.
const (
	connectBody = `{"projectIdOrName":"harbor-app","provider":"salesforce",` +
		`"groupRef":"group-123","groupName":"Harbor Foods","consumerRef":"consumer-123",` +
		`"consumerName":"Mara Lind","providerWorkspaceRef":"harbor","enableCSRFProtection":true}`
	customBody = `{"projectIdOrName":"project-456","provider":"hubspot","groupRef":"group-123",` +
		`"consumerRef":"consumer-123","customAuth":{"userName":"mara","password":"c4nary-custom"}}`
)

// fetched are the headers that Chromium's fetch adds to a request of the React components.
var fetched = []string{
	"Accept", "*/*", "Origin", "https://app.example", "Sec-Fetch-Mode", "cors",
	"X-Amp-Client", "react", "X-Amp-Client-Version", "2.16.1",
}

// TestComponentsConnect sends what the components ask for from loading to the end of a connection.
func TestComponentsConnect(t *testing.T) {
	w := newWorld(t, anyStore, func(o *choices) {
		o.handler.Origins = []string{"https://app.example"}
	})
	ask := func(method, path, body string) reply {
		t.Helper()
		headers := append(bearer(w.own()), fetched...)
		r := w.send(t, method, path, body, headers...).want(t, 200)
		if r.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
			t.Errorf("%s %s: the page cannot read the answer", method, path)
		}
		return r
	}
	ask("GET", "/projects/harbor-app", "").wantBody(t, `{"id":"project-456","name":"harbor-app",`+
		`"appName":"Harbor","orgId":"org-harbor","createTime":"2026-03-02T10:00:00.120000Z"}`)
	ask("GET", project+"/provider-apps", "").wantBody(t, `[{"id":"app-salesforce",`+
		`"projectId":"project-456","provider":"salesforce","clientId":"harbor-client",`+
		`"scopes":["api","refresh_token"],"createTime":"2026-03-02T10:00:00.120000Z"}]`)
	for _, name := range []string{"crm-sync", memory.DemoIntegration} {
		ask("GET", project+"/integrations/"+name, "").want(t, 200, `{"id":"integration-789"`)
	}
	ask("GET", integration+"/objects/contact/metadata?groupRef=group-123&excludeReadOnly=true", "").
		wantBody(t, `{"fields":{"email":{"displayName":"Email","readOnly":false,`+
			`"valueType":"string","fieldName":"email"},"name":{"displayName":"Full Name",`+
			`"readOnly":false,"valueType":"string","fieldName":"name"},"phone":{`+
			`"displayName":"Phone","readOnly":false,"valueType":"string","fieldName":"phone"}},`+
			`"name":"contact"}`)
	for _, r := range []reply{
		ask("POST", "/oauth-connect", connectBody),
		ask("POST", "/oauth-connect",
			strings.Replace(connectBody, "projectIdOrName", "projectId", 1)), // Node SDK 0.2.3
		ask("PATCH", conns+"/connection-salesforce:oauth-update", ""),
	} {
		if r.header.Get("Content-Type") != "text/plain; charset=utf-8" ||
			!strings.HasPrefix(r.body, "https://host.example/consent?state=") {
			t.Errorf("%v %s", r.header, r.body)
		}
	}
	ask("POST", "/custom-auth/connect", customBody).want(t, 200, `{"connection":{"id":"`)
}

// TestProvidersArePublic asks without credentials, as the components do.
func TestProvidersArePublic(t *testing.T) {
	w := newWorld(t, anyStore)
	for name, want := range map[string]string{
		"salesforce": `{"displayName":"Salesforce","name":"salesforce","authType":"oauth2",` +
			`"oauth2Opts":{"grantType":"authorizationCode","tokenURL":""`,
		"anthropic": `"authType":"apiKey","apiKeyOpts":{"attachmentType":"header"}`,
		"hubspot":   `"authType":"none","baseURL":"","defaultModule":"","providerOpts":{}`,
		"marketo":   `"grantType":"clientCredentials"`,
	} {
		w.send(t, "GET", "/providers/"+name, "").want(t, 200, want)
	}
	w.send(t, "GET", "/providers/nope", "").want(t, 404)
	w.host.AddProvider(ampersand.Provider{Name: "bad", Info: json.RawMessage(`{"name":7}`)})
	w.send(t, "GET", "/providers/bad", "").want(t, 500)
	w.wantLog(t, "provider/name: must be of type string")
}

func TestInvalidConnects(t *testing.T) {
	w := newWorld(t, anyStore)
	replaced := func(body, old, fresh string) string { return strings.Replace(body, old, fresh, 1) }
	const resume = `{"projectIdOrName":"harbor-app","sessionId":"s","callbackParams":{"code":"x"}}`
	for name, tt := range map[string]struct {
		path, body string
		status     int
		text       string
	}{
		"no project": {"/oauth-connect", replaced(connectBody, "projectIdOrName", "x"), 400,
			`"projectIdOrName"`},
		"another project": {"/oauth-connect", replaced(connectBody, "harbor-app", "tidewater-app"),
			404, ""},
		"no group": {"/oauth-connect", replaced(connectBody, "groupRef", "x"), 400, `"groupRef"`},
		"an unknown provider": {"/oauth-connect", replaced(connectBody, "salesforce", "x"), 400,
			`"provider"`},
		"a provider with keys": {"/oauth-connect", replaced(connectBody, "salesforce", "anthropic"),
			400, "does not connect in a browser"},
		"no credentials": {"/custom-auth/connect", connectBody, 400, `"customAuth"`},
		"credentials that are no text": {"/custom-auth/connect",
			replaced(customBody, `"mara"`, `{}`), 400, `"customAuth.userName"`},
		"an unknown session":   {"/custom-auth/connect", resume, 404, ""},
		"params that are none": {"/custom-auth/connect", replaced(resume, `"x"`, `7`), 400, "code"},
		"custom in generate": {conns + ":generate", customBody, 400,
			"use custom-auth/connect"},
	} {
		t.Run(name, func(t *testing.T) {
			w.do(t, "POST", tt.path, tt.body).want(t, tt.status, tt.text)
		})
	}
	const at = "/objects/contact/metadata"
	w.do(t, "GET", integration+at, "").want(t, 400, `"in":"query","name":"groupRef"`)
	w.do(t, "GET", integration+at+"?groupRef=nobody", "").want(t, 400, "no connection")
	w.do(t, "GET", integration+"/objects/deal/metadata?groupRef=group-123", "").want(t, 404)
	w.do(t, "GET", project+"/integrations/nope", "").want(t, 404)
	w.host.SetConsent("")
	w.do(t, "POST", "/oauth-connect", connectBody).want(t, 422, "cannot begin")
}

// TestOptionalHostsAreOptional expects 404, and an empty list, from a host that has none of them.
func TestOptionalHostsAreOptional(t *testing.T) {
	w := newWorld(t, anyStore, func(o *choices) {
		o.handler = ampersand.Options{Now: o.handler.Now}
	})
	w.do(t, "POST", "/oauth-connect", connectBody).want(t, 404)
	w.do(t, "PATCH", conns+"/connection-salesforce:oauth-update", "").want(t, 404)
	w.do(t, "POST", "/custom-auth/connect", customBody).want(t, 404)
	w.do(t, "GET", "/providers/salesforce", "").want(t, 404)
	w.do(t, "GET", project+"/provider-apps", "").want(t, 200).wantBody(t, "[]")
	w.do(t, "GET", integration+"/objects/contact/metadata?groupRef=group-123", "").want(t, 404)
}

// TestHostJSONIsChecked: clients reject a whole answer for one wrong member, so it is not sent.
func TestHostJSONIsChecked(t *testing.T) {
	w := newWorld(t, anyStore)
	set := func(id, content string) {
		w.host.SetIntegration(memory.DemoProject, ampersand.Integration{
			ID: id, Name: "sync", Provider: "hubspot",
			Latest: ampersand.Revision{ID: "r", Content: json.RawMessage(content)},
		})
	}
	set("empty", "")
	const epoch = `"createTime":"1970-01-01T00:00:00.000000Z"`
	w.do(t, "GET", project+"/integrations", "").want(t, 200, `{"id":"empty","projectId":`+
		`"project-456","name":"sync","provider":"hubspot",`+epoch+`,"latestRevision":{"id":"r",`+
		`"specVersion":"1.0.0",`+epoch+`,"content":{"name":"sync","provider":"hubspot"}}}`)
	for _, content := range []string{
		`{`, `[]`, `{"name":7}`, `{"read":{"objects":{}}}`, `{"read":{"objects":[{}]}}`,
		`{"read":{"objects":[{"objectName":"o","requiredFields":[{"fieldName":1}]}]}}`,
	} {
		set("bad", content)
		r := w.do(t, "GET", project+"/integrations", "").want(t, 200, `"id":"empty"`)
		if strings.Contains(r.body, `"bad"`) {
			t.Errorf("%s is listed: %s", content, r.body)
		}
		w.do(t, "GET", project+"/integrations/bad", "").want(t, 500)
		w.do(t, "GET", project+"/integrations/bad/revisions/r:hydrate?connectionId="+
			"connection-hubspot", "").want(t, 500)
	}
	w.wantLog(t, "JSON of the host is not valid")
}

// TestHydratedNames gives each object and field a name to display, as the description requires.
func TestHydratedNames(t *testing.T) {
	w := newWorld(t, anyStore)
	const manifest = `{"read":{"objects":[{"objectName":"contact","requiredFields":[` +
		`{"fieldName":"email"},{"mapToName":"phone"}],"allFieldsMetadata":{"city":{` +
		`"fieldName":"city","displayName":"Town"}}}]},"write":{"objects":[{"objectName":"lead"}]}}`
	w.host.SetIntegration(memory.DemoProject, ampersand.Integration{
		ID: "i", Name: "sync", Provider: "hubspot",
		Latest: ampersand.Revision{ID: "r", Content: json.RawMessage(manifest)},
	})
	w.do(t, "GET", project+"/integrations/i/revisions/r:hydrate?connectionId=connection-hubspot",
		"").want(t, 200, `"content":{"read":{"objects":[{"objectName":"contact","requiredFields":[`+
		`{"fieldName":"email","displayName":"email"},{"mapToName":"phone"}],`+
		`"allFieldsMetadata":{"city":{"fieldName":"city","displayName":"Town"}},`+
		`"destination":"","schedule":"","displayName":"contact"}]},"write":{"objects":[`+
		`{"objectName":"lead","displayName":"lead"}]},"name":"sync","provider":"hubspot"}`)
}

// TestUpdateNeedsNoMembers sends updates that the description allows and that would be incomplete
// in a new installation. The first is the description's own example.
func TestUpdateNeedsNoMembers(t *testing.T) {
	const fields = `,"selectedFields":{},"selectedFieldMappings":{}}`
	for name, tt := range map[string]struct{ object, want string }{
		"the example": {`{"objectName":"contacts","schedule":"*/30 * * * *",` +
			`"destination":"contactsWebhook","selectedFields":{"email":true,"phone":true}}`,
			`{"objectName":"contacts","schedule":"*/30 * * * *","destination":"contactsWebhook",` +
				`"selectedFields":{"email":true,"phone":true},"selectedFieldMappings":{}}`},
		"a schedule": {`{"schedule":"x"}`,
			`{"schedule":"x","objectName":"contacts"` + fields},
		"all fields": {`{"selectedFieldsAuto":"all"}`,
			`{"selectedFieldsAuto":"all","objectName":"contacts"` + fields},
		"nothing": {`{}`, `{"objectName":"contacts"` + fields},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, anyStore)
			one := w.install(t)
			w.do(t, "PATCH", one, replaceObject("contacts", tt.object), "Accept",
				"application/json;q=1, application/problem+json;q=0").
				want(t, 200, `"contacts":`+tt.want)
		})
	}
}

// TestInstallationWithoutConfiguration is readable for clients with closed enums.
func TestInstallationWithoutConfiguration(t *testing.T) {
	w := newWorld(t, anyStore)
	res, err := w.svc.Upsert(t.Context(), installation.UpsertRequest{Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: memory.DemoIntegration}),
		Account:   installation.Value(installation.Account{ID: "org-71", Name: "Tidewater"}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.do(t, "GET", path+"/"+res.ID, "").want(t, 200, `"config":{"id":"","revisionId":"",`+
		`"createTime":"2026-03-02T10:00:00.120000Z","createdBy":"","content":{"provider":""}}`,
		`"authScheme":"none","status":"created"`)
}
