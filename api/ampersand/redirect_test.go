package ampersand_test

import (
	"strings"
	"testing"
)

// A consumer cannot send the stored credentials elsewhere by the variables of the provider's
// addresses. The builder can.
func TestInvariant11ConsumerRedirectsNoCredentials(t *testing.T) {
	w := newWorld(t, anyStore, anyProvider)
	at := w.generate(t, `"apiKey":"c4nary-1","providerWorkspaceRef":"good",`+
		`"providerMetadata":{"region":{"value":"eu"}}`)
	patch := func(token, mask, connection string, status int, texts ...string) {
		t.Helper()
		body := `{"updateMask":[` + mask + `],"connection":` + connection + `}`
		if token == "" {
			w.do(t, "PATCH", at, body).want(t, status, texts...)
			return
		}
		w.as(t, token, "PATCH", at, body).want(t, status, texts...)
	}
	consumer := w.token("g", "c")
	const again = "can be sent elsewhere by this update: give them again"
	for mask, connection := range map[string]string{
		`"providerWorkspaceRef"`: `{"providerWorkspaceRef":"evil.example/#"}`,
		`"providerMetadata"`:     `{"providerMetadata":{"region":{"value":"evil"}}}`,
	} {
		patch(consumer, mask, connection, 400, again)
		patch(consumer, mask+`,"apiKey"`, strings.TrimSuffix(connection, "}")+`,"apiKey":"k"}`, 200)
	}
	patch(consumer, `"providerWorkspaceRef"`, `{"providerWorkspaceRef":"evil.example/#"}`, 200)
	patch(consumer, `"providerMetadata"`, `{"providerMetadata":{}}`, 400, again)
	patch("", `"providerMetadata"`, `{"providerMetadata":{}}`, 200)
}
