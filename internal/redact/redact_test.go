package redact

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestPathCutsNamesThatLookLikeSecrets(t *testing.T) {
	for path, want := range map[string]string{
		"configuration/api_tokens/sk_live_51H8xQ2eZvKYlo2C":  "configuration/api_tokens/sk_l...",
		"configuration/AKIAIOSFODNN7EXAMPLE/x":               "configuration/AKIA.../x",
		"config/ghp_16C7e42F292c6912E7710c838347Ae178B4a":    "config/ghp_...",
		"extra/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWI": "extra/eyJh...",
		"a/xoxb-123456789012-AbCdEfGhIjKl":                   "a/xoxb...",
		"a/glpat-ABCdef12345_ghiJKL67":                       "a/glpa...",
		"a/inv_0123456789abcdefghjkmnpqrstvwxyz":             "a/inv_...",
		"a/550e8400-e29b-41d4-a716-446655440000":             "a/550e...",
		"a/wJalrXUtnFEMI~1K7MDENG~1bPxRfiCYEXAMPLEKEY":       "a/wJal...",
		"a/postgres:~1~1u:hunter2@db.example/b":              "a/post.../b",
		"a/u:p@h":                                            "a/u...",
		"a/Server=db;Password=hunter2":                       "a/Serv...",
		"a/-----BEGIN PRIVATE KEY-----\nMIIE":                "a/----...",
		"consent.policies.sk_live_51H8xQ2eZvKYlo2C":          "consent.policies.sk_l...",
	} {
		if got := Path(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestPathKeepsNames(t *testing.T) {
	for _, path := range []string{
		"", "/", "name", "consent.modules[12].id", "connection.accessToken.expires",
		"configuration", "configuration/", "configuration//a", "configuration/api_key",
		"configuration/oauth2ClientCredentialsConfig", "configuration/sha256Fingerprint2048Bits",
		"configuration/google_service_account_json_v2", "configuration/EXTERNALSERVICEURL",
		"configuration/app.kubernetes.io~1managed-by/~0tilde/0/12345678901234567890",
		"configuration/MAX_RETRIES_V2_API_KEY", "configuration/kundennummer-größe",
		"configuration/ada@shop.example", "configuration/a=b", "extra/x-amz-meta-2024-06-01",
		"configuration/" + strings.Repeat("n", 300) + "001",
	} {
		if got := Path(path); got != path {
			t.Errorf("%s became %s", path, got)
		}
	}
}

// Nearly all random names are cut, whatever their encoding.
func TestPathCutsRandomNames(t *testing.T) {
	for encoding, encode := range map[string]func([]byte) string{
		"hex": hex.EncodeToString, "HEX": func(b []byte) string {
			return strings.ToUpper(hex.EncodeToString(b))
		},
		"base32":    base32.StdEncoding.EncodeToString,
		"base64":    base64.RawStdEncoding.EncodeToString,
		"base64url": base64.RawURLEncoding.EncodeToString,
	} {
		kept := 0
		for range 1000 {
			b := make([]byte, 20)
			rand.Read(b)
			name := strings.ReplaceAll(encode(b), "/", "~1")
			if strings.Contains(Path("config/"+name), name) {
				kept++
			}
		}
		if kept > 20 {
			t.Errorf("%s: %d of 1000 random names are shown", encoding, kept)
		}
	}
}
