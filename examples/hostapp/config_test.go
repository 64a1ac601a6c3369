package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the test signs as Vercel does, with HMAC-SHA1
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// configured runs the program with new keys and a configuration.
func configured(t *testing.T, config string) *running {
	t.Helper()
	dir := t.TempDir()
	keys, file := filepath.Join(dir, "keys"), filepath.Join(dir, "config.json")
	for path, text := range map[string]string{keys: newKeys(t), file: config} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return start(t, "-keys", keys, "-config", file)
}

// expect sends a request and checks the status and a part of the answer.
func expect(t *testing.T, method, url, body string, header []string, status int,
	has string) string {
	t.Helper()
	got, text := ask(t, method, url, body, header...)
	if got != status || !strings.Contains(text, has) {
		t.Errorf("%s %s: %d %s, want %d with %s", method, url, got, text, status, has)
	}
	return text
}

// connect is the body that creates a connection to a provider. The body install
// creates an installation for it.
func connect(provider, credentials string) string {
	return `{"groupRef":"g","consumerRef":"c","provider":"` + provider + `",` + credentials + `}`
}

const (
	byToken = `"oauth2AuthorizationCode":{"accessToken":{"token":"made-up"}}`
	byKey   = `"apiKey":"made-up"`
	install = `{"groupRef":"g","config":{"content":{"provider":"salesforce"}}}`
)

const ampersandProjectText = `{"id":"p-1","name":"one","apiKeys":{"k":"made-up-key-0123456789"},
	"integrations":[{"id":"i-1","name":"crm","provider":"salesforce",
	"latest":{"id":"r-1","content":{}}}]`

// Only providers and integrations of the configuration can be connected and
// installed. A configuration without providers allows all of them.
func TestOnlyConfiguredProvidersConnect(t *testing.T) {
	for name, c := range map[string]struct {
		providers string
		other     int // status for a provider that is not named
	}{
		"any provider": {"", 201},
		"some providers": {`,"providers":[{"name":"salesforce",` +
			`"scheme":"oauth2/authorizationCode"}]`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := configured(t,
				`{"ampersand":{"projects":[`+ampersandProjectText+`}]`+c.providers+`}}`)
			key := []string{"X-Api-Key", "made-up-key-0123456789"}
			at := r.Ampersand.Base + "/projects/p-1"
			expect(t, "POST", at+"/connections:generate", connect("salesforce", byToken), key,
				201, `"salesforce"`)
			expect(t, "POST", at+"/connections:generate", connect("hubspot", byKey), key, c.other,
				`provider`)
			expect(t, "POST", at+"/integrations/i-1/installations", install, key, 201,
				`"groupRef":"g"`)
			expect(t, "GET", at+"/installations", "", key, 200, `"groupRef":"g"`)
		})
	}
}

// A token of a consumer is valid if the key of the project signed it.
func TestConsumerTokenNeedsKeyOfProject(t *testing.T) {
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&signer.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY",
		Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	r := configured(t,
		`{"ampersand":{"projects":[`+ampersandProjectText+
			`,"publicKeys":{"s-1":`+string(text)+`}}]}}`)
	token := func(key *rsa.PrivateKey) []string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256,
			Key: jose.JSONWebKey{Key: key, KeyID: "s-1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		signed, err := jwt.Signed(s).Claims(map[string]any{
			"aud": "https://api.withampersand.com", "sub": "consumer:c", "iat": now.Unix(),
			"exp":      now.Add(5 * time.Minute).Unix(),
			"groupRef": "g", "consumerRef": "c", "projectId": "p-1",
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return bearer(signed)
	}
	at := r.Ampersand.Base + "/projects/p-1/connections?groupRef=g"
	expect(t, "GET", at, "", token(signer), 200, "[]")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "GET", at, "", token(other), 401, "")
}

// The configuration contains the JSON Schema of an extension. It marks the
// secrets of the extension.
func TestConfiguredSchemaMarksSecrets(t *testing.T) {
	r := configured(t, `{"softwareone":{"tokenKey":"made-up-0123456789abcdef01234567",
		"accounts":[{"id":"ACC-1","type":"Vendor"},{"id":"ACC-2","type":"Client"}],
		"extensions":[{"id":"EXT-1","name":"x","status":"Public","owner":"ACC-1",
			"schema":{"properties":{"greeting":{"writeOnly":true},"shelf":{"type":"integer"}}}}],
		"tokens":[{"id":"TKN-1","account":"ACC-1"},{"id":"TKN-2","account":"ACC-2"}],
		"tokenSecrets":{"TKN-1":"made-up-0123456789","TKN-2":"made-up-1123456789"}}}`)
	vendor, client := bearer("idt:TKN-1:made-up-0123456789"), bearer("idt:TKN-2:made-up-1123456789")
	at := r.SoftwareOne.Base + "/installations"
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(expect(t, "POST", at, `{"extension":{"id":"EXT-1"}}`, client,
		201, "EXI-")), &made); err != nil {
		t.Fatal(err)
	}
	expect(t, "PUT", at+"/"+made.ID, `{"configuration":{"shelf":"top"}}`, vendor, 400,
		"configuration.shelf")
	expect(t, "PUT", at+"/"+made.ID, `{"configuration":{"greeting":"hunter2","shelf":1}}`, vendor,
		200, "")
	if text := expect(t, "GET", at+"/"+made.ID, "", vendor, 200,
		`"shelf":1`); strings.Contains(text, "hunter2") ||
		!strings.Contains(text, `"greeting":"***"`) {
		t.Errorf("shown: %s", text)
	}
}

// The webhook uninstalls on the event of a removal. The secret of the first line
// signs it.
func TestWebhookUninstalls(t *testing.T) {
	r := start(t, "-dev")
	const id = "icfg_9aXw3LmQ7vBn2TzK5rYd8PcH"
	at := r.Vercel.Base + "/v1/installations/" + id
	token := func(auth string) []string {
		return bearer(expect(t, "GET", r.Vercel.Tokens+"?installation="+id+"&auth="+auth, "", nil,
			200, "."))
	}
	expect(t, "PUT", at,
		`{"scopes":[],"acceptedPolicies":{},"credentials":{"access_token":"made-up",`+
			`"token_type":"Bearer"}}`, token("user"), 200, "")
	event := `{"type":"integration-configuration.removed","payload":{"configuration":{"id":"` +
		id + `"}}}`
	signed := func(secret string) []string {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(event))
		return []string{"X-Vercel-Signature", hex.EncodeToString(mac.Sum(nil))}
	}
	expect(t, "POST", r.Vercel.Webhook, event, signed("another"), 401, "")
	expect(t, "GET", at, "", token("system"), 200, "")
	expect(t, "POST", r.Vercel.Webhook, event, signed(r.Vercel.WebhookSecret), 200, "")
	expect(t, "GET", at, "", token("system"), 404, "")
}
