package storetest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// TestMessages shows what the author of a broken store reads.
func TestMessages(t *testing.T) {
	r := &recorder{ctx: t.Context()}
	m := &messages{tester: r, rule: "The rule."}
	got, want := outcome("key", "\xff"), outcome("key", strings.Repeat("a", 1000))
	sameOutcome(m, "outcome", got, want)
	record := create(at("a")).Record
	other := *record
	other.Deleted, other.Body = true, installation.Body{}
	sameRecord(m, "get", &other, record)
	m.Errorf("list %v: got %v, error %v", everything, []*installation.Record{nil}, error(nil))

	lines := []string{
		`the contract: The rule.`,
		`outcome 2c70e12b..f826b683: got {Data: "\xff"}, want {Data: "` +
			strings.Repeat("a", 20) + `".. (1000 bytes, CRC 9a38da03)}`,
		`get {Tenant: "tenant", ID: "a"}: got {Deleted: true}, want {Body: "as created"}`,
		`list {Tenant: "tenant", Term: "all"}: got [nil], error nil`,
	}
	if got, want := r.text(), strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestShow has a value of each kind.
func TestShow(t *testing.T) {
	type hidden struct{ n int }
	var none *installation.Record
	op := installation.Op{Token: [16]byte{1, 15: 2}, Revision: 3}
	taken := &installation.ExistsError{Key: at("a"), Holder: "\xff"}
	for _, tc := range []struct {
		value any
		want  string
	}{
		{nil, "nil"},
		{none, "nil"},
		{[]any{nil, 1}, "[nil 1]"},
		{true, "true"},
		{int64(-1), "-1"},
		{"a\nb\xff", `"a\nb\xff"`},
		{`get "a"`, "`get \"a\"`"},
		{"a\n\"", `"a\n\""`},
		{[]byte("a\x00"), `"a\x00"`},
		{[32]byte{1, 31: 2}, "01000000..00000002"},
		{[][4]byte{{1}, {2}}, "[01000000 02000000]"},
		{[2]installation.Key{at("a"), {}}, `[{Tenant: "tenant", ID: "a"} {}]`},
		{map[string][]string{"b": nil, "a": {"x", "y"}}, `{"a": ["x" "y"], "b": []}`},
		{now.Truncate(time.Second), "2100-01-02T03:04:05.000000Z"},
		{now.In(time.FixedZone("", 3600)), "2100-01-02T04:04:05.678901+01:00"},
		{&hidden{1}, "storetest.hidden"},
		{&op, "{Token: 01000000..00000002, Revision: 3}"},
		{make(chan int), "chan int"},
		{errors.New("a\nb"), `"a\nb"`},
		{fmt.Errorf("commit: %w", taken), `"commit: installation: already exists: \xff is in the ` +
			`way" {Key: {Tenant: "tenant", ID: "a"}, Holder: "\xff"}`},
		{&installation.ConflictError{Revision: 2, NotApplied: true},
			`"installation: conflict:  is at revision 2" {Revision: 2, NotApplied: true}`},
		{strings.Repeat("é", 31), `"` + strings.Repeat(`\u00e9`, 10) +
			`".. (62 bytes, CRC 4ff881ae)`},
		{"a" + strings.Repeat("é", 31), `"a` + strings.Repeat(`\u00e9`, 9) +
			`".. (63 bytes, CRC d1c012e5)`},
		{make([]int, 90), "[" + strings.Repeat("0 ", 90)[:179] + "]"},
		{slices.Repeat([]string{strings.Repeat("x", 58)}, 9), "[" +
			strings.Repeat(`"`+strings.Repeat("x", 58)+`" `, 4) + "and 5 more, CRC 401f7a9f]"},
	} {
		if got := fmt.Sprintf("%+v", value{tc.value}); got != tc.want {
			t.Errorf("%#v: got %s, want %s", tc.value, got, tc.want)
		}
	}
}

// TestEveryMessage proves that each message of the suite says what it got and what it wants. Broken
// stores do not reach all of them.
func TestEveryMessage(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "messages.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if ok && slices.Contains([]string{"t.Errorf", "t.Fatalf"}, types.ExprString(call.Fun)) {
				found++
				if format := types.ExprString(call.Args[0]); !form.MatchString(format) {
					t.Errorf("%s: %s is not of the form %s", name, format, form)
				}
			}
			return true
		})
	}
	if found < 80 {
		t.Errorf("found %d messages, want 80 or more", found)
	}
}

// form is the form of a message: the call, what it returned, and what the contract says.
var form = regexp.MustCompile(`(?s)^.+: got (.*), want (.+)$`)

// noise is what a reader cannot use: addresses, bytes in decimal or raw, wrong verbs, zero times.
var noise = regexp.MustCompile(
	`0x[0-9a-f]{8}|\[[0-9]+ [0-9]+ [0-9]+|[^ -~]|%![a-z]?\(|0001-01-01|<nil>`)

// readable fails the test unless the messages of a case are readable.
func readable(t *testing.T, c testCase, messages []string) {
	t.Helper()
	for i, m := range messages {
		if sentence := "the contract: " + c.rule + "\n"; i == 0 {
			var ok bool
			if m, ok = strings.CutPrefix(m, sentence); !ok {
				t.Errorf("%s: no sentence of the contract before %s", c.name, m)
			}
		}
		parts := form.FindStringSubmatch(m)
		switch {
		case parts == nil:
			t.Errorf("%s: not of the form %s: %s", c.name, form, m)
		case parts[1] == parts[2]:
			t.Errorf("%s: got and want look alike: %s", c.name, m)
		case noise.MatchString(m):
			t.Errorf("%s: %q in: %s", c.name, noise.FindString(m), m)
		case len(m) > 1000:
			t.Errorf("%s: %d bytes: %s", c.name, len(m), m)
		}
	}
}
