package ampersand_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// secretBodies returns bodies with secrets. The first is valid for a new installation.
func secretBodies() []string {
	good := strings.Replace(creation("org-71", `"contact":`+contact), `"provider"`,
		`"apiKey":"c4nary-body","provider"`, 1)
	const code = `{"groupRef":"g","consumerRef":"c","provider":"salesforce",` +
		`"oauth2AuthorizationCode":{"accessToken":{"token":"c4nary-code"}}}`
	return []string{
		good, code,
		strings.Replace(good, `"c4nary-body"`, `"c4nary-body","apiKey":"c4nary-body"`, 1),
		strings.Replace(good, `"c4nary-body"`, `"c4nary-body" "c4nary-body"`, 1),
		strings.Replace(good, `"objectName":"contact"`, `"objectName":{"c4nary":"c4nary"}`, 1),
		strings.Replace(good, `"salesforce"`, `"c4nary"`, 1),
		strings.Replace(good, `consumer:u-9`, `c4nary`, 1),
		strings.Replace(good, `}}}`, ``, 1),
		strings.Replace(code, `"c4nary-code"`, `["c4nary-code"]`, 1),
		strings.Replace(code, `"c4nary-code"`, `"c4nary-code","expiresAt":"c4nary"`, 1),
		`{"updateMask":["c4nary"],"installation":{"connectionId":"c4nary"},"connection":{}}`,
		`{"updateMask":["connectionId","config.createdBy"],` +
			`"installation":{"connectionId":"c4nary","config":{"createdBy":"builder:c4nary"}}}`,
		`{"updateMask":["apiKey"],"connection":{"apiKey":"c4nary"}}`,
		replaceObject("contact", `{"apiKey":"c4nary"}`),
		changes("read", `{"op":"add","path":"/apiKey","value":"c4nary"}`),
		changes("c4nary", `{"op":"c4nary","path":"c4nary"}`),
		`{"objects":["c4nary"],"note":7}`,
	}
}

// TestNoSecretInResponsesOrLogs passes secrets through every endpoint, in valid and invalid
// requests, and looks for them in all answers, headers, logs and printed values.
func TestNoSecretInResponsesOrLogs(t *testing.T) {
	w := newWorld(t, anyStore)
	var seen strings.Builder
	do := func(method, path, body string, headers ...string) {
		t.Helper()
		r := w.do(t, method, path, body, headers...)
		fmt.Fprintln(&seen, r.status, r.header, r.body)
	}
	one := w.install(t)
	fill := filler(one, "connection-org-71")
	bodies := secretBodies()
	good := bodies[0]
	for _, e := range endpoints {
		if e.method == "DELETE" || strings.Contains(e.path, "include") {
			continue
		}
		if e.method == "GET" {
			do(e.method, fill(e.path), "")
			continue
		}
		for _, body := range bodies {
			do(e.method, fill(e.path), fill(body))
		}
		do(e.method, fill(e.path), good, "Content-Type", "c4nary/c4nary")
		do(e.method, fill(e.path), good, "If-Match", "c4nary")
	}
	for _, query := range []string{"?groupRef=c4nary%00", "?skipSampling=c4nary",
		"?includeCreds=c4nary", "?refresh=c4nary", "?pageSize=c4nary", "?%zzc4nary"} {
		do("GET", path+query, "")
		do("POST", path+query, good)
		do("GET", conns+"/connection-org-71"+query, "")
		do("GET", one+"/operations"+query, "")
	}
	do("GET", path, "", "X-Api-Key", "c4nary-unknown")
	do("GET", path, "", "X-Api-Key", "", "Authorization", "Bearer c4nary.c4nary.c4nary")
	do("GET", path, "", "X-Api-Key", "", "Authorization",
		"Bearer "+w.own(claims{"sub": nil, "groupRef": "c4nary"}))
	for _, err := range []error{installation.ErrUnavailable, errors.New("c4nary")} {
		w.store.fail(err)
		for _, e := range endpoints {
			if !strings.Contains(e.path, "include") {
				do(e.method, fill(e.path), fill(e.body))
			}
		}
		w.store.failing.Store(nil)
	}
	do("DELETE", one, "")
	fmt.Fprintln(&seen, w.log.String())
	conn, err := w.host.Connection(t.Context(), memory.DemoProject, "connection-org-71")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&seen, "%+v %#v %v %+v\n", conn, conn, newConnection("x", "y", "z"),
		newConnection("x", "y", "z"))
	for line := range strings.Lines(seen.String()) {
		if strings.Contains(line, "c4nary") {
			t.Errorf("a secret shows: %s", line)
		}
	}
}
