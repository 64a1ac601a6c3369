package storetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// withoutCase lists the beginnings of the sentences without a case, each with the reason.
var withoutCase = map[string]string{
	"Store keeps records.":                          "introduces",
	"A store is dumb on purpose.":                   "about what a store is not",
	"It never validates content, seals,":            "about what a store is not",
	"The [Service] passes complete changes.":        "about the service",
	"The store applies each change whole":           "part of the cases of Commit",
	"Package storetest holds the suite":             "about the suite",
	"Duties that hold for every method":             "introduces",
	"The Store interface does not grow.":            "about the package",
	"Further abilities are optional interfaces:":    "about the package",
	"Each interface says what the Service does":     "about the service",
	"The Service does the same if a method":         "about the service",
	"To write a store around another one, embed":    "about other stores",
	"A store that is split in parts may":            "a freedom",
	"An expired outcome may still be returned;":     "a freedom",
	"Tenant to list;":                               "part of tenant/all-of-them",
	"If Term is set too, it must be a global term.": "part of query/invalid",
	"Without AllTenants it must not be one":         "part of query/invalid",
	"Exactly one of Term and DueBefore":             "part of query/invalid",
	"Tenant whose events are read;":                 "part of events/all-tenants",
	"EventQuery selects events":                     "introduces",
	"After is the Next of an earlier page":          "part of every case with pages",
	"Page is one page of a list.":                   "introduces",
	"EventReader is the ability":                    "introduces",
	"Events returns one page of the log.":           "introduces",
	"Without it [Service.Events]":                   "about the service",
	"So a store that numbers its events":            "how to keep the sentence before",
	"If entries after q.After were already": "when entries are trimmed is up to the " +
		"store",
	"A change with a nil Record is a conflict": "the service makes no such change",
	"This check may come before any":           "a freedom",
	"EventPage is one page of events.":         "introduces",
	"Counter is the ability":                   "introduces",
	"Without it the service pages":             "about the service",
	"HealthChecker is the ability":             "introduces",
	"Without it [Service.Check]":               "about the service",

	"Namespace identifies the data":             "introduces",
	"Namespacer is the ability":                 "introduces",
	"Without it the namespace has no ID":        "about stores without the ability",
	"After a restore from a backup,":            "a reason",
	"The epoch prevents that.":                  "a reason",
	"When an operator accepts the restore, the": "part of namespace/epoch",
	"That is greater than every revision":       "a reason",
	"It need not read the namespace again":      "a freedom",
	"If the store is split in parts with":       "no case can restore a part",
	"Mover is the ability":                      "introduces",
	"It is for copies from one store":           "introduces",
	"It may leave out expired outcomes":         "a freedom",
	"The order is the store's own.":             "a freedom",
	"The time now is for what":                  "says what an argument is for",
	"The call can be repeated.":                 "no case can lose an answer",
	"After an error, a repeat completes":        "no case can make a call fail",
	"Trimmer is the ability":                    "introduces",
	"[Service.Sweep] calls it.":                 "about the service",
	"Without it, only commits forget.":          "about stores without the ability",
	"It trims the change log to the size":       "the size is the store's own",
}

// contract lists the files with the contract.
var contract = []string{"../store.go", "../maintenance.go", "../idempotency.go"}

// TestRules proves that every rule quotes the contract, so a changed sentence must take its
// cases along.
func TestRules(t *testing.T) {
	var text string
	for _, name := range contract {
		text += strings.Join(comments(t, name), "\n")
	}
	seen := make(map[string]bool)
	for _, c := range slices.Concat(cases(), unavailableCases) {
		if !strings.Contains(text, c.rule) {
			t.Errorf("%s: not in the contract: %s", c.name, c.rule)
		}
		if seen[c.name] {
			t.Errorf("%s: the name is taken", c.name)
		}
		seen[c.name] = true
	}
}

// TestSentences proves that every sentence of the contract has a case, or a reason to have
// none.
func TestSentences(t *testing.T) {
	unused := maps.Clone(withoutCase)
	for _, s := range sentences(t) {
		quoted := slices.ContainsFunc(slices.Concat(cases(), unavailableCases), func(
			c testCase,
		) bool {
			return strings.Contains(s, c.rule) || strings.Contains(c.rule, s)
		})
		excused := false
		for start := range withoutCase {
			if strings.HasPrefix(s, start) {
				excused = true
				delete(unused, start)
			}
		}
		if quoted == excused {
			t.Errorf("has a case: %t, has a reason to have none: %t: %s", quoted, excused, s)
		}
	}
	for start := range unused {
		t.Errorf("no longer in the contract: %s", start)
	}
}

// comments returns the comments of a file, each on one line.
func comments(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, group := range file.Comments {
		lines = append(lines, strings.Join(strings.Fields(group.Text()), " "))
	}
	return lines
}

// sentences returns the sentences about the behaviour of a store: those of its interfaces,
// queries and pages.
func sentences(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, name := range contract {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			all = append(all, ofType(decl)...)
		}
	}
	return all
}

// ofType returns the sentences about a type, none for other declarations.
func ofType(decl ast.Decl) (all []string) {
	gen, ok := decl.(*ast.GenDecl)
	if !ok || gen.Tok != token.TYPE {
		return nil
	}
	name := gen.Specs[0].(*ast.TypeSpec).Name.Name
	if !slices.Contains([]string{"Store", "Query", "Page", "EventReader", "EventPage",
		"EventQuery", "Counter", "HealthChecker", "Namespace", "Namespacer", "Mover",
		"Trimmer"}, name) {
		return nil
	}
	all = append(all, split(gen.Doc)...)
	ast.Inspect(gen, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok {
			all = append(all, split(field.Doc)...)
		}
		return true
	})
	return all
}

// paragraph separates paragraphs and list items in the text of a comment.
var paragraph = regexp.MustCompile(`\n+ +(?:-|\d\.) +|\n\n`)

// split returns the sentences of a comment, each on one line.
func split(doc *ast.CommentGroup) []string {
	var all []string
	for _, p := range paragraph.Split(doc.Text(), -1) {
		for s := range strings.SplitAfterSeq(strings.Join(strings.Fields(p), " "), ". ") {
			if s = strings.TrimSpace(s); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}
