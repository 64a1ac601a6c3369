package httpapi_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

func TestDocument(t *testing.T) {
	const good = "application/json"
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	tests := []struct {
		name, contentType, encoding, body string
		status                            int // 0 = accepted
	}{
		{"an object", good, "", `{"a":1}`, 0},
		{"with charset", "Application/JSON; charset=UTF-8", "", `1`, 0},
		{"a suffix", "application/problem+json", "", `1`, 0},
		{"identity", good, "identity", `1`, 0},
		{"nothing", "", "", "", 0},
		{"nothing, declared as text", "text/plain", "", "", 0},
		{"no type", "", "", `1`, 415},
		{"text", "text/plain", "", `1`, 415},
		{"text/json", "text/x+json", "", `1`, 415},
		{"another charset", "application/json; charset=latin1", "", `1`, 415},
		{"a broken type", "application/json; charset", "", `1`, 415},
		{"compressed", good, "gzip", `1`, 415},
		{"white space", good, "", " ", 400},
		{"two", good, "", "1 2", 400},
		{"twice the same", good, "", `{"a":1,"a":2}`, 400},
		{"half a character", good, "", "\"\xc3\"", 400},
		{"half a pair", good, "", `"\ud800"`, 400},
		{"deep", good, "", deep, 400},
		{"a number that is none", good, "", `01`, 400},
		{"a byte order mark", good, "", "\ufeff1", 400},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("PUT", "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.contentType)
		if tt.contentType == "" {
			r.Header.Del("Content-Type")
		}
		r.Header.Set("Content-Encoding", tt.encoding)
		n, err := httpapi.Document(r)
		if tt.status == 0 {
			if err != nil || (n == nil) != (tt.body == "") {
				t.Errorf("%s: %v, %v", tt.name, n, err)
			}
			continue
		}
		if got := httpapi.ProblemOf(err).Status; n != nil || got != tt.status {
			t.Errorf("%s: %v, status %d, want %d", tt.name, n, got, tt.status)
		}
	}
}

func TestBody(t *testing.T) {
	r := httptest.NewRequest("PUT", "/",
		io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errors.New("c4nary"))))
	_, err := httpapi.Body(r)
	if p := httpapi.ProblemOf(err); p.Status != 400 || strings.Contains(err.Error(), "c4nary") {
		t.Errorf("cut: %v", err)
	}
	r = httptest.NewRequest("PUT", "/", nil)
	r.Body = http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("12345")), 4)
	if _, err := httpapi.Document(r); httpapi.ProblemOf(err).Status != 413 {
		t.Errorf("too large: %v", err)
	}
	two := http.Header{"Content-Type": {"application/json", "text/plain"}}
	if _, err := httpapi.Parse(two, []byte("1")); httpapi.ProblemOf(err).Status != 415 {
		t.Errorf("two types: %v", err)
	}
}

