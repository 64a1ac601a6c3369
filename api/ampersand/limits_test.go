package ampersand_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestConnectionLimits expects the name of each part of a connection that is too large.
func TestConnectionLimits(t *testing.T) {
	w := newWorld(t, anyStore, func(o *choices) { o.handler.Catalogue = nil })
	long := func(n int) string { return strings.Repeat("x", n) }
	list := strings.TrimSuffix(strings.Repeat(`"s",`, 101), ",")
	var entries []string
	for i := range 101 {
		entries = append(entries, fmt.Sprintf(`"k%d":{"value":"v"}`, i))
	}
	for name, tt := range map[string]struct{ fields, at string }{
		"a long group":         {`"groupRef":"` + long(257) + `"`, "groupRef"},
		"a long consumer":      {`"consumerRef":"` + long(248) + `"`, "consumerRef"},
		"a long provider":      {`"provider":"` + long(257) + `"`, "provider"},
		"a long group name":    {`"groupName":"` + long(257) + `"`, "groupName"},
		"a long consumer name": {`"consumerName":"` + long(257) + `"`, "consumerName"},
		"a long workspace": {`"providerWorkspaceRef":"` + long(257) + `"`,
			"providerWorkspaceRef"},
		"a control character": {`"groupRef":"a\u0007"`, "groupRef"},
		"a long key":          {`"apiKey":"` + long(64<<10+1) + `"`, "apiKey"},
		"a long password": {`"basicAuth":{"username":"u","password":"` + long(64<<10+1) +
			`"}`, "basicAuth.password"},
		"a long user name": {`"basicAuth":{"username":"` + long(257) + `","password":"p"}`,
			"basicAuth.username"},
		"a long client id": {`"oauth2ClientCredentials":{"clientId":"` + long(257) +
			`","clientSecret":"p"}`, "oauth2ClientCredentials.clientId"},
		"many client scopes": {`"oauth2ClientCredentials":{"clientId":"i",` +
			`"clientSecret":"p","scopes":[` + list + `]}`, "oauth2ClientCredentials.scopes"},
		"many scopes": {`"oauth2AuthorizationCode":{"accessToken":{"token":"x"},` +
			`"scopes":[` + list + `]}`, "oauth2AuthorizationCode.scopes"},
		"an empty token": {`"oauth2AuthorizationCode":{"accessToken":{"token":""}}`,
			"oauth2AuthorizationCode.accessToken.token"},
		"much metadata": {`"providerMetadata":{` + strings.Join(entries, ",") + `}`,
			"providerMetadata"},
		"metadata of no name": {`"providerMetadata":{"":{"value":"v"}}`, "providerMetadata."},
		"long metadata": {`"providerMetadata":{"k":{"value":"` + long(4097) + `"}}`,
			"providerMetadata.k.value"},
		"a long display name": {`"providerMetadata":{"k":{"value":"v","displayName":"` +
			long(257) + `"}}`, "providerMetadata.k.displayName"},
		"metadata of no value": {`"providerMetadata":{"k":{}}`, "providerMetadata.k.value"},
	} {
		t.Run(name, func(t *testing.T) {
			body := "{" + tt.fields
			for _, field := range []string{"groupRef", "consumerRef", "provider"} {
				if !strings.Contains(tt.fields, `"`+field+`"`) {
					body += `,"` + field + `":"x"`
				}
			}
			w.do(t, "POST", conns+":generate", body+"}").want(t, 400, `"name":"`+tt.at+`"`)
		})
	}
}

// TestInstallationLimits expects the name of each part of an installation that is too large.
func TestInstallationLimits(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	long := strings.Repeat("x", 257)
	w.do(t, "POST", path, creation(long, "")).want(t, 400, `"name":"groupRef"`)
	w.do(t, "POST", path, strings.Replace(creation("g", ""), `{"groupRef"`,
		`{"connectionId":"`+long+`","groupRef"`, 1)).want(t, 400, `"name":"connectionId"`)
	w.do(t, "POST", path, strings.Replace(creation("g", ""), "u-9", long, 1)).want(t, 400,
		`"name":"config.createdBy"`)
	w.do(t, "PATCH", one, `{"updateMask":["connectionId"],`+
		`"installation":{"connectionId":"`+long+`"}}`).want(t, 400,
		`"name":"installation.connectionId"`)
	w.do(t, "POST", one+":pause", `{"note":"`+strings.Repeat("x", 4097)+`"}`).want(t, 400,
		`"name":"note"`)
	w.do(t, "PATCH", contentOf("contact"), `{"groupRef":"`+long+`","action":"read",`+
		`"changes":[{"op":"remove","path":"/schedule"}]}`).want(t, 400, `"name":"groupRef"`)
	w.do(t, "GET", path+"?groupRef="+long, "").want(t, 400, `"in":"query","name":"groupRef"`)
	w.do(t, "GET", path+"/"+long, "").want(t, 404)
	var steps []string
	for range 257 {
		steps = append(steps, `{"op":"replace","path":"/schedule","value":"x"}`)
	}
	w.do(t, "PATCH", contentOf("contact"), changes("read", strings.Join(steps, ","))).
		want(t, 400)
}

