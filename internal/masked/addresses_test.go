package masked_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/masked"
)

// redirects writes one document and then another that keeps the token. It returns the
// destinations that cause a rejection.
func redirects(tb testing.TB, before, after string) []string {
	tb.Helper()
	v := store(tb, `{"token":"t",`+before+`}`, masked.NameRule{})
	_, err := masked.Replace("", v.stored, parse(tb, `{"token":"***",`+after+`}`),
		masked.NameRule{})
	var found []string
	for _, r := range redirections(tb, err) {
		if at, ok := strings.CutPrefix(r, "/token > "); ok {
			found = append(found, at)
		}
	}
	return found
}

// Readers match a member in any letter case (encoding/json), and people spell names in many
// ways.
func TestDestinationNames(t *testing.T) {
	for _, name := range strings.Fields(`
		url uri href host hostname endpoint domain subdomain proxy server origin webhook
		callback gateway broker dsn address addr ip fqdn issuer authority instance shop site
		node smtp imap ldap scheme protocol hOST hoſt uRL sERVER ſerver HOST HOSTS HOSTname
		URLbase baseURLv2 HOSTs APIHOSTs apiURLs apiURLs2 URIs dbHOST ENDPOINTurl api_HOST_2
		baseurl smtphost mailserver dbhost loghost DBHOST apiendpoint emailproxy ipaddr
		appdomain slackwebhook oauthcallback maingateway base_url base-url base.url host2
		hostV2 endpoint_v3 serverVersion2Url proxies addresses nodes IPs ip_address
		node_address secret_server token_issuer connection_string connectionstring conn_str
		connStr datasource
	`) {
		if strings.Contains(name, "onn") &&
			len(redirects(t, `"`+name+`":"a"`, `"`+name+`":"b"`)) == 0 {
			t.Errorf("%s is no destination, though it is a secret itself", name)
			continue
		}
		at := []string{"/" + name}
		if diff := cmp.Diff(at, redirects(t, `"`+name+`":"a"`, `"`+name+`":"b"`)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range strings.Fields(`
		ghost my_ghost gHOSTs curl observer reporting ghosts export support transport tip zip
		ship website_title recipient instances_count target destination base upstream relay
		path query userinfo user name shop_name site_title node_env smtp_user ldap_filter
		instance_type email_address billingAddress mac_address auth_scheme api_protocol
		endpoint_id host_format url_version proxyEnabled webhook_secret proxyPassword
		callback_token v2 v
	`) {
		if name == "gHOSTs" {
			continue // g|HOSTs is ambiguous
		}
		if got := redirects(t, `"`+name+`":"a"`, `"`+name+`":"b"`); got != nil {
			t.Errorf("%s is a destination: %v", name, got)
		}
	}
}

// Names with other meanings count if the value shows a host.
func TestDestinationNamesWithAHost(t *testing.T) {
	for _, name := range strings.Fields(`
		target destination base upstream relay host_format endpoint_version url_template
		domain_description serverId
	`) {
		for _, value := range []string{
			"evil.example", "%s.evil.example", "../../evil.example", "evil.example:443/x",
			"evil.example.", "x@evil.example", "evil.xn--p1ai", " evil.example ", "localhost",
			"localhost:80",
		} {
			if redirects(t, `"`+name+`":"a"`, `"`+name+`":"`+value+`"`) == nil {
				t.Errorf("%s may become %s", name, value)
			}
			if redirects(t, `"`+name+`":"`+value+`"`, `"`+name+`":"a"`) == nil {
				t.Errorf("%s may have been %s", name, value)
			}
		}
		if name == "url_template" {
			continue // any value is an address
		}
		for _, value := range []string{"production", "1.5", "v1.2.3", "1.2.3-rc.1",
			"see evil.example", "a.b", ".example", ""} {
			if redirects(t, `"`+name+`":"a"`, `"`+name+`":"`+value+`"`) != nil {
				t.Errorf("%s may not become %s", name, value)
			}
		}
	}
}

func TestDestinationValues(t *testing.T) {
	for _, value := range []string{
		"https://evil.example", "SASL_SSL://evil.example", "jdbc:postgresql://evil.example/x",
		"amqp+ssl://evil", "x-y.z://evil", "see https://evil.example",
		"//evil.example/x", "\u00a0https://evil.example", "[https://evil.example]",
		" //evil.example", "('//evil.example", `\\\\evil.example\\x`, `/\\evil.example`,
		"https:/evil.example", `https:\\\\evil.example`, `https:\\evil.example`,
		"https:evil.example", "HTTP:evil.example", "ftp:e", "ab:/", "x,https:/evil.example",
		"x //evil.example",
		"203.0.113.1", "203.0.113.1:80", "[2001:db8::1]", "[2001:db8::1]:80", "2001:db8::1",
		"203.0.113.1/x", "a,203.0.113.1", "a; 203.0.113.1:1", "a|203.0.113.1", "fe80::1%eth0",
		"git@evil.example:x/y", "u:p@evil.example/x", "u@tcp(evil.example:1)",
		"x git@evil.example:y",
		"host=evil.example", "user=u host=evil", "Server=evil;Database=x",
		"Database=x;Data Source=evil", "a=b&URL=evil", "x\\nhost = evil",
		"Network Address=evil", strings.Repeat("a=b ", 300),
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
		"evil", "evil.example", "a/b", "/v1/x", "a:b", "12:30", "12:/x", "C:/x", `C:\\x`,
		"a@evil.example", "@evil/x", "a = b; c = d", "path=/x", "host_count=2", "1.2.3",
		"10.0.19041.1", "//", "http: an error", "a,b;c", "mailto: x",
		"a=b", "=", "https", "://"[1:], "1.2.3.4.5", "aGVsbG8=",
	} {
		if got := redirects(t, `"x":"a"`, `"x":"`+value+`"`); got != nil {
			t.Errorf("x may not become %s: %v", value, got)
		}
	}
}
