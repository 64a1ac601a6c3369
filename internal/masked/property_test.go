package masked_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// newRand returns the same numbers on every run.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// generator creates random documents.
type generator struct{ *rand.Rand }

var (
	plainNames = []string{"name", "zone", "n", "a/b", "m~n", "", "items", "tokenType", "é",
		"deep"}
	sensitiveNames = []string{"token", "adobe_secret", "password", "pin", "credentials",
		"apiKey"}
)

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

// object returns an object of at most depth levels. It has neither null nor a mask under a
// sensitive name, because they mean something else in a first write.
func (g generator) object(depth int, covered bool) string {
	var members []string
	names := slices.Concat(plainNames, sensitiveNames)
	g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:g.IntN(6)] {
		sensitive := covered || slices.Contains(sensitiveNames, name)
		members = append(members, strconv.Quote(name)+":"+g.value(depth-1, sensitive))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (g generator) value(depth int, covered bool) string {
	kinds := 6
	if depth > 0 {
		kinds = 10
	}
	switch g.IntN(kinds) {
	case 0:
		return strconv.Itoa(g.IntN(1000)) + pick(g, []string{"", ".50", "e3"})
	case 1:
		return pick(g, []string{"true", "false"})
	case 2:
		if covered {
			return `"x"`
		}
		return pick(g, []string{"null", `"x"`, `"https://u:p@host/"`})
	case 3, 4, 5:
		return strconv.Quote("v" + strconv.Itoa(g.IntN(5)))
	case 6, 7:
		return g.object(depth, covered)
	}
	var elems []string
	for range g.IntN(4) {
		elems = append(elems, g.value(depth-1, covered))
	}
	return "[" + strings.Join(elems, ",") + "]"
}

// leaves returns the pointers of all values in n without children.
func leaves(n *jsontree.Node) []string {
	var found []string
	var walk func(n *jsontree.Node, at string)
	walk = func(n *jsontree.Node, at string) {
		if n.Len() == 0 {
			found = append(found, at)
		}
		for token, c := range n.Children() {
			walk(c, jsontree.ChildPointer(at, token))
		}
	}
	walk(n, "")
	return found
}

// with returns doc with one changed value.
func with(tb testing.TB, doc, at, value string) string {
	tb.Helper()
	n, ok := parse(tb, doc).Set(pointer(tb, at), parse(tb, value))
	if !ok {
		tb.Fatalf("no %s in %s", at, doc)
	}
	return text(n)
}

func TestRoundTripOfRandomDocuments(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(10, 12))}
	rule := classify.NameRule{}
	var secrets, plainChanges, secretChanges, rejections int
	for range 5000 {
		doc := g.object(4, false)
		v := store(t, doc, rule)
		if got := v.plain(t); got != doc {
			t.Fatalf("stored %s, holds %s", doc, got)
		}
		secrets += len(v.secret)
		view := text(masked.Mask(v.stored.Doc, v.stored.Sealed, rule))

		echo := v.replace(t, doc, view)
		if len(echo.Changed)+len(echo.Seal) > 0 || echo.Doc != view ||
			len(echo.Keep) != len(v.secret) {
			t.Fatalf("%s\nechoed as %s\nled to %+v", doc, view, echo)
		}
		for at := range v.secret {
			if !slices.Contains(echo.Keep, at) {
				t.Fatalf("%s was not kept in %s", at, doc)
			}
		}

		at := pick(g, leaves(v.stored.Doc))
		_, isSecret := v.secret[at]
		const value = `"another"`
		want := outcome{Changed: []string{at}}
		if isSecret {
			want.Seal = map[string]string{at: value}
			secretChanges++
		} else if at != "" {
			plainChanges++
			view := with(t, view, at, value)
			if len((rule).Sensitive(parse(t, view))) > len(rule.Sensitive(v.stored.Doc)) {
				// a number or boolean under a sensitive name became a string
				want.Seal = map[string]string{at: value}
			}
		}
		if at == "" {
			continue // an empty document
		}
		got := v.replace(t, doc, with(t, view, at, value))
		if got.Rejected != nil {
			rejections++
			got = v.apply(t, doc,
				masked.Op{Kind: masked.Set, Pointer: at, Value: parse(t, value)})
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(outcome{}, "Doc", "Keep"),
			cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n%s changed: %s", doc, at, diff)
		}
	}
	t.Logf("%d secrets; changed %d plain values and %d secrets, of these %d in arrays", secrets,
		plainChanges, secretChanges, rejections)
	if secrets < 5000 || plainChanges < 1000 || secretChanges < 1000 || rejections < 20 {
		t.Error("the documents are not what the test is for")
	}
}