// TestLongestConsumerCanInstall proves that a consumer that can connect can also be a creator.
func TestLongestConsumerCanInstall(t *testing.T) {
	w := newWorld(t, anyStore)
	longest := strings.Repeat("u", 256-len("consumer:"))
	token := w.token("org-9", longest)
	w.as(t, token, "POST", conns+":generate",
		`{"groupRef":"org-9","consumerRef":"`+longest+`","provider":"salesforce"}`).want(t, 201)
	w.as(t, token, "POST", path,
		`{"groupRef":"org-9","config":{"content":{"provider":"salesforce"}}}`).want(t, 201,
		`"createdBy":"consumer:`+longest+`"`)
	w.as(t, w.token("org-9", longest+"u"), "GET", path, "").want(t, 401)
}

// TestIssuesNamePlaceInRequest proves that an issue has the name of its place in the request.
func TestIssuesNamePlaceInRequest(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	longField := strings.Repeat("f", 1100)
	const odd = `{"groupRef":"org-71","config":{"createdBy":"api:\u0007",` +
		`"content":{"provider":"salesforce"}}}`
	for name, tt := range map[string]struct{ method, path, body, at string }{
		"the creator": {"POST", path, odd, "config.createdBy"},
		"another creator": {"PATCH", one, setCreator(`api:\u0007`),
			"installation.config.createdBy"},
		"another's connection": {"PATCH", one, swapTo("connection-org-71"),
			"installation.connectionId"},
		"content": {"POST", path, creation("org-71", `"a.b":{}`),
			"config.content.read.objects.a.b.objectName"},
		"an element": {"POST", path, creation("org-71",
			strings.Replace(`"contact":`+contact, `{"objectName"`,
				`{"fieldFilters":[{},7],"objectName"`, 1)),
			"config.content.read.objects.contact.fieldFilters.1"},
		"new content": {"PATCH", one, replaceObject("contact", `{"objectName":7}`),
			"installation.config.content.read.objects.contact.objectName"},
		"a name too long": {"PATCH", one, update(reads(`"contact":{"`+longField+`":1}`),
			"config.content.read.objects.contact"),
			"installation.config.content.read.objects.contact"},
		"a switch of nothing": {"PATCH", one, update(reads(`"deal":{"disabled":true}`),
			"config.content.read.objects.deal.disabled"),
			"installation.config.content.read.objects.deal"},
		"a member twice": {"POST", path, `{"groupRef":"g","config":{"content":[{},` +
			`{"a":1,"a":2}]}}`, "config.content.1.a"},
		"a patched content": {"PATCH", contentOf("contact"),
			changes("read", `{"op":"replace","path":"/schedule","value":7}`),
			"config.content.read.objects.contact.schedule"},
		"a pointer too long": {"PATCH", contentOf("contact"),
			changes("read", `{"op":"add","path":"/`+longField+`","value":1}`),
			"changes.0.path"},
		"a pointer too long below the object": {"PATCH", contentOf("contact"), changes("read",
			`{"op":"remove","path":"/schedule"},{"op":"add","path":"/`+longField[:1015]+`",`+
				`"value":1}`), "changes.1.path"},
		"an object too long": {"PATCH", contentOf(longField),
			changes("read", `{"op":"remove","path":"/schedule"}`), "object"},
		"a deep value": {"PATCH", contentOf("contact"),
			changes("read", `{"op":"add","path":"/x","value":`+strings.Repeat(`[`,
				61)+strings.Repeat(`]`, 61)+`}`), "config.content.read.objects.contact.x.0"},
		"many changes": {"PATCH", contentOf("contact"),
			changes("read",
				strings.TrimSuffix(strings.Repeat(`{"op":"remove","path":"/schedule"},`, 257),
					",")), "changes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.do(t, tt.method, tt.path, tt.body).want(t, 400)
			p := decode[struct{ Issues []struct{ Name string } }](t, r)
			if !slices.ContainsFunc(p.Issues, func(i struct{ Name string }) bool {
				return strings.HasPrefix(i.Name, tt.at)
			}) {
				t.Errorf("want %s: %.600s", tt.at, r.body)
			}
		})
	}
}
