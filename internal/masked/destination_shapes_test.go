package masked_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/masked"
)

var destinationShapes = map[string]struct {
	before, after string
	want          []string
}{
	"path next to a URL": {`"url":"https://a.example","path":"/v1"`,
		`"url":"https://a.example","path":"/v2"`, []string{"/path"}},
	"query next to a host": {`"a":{"host":"h","query":"a=1"}`,
		`"a":{"host":"h","query":"a=2"}`, []string{"/a/query"}},
	"userinfo next to a URL by value": {`"x":"https://a.example","userinfo":"a"`,
		`"x":"https://a.example","userinfo":"b"`, []string{"/userinfo"}},
	"base path next to a proxy": {`"proxy":{"x":"a"},"base_path":"a"`,
		`"proxy":{"x":"a"},"base_path":"b"`, []string{"/base_path"}},
	"path added":   {`"host":"h"`, `"host":"h","path":"/"`, []string{"/path"}},
	"path removed": {`"host":"h","path":"/"`, `"host":"h"`, []string{"/path"}},
	"path in a new object": {`"n":1`, `"a":{"path":"/","host":"h"}`,
		[]string{"/a/path", "/a/host"}},
	"path of something else": {`"host":"h","a":{"path":"/"}`,
		`"host":"h","a":{"path":"/x"}`, nil},
	"path next to a name about an address": {`"host_id":"h","path":"/"`,
		`"host_id":"h","path":"/x"`, nil},
	"number next to a URL": {`"host":"h","path":1`, `"host":"h","path":2`, nil},

	"name and value": {`"env":[{"name":"API_HOST","value":"a"}]`,
		`"env":[{"name":"API_HOST","value":"b"}]`, []string{"/env/0/value"}},
	"name and values": {`"env":[{"name":"hosts","values":["a"]}]`,
		`"env":[{"name":"hosts","values":["b"]}]`, []string{"/env/0/values/0"}},
	"name and port": {`"env":[{"name":"SMTP_PORT","value":25}]`,
		`"env":[{"name":"SMTP_PORT","value":26}]`, []string{"/env/0/value"}},
	"another name and value": {`"env":[{"name":"REGION","value":"a"}]`,
		`"env":[{"name":"REGION","value":"b"}]`, nil},
	"name about one, and value": {`"env":[{"name":"HOST_ID","value":"a"}]`,
		`"env":[{"name":"HOST_ID","value":"b"}]`, nil},
	"name and value, not in one": {`"name":"API_HOST","a":{"value":"a"}`,
		`"name":"API_HOST","a":{"value":"b"}`, nil},
	"value that gets the name": {`"env":[{"name":"NOTE","value":"a"}]`,
		`"env":[{"name":"API_HOST","value":"a"}]`, []string{"/env/0/value"}},
	"value that loses the name": {`"env":[{"name":"API_HOST","value":"a"}]`,
		`"env":[{"name":"NOTE","value":"a"}]`, []string{"/env/0/value"}},
	"name and value, name in odd": {`"env":[{"Name":"API_HOST","Value":"a"}]`,
		`"env":[{"Name":"API_HOST","Value":"b"}]`, []string{"/env/0/Value"}},
	"name and value added": {`"env":[]`, `"env":[{"name":"API_HOST","value":"b"}]`,
		[]string{"/env/0/value"}},
	"a token by name and value": {`"env":[{"name":"WEBHOOK_TOKEN","value":"a"}]`,
		`"env":[{"name":"WEBHOOK_TOKEN","value":"b"}]`, nil},

	"URL as a name": {`"routes":{"https://a.example":true}`,
		`"routes":{"https://b.example":true}`,
		[]string{"/routes/https:~1~1b.example", "/routes/https:~1~1a.example"}},
	"URL as a name, added": {`"n":1`, `"routes":{"https://b.example":{"w":1}}`,
		[]string{"/routes/https:~1~1b.example"}},
	"host as a name": {`"hosts":{"a.example":{"port":443}}`,
		`"hosts":{"b.example":{"port":443}}`,
		[]string{"/hosts/b.example", "/hosts/b.example/port", "/hosts/a.example",
			"/hosts/a.example/port"}},
	"host as a name, removed": {`"hosts":{"a.example":1,"b.example":1}`,
		`"hosts":{"b.example":1}`, []string{"/hosts/a.example"}},
	"host as a name of other": {`"weights":{"a.example":1}`, `"weights":{"b.example":1}`,
		nil},
	"a comment": {`"n":1`, `"//":"note"`, nil},
	"value at such a name": {`"routes":{"https://a.example":1}`,
		`"routes":{"https://a.example":2}`, nil},
	"all of them removed":  {`"routes":{"https://a.example":1}`, `"n":1`, nil},
	"string for an object": {`"api":{"url":"a"}`, `"api":"b"`, []string{"/api/url"}},
	"string for nested objects": {`"api":[{"x":{"url":"a"}}]`, `"api":"b"`,
		[]string{"/api/0/x/url"}},
	"string for names of URLs": {`"routes":{"https://a.example":1}`, `"routes":"b"`,
		[]string{"/routes/https:~1~1a.example"}},
	"number for a string": {`"host":"a"`, `"host":1`, []string{"/host"}},
	"array for an object": {`"api":{"url":"a"}`, `"api":["b"]`,
		[]string{"/api/url"}},
	"null for an object":        {`"api":{"url":"a"}`, `"api":null`, nil},
	"string for a plain object": {`"api":{"n":"a"}`, `"api":"b"`, nil},
	"records in a list of nodes": {`"nodes":[{"label":"a","title":"b"}]`,
		`"nodes":[{"label":"c","title":"b"}]`, nil},
	"strings in a list of nodes": {`"nodes":["a","b"]`, `"nodes":["a","c"]`,
		[]string{"/nodes/1"}},
	"a postal address": {`"address":{"street":"a","city":"b"}`,
		`"address":{"street":"c","city":"b"}`, nil},
	"hosts in hints": {`"targets":["a.example"]`, `"targets":["b.example"]`,
		[]string{"/targets/0"}},
	"words in hints": {`"targets":["a"]`, `"targets":["b"]`, nil},
	// out of scope
	"a switch next to": {`"host":"h","tls":true,"verify":true`,
		`"host":"h","tls":false,"verify":false`, nil},
}

