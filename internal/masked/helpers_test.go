package masked_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

func parse(tb testing.TB, s string) *jsontree.Node {
	tb.Helper()
	if s == "" {
		return nil
	}
	n, err := jsontree.Parse([]byte(s), jsontree.Limits{})
	if err != nil {
		tb.Fatalf("Parse(%s): %v", s, err)
	}
	return n
}

// op returns an edit. An empty value means no value.
func op(kind masked.OpKind, pointer, value string) masked.Op {
	o := masked.Op{Kind: kind, Pointer: pointer}
	if value != "" {
		n, err := jsontree.Parse([]byte(value), jsontree.Limits{})
		if err != nil {
			panic(err)
		}
		o.Value = n
	}
	return o
}

func text(n *jsontree.Node) string {
	if n == nil {
		return ""
	}
	return string(n.Append(nil))
}

func pointer(tb testing.TB, s string) []string {
	tb.Helper()
	tokens, err := jsontree.ParsePointer(s)
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

// outcome is a Result, or the violations of an error, in a compact form for tables.
type outcome struct {
	Doc      string
	Keep     []string          // "/a", or "/a/1 > /a/0" for a moved secret
	Seal     map[string]string // pointer to JSON
	Changed  []string
	Rejected []string // "path rule"
}

func outcomeOf(tb testing.TB, r masked.Result, err error) outcome {
	tb.Helper()
	if err != nil {
		e, ok := errors.AsType[*validate.Error](err)
		if !ok {
			tb.Fatalf("not a *validate.Error: %v", err)
		}
		var o outcome
		for _, v := range e.Violations {
			o.Rejected = append(o.Rejected, v.Path+" "+string(v.Rule))
		}
		if r.Doc != nil || r.Keep != nil || r.Seal != nil || r.Changed != nil {
			tb.Error("a rejected write has a result")
		}
		return o
	}
	o := outcome{Doc: text(r.Doc), Changed: r.Changed}
	for _, m := range r.Keep {
		if m.From == m.To {
			o.Keep = append(o.Keep, m.To)
		} else {
			o.Keep = append(o.Keep, m.From+" > "+m.To)
		}
	}
	for _, p := range r.Seal {
		if o.Seal == nil {
			o.Seal = make(map[string]string)
		}
		o.Seal[p.Pointer] = text(p.Value)
	}
	return o
}

func diffOutcome(want, got outcome) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// vault imitates a service: it stores the plain values behind the masks, as if it could seal
// and open them.
type vault struct {
	stored masked.Stored
	secret map[string]string // pointer to plain JSON
}

// adopt applies the result of a write.
func (v vault) adopt(tb testing.TB, r masked.Result) vault {
	tb.Helper()
	next := vault{stored: masked.Stored{Doc: r.Doc}, secret: make(map[string]string)}
	add := func(pointer, value string) {
		if _, twice := next.secret[pointer]; twice {
			tb.Fatalf("two values for %s", pointer)
		}
		next.secret[pointer] = value
		next.stored.Sealed = append(next.stored.Sealed, pointer)
	}
	used := make(map[string]bool)
	for _, m := range r.Keep {
		value, ok := v.secret[m.From]
		if !ok || used[m.From] {
			tb.Fatalf("kept from %s, where nothing is left", m.From)
		}
		used[m.From] = true
		add(m.To, value)
	}
	for _, p := range r.Seal {
		add(p.Pointer, text(p.Value))
	}
	for _, p := range next.stored.Sealed {
		if !r.Doc.At(pointer(tb, p)).IsString(masked.Text) {
			tb.Fatalf("%s is sealed and not masked", p)
		}
	}
	return next
}

// plain returns the document with all its secrets.
func (v vault) plain(tb testing.TB) string {
	tb.Helper()
	values := make(map[string]*jsontree.Node)
	for p, s := range v.secret {
		values[p] = parse(tb, s)
	}
	return text(masked.Fill(v.stored.Doc, values))
}

// store returns the result of the first write of a plain document.
func store(tb testing.TB, doc string, rule masked.Rule) vault {
	tb.Helper()
	r, err := masked.Replace("configuration", masked.Stored{}, parse(tb, doc), rule)
	if err != nil {
		tb.Fatalf("store %s: %v", doc, err)
	}
	return vault{}.adopt(tb, r)
}

// pointers is a rule that finds fixed places sensitive, as a schema does.
type pointers []string

func (pointers) ID() string { return "pointers" }

func (p pointers) Sensitive(doc *jsontree.Node) []string {
	return slices.DeleteFunc(slices.Clone(p), func(s string) bool {
		tokens, err := jsontree.ParsePointer(s)
		return err != nil || doc.At(tokens) == nil
	})
}
