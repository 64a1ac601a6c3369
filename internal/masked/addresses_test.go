package masked_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// redirects writes one document and then another, in which the token is kept, and returns the destinations that make this a refusal.
func redirects(tb testing.TB, before, after string) []string {
	tb.Helper()
	v := store(tb, `{"token":"t",`+before+`}`, masked.NameRule{})
	_, err := masked.Replace("", v.stored, parse(tb, `{"token":"***",`+after+`}`), masked.NameRule{})
	var found []string
	for _, r := range redirections(tb, err) {
		if at, ok := strings.CutPrefix(r, "/token > "); ok {
			found = append(found, at)
		}
	}
	return found
}

// Readers find a member in any letter case (encoding/json), and people write names in all kinds of ways.
func TestDestinationNames(t *testing.T) {
	for _, name := range strings.Fields(`
		url uri href host hostname endpoint domain subdomain proxy server origin webhook callback gateway broker dsn
		address addr ip fqdn issuer authority instance shop site node smtp imap ldap scheme protocol
		hOST hoſt uRL sERVER ſerver HOST HOSTS HOSTname URLbase baseURLv2 HOSTs APIHOSTs apiURLs apiURLs2 URIs dbHOST ENDPOINTurl api_HOST_2
		baseurl smtphost mailserver dbhost loghost DBHOST apiendpoint emailproxy ipaddr appdomain slackwebhook oauthcallback maingateway
		base_url base-url base.url host2 hostV2 endpoint_v3 serverVersion2Url proxies addresses nodes IPs ip_address node_address
		secret_server token_issuer connection_string connectionstring conn_str connStr datasource`) {
		if strings.Contains(name, "onn") && len(redirects(t, `"`+name+`":"a"`, `"`+name+`":"b"`)) == 0 {
			t.Errorf("%s is no destination, though it is a secret itself", name)
			continue
		}
		at := []string{"/" + name}
		if diff := cmp.Diff(at, redirects(t, `"`+name+`":"a"`, `"`+name+`":"b"`)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range strings.Fields(`
		ghost my_ghost gHOSTs curl observer reporting ghosts export support transport tip zip ship website_title recipient instances_count
		target destination base upstream relay path query userinfo user name
		shop_name site_title node_env smtp_user ldap_filter instance_type email_address billingAddress mac_address auth_scheme api_protocol
		endpoint_id host_format url_version proxyEnabled webhook_secret proxyPassword callback_token v2 v`) {
		if name == "gHOSTs" {
			continue // g|HOSTs, of which nobody can say
		}
		if got := redirects(t, `"`+name+`":"a"`, `"`+name+`":"b"`); got != nil {
			t.Errorf("%s is a destination: %v", name, got)
		}
	}
}

// Names that may mean something else count if the value shows a host.
func TestDestinationNamesWithAHost(t *testing.T) {
	for _, name := range strings.Fields(`target destination base upstream relay host_format endpoint_version url_template domain_description serverId`) {
		for _, value := range []string{"evil.example", "%s.evil.example", "../../evil.example", "evil.example:443/x", "evil.example.", "x@evil.example", "evil.xn--p1ai", " evil.example ", "localhost", "localhost:80"} {
			if redirects(t, `"`+name+`":"a"`, `"`+name+`":"`+value+`"`) == nil {
				t.Errorf("%s may become %s", name, value)
			}
			if redirects(t, `"`+name+`":"`+value+`"`, `"`+name+`":"a"`) == nil {
				t.Errorf("%s may have been %s", name, value)
			}
		}
		if name == "url_template" {
			continue // any value is one
		}
		for _, value := range []string{"production", "1.5", "v1.2.3", "1.2.3-rc.1", "see evil.example", "a.b", ".example", ""} {
			if redirects(t, `"`+name+`":"a"`, `"`+name+`":"`+value+`"`) != nil {
				t.Errorf("%s may not become %s", name, value)
			}
		}
	}
}

func TestDestinationValues(t *testing.T) {
	for _, value := range []string{
		"https://evil.example", "SASL_SSL://evil.example", "jdbc:postgresql://evil.example/x", "amqp+ssl://evil", "x-y.z://evil", "see https://evil.example",
		"//evil.example/x", "\u00a0https://evil.example", "[https://evil.example]", " //evil.example", "('//evil.example", `\\\\evil.example\\x`, `/\\evil.example`,
		"https:/evil.example", `https:\\\\evil.example`, `https:\\evil.example`, "https:evil.example", "HTTP:evil.example", "ftp:e", "ab:/", "x,https:/evil.example", "x //evil.example",
		"203.0.113.1", "203.0.113.1:80", "[2001:db8::1]", "[2001:db8::1]:80", "2001:db8::1", "203.0.113.1/x", "a,203.0.113.1", "a; 203.0.113.1:1", "a|203.0.113.1", "fe80::1%eth0",
		"git@evil.example:x/y", "u:p@evil.example/x", "u@tcp(evil.example:1)", "x git@evil.example:y",
		"host=evil.example", "user=u host=evil", "Server=evil;Database=x", "Database=x;Data Source=evil", "a=b&URL=evil", "x\\nhost = evil", "Network Address=evil", strings.Repeat("a=b ", 300),
	} {
		for how, got := range map[string][]string{
			"become":    redirects(t, `"x":"a"`, `"x":"`+value+`"`),
			"have been": redirects(t, `"x":"`+value+`"`, `"x":"a"`),
			"be added":  redirects(t, `"n":1`, `"x":["`+value+`"]`),
		} {
			if got == nil {
				t.Errorf("x may %s %s", how, value)
			}
		}
	}
	for _, value := range []string{
		"evil", "evil.example", "a/b", "/v1/x", "a:b", "12:30", "12:/x", "C:/x", `C:\\x`, "a@evil.example", "@evil/x", "a = b; c = d", "path=/x", "host_count=2", "1.2.3", "10.0.19041.1", "//", "http: an error", "a,b;c", "mailto: x",
		"a=b", "=", "https", "://"[1:], "1.2.3.4.5", "aGVsbG8=",
	} {
		if got := redirects(t, `"x":"a"`, `"x":"`+value+`"`); got != nil {
			t.Errorf("x may not become %s: %v", value, got)
		}
	}
}

func TestDestinationShapes(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"path beside a URL":              {`"url":"https://a.example","path":"/v1"`, `"url":"https://a.example","path":"/v2"`, []string{"/path"}},
		"query beside a host":            {`"a":{"host":"h","query":"a=1"}`, `"a":{"host":"h","query":"a=2"}`, []string{"/a/query"}},
		"userinfo beside a URL by value": {`"x":"https://a.example","userinfo":"a"`, `"x":"https://a.example","userinfo":"b"`, []string{"/userinfo"}},
		"base path beside a proxy":       {`"proxy":{"x":"a"},"base_path":"a"`, `"proxy":{"x":"a"},"base_path":"b"`, []string{"/base_path"}},
		"path added":                     {`"host":"h"`, `"host":"h","path":"/"`, []string{"/path"}},
		"path removed":                   {`"host":"h","path":"/"`, `"host":"h"`, []string{"/path"}},
		"path in a new object":           {`"n":1`, `"a":{"path":"/","host":"h"}`, []string{"/a/path", "/a/host"}},
		"path of something else":         {`"host":"h","a":{"path":"/"}`, `"host":"h","a":{"path":"/x"}`, nil},
		"path beside what is about one":  {`"host_id":"h","path":"/"`, `"host_id":"h","path":"/x"`, nil},
		"number beside a URL":            {`"host":"h","path":1`, `"host":"h","path":2`, nil},

		"name and value":              {`"env":[{"name":"API_HOST","value":"a"}]`, `"env":[{"name":"API_HOST","value":"b"}]`, []string{"/env/0/value"}},
		"name and values":             {`"env":[{"name":"hosts","values":["a"]}]`, `"env":[{"name":"hosts","values":["b"]}]`, []string{"/env/0/values/0"}},
		"name and port":               {`"env":[{"name":"SMTP_PORT","value":25}]`, `"env":[{"name":"SMTP_PORT","value":26}]`, []string{"/env/0/value"}},
		"another name and value":      {`"env":[{"name":"REGION","value":"a"}]`, `"env":[{"name":"REGION","value":"b"}]`, nil},
		"name about one, and value":   {`"env":[{"name":"HOST_ID","value":"a"}]`, `"env":[{"name":"HOST_ID","value":"b"}]`, nil},
		"name and value, not in one":  {`"name":"API_HOST","a":{"value":"a"}`, `"name":"API_HOST","a":{"value":"b"}`, nil},
		"value that gets the name":    {`"env":[{"name":"NOTE","value":"a"}]`, `"env":[{"name":"API_HOST","value":"a"}]`, []string{"/env/0/value"}},
		"value that loses the name":   {`"env":[{"name":"API_HOST","value":"a"}]`, `"env":[{"name":"NOTE","value":"a"}]`, []string{"/env/0/value"}},
		"name and value, name in odd": {`"env":[{"Name":"API_HOST","Value":"a"}]`, `"env":[{"Name":"API_HOST","Value":"b"}]`, []string{"/env/0/Value"}},
		"name and value added":        {`"env":[]`, `"env":[{"name":"API_HOST","value":"b"}]`, []string{"/env/0/value"}},
		"a token by name and value":   {`"env":[{"name":"WEBHOOK_TOKEN","value":"a"}]`, `"env":[{"name":"WEBHOOK_TOKEN","value":"b"}]`, nil},

		"URL as a name":              {`"routes":{"https://a.example":true}`, `"routes":{"https://b.example":true}`, []string{"/routes/https:~1~1b.example", "/routes/https:~1~1a.example"}},
		"URL as a name, added":       {`"n":1`, `"routes":{"https://b.example":{"w":1}}`, []string{"/routes/https:~1~1b.example"}},
		"host as a name":             {`"hosts":{"a.example":{"port":443}}`, `"hosts":{"b.example":{"port":443}}`, []string{"/hosts/b.example", "/hosts/b.example/port", "/hosts/a.example", "/hosts/a.example/port"}},
		"host as a name, removed":    {`"hosts":{"a.example":1,"b.example":1}`, `"hosts":{"b.example":1}`, []string{"/hosts/a.example"}},
		"host as a name of other":    {`"weights":{"a.example":1}`, `"weights":{"b.example":1}`, nil},
		"a comment":                  {`"n":1`, `"//":"note"`, nil},
		"what is at such a name":     {`"routes":{"https://a.example":1}`, `"routes":{"https://a.example":2}`, nil},
		"all of them removed":        {`"routes":{"https://a.example":1}`, `"n":1`, nil},
		"string for an object":       {`"api":{"url":"a"}`, `"api":"b"`, []string{"/api/url"}},
		"string for nested objects":  {`"api":[{"x":{"url":"a"}}]`, `"api":"b"`, []string{"/api/0/x/url"}},
		"string for names of URLs":   {`"routes":{"https://a.example":1}`, `"routes":"b"`, []string{"/routes/https:~1~1a.example"}},
		"number for a string":        {`"host":"a"`, `"host":1`, []string{"/host"}},
		"array for an object":        {`"api":{"url":"a"}`, `"api":["b"]`, []string{"/api/url"}},
		"null for an object":         {`"api":{"url":"a"}`, `"api":null`, nil},
		"string for a plain object":  {`"api":{"n":"a"}`, `"api":"b"`, nil},
		"records in a list of nodes": {`"nodes":[{"label":"a","title":"b"}]`, `"nodes":[{"label":"c","title":"b"}]`, nil},
		"strings in a list of nodes": {`"nodes":["a","b"]`, `"nodes":["a","c"]`, []string{"/nodes/1"}},
		"a postal address":           {`"address":{"street":"a","city":"b"}`, `"address":{"street":"c","city":"b"}`, nil},
		"hosts in hints":             {`"targets":["a.example"]`, `"targets":["b.example"]`, []string{"/targets/0"}},
		"words in hints":             {`"targets":["a"]`, `"targets":["b"]`, nil},
		"a switch beside":            {`"host":"h","tls":true,"verify":true`, `"host":"h","tls":false,"verify":false`, nil}, // out of scope
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			if c.want != nil {
				want = c.want[:1] // a violation names the first destination
			}
			if diff := cmp.Diff(want, redirects(t, c.before, c.after), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			r, err := masked.Replace("", masked.Stored{Doc: parse(t, `{`+c.before+`}`)}, parse(t, `{`+c.after+`}`), masked.NameRule{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, r.Redirected, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("redirected: %s", diff)
			}
		})
	}
}

// By its name "key" says a secret, and is sealed; a schema can say that it is none.
func TestDestinationOfAPairWithAKey(t *testing.T) {
	rule := described(t, `{"properties":{"env":{"items":{"properties":{"key":{"x-sensitive":false}}}}}}`)
	v := store(t, `{"token":"t","env":[{"value":"a","key":"apiUrl"}]}`, rule)
	_, err := masked.Replace("c", v.stored, parse(t, `{"token":"***","env":[{"value":"b","key":"apiUrl"}]}`), rule)
	if diff := cmp.Diff([]string{"c/token > c/env/0/value"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
}

// A connection string is a secret and a destination of the others at once; only the new one can be read.
func TestSecretsThatAreDestinations(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		refused       bool
	}{
		"dsn":                         {`"dsn":"host=a user=u"`, `"dsn":"host=b user=u"`, true},
		"dsn of one word":             {`"dsn":"a"`, `"dsn":"b"`, true},
		"dsn further below":           {`"db":{"dsn":"a"}`, `"db":{"dsn":"b"}`, true},
		"connection string":           {`"connection_string":"Server=a"`, `"connection_string":"Server=b"`, true},
		"connection string removed":   {`"connectionString":"Server=a"`, `"n":1`, true},
		"connection string kept":      {`"connectionString":"Server=a"`, `"connectionString":"***"`, false},
		"URL by value":                {`"database":"postgres://u:p@a.example/x"`, `"database":"postgres://u:p@b.example/x"`, true},
		"URL by value, to settings":   {`"database":"postgres://u:p@a.example/x"`, `"database":"host=b user=u"`, true},
		"URL by value, to a host":     {`"database":"postgres://u:p@a.example/x"`, `"database":"b.example"`, true},
		"secret by name, to a URL":    {`"secret":"a"`, `"secret":"https://b.example"`, true},
		"secret by name, to settings": {`"secret":"a"`, `"secret":"Endpoint=sb;Key=k"`, true},
		"secret by name, to a host":   {`"secret":"a"`, `"secret":"b.example"`, false},
		"secret by name":              {`"secret":"a"`, `"secret":"b"`, false},
		"secret of a webhook":         {`"webhook":{"token":"a"},"proxy_password":"a"`, `"webhook":{"token":"b"},"proxy_password":"b"`, false},
		"settings in an object":       {`"credentials":{"a":"x"}`, `"credentials":{"a":"host=b"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := redirects(t, c.before, c.after); (got != nil) != c.refused {
				t.Errorf("got %v", got)
			}
		})
	}
	// What was stored plain under an older rule can be read.
	plain := masked.Stored{Doc: parse(t, `{"token":"t","secret":"https://a.example"}`)}
	_, err := masked.Replace("c", plain, parse(t, `{"token":"***","secret":"b"}`), masked.NameRule{})
	if diff := cmp.Diff([]string{"c/token > c/secret"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
	// The schema can say that it is none.
	rule := described(t, `{"properties":{"database":{"x-exposes":[]},"dsn":{"x-exposes":[]}}}`)
	v := store(t, `{"token":"t","database":"postgres://u:p@a.example","dsn":"a"}`, rule)
	r, err := masked.Replace("c", v.stored, parse(t, `{"token":"***","database":"b.example","dsn":"b"}`), rule)
	if err != nil || r.Redirected != nil {
		t.Error(r.Redirected, err)
	}
}

// A default that puts back what the writer left out is no change, and one that puts something else there is.
func TestDestinationByDefault(t *testing.T) {
	rule := described(t, `{"properties":{"url":{"default":"https://api.example"},"sub":{"properties":{"host":{"default":"h"}}}}}`)
	v := store(t, `{"token":"t","n":1,"sub":{"x":1}}`, rule)
	other := store(t, `{"token":"t","n":1,"url":"https://other.example","sub":{"x":1,"host":"i"}}`, rule)
	for name, c := range map[string]struct {
		v        vault
		incoming string
		want     []string
		changed  []string
	}{
		"the same once more":  {v, `{"token":"***","n":1,"sub":{"x":1}}`, nil, nil},
		"something else":      {v, `{"token":"***","n":2,"sub":{"x":1}}`, nil, []string{"/n"}},
		"given":               {v, `{"token":"***","n":1,"url":"https://api.example","sub":{"x":1,"host":"h"}}`, nil, nil},
		"given, another":      {v, `{"token":"***","n":1,"url":"https://b.example","sub":{"x":1}}`, []string{"c/token > c/url"}, nil},
		"back to the default": {other, `{"token":"***","n":1,"sub":{"x":1,"host":"i"}}`, []string{"c/token > c/url"}, nil},
		"back further below":  {other, `{"token":"***","n":1,"url":"https://other.example","sub":{"x":1}}`, []string{"c/token > c/sub/host"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Replace("c", c.v.stored, parse(t, c.incoming), rule)
			if diff := cmp.Diff(c.want, redirections(t, err), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.changed, r.Changed, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A secret that moves up in its array is not brought into the reach of the destination of the one before it.
func TestMovedIntoTheReachOfADestination(t *testing.T) {
	rule := described(t, `{"properties":{
		"first":{"x-exposes":["/tokens/0"]}, "second":{"x-exposes":["/tokens/1"]}, "third":{"x-exposes":["/tokens/2/a/b"]}, "none":{"x-exposes":[]},
		"tokens":{"items":{"writeOnly":true}},
		"l":{"items":{"properties":{"url":{"x-exposes":["1/token"]}}}}, "all":{"x-exposes":["/tokens"]}}}`)
	tokens := func(more string) string { return `{"tokens":["A","B","C"],"none":"n","all":"x"` + more + `}` }
	for name, c := range map[string]struct {
		before string
		remove string
		want   []string
	}{
		"another":                 {tokens(`,"first":"a","second":"b"`), "/tokens/0", []string{"c/tokens/0 > c/first", "c/tokens/1 > c/second"}},
		"the same":                {tokens(`,"first":"a","second":"a"`), "/tokens/0", []string{"c/tokens/1 > c/second"}},
		"both at one":             {tokens(`,"first":"a","second":"a"`), "/tokens/1", []string{"c/tokens/1 > c/second"}},
		"the last":                {tokens(`,"first":"a","second":"b"`), "/tokens/2", nil},
		"none declared in use":    {tokens(``), "/tokens/0", nil},
		"declared for what is in": {tokens(`,"third":"a"`), "/tokens/0", nil},
		"out of reach":            {tokens(`,"third":"a"`), "/tokens/1", nil},
		"with their destination":  {`{"l":[{"url":"a","token":"A"},{"url":"b","token":"B"}]}`, "/l/0", nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := store(t, c.before, rule)
			_, err := masked.Apply("c", v.stored, []masked.Op{{Kind: masked.Remove, Pointer: c.remove}}, rule)
			if diff := cmp.Diff(c.want, redirections(t, err), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	v := store(t, `{"tokens":[1,"B",{"a":{"b":"C"}}],"third":"t"}`, rule)
	_, err := masked.Apply("c", v.stored, []masked.Op{{Kind: masked.Add, Pointer: "/tokens/1", Value: parse(t, `1`)}}, rule)
	if diff := cmp.Diff([]string{"c/tokens/2 > c/third"}, redirections(t, err)); diff != "" {
		t.Errorf("into the reach of what is declared for a part of it: %s", diff)
	}
	// A destination that is a secret itself is told by what it was.
	sealed := described(t, `{"properties":{"urls":{"items":{"writeOnly":true,"x-exposes":["1"]}},"t":{"items":{"writeOnly":true}},
		"u":{"writeOnly":true,"x-exposes":["/t/0"]},"w":{"writeOnly":true,"x-exposes":["/t/1"]}}}`)
	v = store(t, `{"u":"a","w":"b","t":["A","B"]}`, sealed)
	_, err = masked.Apply("c", v.stored, []masked.Op{{Kind: masked.Remove, Pointer: "/t/0"}}, sealed)
	if diff := cmp.Diff([]string{"c/t/0 > c/u"}, redirections(t, err)); diff != "" {
		t.Errorf("a destination that is a secret: %s", diff)
	}
}

// An index says nothing of which element is meant, as another writer may have taken one out before it.
func TestMasksInElements(t *testing.T) {
	keyed := described(t, `{"properties":{"l":{"x-key":"id"},"t":{}}}`)
	const doc = `{"l":[{"id":"b","token":"B"},{"id":"c","token":"C"},{"id":"c","token":"D"}],"t":["X"],"tokens":["Y"]}`
	for name, c := range map[string]struct {
		rule      masked.Rule
		at, value string
		refused   string
	}{
		"the same key":            {keyed, "/l/0", `{"id":"b","note":1,"token":"***"}`, ""},
		"another key":             {keyed, "/l/0", `{"id":"a","note":1,"token":"***"}`, "c/l/0/token ambiguous-mask"},
		"another key, alone":      {keyed, "/l/0", `{"id":"a","token":"***"}`, "c/l/0/token ambiguous-mask"},
		"no key":                  {keyed, "/l/0", `{"token":"***"}`, "c/l/0/token ambiguous-mask"},
		"a key that two have":     {keyed, "/l/1", `{"id":"c","token":"***"}`, "c/l/1/token ambiguous-mask"},
		"without a mask":          {keyed, "/l/0", `{"id":"a","token":"new"}`, ""},
		"no key declared":         {masked.NameRule{}, "/l/0", `{"id":"b","note":1,"token":"***"}`, "c/l/0/token ambiguous-mask"},
		"no key declared, as was": {masked.NameRule{}, "/l/0", `{"id":"b","token":"***"}`, ""},
		"a secret alone":          {keyed, "/tokens/0", `"***"`, ""},
		"a plain value":           {keyed, "/t/0", `"***"`, "c/t/0 mask-without-stored-value"},
		"further below":           {keyed, "/l/0/token", `"***"`, ""},
		"a new one":               {keyed, "/l/3", `{"id":"z","token":"***"}`, "c/l/3/token mask-without-stored-value"},
		"appended":                {keyed, "/l/-", `{"id":"b","token":"***"}`, "c/l/3/token mask-without-stored-value"},
	} {
		t.Run(name, func(t *testing.T) {
			v := store(t, doc, c.rule)
			for _, kind := range []masked.OpKind{masked.Set, masked.SetExisting, masked.Put, masked.Merge} {
				r, err := masked.Apply("c", v.stored, []masked.Op{{Kind: kind, Pointer: c.at, Value: parse(t, c.value)}}, c.rule)
				got := strings.Join(outcomeOf(t, r, err).Refused, " ")
				if kind == masked.SetExisting && strings.HasSuffix(got, "not-found") {
					continue
				}
				if got != c.refused {
					t.Errorf("%s: got %q, want %q", kind, got, c.refused)
				}
			}
		})
	}
}

func TestPutDoesNotMakeArrays(t *testing.T) {
	for name, c := range map[string]struct{ doc, at, array, want string }{
		"there":       {`{"a":{"l":[1]}}`, "/a/l/0", "/a/l", ""},
		"not there":   {`{"a":{}}`, "/a/l/0", "/a/l", "c/a/l not-found"},
		"an object":   {`{"a":{"l":{"0":1}}}`, "/a/l/0", "/a/l", "c/a/l not-found"},
		"in no array": {`{}`, "/a/0", "", ""},
		"no pointer":  {`{}`, "/a/0", "x", "cx not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Apply("c", masked.Stored{Doc: parse(t, c.doc)}, []masked.Op{{Kind: masked.Put, Pointer: c.at, Array: c.array, Value: parse(t, "2")}}, masked.NameRule{})
			if got := strings.Join(outcomeOf(t, r, err).Refused, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A url that leaves its element is one that changes, whatever else of the element does.
func TestDestinationOfARenamedElement(t *testing.T) {
	for _, rule := range []masked.Rule{masked.NameRule{}, described(t, `{"properties":{"g":{"x-key":"id"}}}`)} {
		v := store(t, `{"g":[{"id":"a","url":"https://a.example","token":"A"}]}`, rule)
		for name, ops := range map[string][]masked.Op{
			"removed":               {{Kind: masked.Remove, Pointer: "/g/0/url"}},
			"removed, id changed":   {{Kind: masked.Remove, Pointer: "/g/0/url"}, {Kind: masked.Set, Pointer: "/g/0/id", Value: parse(t, `"b"`)}},
			"id changed, removed":   {{Kind: masked.Set, Pointer: "/g/0/id", Value: parse(t, `"b"`)}, {Kind: masked.Remove, Pointer: "/g/0/url"}},
			"and one more inserted": {{Kind: masked.Add, Pointer: "/g/0", Value: parse(t, `{"id":"a"}`)}, {Kind: masked.Set, Pointer: "/g/1/id", Value: parse(t, `"b"`)}, {Kind: masked.Remove, Pointer: "/g/1/url"}},
		} {
			_, err := masked.Apply("c", v.stored, ops, rule)
			at := fmt.Sprintf("c/g/%d", len(ops)/3)
			if diff := cmp.Diff([]string{at + "/token > " + at + "/url"}, redirections(t, err)); diff != "" {
				t.Errorf("%s, %s: %s", rule.ID(), name, diff)
			}
		}
		if _, err := masked.Apply("c", v.stored, []masked.Op{{Kind: masked.Set, Pointer: "/g/0/id", Value: parse(t, `"b"`)}}, rule); err != nil {
			t.Errorf("%s: the id alone: %v", rule.ID(), err)
		}
	}
}

// Random writes under a schema with keys: no secret ends beside another address than it had.
func TestSecretsStayBesideTheirAddress(t *testing.T) {
	rule := described(t, `{"properties":{"g":{"x-key":"id","items":{"properties":{"l":{"x-key":"id"},"p":{}}}}}}`)
	g := generator{newRand(50964)}
	element := func(depth int, secret ...string) string { return "" }
	list := func(depth int, secret ...string) string {
		var elements []string
		for range g.IntN(4) {
			elements = append(elements, element(depth, secret...))
		}
		return "[" + strings.Join(elements, ",") + "]"
	}
	element = func(depth int, secret ...string) string {
		members := []string{`"id":` + pick(g, []string{`"a"`, `"b"`, `1`, `1.0`, `"c"`})}
		if g.IntN(2) == 0 {
			members = append(members, `"url":"`+pick(g, []string{"https://a.example", "https://b.example"})+`"`)
		}
		if g.IntN(3) > 0 {
			members = append(members, `"token":`+pick(g, secret))
		}
		if depth > 0 {
			members = append(members, `"`+pick(g, []string{"l", "p"})+`":`+list(depth-1, secret...))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	addresses := func(doc *jsontree.Node, at string) []string {
		var found []string
		for tokens := pointer(t, at); len(tokens) > 0; tokens = tokens[:len(tokens)-1] {
			url := ""
			if u := doc.At(tokens[:len(tokens)-1]).Child("url"); u != nil {
				url = u.Text()
			}
			found = append(found, url)
		}
		return found
	}
	accepted, kept := 0, 0
	for range 8000 {
		v := store(t, `{"g":`+list(1, `"s"`)+`}`, rule)
		var r masked.Result
		var err error
		if g.IntN(2) == 0 {
			r, err = masked.Replace("c", v.stored, parse(t, `{"g":`+list(1, `"***"`, `"***"`, `"n"`)+`}`), rule)
		} else {
			var ops []masked.Op
			for range 1 + g.IntN(4) {
				op := masked.Op{Kind: pick(g, []masked.OpKind{masked.Set, masked.Add, masked.SetExisting, masked.Put, masked.Merge, masked.Remove})}
				op.Pointer = "/g/" + pick(g, []string{"0", "1", "2", "-"}) + pick(g, []string{"", "", "/l/0", "/p/0", "/p/1"})
				op.Value = parse(t, element(0, `"***"`, `"n"`))
				if g.IntN(2) == 0 {
					op.Pointer += pick(g, []string{"/id", "/url", "/token"})
					op.Value = parse(t, pick(g, []string{`"a"`, `"https://a.example"`, `"https://b.example"`, `"***"`}))
				}
				ops = append(ops, op)
			}
			r, err = masked.Apply("c", v.stored, ops, rule)
		}
		if err != nil {
			if _, ok := errors.AsType[*validate.Error](err); !ok {
				t.Fatal(err)
			}
			continue
		}
		accepted++
		for _, m := range r.Keep {
			kept++
			was, is := addresses(v.stored.Doc, m.From), addresses(r.Doc, m.To)
			for i, url := range is {
				if url != was[i] {
					t.Fatalf("the secret at %s was beside %v and is at %s beside %v\n%s\n%s", m.From, was, m.To, is, text(v.stored.Doc), text(r.Doc))
				}
			}
		}
	}
	if accepted < 1000 || kept < 300 {
		t.Errorf("only %d writes accepted, %d secrets kept", accepted, kept)
	}
}

// As many equal elements as fit are compared one with one.
func TestManyEqualElements(t *testing.T) {
	list := strings.Repeat("1,", 120_000) + "1"
	v := store(t, `{"token":"t","n":1,"hosts":["a"],"l":[`+list+`]}`, masked.NameRule{})
	_, err := masked.Replace("c", v.stored, parse(t, `{"token":"***","n":2,"hosts":["b"],"l":[`+list+`,1]}`), masked.NameRule{})
	if diff := cmp.Diff([]string{"c/token > c/hosts/0"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkManyEqualElements(b *testing.B) {
	for _, n := range []int{8_000, 64_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			list := strings.Repeat("1,", n) + "1"
			v := store(b, `{"token":"t","n":1,"l":[`+list+`]}`, masked.NameRule{})
			next := parse(b, `{"token":"***","n":2,"l":[`+list+`]}`)
			for b.Loop() {
				if _, err := masked.Replace("c", v.stored, next, masked.NameRule{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkManyEditsUnderASchema(b *testing.B) {
	rule := described(b, `{"$defs":{"x":{"allOf":[`+strings.TrimSuffix(strings.Repeat(`{},`, 500), ",")+`]}},"anyOf":[`+strings.TrimSuffix(strings.Repeat(`{"$ref":"#/$defs/x"},`, 200), ",")+`]}`)
	stored := masked.Stored{Doc: parse(b, `{"n":1}`)}
	for _, n := range []int{1, validate.MaxEdits} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ops := make([]masked.Op, n)
			for i := range ops {
				ops[i] = masked.Op{Kind: masked.Set, Pointer: "/n", Value: parse(b, fmt.Sprint(i+2))}
			}
			for b.Loop() {
				if _, err := masked.Apply("c", stored, ops, rule); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
