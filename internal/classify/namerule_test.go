package classify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/classify"
)

// sensitive reports whether a string under this name is sensitive.
func sensitive(tb testing.TB, name, value string) bool {
	tb.Helper()
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
	return len(classify.NameRule{}.Sensitive(parse(tb, `{"`+quoted+`":`+value+`}`))) == 1
}

func TestNameRuleWords(t *testing.T) {
	words := `password passwd pwd pass passphrase secret secrets token tokens apikey
		credential credentials privatekey bearer jwt cookie otp pin pat signature dsn hmac seed
		pem pfx p12 keytab assertion certificate passcode jwk psk dbpassword accesstoken
		clientsecret sshkey accountkey connectionstring`
	tails := strings.Fields(`
		id url uri endpoint type name expiry expires ttl host enabled method count length
		policy path version prefix thumbprint domain file algorithm lifespan scope mode
		title username region ref status
	`)
	for word := range strings.FieldsSeq(words) {
		title := strings.ToUpper(word[:1]) + word[1:]
		for _, name := range []string{
			word, strings.ToUpper(word), "my_" + word, "my" + title, word + "_value",
			word + "Value", word + "_2",
		} {
			if !sensitive(t, name, `"x"`) {
				t.Errorf("%s is not sensitive", name)
			}
		}
		for _, tail := range tails {
			for _, name := range []string{"my_" + word + "_" + tail,
				"my" + title + strings.ToUpper(tail[:1]) + tail[1:],
				"my-" + word + "-" + tail + "s"} {
				if sensitive(t, name, `"x"`) {
					t.Errorf("%s is sensitive", name)
				}
			}
		}
	}
	for first := range strings.FieldsSeq(
		`api private secret access auth app signing encryption account service master ` +
			`client shared
		license consumer ssh`) {
		for _, name := range []string{
			first + "_key", first + "Key", "my-" + first + "-key-value",
			"MY_" + strings.ToUpper(first) + "_KEY", first + "Keys",
		} {
			if !sensitive(t, name, `"x"`) {
				t.Errorf("%s is not sensitive", name)
			}
		}
		if first != "secret" && sensitive(t, first, `"x"`) {
			t.Errorf("%s is sensitive", first)
		}
		if sensitive(t, first+"_key_id", `"x"`) {
			t.Errorf("%s_key_id is sensitive", first)
		}
	}
}

var judgedNames = []struct {
	name string
	want bool
}{
	{"adobe_secret", true},
	{"mpt_token", true},
	{"vendor", false},
	{"clientSecret", true},
	{"APIKey", true},
	{"apiKEY", true},
	{"X-API-Key", true},
	{"OAuthToken", true},
	{"oauth2Token", true},
	{"githubPAT", true},
	{"DBPassword", true},
	{"privateKeyPEM", true},
	{"connectionString", true},
	{"connection_string_value", true},
	{"connectionStringName", false},
	{"stringConnection", false},
	{"sessionId", true},
	{"session_ids", true},
	{"SESSIONID", false}, // one word
	{"sessionIdUrl", false},
	{"userId", false},
	{"session", false},
	{"key", true},
	{"sortKey", false},
	{"my sort key", false},
	{"partition_keys", false},
	{"workspaceKey", true},
	{"metrics_publisher_key", true},
	{"api_keys_list", true},
	{"target_bucket_key", false},
	{"authorization", true},
	{"Proxy-Authorization", true},
	{"authorization_header", true},
	{"authorizationUrl", false},
	{"proxy_auth", true},
	{"auth", false},
	{"auth_code", true},
	{"secret_id", true},
	{"app_secret_id", false},
	{"token_file", false},
	{"max_session_id_value", true},
	{"keyboard", false},
	{"monkey", false},
	{"tokenize", false},
	{"passenger", false},
	{"pinned", false},
	{"seedling", false},
	{"spin", false},
	{"accesstoken", true}, // one word that ends in a secret
	{"dbpasswords", true},
	{"tokenizers", false},
	{"compass", false},
	{"passwords", true},
	{"password2", true},
	{"apiKeys", true},
	{"apiKeys1", true},
	{"certificates", true},
	{"tokenIds", false},
	{"p12", true},
	{"p13", false},
	{"2", false},
	{"", false},
	{"***", false},
	{"__", false},
	{"pass.word", true},
	{"dns", false},
	{"ΤΟΚΕΝ", false}, // Greek letters
	{"mon_Secret_à_moi", true},
	{"clé_token", true},
	{"JWTs", true},
	{"sessionJWTs", true},
	{"DSNs", true},
	{"PINs", true},
	{"TOKENs", true},
	{"apiKEYs", true},
	{"TOKENv2", true},
	{"APIKEYv2", true},
	{"PASSWORDold", true},
	{"tOKEN", true},
	{"toKEN", true},
	{"DBPASSWORDold", true},
	{"HTTPpassword", true},
	{"paſſword", true}, // one letter equals s if case is folded
	{"to\u212Aen", true},
	{"tokenIDs", false},
	{"tokenURLs", false},
	{"TOKENid", false},
	{"TOKENurl", false},
	{"IDs", false},
	{"SPINs", false},
	{"As", false},
	{"URLv2", false},
	{"vv2", false},
}

