package vercel_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation/api/vercel"
)

// issuer signs tokens and serves its keys.
type issuer struct {
	clock *clock
	url   string
	reads atomic.Int64

	mu   sync.Mutex
	keys map[string]*rsa.PrivateKey     // by id
	page func(http.ResponseWriter) bool // before the key set, or, if it says so, in its place
}

// testKeys are made once: they take a second each.
var testKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func newIssuer(t testing.TB, c *clock) *issuer {
	i := &issuer{clock: c, keys: map[string]*rsa.PrivateKey{"k1": testKeys()[0]}}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.reads.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.page != nil && i.page(w) {
		return
	}
	type jwk map[string]string
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for id, key := range i.keys {
		e := binary.BigEndian.AppendUint32(nil, uint32(key.E))
		set.Keys = append(set.Keys, jwk{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": encode(key.N.Bytes()),
			"e": encode(bytes.TrimLeft(e, "\x00")),
		})
	}
	_ = json.NewEncoder(w).Encode(set)
}

// rotate replaces the keys.
func (i *issuer) rotate(keys map[string]*rsa.PrivateKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

func (i *issuer) serve(page func(http.ResponseWriter) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.page = page
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claims of a token; nil values are left out, and null is json.RawMessage("null").
type claims map[string]any

func (i *issuer) userClaims(id string) claims {
	return claims{
		"iss": vercel.DefaultIssuer, "aud": clientID, "sub": "account:" + account +
			":user:9c33de", "account_id": account, "installation_id": id,
		"user_id": "9c33de", "user_role": "ADMIN", "user_email": "iris@northwind.example",
		"user_name": "Iris Holm",
		"iat":       i.clock.Now().Unix(), "exp": i.clock.Now().Add(time.Hour).Unix(),
		"globalUserId": "of no matter",
	}
}

func (i *issuer) systemClaims(id string) claims {
	return claims{
		"iss": vercel.DefaultIssuer, "aud": clientID, "sub": "account:" + account,
		"account_id": account, "installation_id": id,
		"iat": i.clock.Now().Unix(), "exp": i.clock.Now().Add(time.Hour).Unix(),
	}
}

// user signs a token of an ADMIN, changed as told.
func (i *issuer) user(id string, change ...claims) string {
	return i.sign("k1", "RS256", i.userClaims(id), change...)
}

// system signs a system token, changed as told.
func (i *issuer) system(id string, change ...claims) string {
	return i.sign("k1", "RS256", i.systemClaims(id), change...)
}

func (i *issuer) sign(kid, algorithm string, c claims, change ...claims) string {
	for _, other := range change {
		for name, value := range other {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
	}
	header := map[string]string{"typ": "JWT", "alg": algorithm, "kid": kid}
	if kid == "" {
		delete(header, "kid")
	}
	text := segment(header) + "." + segment(c)
	i.mu.Lock()
	key := i.keys[kid]
	i.mu.Unlock()
	if key == nil {
		key = testKeys()[0]
	}
	return text + "." + encode(signatureOf(algorithm, key, text))
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return encode(b)
}

func signature(key *rsa.PrivateKey, text string) []byte { return signatureOf("RS256", key, text) }

// signatureOf signs as the algorithm says, so that a token of another algorithm is wrong in
// nothing else. What no RSA key can sign, it signs with RS256.
func signatureOf(algorithm string, key *rsa.PrivateKey, text string) []byte {
	hash := crypto.SHA256
	if algorithm == "RS384" {
		hash = crypto.SHA384
	}
	h := hash.New()
	h.Write([]byte(text))
	sum := h.Sum(nil)
	var sig []byte
	var err error
	if algorithm == "PS256" {
		sig, err = rsa.SignPSS(rand.Reader, key, hash, sum,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		sig, err = rsa.SignPKCS1v15(nil, key, hash, sum)
	}
	if err != nil {
		panic(err)
	}
	return sig
}
