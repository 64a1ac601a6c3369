package validate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/validate"
)

// rules runs one check and returns the rules violated at path "p".
func rules(tb testing.TB, check func(l *validate.List)) []string {
	tb.Helper()
	var l validate.List
	check(&l)
	var found []string
	for _, s := range paths(l.Err()) {
		rule, ok := strings.CutPrefix(s, "p ")
		if !ok {
			tb.Errorf("wrong path: %s", s)
		}
		found = append(found, rule)
	}
	return found
}

// textCheck is a value, and the rule that it violates under check.
type textCheck struct {
	name  string
	check func(l *validate.List, s string)
	value string
	want  string // "" = valid
}

func id(l *validate.List, s string)          { l.ID("p", s) }
func optionalID(l *validate.List, s string)  { l.OptionalID("p", s) }
func name(l *validate.List, s string)        { l.Name("p", s) }
func message(l *validate.List, s string)     { l.Text("p", s, validate.MaxMessage) }
func address(l *validate.List, s string)     { l.URL("p", s) }
func optionalURL(l *validate.List, s string) { l.OptionalURL("p", s) }
func document(l *validate.List, s string)    { l.Document("p", []byte(s)) }

var idChecks = []textCheck{
	{"id", id, "EXI-1234-1234-0001", ""},
	{"id with odd characters", id, " :*{}/\\\"é ", ""},
	{"id of one byte", id, "a", ""},
	{"empty id", id, "", "required"},
	{"id as long as allowed", id, strings.Repeat("x", 256), ""},
	{"id too long", id, strings.Repeat("x", 257), "too-long"},
	{"id counts bytes", id, strings.Repeat("é", 129), "too-long"},
	{"id with NUL", id, "a\x00b", "control-character"},
	{"id with line feed", id, "a\n", "control-character"},
	{"id with DEL", id, "a\x7f", "control-character"},
	{"id with C1 control", id, "a\u0085", "control-character"},
	{"id that is not UTF-8", id, "a\xff", "utf8"},
	{"optional id, empty", optionalID, "", ""},
	{"optional id, bad", optionalID, "\t", "control-character"},
}

var nameChecks = []textCheck{
	{"empty name", name, "", ""},
	{"name as long as allowed", name, strings.Repeat("名", 256), ""},
	{"name too long", name, strings.Repeat("名", 257), "too-long"},
	{"name on two lines", name, "a\nb", "control-character"},
	{"message on two lines", message, "a\r\n\tb", ""},
	{"message with escape", message, "a\x1b[0m", "control-character"},
	{"message that is not UTF-8", message, "\xc3", "utf8"},
	{"message as long as allowed", message, strings.Repeat("x", 4096), ""},
	{"message too long", message, strings.Repeat("x", 4097), "too-long"},
}

var urlChecks = []textCheck{
	{"https", address, "https://host.example/path?q=1#f", ""},
	{"http with port", address, "http://127.0.0.1:8080", ""},
	{"IPv6", address, "http://[::1]:65535/", ""},
	{"capital scheme", address, "HTTPS://host.example", ""},
	{"empty URL", address, "", "required"},
	{"optional URL, empty", optionalURL, "", ""},
	{"URL as long as allowed", address, "https://h/" + strings.Repeat("x", 2048-10), ""},
	{"URL too long", address, "https://h/" + strings.Repeat("x", 2048-9), "too-long"},
	{"no scheme", address, "host.example", "format"},
	{"other host in the path", address, "//evil.example/x", "format"},
	{"relative", address, "/path", "format"},
	{"script", address, "javascript:alert(1)", "format"},
	{"other scheme", address, "ftp://host.example", "format"},
	{"no host", address, "http:///x", "format"},
	{"only a port", address, "http://:80/", "format"},
	{"opaque", address, "https:host.example", "format"},
	{"user information", address, "https://u:hunter2@host.example", "format"},
	{"user information that looks like a host", address,
		"https://good.example:443@evil.example/", "format"},
	{"empty user information", address, "https://@host.example", "format"},
	{"backslash", address, `https://good.example\@evil.example`, "format"},
	{"port out of range", address, "https://host.example:65536", "format"},
	{"port zero", address, "https://host.example:0", "format"},
	{"port that is no number", address, "https://host.example:x", "format"},
	{"space", address, "https://host.example/a b", "format"},
	{"leading space", address, " https://host.example", "format"},
	{"line feed", address, "https://host.example/\nx", "format"},
	{"not UTF-8", address, "https://host.example/\xff", "format"},
	{"bad escape", address, "https://host.example/%zz", "format"},
}