func parse(t testing.TB, text string) *jsontree.Node {
	t.Helper()
	n, err := jsontree.Parse([]byte(text), jsontree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func violations(l *validate.List) []string {
	invalid, ok := errors.AsType[*validate.Error](l.Err())
	if !ok {
		return nil
	}
	var out []string
	for _, v := range invalid.Violations {
		out = append(out, v.Path+" "+string(v.Rule))
	}
	return out
}

func TestObjectReadsMembers(t *testing.T) {
	var l validate.List
	o := httpapi.ReadObject(parse(t,
		`{"s":"x","Case":1,"t":true,"f":false,"n":null,"list":["a","b"],"o":{"in":{"s":"y"}},`+
			`"at":"2026-03-04T10:15:00+01:00"}`), "", &l)
	if o.String("s") != "x" || o.String("absent") != "" || o.String("case") != "" {
		t.Error("strings")
	}
	if b := o.Bool("t"); b == nil || !*b {
		t.Error("true")
	}
	if b := o.Bool("f"); b == nil || *b {
		t.Error("false")
	}
	if o.Bool("absent") != nil || o.Strings("absent") != nil || !o.Time("absent").IsZero() {
		t.Error("absent members")
	}
	if !o.Has("n") || !isNull(o, "n") || isNull(o, "s") || o.Has("absent") || isNull(o, "absent") {
		t.Error("null")
	}
	if got := o.Strings("list"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("list %q", got)
	}
	if inner := o.Object("o").Object("in"); inner.String("s") != "y" ||
		inner.Path("s") != "o.in.s" {
		t.Error("an object in an object")
	}
	if at := o.Time("at"); !at.Equal(time.Date(2026, 3, 4, 9, 15, 0, 0, time.UTC)) {
		t.Errorf("time %s", at)
	}
	var names []string
	for name := range o.Members() {
		names = append(names, name)
	}
	if len(names) != 8 || names[0] != "s" {
		t.Errorf("members %q", names)
	}
	o.Require("s", "n")
	if got := violations(&l); got != nil {
		t.Errorf("violations %q", got)
	}
}

func TestObjectReportsWrongTypes(t *testing.T) {
	var l validate.List
	o := httpapi.ReadObject(parse(t,
		`{"s":7,"b":"true","list":[1,"a",null],"o":[],"at":"soon","x":{"y":{"s":false}}}`),
		"body", &l)
	if o.String("s") != "" || o.Bool("b") != nil ||
		!slices.Equal(o.Strings("list"), []string{"a"}) || o.Object("o").String("s") != "" ||
		!o.Time("at").IsZero() || o.Object("x").Object("y").String("s") != "" ||
		o.Strings("s") != nil {
		t.Error("a value of another type was accepted")
	}
	o.Require("s", "absent")
	o.Object("nothing").Require("absent") // an absent object requires nothing
	want := []string{
		"body.s format", "body.b format", "body.list[0] format", "body.list[2] format",
		"body.o format", "body.at format", "body.x.y.s format",
		"body.s format", "body.absent required",
	}
	if got := violations(&l); !slices.Equal(got, want) {
		t.Errorf("violations\n%q, want\n%q", got, want)
	}
}

func TestObjectRejectsOtherNodes(t *testing.T) {
	for _, n := range []*jsontree.Node{nil, parse(t, `[]`), parse(t, `null`)} {
		var l validate.List
		o := httpapi.ReadObject(n, "", &l)
		o.Require("a")
		if got := violations(&l); o.Has("a") || !slices.Equal(got, []string{" format"}) {
			t.Errorf("%v: %q", n, got)
		}
	}
}

// TestNullAsAbsent: the reader that is asked for it, and those of objects in its object, see no
// null.
func TestNullAsAbsent(t *testing.T) {
	var l validate.List
	strict := httpapi.ReadObject(parse(t, `{"s":null,"b":null,"o":{"s":null,"t":"x"},"n":null}`),
		"", &l)
	o := strict.NullAsAbsent()
	if o.Has("s") || isNull(o, "s") || o.String("s") != "" || o.Bool("b") != nil ||
		o.Object("o").Has("s") || o.Object("o").String("s") != "" ||
		o.Object("o").String("t") != "x" || o.Object("n").String("s") != "" ||
		violations(&l) != nil {
		t.Errorf("null is there: %q", violations(&l))
	}
	if strict.String("s"); !isNull(strict, "s") || len(violations(&l)) != 1 {
		t.Errorf("the first reader changed: %q", violations(&l))
	}
}

// TestTimes: what RFC 3339 does not allow is no time, though time.Parse takes some of it.
func TestTimes(t *testing.T) {
	for text, good := range map[string]bool{
		"2026-03-04T10:15:00Z": true, "2026-03-04T10:15:00.5Z": true,
		"2026-03-04T10:15:00+23:59": true,
		"2026-03-04T10:15:00,5Z":    false, "2026-03-04T1:15:00Z": false,
		"2026-03-04T10:15:00+24:00": false, "2026-03-04 10:15:00Z": false,
		"2026-03-04T10:15:00": false, "": false,
	} {
		var l validate.List
		at := httpapi.ReadObject(parse(t, `{"at":"`+text+`"}`), "", &l).Time("at")
		if at.IsZero() == good || (violations(&l) == nil) != good {
			t.Errorf("%s: %v, %q", text, at, violations(&l))
		}
	}
}

// TestIssues: the places of violations are names with dots, whether they are of the body or of
// a document in the domain.
func TestIssues(t *testing.T) {
	const deep = `{"configuration":{"a~b":{"c/d":[{"x":1,"x":2}]}}}`
	_, err := httpapi.Parse(http.Header{"Content-Type": {"application/json"}}, []byte(deep))
	p := httpapi.ProblemOf(err)
	if len(p.Issues) != 1 || p.Issues[0].Path != "configuration.a~b.c/d.0.x" ||
		strings.Contains(p.Issues[0].Detail, "json:") {
		t.Errorf("%+v", p.Issues)
	}
	for path, want := range map[string]string{
		"": "", "configuration": "configuration",
		"configuration/api_secret": "configuration.api_secret",
		"configuration/a~1b~01/0":  "configuration.a/b~1.0",
		"connection/access_token":  "connection.access_token",
		"connection.metadata/t":    "connection.metadata.t", "extra/x": "extra.x",
		"patch/0/op":            "patch.0.op",
		"document/read/objects": "document.read.objects",
		"consent.policies.a/b":  "consent.policies.a/b", "modules[0].id": "modules[0].id",
	} {
		given := []validate.Violation{{Path: path, Rule: validate.RuleFormat, Related: path,
			Detail: "json: wrong"}}
		got := httpapi.ProblemOf(&validate.Error{Violations: given}).Issues[0]
		if got.Path != want || got.Related != want || got.Detail != "wrong" ||
			given[0].Path != path {
			t.Errorf("%q: %+v", path, got)
		}
	}
}

// FuzzDocument: whatever comes is read or refused, never a failure, and nothing of it shows.
func FuzzDocument(f *testing.F) {
	for _, body := range []string{"", " ", `{"a":{"b":["c4nary"]}}`, `{"a":1,"a":2}`, "\xff",
		`"\ud800"`, strings.Repeat("[", 70)} {
		f.Add([]byte(body), "application/json", "")
	}
	f.Add([]byte("1"), "application/json; charset=x", "gzip")
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding string) {
		r := httptest.NewRequest("PUT", "/", bytes.NewReader(body))
		r.Header = http.Header{"Content-Type": {contentType}, "Content-Encoding": {encoding}}
		n, err := httpapi.Document(r)
		if err != nil {
			if p := httpapi.ProblemOf(err); p.Status != 400 && p.Status != 415 {
				t.Errorf("status %d", p.Status)
			}
			return
		}
		var l validate.List
		o := httpapi.ReadObject(n, "", &l)
		for name := range o.Members() {
			_, _, _, _ = o.String(name), o.Strings(name), o.Time(name), o.Bool(name)
			o.Object(name).Require("x")
		}
		_ = l.Err()
	})
}

func isNull(o httpapi.Object, name string) bool {
	n := o.Node(name)
	return n != nil && n.Kind() == jsontree.Null
}

// The path of a violation has no member's name that looks like a secret. Dots and slashes in the
// name do not hide that.
func TestPathsCutNamesThatAreSecrets(t *testing.T) {
	for name, secret := range map[string]string{
		"sk_live_CNRY5Bx9qKm2Zt7Vw":                "CNRY5",
		"user:hunter.2@db.example":                 "hunter",
		"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "K7MDENG",
	} {
		tree, err := jsontree.Parse([]byte(`{"a":{"`+name+`":{"b":1}}}`), jsontree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = httpapi.ReadNode(tree, func(in httpapi.Object) string {
			in.Object("a").Time(name)
			return in.Object("a").Object(name).String("b")
		})
		issues := httpapi.ProblemOf(err).Issues
		if len(issues) != 2 || strings.Contains(issues[0].Path+issues[1].Path, secret) {
			t.Errorf("%s: %+v", name, issues)
		}
	}
}
