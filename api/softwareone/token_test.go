package softwareone_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
)

// TestMint: a token for an account that has the extension, or for the extension's own.
func TestMint(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		const path, elsewhere = "/installations/-/token", "The extension is not installed for " +
			"this account."
		inst := w.install(t, clientToken, stock)
		r := w.do(t, "POST", path, stockSecret, "")
		checkHeaders(t, r.want(t, 201))
		own, err := w.issuer.Verify(w.mint(t, stockSecret, ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			got  *softwareone.Claims
			want softwareone.Claims
		}{
			{own, softwareone.Claims{AccountID: vendorAccount,
				AccountType: softwareone.AccountVendor, ExtensionID: stock,
				Modules: map[string][]string{"MOD-0478": {"read", "write"},
					"MOD-0112": {"read"}}}},
			{w.claims(t, w.mint(t, stockSecret, clientAccount)), softwareone.Claims{
				AccountID: clientAccount, AccountType: softwareone.AccountClient,
				ExtensionID: stock, InstallationID: inst.ID,
				Modules: map[string][]string{"MOD-0478": {"read", "write"}}}},
		} {
			if left := tt.got.Expires.Sub(w.Now()); left <= 59*time.Minute || left > time.Hour {
				t.Errorf("it holds for %s", left)
			}
			tt.got.Expires = time.Time{}
			if diff := cmp.Diff(tt.want, *tt.got); diff != "" {
				t.Error(diff)
			}
		}

		w.do(t, "POST", path, stockSecret, `{"anything":1}`).want(t, 201)
		w.do(t, "POST", path+"?other=1", stockSecret, "").want(t, 201)
		w.do(t, "POST", path, stockSecret, `{`).want(t, 400)
		w.do(t, "POST", path, stockSecret, `{}`, "Content-Type", "text/plain").want(t, 415)
		w.do(t, "POST", path+"?account.id=%zz", stockSecret, "").
			refused(t, 400, notValid, "query", "cannot be read")
		w.do(t, "POST", path+"?account.id=", stockSecret, "").
			refused(t, 400, notValid, "account.id", "must be the id of one account")
		w.do(t, "POST", path+"?account.id=a&account.id=b", stockSecret, "").
			refused(t, 400, notValid, "account.id", "must be the id of one account")
		for _, account := range []string{otherClient, "ACC-0", strings.Repeat("x", 300), "%00"} {
			w.do(t, "POST", path+"?account.id="+account, stockSecret, "").
				refused(t, 404, elsewhere)
		}
		w.do(t, "POST", path+"?account.id="+clientAccount, ledgerSecret, "").
			refused(t, 404, elsewhere)
		for _, token := range []string{clientToken, vendorToken, opsToken,
			w.mint(t, stockSecret, ""), w.mint(t, stockSecret, clientAccount)} {
			w.do(t, "POST", path, token, "").
				refused(t, 403, "This is for the secret of an extension.")
		}
		w.do(t, "DELETE", "/installations/"+inst.ID, vendorToken, "").want(t, 204)
		w.do(t, "POST", path+"?account.id="+clientAccount, stockSecret, "").
			refused(t, 404, elsewhere)
	})
}