var documentChecks = []textCheck{
	{"document", document, `{"a":[1,{}]}`, ""},
	{"no document", document, ``, "syntax"},
	{"two documents", document, `{}{}`, "syntax"},
	{"document as deep as allowed", document, strings.Repeat("[", 64) + strings.Repeat("]", 64),
		""},
	{"document as large as allowed", document, `"` + strings.Repeat("x", 256<<10-2) + `"`, ""},
	{"document too large", document, `"` + strings.Repeat("x", 256<<10-1) + `"`, "too-large"},
	{"document that is not UTF-8", document, "\"\xff\"", "utf8"},
}

func TestTextChecks(t *testing.T) {
	for _, tt := range slices.Concat(idChecks, nameChecks, urlChecks, documentChecks) {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			got := rules(t, func(l *validate.List) { tt.check(l, tt.value) })
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDocumentReportsThePlace(t *testing.T) {
	var l validate.List
	l.Document("configuration", []byte(`{"a":{"b/c":[0,{"d":1,"d":2}]}}`))
	l.Document("configuration", []byte(strings.Repeat(`{"a":`, 65)+"1"))
	want := []string{"configuration/a/b~1c/1/d duplicate-key",
		"configuration" + strings.Repeat("/a", 64) + " too-deep"}
	if diff := cmp.Diff(want, paths(l.Err())); diff != "" {
		t.Error(diff)
	}
}

func TestValueChecks(t *testing.T) {
	type status string
	at := func(year int) time.Time { return time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC) }
	tests := []struct {
		name  string
		check func(l *validate.List)
		want  string // "" = valid
	}{
		{"present", func(l *validate.List) { l.Required("p", true) }, ""},
		{"not present", func(l *validate.List) { l.Required("p", false) }, "required"},

		{"time", func(l *validate.List) { l.Time("p", at(2026)) }, ""},
		{"zero time", func(l *validate.List) { l.Time("p", time.Time{}) }, "required"},
		{"optional time, zero", func(l *validate.List) { l.OptionalTime("p", time.Time{}) },
			""},
		{"last year", func(l *validate.List) { l.OptionalTime("p", at(9999)) }, ""},
		{"year after the last", func(l *validate.List) { l.OptionalTime("p", at(10000)) },
			"range"},
		{"year before the first", func(l *validate.List) { l.OptionalTime("p", at(0)) },
			"range"},
		{"year that is beyond the last in UTC", func(l *validate.List) {
			l.OptionalTime("p",
				time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -2*3600)))
		}, "range"},

		{"lowest", func(l *validate.List) { l.Range("p", -1, -1, 3) }, ""},
		{"highest", func(l *validate.List) { l.Range("p", 3, -1, 3) }, ""},
		{"below", func(l *validate.List) { l.Range("p", -2, -1, 3) }, "range"},
		{"above", func(l *validate.List) { l.Range("p", 4, -1, 3) }, "range"},

		{"as many as allowed", func(l *validate.List) { l.Count("p", 2, 2) }, ""},
		{"one more", func(l *validate.List) { l.Count("p", 3, 2) }, "too-many"},

		{"known value", func(l *validate.List) { validate.Enum(l, "p", status("b"), "a", "b") },
			""},
		{"unknown value",
			func(l *validate.List) { validate.Enum(l, "p", status("B"), "a", "b") }, "unknown"},
		{"empty value", func(l *validate.List) { validate.Enum(l, "p", status(""), "a", "b") },
			"unknown"},
		{"empty value that is known",
			func(l *validate.List) { validate.Enum(l, "p", status(""), "", "b") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			if diff := cmp.Diff(want, rules(t, tt.check), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestViolationsDoNotQuoteValues(t *testing.T) {
	const canary = "hunter2canary"
	var l validate.List
	for _, s := range []string{
		canary + "\x00", canary + "\xff", strings.Repeat(canary, 1000),
		"https://u:" + canary + "@h", "://" + canary,
		`{"a":"` + canary + `"`, `{"` + canary + `"}`, "\"" + canary + "\xff\"",
	} {
		l.ID("p", s)
		l.Name("p", s)
		l.Text("p", s, 10)
		l.URL("p", s)
		l.Document("p", []byte(s))
		validate.Enum(&l, "p", s, "a")
	}
	if err := l.Err(); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
}
