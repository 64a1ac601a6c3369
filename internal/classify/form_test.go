package classify_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
)

var textForms = map[string]struct {
	secret, plain []string
}{
	"settings": {
		secret: []string{
			"Server=db;Password=x", "Server=db;PWD={x};", "server=db; password = x",
			"Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=x",
			"DefaultEndpointsProtocol=https;AccountName=n;AccountKey=eA==;",
			"User ID=u;Account Key=x", "BlobEndpoint=x;SharedAccessSignature=sv=1",
			"host=h user=u password=x", "user=u password='x y' host=h", "password=x",
			"DB_HOST=h\nDB_PASSWORD=x", "export API_KEY=x", "--token=x", "a=password=x",
			"host=h  port=1   password=x", "jdbc:h2:mem;PASSWORD=x", "tls=(token=x)",
			"token==x", "key=a&secret=b", "db.password: x\n", "password=,x=1;token=y",
			"a: b c d\n- client_secret: x", "{'password': 'x'}", `{"token":"x",}`,
			`[{\"apiKey\": \"x\"`,
		},
		plain: []string{
			"Server=db;Database=x", "Server=db;Password=", "Password=;Server=db",
			"token_type=bearer", "host=h user=token port=5", "user = token host = h",
			"key=value", "sort=key", "PASSWORD=\nA=b", `password=""`, "password=''", "=", ":",
			"password", "password:", "Password: at least eight signs", "=x", "a=b",
			"the secret of it is a ratio = 5", "password=  ;", "https://token:8080",
			"token:read", "secrets:list", "x: {'password': ''}", `{"password":null,}`,
			"credentials:\n  a: b",
		},
	},
	"query parameters": {
		secret: []string{
			"https://h/p?access_token=x", "https://h/p?a=b&sig=x", "h?api_key=x", "?key=x",
			"https://h/p?a=b&amp;sig=x", "https://h/#access_token=x", "a=1&key=x",
			"https://b.s3/k?X-Amz-Credential=a&X-Amz-Signature=b", "?api%5Fkey=x",
			"?client%2Dsecret=x", "p?token=%7B",
		},
		plain: []string{
			"https://h/p?a=b", "https://h/p?access_token=", "https://h/?token&x=1",
			"https://h/?access_token=&x=1", "?sort_key=x", "?token_type=x", "?%zz=x",
			"https://h/token/x?y=1",
		},
	},
	"headers": {
		secret: []string{
			"Authorization: Bearer x", "authorization:Basic eDp5", "Authorization: x",
			"X-Api-Key: x", "Cookie: a=b; c=d", "Host: h\r\nAuthorization: Digest a=b, c=d",
			"Bearer x", "bearer  abc", "BEARER x.y.z", "Basic eDp5", "basic dXNlcjpwdw==",
			"Authorization: AWS4-HMAC-SHA256 Credential=a", `"Authorization": "x"`,
			"Proxy-Authorization: Negotiate x", "X-Upstream: Bearer x",
			"curl https://h -H 'Authorization: Bearer x' -d y",
		},
		plain: []string{
			"Bearer", "Bearer token", "Bearer of news is", "Basic", "Basic auth", "Basic plan",
			"Host: h", "Accept: a/b", "Authorization:", "basic", "Basic !", "bearer auth",
			"Authorization: give it to the other one", "Bearer ", "",
		},
	},
	"hooks": {
		secret: []string{
			"https://hooks.slack.com/services/T0/B0/x", "HTTPS://HOOKS.SLACK.COM/services/T0/x",
			"https://discord.com/api/webhooks/1/x", "https://api.telegram.org/bot1:x/send",
			"https://t.webhook.office.com/webhookb2/x", "https://hooks.zapier.com/hooks/catch/1/x",
		},
		plain: []string{"https://hooks.slack.com", "https://slack.com/services/x", "a/b"},
	},
	"JSON text": {
		secret: []string{
			`{"password":"x"}`, ` [{"a":{"token":"x"}}] `, `{"name":"DB_PASSWORD","value":"x"}`,
			`{"credentials":{"a":"x"}}`, `{"a":"{\"password\":\"x\"}"}`, `["Bearer x"]`,
			`{"a":"https://u:p@h"}`, `{"pin":1}`, `{"password":"x"} {}`,
			`{"a":1,"a":{"token":"x"}}`,
			nested(2), nested(9),
		},
		plain: []string{
			`{"a":"x"}`, `{}`, `[]`, `{"password":""}`, `{"password":null}`, `{"token":true}`,
			`{"token_type":"x"}`, `{`, `[1,2`, `{"a":"{\"b\":\"x\"}"}`,
			`{"key":"X-Trace","value":"x"}`,
		},
	},
}

