package jwt_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation/api/internal/jwt"
)

var (
	errInvalid = errors.New("token not valid")
	start      = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

	goodKey  = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
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

type object map[string]any

// with returns a copy of o with changes; nil removes a member.
func (o object) with(changes object) object {
	o = maps.Clone(o)
	maps.Copy(o, changes)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

func encode(v any) string {
	b, isText := v.([]byte)
	if !isText {
		var err error
		if b, err = json.Marshal(v); err != nil {
			panic(err)
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sign returns a token signed with RS256, whatever its header says.
func sign(key *rsa.PrivateKey, header, payload any) string {
	text := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + encode(signature)
}

// signHMAC returns a token signed with HS256.
func signHMAC(key []byte, header, payload any) string {
	text := encode(header) + "." + encode(payload)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

func header() object { return object{"alg": "RS256", "kid": "k1"} }

func claims() object {
	return object{
		"iss": "issuer", "aud": "audience",
		"iat": start.Unix(), "exp": start.Add(time.Minute).Unix(),
	}
}

// rules are those of the tests: every rule is set.
func rules() *jwt.Verifier {
	return &jwt.Verifier{
		Algorithm: jwt.RS256, Issuer: "issuer", Audience: "audience", Leeway: 10 * time.Second,
		MaxLifetime: 10 * time.Minute, Now: func() time.Time { return start },
		Invalid: errInvalid,
	}
}

// keys has a key that is good, one that is short, and one that is for HMAC.
func keys(_ context.Context, id string) (any, error) {
	switch id {
	case "k1":
		return &goodKey().PublicKey, nil
	case "short":
		return &shortKey().PublicKey, nil
	case "hmac":
		return []byte("a secret of more than 32 bytes for HMAC"), nil
	}
	return nil, nil
}

func TestVerify(t *testing.T) {
	for name, changes := range map[string]object{
		"plain":             {},
		"several audiences": {"aud": []any{1, "x", "audience"}},
		"fractions": {"iat": float64(start.Unix()) + .5,
			"exp": float64(start.Unix()) + 60.25},
		"expired in leeway":   {"iat": start.Unix() - 60, "exp": start.Unix() - 9},
		"not before, leeway":  {"nbf": start.Unix() + 10},
		"issued in leeway":    {"iat": start.Unix() + 10},
		"the longest life":    {"exp": start.Unix() + 600},
		"unknown claims":      {"x": object{"y": 1}},
		"an expiry that lags": {"exp": start.Unix() + 1},
	} {
		token, err := rules().Verify(t.Context(),
			sign(goodKey(), header(), claims().with(changes)), keys)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !token.Claims.Child("iss").IsString("issuer") || token.Expires.IsZero() {
			t.Errorf("%s: %+v", name, token)
		}
	}
}

func TestVerifyRejectsForgedTokens(t *testing.T) {
	good := sign(goodKey(), header(), claims())
	parts := strings.Split(good, ".")
	der, err := x509.MarshalPKIXPublicKey(&goodKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	modulus := goodKey().N.Bytes()
	with := func(changes object) object { return header().with(changes) }
	embedded := with(object{"jwk": object{"kty": "RSA", "n": encode(otherKey().N.Bytes()),
		"e": "AQAB"}})
	for name, token := range map[string]string{
		"nothing":    "",
		"two parts":  parts[0] + "." + parts[1],
		"four parts": good + ".x",
		"JSON form": `{"payload":"` + parts[1] + `","protected":"` + parts[0] +
			`","signature":"` + parts[2] + `"}`,
		"more than 16 KiB": sign(goodKey(), header(),
			claims().with(object{"x": strings.Repeat("x", 16<<10)})),
		"algorithm none":         encode(with(object{"alg": "none"})) + "." + parts[1] + ".",
		"algorithm none, signed": sign(goodKey(), with(object{"alg": "none"}), claims()),
		"HS256 by the DER key":   signHMAC(der, with(object{"alg": "HS256"}), claims()),
		"HS256 by the modulus":   signHMAC(modulus, with(object{"alg": "HS256"}), claims()),
		"HS256 by an HMAC key": signHMAC([]byte("a secret of more than 32 bytes for HMAC"),
			object{"alg": "HS256", "kid": "hmac"}, claims()),
		"RS256 by an HMAC key": sign(goodKey(), with(object{"kid": "hmac"}), claims()),
		"RS512":                sign(goodKey(), with(object{"alg": "RS512"}), claims()),
		"PS256":                sign(goodKey(), with(object{"alg": "PS256"}), claims()),
		"no algorithm":         sign(goodKey(), with(object{"alg": nil}), claims()),
		"algorithm twice": sign(goodKey(),
			[]byte(`{"alg":"RS256","alg":"RS256","kid":"k1"}`), claims()),
		"no key ID":                sign(goodKey(), with(object{"kid": nil}), claims()),
		"a key ID of another type": sign(goodKey(), with(object{"kid": 1}), claims()),
		"a long key ID": sign(goodKey(),
			with(object{"kid": strings.Repeat("k", 1000)}), claims()),
		"an unknown key ID":   sign(goodKey(), with(object{"kid": "k2"}), claims()),
		"a short key":         sign(shortKey(), with(object{"kid": "short"}), claims()),
		"another key":         sign(otherKey(), header(), claims()),
		"a key in the header": sign(otherKey(), embedded, claims()),
		"a critical extension": sign(goodKey(), with(object{"crit": []string{"x"}, "x": 1}),
			claims()),
		"a payload not encoded": sign(goodKey(),
			with(object{"crit": []string{"b64"}, "b64": false}), claims()),
		"no signature": parts[0] + "." + parts[1] + ".",
		"another payload": parts[0] + "." + encode(claims().with(object{"sub": "x"})) +
			"." + parts[2],
		"another header": encode(with(object{"typ": "x"})) + "." + parts[1] + "." +
			parts[2],
	} {
		rejects(t, name, rules(), token)
	}
}

func TestVerifyRejectsBadClaims(t *testing.T) {
	now := start.Unix()
	for name, changes := range map[string]object{
		"another issuer":           {"iss": "issuer2"},
		"no issuer":                {"iss": nil},
		"a list of issuers":        {"iss": []string{"issuer"}},
		"another audience":         {"aud": "audience2"},
		"other audiences":          {"aud": []any{"x", 1, []string{"audience"}}},
		"no audience":              {"aud": nil},
		"an audience as an object": {"aud": object{"audience": "audience"}},
		"expired":                  {"iat": now - 60, "exp": now - 10},
		"no expiry":                {"exp": nil},
		"expiry null":              {"exp": json.RawMessage("null")},
		"expiry as text":           {"exp": "9999999999"},
		"a huge expiry":            {"exp": 1e300},
		"a negative expiry":        {"exp": -1},
		"not valid yet":            {"nbf": now + 11},
		"nbf as text":              {"nbf": "0"},
		"nbf null":                 {"nbf": json.RawMessage("null")},
		"a long life":              {"exp": now + 601},
		"no time of issue":         {"iat": nil},
		"time of issue as text":    {"iat": "0"},
		"issued in the future":     {"iat": now + 11},
		"issued after the expiry":  {"iat": now + 61},
	} {
		rejects(t, name, rules(), sign(goodKey(), header(), claims().with(changes)))
	}
	for name, payload := range map[string]string{
		"no JSON": "x", "a list": "[]", "null": "null",
		"text after it": string(marshal(claims())) + "x",
		"a claim twice": `{"iss":"x",` + string(marshal(claims())[1:]),
	} {
		rejects(t, name, rules(), sign(goodKey(), header(), []byte(payload)))
	}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// rejects checks that a token is rejected, with a reason that quotes nothing of it.
func rejects(t *testing.T, name string, v *jwt.Verifier, token string) {
	t.Helper()
	got, err := v.Verify(t.Context(), token, keys)
	if got != nil || !errors.Is(err, errInvalid) {
		t.Errorf("%s: %+v, %v", name, got, err)
	} else if strings.Contains(err.Error(), "audience2") || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("%s: the error quotes the token: %v", name, err)
	}
}

// TestHS256 also shows that rules without a value are not checked.
func TestHS256(t *testing.T) {
	secret := []byte("a secret of more than 32 bytes for HMAC")
	v := &jwt.Verifier{Algorithm: jwt.HS256, Now: func() time.Time { return start },
		Invalid: errInvalid}
	find := func(context.Context, string) (any, error) { return secret, nil }
	payload := object{"exp": start.Unix() + 1}
	if _, err := v.Verify(t.Context(), signHMAC(secret, object{"alg": "HS256"}, payload),
		find); err != nil {
		t.Error(err)
	}
	for name, token := range map[string]string{
		"expired": signHMAC(secret, object{"alg": "HS256"}, object{"exp": start.Unix()}),
		"another key": signHMAC([]byte("another secret of more than 32 bytes"),
			object{"alg": "HS256"}, payload),
		"RS256": sign(goodKey(), object{"alg": "RS256"}, payload),
		"none":  encode(object{"alg": "none"}) + "." + encode(payload) + ".",
	} {
		if _, err := v.Verify(t.Context(), token, find); !errors.Is(err, errInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := func(context.Context, string) (any, error) { return []byte(nil), nil }
	if _, err := v.Verify(t.Context(), signHMAC(nil, object{"alg": "HS256"}, payload),
		none); !errors.Is(err, errInvalid) {
		t.Errorf("an empty key: %v", err)
	}
}

// TestKeyErrors: an error of the key function is returned as it is, and is no verdict.
func TestKeyErrors(t *testing.T) {
	errDown := errors.New("down")
	down := func(context.Context, string) (any, error) { return nil, errDown }
	_, err := rules().Verify(t.Context(), sign(goodKey(), header(), claims()), down)
	if !errors.Is(err, errDown) || errors.Is(err, errInvalid) {
		t.Error(err)
	}
	typedNil := func(context.Context, string) (any, error) { return (*rsa.PublicKey)(nil), nil }
	if _, err := rules().Verify(t.Context(), sign(goodKey(), header(), claims()),
		typedNil); !errors.Is(err, errInvalid) {
		t.Error(err)
	}
}