// replace sends a whole document. It compares the stored document with the sent one, with masks
// replaced by their secrets. Only arrays may cause a rejection.
func (v vault) replace(tb testing.TB, doc, incoming string) outcome {
	tb.Helper()
	r, err := masked.ReplaceAnywhere("c", v.stored, parse(tb, incoming), classify.NameRule{})
	if e, ok := errors.AsType[*validate.Error](err); ok {
		for _, violation := range e.Violations {
			if violation.Rule != validate.RuleAmbiguousMask {
				tb.Fatalf("%s\nreplaced by %s: %v", doc, incoming, err)
			}
		}
		return outcomeOf(tb, r, err)
	}
	want := parse(tb, incoming)
	for at, secret := range v.secret {
		if want.At(pointer(tb, at)).IsString(masked.Text) {
			want, _ = want.Set(pointer(tb, at), parse(tb, secret))
		}
	}
	if got := v.adopt(tb, r).plain(tb); got != text(want) {
		tb.Fatalf("%s\nreplaced by %s\nholds %s", doc, incoming, got)
	}
	return outcomeOf(tb, r, err)
}

// apply edits the masked document, and the plain one for comparison.
func (v vault) apply(tb testing.TB, doc string, ops ...masked.Op) outcome {
	tb.Helper()
	r, err := masked.ApplyAnywhere("c", v.stored, ops, classify.NameRule{})
	if err != nil {
		tb.Fatalf("%s\nedited: %v", doc, err)
	}
	want, ok := parse(tb, doc), true
	for _, op := range ops {
		if op.Kind == masked.Remove {
			want, ok = want.Remove(pointer(tb, op.Pointer))
		} else {
			want, ok = want.Set(pointer(tb, op.Pointer), op.Value)
		}
		if !ok {
			tb.Fatalf("%s: no %s", doc, op.Pointer)
		}
	}
	if got := v.adopt(tb, r).plain(tb); got != text(want) {
		tb.Fatalf("%s\nedited to %s\nholds %s", doc, text(want), got)
	}
	return outcomeOf(tb, r, err)
}

// Editing the masked document has the same result as editing the plain one: no secret is lost,
// duplicated or given to a neighbour.
func TestEditsOfRandomDocuments(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(7, 11))}
	var edits int
	for range 5_000 {
		doc := g.object(4, false)
		v := store(t, doc, classify.NameRule{})
		var ops []masked.Op
		for view := v.stored.Doc; view != nil && len(ops) < 5; edits++ {
			op := masked.Op{Kind: masked.Remove, Pointer: pick(g, leaves(view))}
			if op.Pointer == "" {
				break
			}
			if g.IntN(2) == 0 {
				op.Kind, op.Value = masked.Set, parse(t, `["v",{"token":"t","n":1}]`)
			}
			ops = append(ops, op)
			if op.Kind == masked.Remove {
				view, _ = view.Remove(pointer(t, op.Pointer))
				continue
			}
			value := op.Value
			if view.At(pointer(t, op.Pointer)).IsString(masked.Text) {
				// may be sealed as a whole: nothing below it can be edited
				value = parse(t, `"***"`)
			}
			view, _ = view.Set(pointer(t, op.Pointer), value)
		}
		v.apply(t, doc, ops...)
	}
	if edits < 5_000 {
		t.Errorf("only %d edits", edits)
	}
}
