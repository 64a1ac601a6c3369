package masked_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/validate"
)

// change is a row of testdata: a change of a value beside a kept secret.
type change struct{ place, before, after, expected, class, group, schema string }

// readChanges reads a table of changes. It leaves out the changes of several parts of an
// installation, which the tests of the service cover.
func readChanges(tb testing.TB, file string) []change {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	var rows []change
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if f[0] == "place" || f[0] == "parts:" {
			continue
		}
		rows = append(rows, change{f[0], f[1], f[2], f[3], f[4], f[5], f[len(f)-1]})
	}
	return rows
}

// document returns the document of a change before or after it.
func (c change) document(tb testing.TB, value string) *jsontree.Node {
	tb.Helper()
	if c.place == "" {
		return parse(tb, value)
	}
	doc := `{"k_secret":"***","api_key":"***"}`
	if value == "-" {
		return parse(tb, doc)
	}
	tokens := strings.Split(c.place[1:], "/")
	for i := len(tokens) - 1; i > 0; i-- {
		name, _ := json.Marshal(tokens[i])
		value = "{" + string(name) + ":" + value + "}"
	}
	name, _ := json.Marshal(tokens[0])
	return parse(tb, strings.TrimSuffix(doc, "}")+","+string(name)+":"+value+"}")
}

func (c change) rule(tb testing.TB) masked.Rule {
	tb.Helper()
	if !strings.HasPrefix(c.schema, "{") {
		return classify.NameRule{}
	}
	s, err := schema.Compile([]byte(c.schema))
	if err != nil {
		tb.Fatalf("%s: %v", c.schema, err)
	}
	return classify.SchemaRule{Name: "r", Schema: s}
}

// masks returns the pointers of all "***" in a document.
func masks(n *jsontree.Node, at string) []string {
	if n.IsString(masked.Text) {
		return []string{at}
	}
	var found []string
	for token, c := range n.Children() {
		found = append(found, masks(c, jsontree.ChildPointer(at, token))...)
	}
	return found
}

// refusal returns the violations of a change, or nil if the write is accepted.
func (c change) refusal(tb testing.TB) []validate.Violation {
	tb.Helper()
	before := c.document(tb, c.before)
	w := masked.Write{
		Path: "configuration", HasSchema: true, Rule: c.rule(tb),
		Stored: masked.Stored{Doc: before, Sealed: masks(before, "")},
	}
	_, err := w.Replace(context.Background(), c.document(tb, c.after))
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*validate.Error](err)
	if !ok {
		tb.Fatalf("%+v: %v", c, err)
	}
	return e.Violations
}

// The destination rule stops most redirections that people thought of.
func TestDestinationStops(t *testing.T) {
	least := map[string]float64{"A": .9, "B": .5, "L": .75, "S": .8}
	refused, all := make(map[string]int), make(map[string]int)
	for _, c := range readChanges(t, "destinations-redirect.tsv") {
		got := c.refusal(t) != nil
		if c.class == "D" {
			continue
		}
		if c.group == "known" && !got {
			t.Errorf("known, but accepted: %+v", c)
		}
		all[c.class]++
		if got {
			refused[c.class]++
		} else {
			t.Logf("accepted: %+v", c)
		}
	}
	for class, share := range least {
		got := float64(refused[class]) / float64(all[class])
		t.Logf("class %s: %d of %d refused", class, refused[class], all[class])
		if got < share {
			t.Errorf("class %s: %.2f refused, want at least %.2f", class, got, share)
		}
	}
}

// The destination rule refuses few harmless changes, and says how to open the place.
func TestDestinationAccepts(t *testing.T) {
	refused, all := make(map[string]int), make(map[string]int)
	for _, c := range readChanges(t, "destinations-harmless.tsv") {
		all[c.group]++
		all["all"]++
		violations := c.refusal(t)
		if violations == nil {
			continue
		}
		refused[c.group]++
		refused["all"]++
		t.Logf("refused: %+v", c)
		if !slices.ContainsFunc(violations, func(v validate.Violation) bool {
			return strings.Contains(v.Detail, `{"x-exposes":[]}`)
		}) {
			t.Errorf("%+v: the message does not say how to open the place: %v", c, violations)
		}
	}
	t.Logf("refused %v of %v", refused, all)
	if refused["catalogue"] > 6 {
		t.Errorf("%d rows of the catalogue refused, want at most 6", refused["catalogue"])
	}
	if share := float64(refused["all"]) / float64(all["all"]); share > .4 {
		t.Errorf("%.2f refused, want at most .4", share)
	}
	if refused["language"] > 0 {
		t.Errorf("%d names in other languages refused", refused["language"])
	}
}

// redirections returns the violations of the destination rule in err as "secret > destination".
// Any other error fails the test.
func redirections(tb testing.TB, err error) []string {
	tb.Helper()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*validate.Error](err)
	if !ok {
		tb.Fatalf("got %v", err)
	}
	var found []string
	for _, v := range e.Violations {
		if v.Rule != validate.RuleDestination {
			tb.Fatalf("got %v", err)
		}
		found = append(found, v.Path+" > "+v.Related)
	}
	return found
}
