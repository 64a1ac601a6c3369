package masked_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
)

var destinationChanges = map[string]struct {
	before, after string // members next to the secrets
	at            string // the changed destination; "" = none
}{
	"nothing": {`"url":"https://a.example"`, `"url":"https://a.example"`, ""},
	"something else": {`"url":"https://a.example","n":1`,
		`"url":"https://a.example","n":2`, ""},
	"host":   {`"url":"https://a.example"`, `"url":"https://b.example"`, "/url"},
	"scheme": {`"url":"https://a.example"`, `"url":"http://a.example"`, "/url"},
	"port": {`"url":"https://a.example"`,
		`"url":"https://a.example:8443"`, "/url"},
	"userinfo": {`"url":"https://a.example"`,
		`"url":"https://u:p@a.example"`, "/url"},
	"path": {`"url":"https://a.example"`,
		`"url":"https://a.example/x"`, "/url"},
	"query": {`"url":"https://a.example"`,
		`"url":"https://a.example?x"`, "/url"},
	"fragment": {`"url":"https://a.example"`,
		`"url":"https://a.example#x"`, "/url"},
	"letter case": {`"url":"https://a.example"`, `"url":"https://A.example"`,
		"/url"},
	"spaces": {`"url":"https://a.example"`, `"url":"https://a.example "`,
		"/url"},
	"removed": {`"url":"https://a.example"`, `"n":1`, "/url"},
	"null":    {`"url":"https://a.example"`, `"url":null`, "/url"},
	"added":   {`"n":1`, `"n":1,"proxy":"b.example"`, "/proxy"},
	"added next to it": {`"url":"https://a.example"`,
		`"url":"https://a.example","url2":"x"`, "/url2"},
	"renamed": {`"url":"https://a.example"`, `"uri":"https://a.example"`,
		"/uri"},
	"order of members": {`"url":"https://a.example","n":1`,
		`"n":1,"url":"https://a.example"`, ""},
	"host name":        {`"db_host":"a"`, `"db_host":"b"`, "/db_host"},
	"camel case":       {`"webhookUrl":"a"`, `"webhookUrl":"b"`, "/webhookUrl"},
	"plural":           {`"apiURLs":["a"]`, `"apiURLs":["b"]`, "/apiURLs/0"},
	"plural in y":      {`"proxies":["a"]`, `"proxies":["b"]`, "/proxies/0"},
	"numbered":         {`"host2":"a"`, `"host2":"b"`, "/host2"},
	"domain name":      {`"domain_name":"a"`, `"domain_name":"b"`, "/domain_name"},
	"port number":      {`"port":443`, `"port":8443`, "/port"},
	"port with a name": {`"smtpPort":25`, `"smtpPort":26`, "/smtpPort"},
	"scheme alone":     {`"scheme":"https"`, `"scheme":"http"`, "/scheme"},
	"another scheme": {`"auth_scheme":"basic"`, `"auth_scheme":"bearer"`,
		"/auth_scheme"},
	"switch": {`"proxy_enabled":true`, `"proxy_enabled":false`, "/proxy_enabled"},
	"switch in an object": {`"proxy":{"enabled":true}`, `"proxy":{"enabled":false}`,
		"/proxy/enabled"},
	"switch in one word": {`"skipverify":false`, `"skipverify":true`, "/skipverify"},
	"switch of certificates": {`"check_certificate":true`, `"check_certificate":false`,
		"/check_certificate"},
	"switch of something else": {`"dryRun":true`, `"dryRun":false`, ""},
	"number at it":             {`"host":1`, `"host":2`, "/host"},
	"number without a name":    {`"port":{"":1}`, `"port":{"":2}`, "/port/"},
	"number of something else": {`"retries":1`, `"retries":2`, ""},
	"string for a number":      {`"target":1`, `"target":"1"`, "/target"},
	"number for a string":      {`"target":"a"`, `"target":1`, "/target"},
	"free text about it":       {`"server_note":"a:b"`, `"server_note":"c:d"`, ""},
	"mail address":             {`"owner":"a@a.example"`, `"owner":"a@b.example"`, ""},
	"mail address with a path": {`"owner":"a@a.example"`, `"owner":"a@b.example/"`, "/owner"},
	"mail address elsewhere":   {`"x":"a@a.example"`, `"x":"a@b.example"`, "/x"},
	"UUID": {`"tenant":"5ab87915-2deb-429c-a1e2-8b0495900f45"`,
		`"tenant":"6ab87915-2deb-429c-a1e2-8b0495900f45"`, ""},
	"empty":              {`"host":""`, `"n":1`, ""},
	"word within a word": {`"reporting":"a"`, `"reporting":"b"`, ""},
	"pair": {`"e":[{"name":"API_HOST","value":"a"}]`, `"e":[{"name":"API_HOST","value":"b"}]`,
		"/e/0/value"},
	"pair renamed": {`"e":[{"name":"NOTE","value":"a"}]`,
		`"e":[{"name":"API_HOST","value":"a"}]`, "/e/0/value"},
	"pair of free text": {`"e":[{"name":"NOTE","value":"a:b"}]`,
		`"e":[{"name":"NOTE","value":"c:d"}]`, ""},
	"pair with two names": {`"e":[{"name":"API_HOST","key":"NOTE","value":"a.example"}]`,
		`"e":[{"name":"API_HOST","key":"NOTE","value":"b.example"}]`, "/e/0/value"},
	"pair with two values": {`"e":[{"name":"API_HOST","val":"x","value":"a"}]`,
		`"e":[{"name":"API_HOST","val":"x","value":"b"}]`, "/e/0/value"},
	"pair with two values, renamed": {`"e":[{"name":"NOTE","val":"x","value":"a"}]`,
		`"e":[{"name":"API_HOST","val":"x","value":"a"}]`, "/e/0/val"},
	"member name":           {`"m":{"a.example":1}`, `"m":{"b.example":1}`, "/m/b.example"},
	"member name, harmless": {`"m":{"a":1}`, `"m":{"b":1}`, ""},
	"member name, label":    {`"hosts":{"a":1}`, `"hosts":{"b":1}`, "/hosts/b"},
	"in an object so called": {`"proxy":{"name":"a"}`, `"proxy":{"name":"b"}`,
		"/proxy/name"},
	"object so called, removed": {`"proxy":{"name":"a"}`, `"n":1`, "/proxy/name"},
	"other object, removed":     {`"crm":{"url":"a"}`, `"n":1`, "/crm/url"},
	"other object, added":       {`"n":1`, `"n":1,"crm":{"url":"a"}`, "/crm/url"},
	"object for a string":       {`"url":"a"`, `"url":{"x":"a"}`, "/url"},
	"string for an object":      {`"url":{"x":"a"}`, `"url":"a"`, "/url/x"},
	"URL whatever its name": {`"x":"https://a.example"`, `"x":"https://b.example"`,
		"/x"},
	"URL of another scheme": {`"x":"amqp+ssl://a"`, `"x":"amqp+ssl://b"`, "/x"},
	"URL behind spaces": {`"x":" https://a.example"`, `"x":" https://b.example"`,
		"/x"},
	"URL to no URL":   {`"x":"https://a.example"`, `"x":"b.example"`, "/x"},
	"URL from no URL": {`"x":"a.example"`, `"x":"https://b.example"`, "/x"},
	"URL in a text": {`"x":"see https://a.example"`,
		`"x":"see https://b.example"`, "/x"},
	"URL in a new element":    {`"x":[1]`, `"x":[1,"https://b.example"]`, "/x/1"},
	"element removed":         {`"hosts":["a","b","c"]`, `"hosts":["a","c"]`, "/hosts/1"},
	"element added":           {`"hosts":["a","b"]`, `"hosts":["c","a","b"]`, "/hosts/0"},
	"element replaced":        {`"hosts":["a","b"]`, `"hosts":["a","c"]`, "/hosts/1"},
	"order of elements":       {`"hosts":["a","b"]`, `"hosts":["b","a"]`, "/hosts/0"},
	"element twice":           {`"hosts":["a","b"]`, `"hosts":["a","a"]`, "/hosts/1"},
	"element of another kind": {`"hosts":["a"]`, `"hosts":[["a"]]`, "/hosts/0"},
}