func TestDestinationShapes(t *testing.T) {
	for name, c := range destinationShapes {
		t.Run(name, func(t *testing.T) {
			var want []string
			if c.want != nil {
				want = c.want[:1] // a violation names the first destination
			}
			if diff := cmp.Diff(want, redirects(t, c.before, c.after),
				cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			r, err := masked.Replace("", masked.Stored{Doc: parse(t, `{`+c.before+`}`)},
				parse(t, `{`+c.after+`}`), masked.NameRule{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, r.Redirected, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("redirected: %s", diff)
			}
		})
	}
}

// The name "key" is that of a secret, so it is sealed. A schema can declare otherwise.
func TestDestinationOfAPairWithAKey(t *testing.T) {
	rule := described(t,
		`{"properties":{"env":{"items":{"properties":{"key":{"x-sensitive":false}}}}}}`)
	v := store(t, `{"token":"t","env":[{"value":"a","key":"apiUrl"}]}`, rule)
	_, err := masked.Replace("c", v.stored,
		parse(t, `{"token":"***","env":[{"value":"b","key":"apiUrl"}]}`), rule)
	if diff := cmp.Diff([]string{"c/token > c/env/0/value"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
}

// A connection string is a secret and a destination of the other secrets. Only the new one can
// be read.
func TestSecretsThatAreDestinations(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		rejected      bool
	}{
		"dsn":               {`"dsn":"host=a user=u"`, `"dsn":"host=b user=u"`, true},
		"dsn of one word":   {`"dsn":"a"`, `"dsn":"b"`, true},
		"dsn further below": {`"db":{"dsn":"a"}`, `"db":{"dsn":"b"}`, true},
		"connection string": {`"connection_string":"Server=a"`,
			`"connection_string":"Server=b"`, true},
		"connection string removed": {`"connectionString":"Server=a"`, `"n":1`, true},
		"connection string kept": {`"connectionString":"Server=a"`,
			`"connectionString":"***"`, false},
		"URL by value": {`"database":"postgres://u:p@a.example/x"`,
			`"database":"postgres://u:p@b.example/x"`, true},
		"URL by value, to settings": {`"database":"postgres://u:p@a.example/x"`,
			`"database":"host=b user=u"`, true},
		"URL by value, to a host": {`"database":"postgres://u:p@a.example/x"`,
			`"database":"b.example"`, true},
		"secret by name, to a URL":    {`"secret":"a"`, `"secret":"https://b.example"`, true},
		"secret by name, to settings": {`"secret":"a"`, `"secret":"Endpoint=sb;Key=k"`, true},
		"secret by name, to a host":   {`"secret":"a"`, `"secret":"b.example"`, false},
		"secret by name":              {`"secret":"a"`, `"secret":"b"`, false},
		"secret of a webhook": {`"webhook":{"token":"a"},"proxy_password":"a"`,
			`"webhook":{"token":"b"},"proxy_password":"b"`, false},
		"settings in an object": {`"credentials":{"a":"x"}`, `"credentials":{"a":"host=b"}`,
			true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := redirects(t, c.before, c.after); (got != nil) != c.rejected {
				t.Errorf("got %v", got)
			}
		})
	}
	// A value that was stored plain under an older rule can be read.
	plain := masked.Stored{Doc: parse(t, `{"token":"t","secret":"https://a.example"}`)}
	_, err := masked.Replace("c", plain, parse(t, `{"token":"***","secret":"b"}`),
		masked.NameRule{})
	if diff := cmp.Diff([]string{"c/token > c/secret"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
	// The schema can declare that a place is no destination.
	rule := described(t, `{"properties":{"database":{"x-exposes":[]},"dsn":{"x-exposes":[]}}}`)
	v := store(t, `{"token":"t","database":"postgres://u:p@a.example","dsn":"a"}`, rule)
	r, err := masked.Replace("c", v.stored,
		parse(t, `{"token":"***","database":"b.example","dsn":"b"}`), rule)
	if err != nil || r.Redirected != nil {
		t.Error(r.Redirected, err)
	}
}

// A default equal to the omitted value is no change. Another default is one.
func TestDestinationByDefault(t *testing.T) {
	rule := described(t,
		`{"properties":{"url":{"default":"https://api.example"},`+
			`"sub":{"properties":{"host":{"default":"h"}}}}}`)
	v := store(t, `{"token":"t","n":1,"sub":{"x":1}}`, rule)
	other := store(t,
		`{"token":"t","n":1,"url":"https://other.example","sub":{"x":1,"host":"i"}}`, rule)
	for name, c := range map[string]struct {
		v        vault
		incoming string
		want     []string
		changed  []string
	}{
		"the same once more": {v, `{"token":"***","n":1,"sub":{"x":1}}`, nil, nil},
		"something else":     {v, `{"token":"***","n":2,"sub":{"x":1}}`, nil, []string{"/n"}},
		"given": {v,
			`{"token":"***","n":1,"url":"https://api.example","sub":{"x":1,"host":"h"}}`, nil,
			nil},
		"given, another": {v,
			`{"token":"***","n":1,"url":"https://b.example","sub":{"x":1}}`,
			[]string{"c/token > c/url"}, nil},
		"back to the default": {other, `{"token":"***","n":1,"sub":{"x":1,"host":"i"}}`,
			[]string{"c/token > c/url"}, nil},
		"back further below": {other,
			`{"token":"***","n":1,"url":"https://other.example","sub":{"x":1}}`,
			[]string{"c/token > c/sub/host"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Replace("c", c.v.stored, parse(t, c.incoming), rule)
			if diff := cmp.Diff(c.want, redirections(t, err),
				cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.changed, r.Changed, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