func (w *world) claims(t *testing.T, token string) *softwareone.Claims {
	t.Helper()
	c, err := w.issuer.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// signed is a token with any payload, under any algorithm and key.
func signed(t testing.TB, algorithm jose.SignatureAlgorithm, key, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: []byte(key)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const (
	signingKey = "c4nary-signing-key-0123456789abcdef"
	claimNames = "https://claims.softwareone.com/"
	goodClaims = `{"iss":"https://api.platform.softwareone.com",` +
		`"aud":"https://api.platform.softwareone.com","exp":1777713000,` +
		`"` + claimNames + `accountId":"ACC-8834-0012","` + claimNames + `accountType":"Client"}`
)

// TestVerify: what the issuer takes for its own.
func TestVerify(t *testing.T) {
	now := time.Unix(1777712999, 0)
	const key = signingKey + signingKey // long enough for the algorithms that are refused
	issuer, err := softwareone.NewIssuer(crypto.NewSecret(key),
		&softwareone.IssuerOptions{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	good := signed(t, jose.HS256, key, goodClaims)
	if c, err := issuer.Verify(good); err != nil || c.AccountID != clientAccount {
		t.Fatalf("%+v, %v", c, err)
	}
	parts := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	replace := func(old, new string) string {
		if !strings.Contains(goodClaims, old) {
			t.Fatalf("no %s", old)
		}
		return signed(t, jose.HS256, key, strings.Replace(goodClaims, old, new, 1))
	}
	for name, token := range map[string]string{
		"nothing":         "",
		"algorithm none":  encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"algorithm HS384": signed(t, jose.HS384, key, goodClaims),
		"another header": encode([]byte(`{"alg":"HS256","typ":"x"}`)) + "." + parts[1] +
			"." + parts[2],
		"another key": signed(t, jose.HS256, strings.ToUpper(key), goodClaims),
		"JSON": `{"payload":"` + parts[1] + `","protected":"` + parts[0] +
			`","signature":"` + parts[2] + `"}`,
		"an unknown extension": encode([]byte(`{"alg":"HS256","crit":["x"],"x":1}`)) + "." +
			parts[1] + "." + parts[2],
		"no JSON":          signed(t, jose.HS256, key, "x"),
		"a list":           signed(t, jose.HS256, key, "[]"),
		"another issuer":   replace(`"iss":"https://api`, `"iss":"https://other`),
		"no issuer":        replace(`"iss"`, `"is"`),
		"another audience": replace(`"aud":"https://api`, `"aud":"https://other`),
		"audiences": replace(`"aud":"https://api.platform.softwareone.com"`,
			`"aud":["https://api.platform.softwareone.com"]`),
		"expired":             replace(`1777713000`, `1777712999`),
		"no expiry":           replace(`"exp"`, `"ex"`),
		"expiry as text":      replace(`1777713000`, `"1777713000"`),
		"expiry null":         replace(`1777713000`, `null`),
		"a huge expiry":       replace(`1777713000`, `1e99`),
		"a claim twice":       replace(`"iss"`, `"exp":9999999999,"iss"`),
		"no account":          replace(`accountId`, `account`),
		"account null":        replace(`"ACC-8834-0012"`, `null`),
		"another type":        replace(`"Client"`, `"client"`),
		"modules as a list":   replace(`{"iss"`, `{"`+claimNames+`modules":[],"iss"`),
		"no extension ID":     replace(`{"iss"`, `{"`+claimNames+`extensionId":"\u0001","iss"`),
		"extension as a list": replace(`{"iss"`, `{"`+claimNames+`extensionId":[],"iss"`),
	} {
		if c, err := issuer.Verify(token); !errors.Is(err, softwareone.ErrToken) || c != nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		} else if strings.Contains(err.Error(), "ACC") ||
			strings.Contains(err.Error(), "c4nary") {
			t.Errorf("%s: the error quotes the token: %v", name, err)
		}
	}
}

// TestNewIssuer: no short keys, and no token that a client would hold for expired from the start.
func TestNewIssuer(t *testing.T) {
	if _, err := softwareone.NewIssuer(crypto.NewSecret(signingKey[:31]), nil); err == nil {
		t.Error("a short key")
	}
	if _, err := softwareone.NewIssuer(crypto.NewSecret(signingKey),
		&softwareone.IssuerOptions{Lifetime: 59 * time.Second}); err == nil {
		t.Error("a short life")
	}
	issuer, err := softwareone.NewIssuer(crypto.NewSecret(signingKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Mint(softwareone.Claims{AccountID: "ACC-1",
		AccountType: softwareone.AccountVendor})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := issuer.Verify(token.RevealString()); err != nil ||
		c.Expires.Before(time.Now().Add(time.Minute)) {
		t.Errorf("%+v, %v", c, err)
	}
}