// Every way to change where secrets go requires the secrets. The sources are GitLab
// CVE-2022-4342 (the URL of a webhook), its incomplete fix CVE-2023-0838 (the query), and
// keycloak#50964.
func TestDestinationByName(t *testing.T) {
	both := []string{"c/secret > c%s", "c/sub/token > c%s"}
	for name, c := range destinationChanges {
		t.Run(name, func(t *testing.T) {
			before := `{"secret":"s3cr3t","sub":{"token":"t0ken"},` + c.before + `}`
			view := strings.NewReplacer("s3cr3t", "***", "t0ken", "***")
			v := store(t, before, classify.NameRule{})
			var want []string
			for _, w := range both {
				if c.at != "" {
					want = append(want, strings.Replace(w, "%s", c.at, 1))
				}
			}
			check := func(how string, incoming string, want []string) {
				t.Helper()
				_, err := masked.Replace("c", v.stored, parse(t, incoming), classify.NameRule{})
				got := redirections(t, err)
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s:\n%s", how, diff)
				}
			}
			after := `{"secret":"s3cr3t","sub":{"token":"t0ken"},` + c.after + `}`
			check("masks", view.Replace(after), want)
			check("given again", after, nil)
			check("without the secrets",
				strings.NewReplacer(`"secret":"s3cr3t",`, "", `"token":"t0ken"`,
					"").Replace(after), nil)
			if want != nil {
				check("one given again", strings.Replace(after, "s3cr3t", "***", 1), want[:1])
			}
			if _, err := masked.Replace("c", masked.Stored{}, parse(t, after),
				classify.NameRule{}); err != nil {
				t.Errorf("a first write: %v", err)
			}
			plain := store(t, `{`+c.before+`}`, classify.NameRule{})
			if _, err := masked.Replace("c", plain.stored, parse(t, `{`+c.after+`}`),
				classify.NameRule{}); err != nil && !strings.Contains(c.before+c.after, "@") {
				t.Errorf("without secrets: %v", err)
			}
		})
	}
}

