package main

import (
	"context"
	stdcrypto "crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
)

const (
	clientID       = "oac_bench4400"
	installationID = "icfg_bench4400bench4400bench44"
)

// httpRows measure a PUT of Vercel through the handler, without a network before it. Every handler has to check the token and
// to read the body; that is the other side.
func httpRows(tb testing.TB, _ Scale) []Row {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	check(tb, err)
	keys := &oidc.StaticKeySet{PublicKeys: []stdcrypto.PublicKey{private.Public()}}
	token := signed(tb, private, map[string]any{
		"iss": vercel.DefaultIssuer, "aud": clientID, "sub": "account:4f1a0b:user:9c33de", "account_id": "4f1a0b", "installation_id": installationID,
		"user_id": "9c33de", "user_role": "ADMIN", "user_email": "iris@northwind.example", "user_name": "Iris Holm",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	raw := oidc.NewVerifier(vercel.DefaultIssuer, keys, &oidc.Config{ClientID: clientID})
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_, err := raw.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil || json.NewDecoder(r.Body).Decode(&body) != nil {
			http.Error(w, "refused", http.StatusBadRequest)
		}
	})
	client := redistest.Start(tb).Client(tb)
	const lacks = "everything after the request was read"
	return []Row{
		{Name: "Vercel PUT, memory", Against: "verify the token, decode", Lacks: lacks, Ours: put(tb, vercelHandler(tb, memstore.New(), &private.PublicKey), token), Base: put(tb, bare, token)},
		{Name: "Vercel PUT, Redis", Against: "verify the token, decode", Lacks: lacks, Ours: put(tb, vercelHandler(tb, openStore(tb, client), &private.PublicKey), token), Base: put(tb, bare, token)},
	}
}

func vercelHandler(tb testing.TB, store installation.Store, key *rsa.PublicKey) http.Handler {
	tb.Helper()
	svc, err := installation.New(store, newRing(tb, "k1"), &installation.Options{Policy: vercel.Policy, Claims: vercel.NoClaims})
	check(tb, err)
	verifier, err := vercel.NewVerifier(clientID, &vercel.VerifierOptions{
		Key: func(context.Context, string) (*rsa.PublicKey, error) { return key, nil },
	})
	check(tb, err)
	handler, err := vercel.NewHandler(svc, verifier, nil)
	check(tb, err)
	return handler
}

// put returns a call that puts an installation, each time with another token.
func put(tb testing.TB, handler http.Handler, token string) Work {
	return func() error {
		body := fmt.Sprintf(`{"scopes":["read-write:integration-resource"],
			"acceptedPolicies":{"terms":"2026-03-04T09:15:00Z","privacy":"2026-03-04T10:15:00Z"},
			"credentials":{"access_token":"made-up-access-%d","token_type":"Bearer"},
			"account":{"name":"Northwind Bikes","url":"https://vercel.example/northwind-bikes",
			"contact":{"email":"ops@northwind.example","name":"Iris Holm"}}}`, numbers.Add(1))
		r := httptest.NewRequestWithContext(tb.Context(), http.MethodPut, "/v1/installations/"+installationID, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return fmt.Errorf("status %d: %s", w.Code, w.Body)
		}
		return nil
	}
}

// signed returns claims as a token.
func signed(tb testing.TB, key *rsa.PrivateKey, claims map[string]any) string {
	tb.Helper()
	payload, err := json.Marshal(claims)
	check(tb, err)
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","kid":"k1","typ":"JWT"}`)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, stdcrypto.SHA256, sum[:])
	check(tb, err)
	return text + "." + encode(signature)
}
