package ampersand_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestConnectionLimits: what connections are made of has bounds, each told of by its name.
func TestConnectionLimits(t *testing.T) {
	w := newWorld(t, onMemory, func(o *choices) { o.handler.Catalogue = nil })
	long := func(n int) string { return strings.Repeat("x", n) }
	list := strings.TrimSuffix(strings.Repeat(`"s",`, 101), ",")
	var entries []string
	for i := range 101 {
		entries = append(entries, fmt.Sprintf(`"k%d":{"value":"v"}`, i))
	}
	for name, tt := range map[string]struct{ fields, at string }{
		"a long group":         {`"groupRef":"` + long(257) + `"`, "groupRef"},
		"a long consumer":      {`"consumerRef":"` + long(257) + `"`, "consumerRef"},
		"a long provider":      {`"provider":"` + long(257) + `"`, "provider"},
		"a long group name":    {`"groupName":"` + long(257) + `"`, "groupName"},
		"a long consumer name": {`"consumerName":"` + long(257) + `"`, "consumerName"},
		"a long workspace":     {`"providerWorkspaceRef":"` + long(257) + `"`, "providerWorkspaceRef"},
		"a control character":  {`"groupRef":"a\u0007"`, "groupRef"},
		"a long key":           {`"apiKey":"` + long(64<<10+1) + `"`, "apiKey"},
		"a long password":      {`"basicAuth":{"username":"u","password":"` + long(64<<10+1) + `"}`, "basicAuth.password"},
		"a long user name":     {`"basicAuth":{"username":"` + long(257) + `","password":"p"}`, "basicAuth.username"},
		"a long client id":     {`"oauth2ClientCredentials":{"clientId":"` + long(257) + `","clientSecret":"p"}`, "oauth2ClientCredentials.clientId"},
		"many client scopes":   {`"oauth2ClientCredentials":{"clientId":"i","clientSecret":"p","scopes":[` + list + `]}`, "oauth2ClientCredentials.scopes"},
		"many scopes":          {`"oauth2AuthorizationCode":{"accessToken":{"token":"x"},"scopes":[` + list + `]}`, "oauth2AuthorizationCode.scopes"},
		"an empty token":       {`"oauth2AuthorizationCode":{"accessToken":{"token":""}}`, "oauth2AuthorizationCode.accessToken.token"},
		"much metadata":        {`"providerMetadata":{` + strings.Join(entries, ",") + `}`, "providerMetadata"},
		"metadata of no name":  {`"providerMetadata":{"":{"value":"v"}}`, "providerMetadata."},
		"long metadata":        {`"providerMetadata":{"k":{"value":"` + long(4097) + `"}}`, "providerMetadata.k.value"},
		"a long display name":  {`"providerMetadata":{"k":{"value":"v","displayName":"` + long(257) + `"}}`, "providerMetadata.k.displayName"},
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

// TestInstallationLimits: the same of installations.
func TestInstallationLimits(t *testing.T) {
	w := newWorld(t, onMemory)
	one := w.install(t)
	long := strings.Repeat("x", 257)
	w.do(t, "POST", path, creation(long, "")).want(t, 400, `"name":"groupRef"`)
	w.do(t, "POST", path, strings.Replace(creation("g", ""), `{"groupRef"`, `{"connectionId":"`+long+`","groupRef"`, 1)).want(t, 400, `"name":"connectionId"`)
	w.do(t, "POST", path, strings.Replace(creation("g", ""), "u-9", long, 1)).want(t, 400, `"name":"config.createdBy"`)
	w.do(t, "PATCH", one, `{"updateMask":["connectionId"],"installation":{"connectionId":"`+long+`"}}`).want(t, 400, `"name":"installation.connectionId"`)
	w.do(t, "POST", one+":pause", `{"note":"`+strings.Repeat("x", 4097)+`"}`).want(t, 400, `"name":"note"`)
	w.do(t, "PATCH", contentOf("contact"), `{"groupRef":"`+long+`","action":"read","changes":[{"op":"remove","path":"/schedule"}]}`).want(t, 400, `"name":"groupRef"`)
	w.do(t, "GET", path+"?groupRef="+long, "").want(t, 400, `"in":"query","name":"groupRef"`)
	w.do(t, "GET", path+"/"+long, "").want(t, 404)
	var steps []string
	for range 257 {
		steps = append(steps, `{"op":"replace","path":"/schedule","value":"x"}`)
	}
	w.do(t, "PATCH", contentOf("contact"), changes("read", strings.Join(steps, ","))).want(t, 400)
}