// nested returns JSON text with a secret that many levels of text below.
func nested(levels int) string {
	text := `{"password":"x"}`
	for range levels {
		b, err := json.Marshal([]string{text})
		if err != nil {
			panic(err)
		}
		text = string(b)
	}
	return text
}

// A string with the form of a secret is sensitive under any name, below any schema.
func TestInvariant12SecretsByForm(t *testing.T) {
	rules := map[string]rule{"name": classify.NameRule{}, "schema": described(t, `{}`)}
	for form, texts := range textForms {
		t.Run(form, func(t *testing.T) {
			for name, rule := range rules {
				for i, s := range append(texts.secret, texts.plain...) {
					quoted, err := json.Marshal(s)
					if err != nil {
						t.Fatal(err)
					}
					doc := parse(t, `{"note":`+string(quoted)+`}`)
					want := i < len(texts.secret)
					if got := len(rule.Sensitive(doc)) == 1; got != want {
						t.Errorf("%s rule, %q: got %t, want %t", name, s, got, want)
					}
					if got := classify.SecretName(s); got != want {
						t.Errorf("as a name, %q: got %t, want %t", s, got, want)
					}
				}
			}
		})
	}
}

var pairs = map[string]struct {
	doc  string
	want []string
}{
	"name and value":      {`{"name":"DB_PASSWORD","value":"x"}`, []string{"/value"}},
	"the other way round": {`{"value":"x","name":"DB_PASSWORD"}`, []string{"/value"}},
	"key and value":       {`{"key":"X-Api-Key","value":"x"}`, []string{"/value"}},
	"a harmless one":      {`{"key":"X-Trace","value":"x"}`, nil},
	"about a secret":      {`{"name":"TOKEN_URL","value":"x"}`, nil},
	"capitals":            {`{"Key":"token","Value":"x"}`, []string{"/Value"}},
	"header":              {`{"header":"Authorization","value":"x"}`, []string{"/value"}},
	"a noun before both": {`{"header_name":"Cookie","header_value":"x"}`,
		[]string{"/header_value"}},
	"a noun before both, camel case": {`{"paramName":"sig","paramValue":"x"}`,
		[]string{"/paramValue"}},
	"several values": {`{"name":"tokens","values":["x",1,["y"]]}`,
		[]string{"/values/0", "/values/2/0"}},
	"more than one":  {`{"name":"token","value":"x","val":"y"}`, []string{"/value", "/val"}},
	"an object":      {`{"name":"token","value":{"a":"x"}}`, []string{"/value/a"}},
	"an empty value": {`{"name":"token","value":""}`, nil},
	"null":           {`{"name":"token","value":null}`, nil},
	"a number":       {`{"name":"token","value":1}`, nil},
	"a PIN":          {`{"name":"pin","value":1}`, []string{"/value"}},
	"another member": {`{"name":"token","value":"x","note":"y","secret":"z"}`,
		[]string{"/value", "/secret"}},
	"two names":            {`{"name":"first","key":"token","value":"x"}`, []string{"/value"}},
	"a name of no text":    {`{"key":1,"value":"x"}`, nil},
	"an object for a name": {`{"key":{"a":"x"},"name":"n","value":"y"}`, []string{"/key/a"}},
	"in an array": {`[{"name":"token","value":"x"},{"name":"n","value":"y"}]`,
		[]string{"/0/value"}},
	"below a secret": {`{"secrets":[{"key":"a","value":"x"}]}`,
		[]string{"/secrets/0/key", "/secrets/0/value"}},
	"a secret in the name": {`{"name":"https://u:p@h","value":"x"}`, []string{"/name"}},
	"no value":             {`{"key":"x","name":"token"}`, []string{"/key"}},
	"no name":              {`{"value":"x","token":"y"}`, []string{"/token"}},
	"a text too long for a name": {
		`{"name":"` + strings.Repeat("a ", 125) + `no token","value":"x"}`, nil},
	"a name of the greatest length": {
		`{"name":"` + strings.Repeat("a ", 125) + ` token","value":"x"}`, []string{"/value"}},
	"not a value": {`{"name":"token","v-alue":"x","V_a.lue":"y"}`, nil},
}