// The rule holds for every kind of write and every way to keep the secret.
func TestDestinationOnEveryPath(t *testing.T) {
	v := store(t,
		`{"url":"https://a.example","secret":"s","list":[{"url":"https://b.example",`+
			`"token":"t"},{"url":"https://c.example","token":"u"}]}`, classify.NameRule{})
	evil := `"https://evil.example"`
	all := func(at string) []string {
		return []string{"c/list/0/token > c" + at, "c/list/1/token > c" + at,
			"c/secret > c" + at}
	}
	for name, c := range map[string]struct {
		ops  []masked.Op
		want []string
	}{
		"set":     {[]masked.Op{op(masked.Set, "/url", evil)}, all("/url")},
		"replace": {[]masked.Op{op(masked.SetExisting, "/url", evil)}, all("/url")},
		"add":     {[]masked.Op{op(masked.Add, "/url", evil)}, all("/url")},
		"put":     {[]masked.Op{op(masked.Put, "/x/y/host", evil)}, all("/x/y/host")},
		"merge": {[]masked.Op{op(masked.Merge, "", `{"url":`+evil+`}`)},
			all("/url")},
		"merge, null": {[]masked.Op{op(masked.Merge, "", `{"url":null}`)},
			all("/url")},
		"remove": {[]masked.Op{op(masked.Remove, "/url", "")}, all("/url")},
		"sealed": {[]masked.Op{op(masked.SetSecret, "/url", evil)}, all("/url")},
		"removed and added": {[]masked.Op{op(masked.Remove, "/url", ""),
			op(masked.Set, "/url", evil)}, all("/url")},
		"away and back": {[]masked.Op{op(masked.Set, "/url", evil),
			op(masked.Set, "/url", `"https://a.example"`)}, nil},
		"kept by a mask": {[]masked.Op{op(masked.Set, "/url", evil),
			op(masked.Set, "/secret", `"***"`)}, all("/url")},
		"one given": {[]masked.Op{op(masked.Set, "/url", evil),
			op(masked.Set, "/secret", `"x"`)}, all("/url")[:2]},
		"all given": {[]masked.Op{op(masked.Set, "/secret", `"x"`),
			op(masked.Merge, "", `{"url":`+evil+`,"list":[]}`)}, nil},
		"one removed": {[]masked.Op{op(masked.Set, "/url", evil),
			op(masked.Remove, "/secret", "")}, all("/url")[:2]},
		"an element removed": {[]masked.Op{op(masked.Remove, "/list/0", "")},
			[]string{"c/list/0/token > c/list/0/url", "c/secret > c/list/0/url"}},
		"an element inserted": {[]masked.Op{op(masked.Add, "/list/0", `{"x":1}`)}, nil},
		"an element with a URL": {
			[]masked.Op{op(masked.Add, "/list/0", `{"url":`+evil+`}`)},
			[]string{"c/list/1/token > c/list/0/url", "c/list/2/token > c/list/0/url",
				"c/secret > c/list/0/url"}},
		"URLs swapped": {
			[]masked.Op{op(masked.Set, "/list/0/url", `"https://c.example"`),
				op(masked.Set, "/list/1/url", `"https://b.example"`)}, all("/list/0/url")},
		"of an element": {[]masked.Op{op(masked.Set, "/list/1/url", evil)},
			all("/list/1/url")},
		"the document, masks in it": {
			[]masked.Op{op(masked.Set, "", `{"url":`+evil+`,"secret":"***"}`)},
			[]string{"c/secret > c/url"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := masked.Apply("c", v.stored, c.ops, classify.NameRule{})
			if diff := cmp.Diff(c.want, redirections(t, err),
				cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const exposureSchema = `{"properties":{
	"a":{"x-exposes":["/sa"]}, "b":{"x-exposes":["/sb","/deep"]},
	"none":{"x-exposes":[]}, "noneUrl":{"x-exposes":[]},
	"addr":{"format":"hostname"}, "note":{"format":"uri"},
	"flag":{"x-exposes":["/sa"]}, "box":{"x-exposes":["/sb"]},
	"l":{"x-key":"id","items":{"properties":{"url":{"x-exposes":["1/token"]}}}},
	"gone":{"items":{"properties":{"url":{"x-exposes":["1/token"]}}}}
}}`

const exposureDoc = `{"a":"1","b":"1","none":"1","noneUrl":"https://a","addr":"x","note":"x",` +
	`"flag":true,"box":{"v":[1]},"sa":"A","sb":"B","deep":{"token":"C"},` +
	`"l":[{"id":1,"url":"u1","token":"T1"},{"id":2,"url":"u2","token":"T2"}],` +
	`"gone":[{"url":"u1","token":"G1"}]}`

func TestDestinationBySchema(t *testing.T) {
	rule := described(t, exposureSchema)
	v := store(t, exposureDoc, classify.NameRule{})
	r, err := masked.Apply("c", v.stored, []masked.Op{
		{Kind: masked.SetSecret, Pointer: "/sa", Value: parse(t, `"A"`)},
		{Kind: masked.SetSecret, Pointer: "/sb", Value: parse(t, `"B"`)},
	}, classify.NameRule{})
	if err != nil {
		t.Fatal(err)
	}
	v = v.adopt(t, r)
	everything := func(at string) []string {
		return []string{
			"c/deep/token > c" + at, "c/gone/0/token > c" + at, "c/l/0/token > c" + at,
			"c/l/1/token > c" + at, "c/sa > c" + at, "c/sb > c" + at,
		}
	}
	for name, c := range map[string]struct {
		at, value string
		want      []string
	}{
		"declared":                 {"/a", `"2"`, []string{"c/sa > c/a"}},
		"two, and the value below": {"/b", `"2"`, []string{"c/deep/token > c/b", "c/sb > c/b"}},
		"opted out":                {"/none", `"2"`, nil},
		"opted out with a URL":     {"/noneUrl", `"https://b"`, nil},
		"format":                   {"/addr", `"y"`, everything("/addr")},
		"format of free text":      {"/note", `"y"`, everything("/note")},
		"a switch":                 {"/flag", `false`, []string{"c/sa > c/flag"}},
		"within":                   {"/box/v/0", `2`, []string{"c/sb > c/box/v/0"}},
		"a box for nothing":        {"/box", `null`, []string{"c/sb > c/box/v"}},
		"next to, by key":          {"/l/1/url", `"u3"`, []string{"c/l/1/token > c/l/1/url"}},
		"order, by key": {"/l",
			`[{"id":2,"url":"u2","token":"***"},{"id":1,"url":"u1","token":"***"}]`, nil},
		"swapped, by key": {"/l",
			`[{"id":2,"url":"u1","token":"***"},{"id":1,"url":"u2","token":"***"}]`,
			[]string{"c/l/0/token > c/l/0/url", "c/l/1/token > c/l/1/url"}},
		"new, by key": {"/l", `[{"id":2,"url":"u2","token":"***"},{"id":3,"url":"u9"}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := masked.Apply("c", v.stored,
				[]masked.Op{{Kind: masked.Set, Pointer: c.at, Value: parse(t, c.value)}}, rule)
			if diff := cmp.Diff(c.want, redirections(t, err),
				cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The names inside a secret are not shown as those of a destination.
func TestDestinationInASecret(t *testing.T) {
	rule := described(t, `{"properties":{"box":{"x-sensitive":true}}}`)
	v := store(t, `{"token":"t","box":{"hush":"x"}}`, rule)
	_, err := masked.Replace("c", v.stored,
		parse(t, `{"token":"***","box":{"hush":"https://evil.example"}}`), rule)
	if diff := cmp.Diff([]string{"c/token > c/box"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
	plain := masked.Stored{Doc: parse(t,
		`{"note":"n","box":{"a":"x"},"url":"https://a.example"}`)}
	_, err = masked.Replace("c", plain,
		parse(t, `{"note":"n","box":"***","url":"https://b.example"}`), rule)
	if diff := cmp.Diff([]string{"c/box > c/url"}, redirections(t, err)); diff != "" {
		t.Errorf("stored plain under an older rule: %s", diff)
	}
}

// A default of the schema redirects if it replaces a value that the write removes.
func TestDestinationByDefault(t *testing.T) {
	rule := described(t, `{"properties":{"url":{"default":"https://b.example"},"n":{}}}`)
	v := store(t, `{"secret":"s","url":"https://a.example"}`, rule)
	_, err := masked.Replace("c", v.stored, parse(t, `{"secret":"***"}`), rule)
	if diff := cmp.Diff([]string{"c/secret > c/url"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
	stored := masked.Stored{Doc: parse(t, `{"secret":"***"}`), Sealed: []string{"/secret"}}
	if _, err = masked.Replace("c", stored, parse(t, `{"secret":"***","n":1}`), rule); err != nil {
		t.Errorf("the writer did not choose a new default: %v", err)
	}
}

// A write that is allowed to redirect says so, and says where it redirects to.
func TestAllowDestination(t *testing.T) {
	v := store(t, `{"secret":"s","url":"a","n":1}`, classify.NameRule{})
	for doc, want := range map[string]masked.Result{
		`{"secret":"***","url":"b","n":1}`: {Redirects: "/url", Allowed: true},
		`{"secret":"***","url":"a","n":2}`: {},
		`{"secret":"t","url":"b","n":1}`:   {Redirects: "/url"},
	} {
		r, err := masked.ReplaceAnywhere("c", v.stored, parse(t, doc), classify.NameRule{})
		if err != nil || r.Redirects != want.Redirects || r.Allowed != want.Allowed {
			t.Errorf("%s: got %q, %v, %v", doc, r.Redirects, r.Allowed, err)
		}
	}
}
