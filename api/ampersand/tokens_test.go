package ampersand_test

import (
	stdcrypto "crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation/examples/hostapp/memory"
)

var (
	testKey  = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	shortKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(1024) })
)

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

type claims map[string]any

// claims returns the claims of a token for a consumer. A change to nil removes a claim.
func (w *world) claims(group, consumer string, change ...claims) claims {
	c := claims{
		"sub": consumer, "groupRef": group, "consumerRef": consumer, "iat": w.Now().Unix(),
		"exp": w.Now().Add(5 * time.Minute).Unix(),
	}
	return c.with(change...)
}

// with returns changed claims.
func (c claims) with(changes ...claims) claims {
	c = maps.Clone(c)
	for _, change := range changes {
		maps.Copy(c, change)
	}
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// token returns a valid token for a consumer, unless a change makes it invalid.
func (w *world) token(group, consumer string, change ...claims) string {
	return signed(testKey(), claims{"alg": "RS256", "kid": "kid-1", "typ": "JWT"},
		w.claims(group, consumer, change...))
}

// own returns a token of the demo consumer.
func (w *world) own(change ...claims) string {
	return w.token(memory.DemoGroup, memory.DemoConsumer, change...)
}

func signed(key *rsa.PrivateKey, header, payload claims) string {
	return signedText(key, marshal(header), marshal(payload))
}

func signedText(key *rsa.PrivateKey, header, payload []byte) string {
	text := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, stdcrypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return text + "." + encode(signature)
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// tokenCase is a token with the status of a request that it authenticates.
type tokenCase struct {
	token  string
	status int
}

// tokenCases returns tokens that follow the rules, and tokens that break one of them.
func (w *world) tokenCases() map[string]tokenCase {
	now := w.Now().Unix()
	header := claims{"alg": "RS256", "kid": "kid-1"}
	with := func(change claims) claims { return header.with(change) }
	good := w.claims(memory.DemoGroup, memory.DemoConsumer)
	return map[string]tokenCase{
		"good":        {w.own(), 200},
		"without typ": {signed(testKey(), header, good), 200},
		"ten minutes": {w.own(claims{"exp": now + 600}), 200},
		"with fractions": {w.own(claims{"iat": float64(now) + .5,
			"exp": float64(now) + 60.25}), 200},
		"issued a little ahead": {w.own(claims{"iat": now + 9}), 200},
		"expired a moment ago":  {w.own(claims{"iat": now - 300, "exp": now - 9}), 200},
		"more than ten minutes": {w.own(claims{"exp": now + 601}), 401},
		"expired":               {w.own(claims{"iat": now - 300, "exp": now - 11}), 401},
		"of the future":         {w.own(claims{"iat": now + 11, "exp": now + 100}), 401},
		"exp before iat":        {w.own(claims{"iat": now, "exp": now - 1}), 401},
		"not good yet":          {w.own(claims{"nbf": now + 60}), 401},
		"an invalid nbf":        {w.own(claims{"nbf": "now"}), 401},
		"without exp":           {w.own(claims{"exp": nil}), 401},
		"without iat":           {w.own(claims{"iat": nil}), 401},
		"exp that is text":      {w.own(claims{"exp": "9999999999"}), 401},
		"exp out of range":      {w.own(claims{"exp": 1e300, "iat": 1e300}), 401},
		"without sub":           {w.own(claims{"sub": nil}), 200},
		"an empty sub":          {w.own(claims{"sub": ""}), 200},
		"without group":         {w.own(claims{"groupRef": nil}), 401},
		"with an empty group":   {w.own(claims{"groupRef": ""}), 401},
		"without consumer":      {w.own(claims{"consumerRef": nil}), 401},
		"an invalid consumer":   {w.own(claims{"consumerRef": 7}), 401},
		"without kid": {signed(testKey(), with(claims{"kid": nil}), good),
			401},
		"unknown kid": {signed(testKey(), with(claims{"kid": "kid-2"}), good),
			401},
		"another's key": {signed(otherKey(), header, good), 401},
		"a short key": {signed(shortKey(), with(claims{"kid": "kid-short"}),
			good), 401},
		"alg none": {encode(marshal(with(claims{"alg": "none"}))) + "." +
			encode(marshal(good)) + ".", 401},
		"alg HS256": {signed(testKey(), with(claims{"alg": "HS256"}), good),
			401},
		"alg RS512": {signed(testKey(), with(claims{"alg": "RS512"}), good),
			401},
		"alg PS256": {signed(testKey(), with(claims{"alg": "PS256"}), good),
			401},
		"unknown crit": {signed(testKey(),
			with(claims{"crit": []string{"x"}, "x": 1}), good), 401},
		"key in the header": {signed(otherKey(),
			with(claims{"jwk": map[string]string{"kty": "RSA",
				"n": encode(otherKey().N.Bytes()), "e": "AQAB"}}), good), 401},
		"a claim twice": {signedText(testKey(), marshal(header),
			append([]byte(`{"groupRef":"x",`), marshal(good)[1:]...)), 401},
		"no JSON": {signedText(testKey(), marshal(header), []byte("x")),
			401},
		"two parts": {"a.b", 401},
		"no token":  {"x", 401},
	}
}

// TestTokenRules proves that a token is only accepted if it follows every rule.
func TestTokenRules(t *testing.T) {
	w := newWorld(t, anyStore)
	w.host.AddPublicKey("kid-short", memory.DemoProject, &shortKey().PublicKey)
	for name, tt := range w.tokenCases() {
		t.Run(name, func(t *testing.T) {
			r := w.as(t, tt.token, "GET", path, "").want(t, tt.status)
			if tt.status == 401 &&
				r.header.Get("Www-Authenticate") != `Bearer error="invalid_token"` {
				t.Errorf("WWW-Authenticate is %q", r.header.Get("Www-Authenticate"))
			}
		})
	}
}

// TestAPIKeyRules proves that an API key is given once, and counts more than a token.
func TestAPIKeyRules(t *testing.T) {
	w := newWorld(t, anyStore)
	for name, tt := range map[string]struct {
		headers []string
		status  int
	}{
		"good": {[]string{"X-Api-Key", apiKey}, 200},
		"good, with a bad token": {[]string{"X-Api-Key", apiKey, "Authorization", "Bearer x"},
			200},
		"bad, with a good token": {[]string{"X-Api-Key", "x", "Authorization", "Bearer " +
			w.own()}, 401},
		"token, scheme in capital": {[]string{"Authorization", "BEARER " + w.own()}, 200},
		"another scheme":           {[]string{"Authorization", "Basic " + apiKey}, 401},
		"key as a token":           {[]string{"Authorization", "Bearer " + apiKey}, 401},
		"in another case":          {[]string{"X-Api-Key", "C4NARY-KEY"}, 401},
		"none":                     {nil, 401},
		"with unknown headers": {[]string{"X-Api-Key", apiKey, "X-Amp-Client", "cli",
			"Accept", "application/xml;q=0"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.send(t, "GET", path, "", tt.headers...).want(t, tt.status)
			if (tt.status == 401) != (r.header.Get("Www-Authenticate") != "") {
				t.Error("WWW-Authenticate goes with 401, and only with it")
			}
		})
	}
}