// The value of a pair is judged by the name in the pair, and that name stays plain.
func TestInvariant12Pairs(t *testing.T) {
	rules := map[string]rule{"name": classify.NameRule{}, "schema": described(t, `{}`)}
	for name, c := range pairs {
		t.Run(name, func(t *testing.T) {
			for kind, rule := range rules {
				got := rule.Sensitive(parse(t, c.doc))
				if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s rule: %s", kind, diff)
				}
			}
		})
	}
	anyNames := described(t, `{"x-names":false}`)
	if got := anyNames.Sensitive(parse(t, `{"name":"token","value":"x"}`)); len(got) > 0 {
		t.Errorf("where names do not count: %v", got)
	}
}

// worst returns documents of about n bytes of which a rule could read parts again and again.
func worst(n int) map[string]string {
	docs := make(map[string]string)
	for _, unit := range []string{
		"=", ":", "a=", "a:", "a: ", "= ", " ", "a b", "://", "a://b:c/", "://a:b", "-----BEGIN ",
		"?a=", ", token", "token: ", "token:", `"token":`, "{", "[", `\`, `"`, "Bearer ", "%41",
		"%41=", "aB", "AAAa", "\n", "a=b ", "token =", "é", "tokens", "keys ", "a: b c d, ",
		"token: a b c ", "token: a b c, ", "/", "@", "key=",
	} {
		for _, around := range []string{
			"", "{", "token", "password=,", "Authorization: ", "x://a:b",
		} {
			b, err := json.Marshal(around + strings.Repeat(unit, n/len(unit)))
			if err != nil {
				panic(err)
			}
			docs["text "+around+unit] = `{"a":` + string(b) + `}`
			docs["pair "+around+unit] = `{"name":` + string(b) + `,"value":1,"values":[1,2]}`
		}
	}
	var names, values strings.Builder
	for i := range n / 24 {
		fmt.Fprintf(&names, `"key%d":"a b",`, i)
		fmt.Fprintf(&values, `"values%d":1,`, i)
	}
	docs["values"] = `{` + values.String() + `"name":"` + strings.Repeat("aB", n/2) + `"}`
	docs["names and values"] = `{` + names.String() + values.String() + `"a":1}`
	deep := `"x"`
	for len(deep) < n {
		deep = `"[` + strings.NewReplacer(`\`, `\u005c`, `"`, `\u0022`).Replace(deep) + `]"`
	}
	docs["JSON in JSON"] = `{"a":` + deep + `}`
	docs["long JSON in JSON"] = strings.Replace(docs["JSON in JSON"], "x",
		strings.Repeat("x", n), 1)
	return docs
}

// The rules read no document more often than a fixed number of times.
func TestRulesReadEachTextAFixedNumberOfTimes(t *testing.T) {
	for name, doc := range worst(4 << 10) {
		for kind, rule := range map[string]rule{
			"name": classify.NameRule{}, "schema": described(t, `{}`),
		} {
			n := parse(t, doc)
			read := classify.CountRead(func() { rule.Sensitive(n) })
			if read > 16*len(doc) {
				t.Errorf("%s, %s rule: %d bytes read of %d", name, kind, read, len(doc))
			}
		}
	}
}

// FuzzSensitive judges any document. Both rules agree, and neither reads more than 16 times what
// there is.
func FuzzSensitive(f *testing.F) {
	for _, c := range pairs {
		f.Add(c.doc)
	}
	for _, texts := range textForms {
		for _, s := range texts.secret {
			b, err := json.Marshal(s)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(`{"a":` + string(b) + `}`)
		}
	}
	byName, bySchema := classify.NameRule{}, described(f, `{}`)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := jsontree.Parse([]byte(text), jsontree.Limits{})
		if err != nil {
			return
		}
		var found []string
		read := classify.CountRead(func() { found = byName.Sensitive(doc) })
		if read > 16*len(text) {
			t.Errorf("%d bytes read of %d", read, len(text))
		}
		if other := bySchema.Sensitive(doc); !slices.Equal(found, other) {
			t.Errorf("%v by name, %v by schema", found, other)
		}
		for _, at := range found {
			if tokens, err := jsontree.ParsePointer(at); err != nil || doc.At(tokens).IsString("") {
				t.Errorf("the empty string at %s is sensitive", at)
			}
		}
	})
}