func TestNameRuleNames(t *testing.T) {
	for _, tt := range judgedNames {
		t.Run(tt.name, func(t *testing.T) {
			if got := sensitive(t, tt.name, `"x"`); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

func TestNameRuleValues(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string
	}{
		{"booleans and null never", `{"token":true,"secret":null,"pin":false}`, nil},
		{"numbers only of pin and otp", `{"token":1,"pin":2,"otp":3,"userPin":4,"pinCount":5}`,
			[]string{"/pin", "/otp", "/userPin"}},
		{"empty string", `{"token":"","secrets":["",{"a":""}]}`, nil},
		{"mask", `{"token":"***"}`, []string{"/token"}},
		{"object covers all values below",
			`{"credentials":{"user":"u","type":"t","port":1,"on":true,"deep":[{"id":"x"}]}}`,
			[]string{"/credentials/user", "/credentials/deep/0/id"}},
		{"strings that describe a secret",
			`{"credentials":{"auth_method":"x","title":"x","mode":["x"],"token_type":"x"}}`,
			[]string{"/credentials/mode/0"}},
		{"an authorization header, but not what is in an object",
			`{"headers":{"Authorization":"x"},"authorization":{"a":"x"},` +
				`"proxy_auth":["x",{"a":"y"}]}`,
			[]string{"/headers/Authorization", "/proxy_auth/0"}},
		{"array covers its elements", `{"tokens":["a",1,["b"]]}`,
			[]string{"/tokens/0", "/tokens/2/0"}},
		{"pin covers numbers", `{"pins":[1,"a",{"n":2}]}`,
			[]string{"/pins/0", "/pins/1", "/pins/2/n"}},
		{"pin in an object", `{"credentials":{"pin":1,"port":2}}`,
			[]string{"/credentials/pin"}},
		{"object about secrets does not", `{"tokenType":{"a":"x"}}`, nil},
		{"string alone", `"x"`, nil},
		{"array alone", `["x",{"token":"y"}]`, []string{"/1/token"}},
		{"pointer is escaped", `{"a/b":{"m~token":"x"}}`, []string{"/a~1b/m~0token"}},
		{"document order", `{"z_token":"x","a_token":"y"}`, []string{"/z_token", "/a_token"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := classify.NameRule{}.Sensitive(parse(t, tt.doc))
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := (classify.NameRule{}).ID(); got != "name/2" {
		t.Errorf("id %s", got)
	}
}

func TestNameRuleByValue(t *testing.T) {
	tests := []struct {
		name, value string
		want        bool
	}{
		{"password in a URL", "postgres://user:pw@host/db", true},
		{"user in a URL", "https://ghp_token@github.com/x", true},
		{"password without user", "redis://:pw@host", true},
		{"behind a prefix", "jdbc:mysql://u:p@h/db", true},
		{"in a sentence", "connect to amqp://u:p@h now", true},
		{"second URL", "https://a/ https://u:p@b/", true},
		{"several hosts", "mongodb://u:p@h1,h2/db", true},
		{"slash in the password", "postgres://user:p/w@host/db", true},
		{"hash in the password", "redis://:p#w@host", true},
		{"at sign in the path", "https://host/@user", false},
		{"at sign in the path behind a port", "https://host:8080/@user", false},
		{"at sign in the query", "https://host?mail=a@b", false},
		{"at sign behind the URL", "https://host:8080 mail a@b", false},
		{"empty user information", "https://@host", false},
		{"no URL", "user@host", false},
		{"no authority", "file:///a@b", false},
		{"IPv6 host", "https://[::1]:8080/x", false},
		{"plain URL", "https://host:8080/x", false},

		{"private key", "-----BEGIN PRIVATE KEY-----\\nMII", true},
		{"RSA private key", "-----BEGIN RSA PRIVATE KEY-----", true},
		{"OpenSSH private key", "x -----BEGIN OPENSSH PRIVATE KEY-----", true},
		{"OpenPGP private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----", true},
		{"behind a certificate",
			"-----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----\\n-----BEGIN EC " +
				"PRIVATE KEY-----", true},
		{"public key", "-----BEGIN PUBLIC KEY-----\\nMII", false},
		{"talk behind a certificate", "-----BEGIN CERTIFICATE-----\\nMII, no PRIVATE KEY",
			false},
		{"talk of a private key", "a PRIVATE KEY begins with -----BEGIN ", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sensitive(t, "plain", `"`+tt.value+`"`); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
