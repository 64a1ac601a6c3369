package classify_test

import (
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// rule is what both rules have in common.
type rule interface {
	Sensitive(doc *jsontree.Node) []string
}

func parse(tb testing.TB, s string) *jsontree.Node {
	tb.Helper()
	n, err := jsontree.Parse([]byte(s), jsontree.Limits{})
	if err != nil {
		tb.Fatalf("Parse(%.200s): %v", s, err)
	}
	return n
}

// described returns the rule of a schema.
func described(tb testing.TB, text string) classify.SchemaRule {
	tb.Helper()
	s, err := schema.Compile([]byte(text))
	if err != nil {
		tb.Fatalf("Compile(%.200s): %v", text, err)
	}
	return classify.SchemaRule{Name: "test", Schema: s}
}
