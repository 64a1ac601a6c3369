package masked_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// A recipe describes a large document in a few bytes, so that fuzzing can look for the one that
// causes the most work. Each group of four bytes is an ingredient that is repeated until the
// document is full: its shape, how deep it is, the name and the value in it.
type recipe []byte

var (
	recipeNames = []string{
		"a", "token", "value", "v-alue", "V_a.lue", "name", "key", "host", "tls", "credentials",
		"URLsAndTokens", "ａｂ", "connection_string", strings.Repeat("aB", 120),
	}
	recipeValues = []string{
		`0`, `"x"`, `"***"`, `null`, `true`, `"a.b"`, `"https://u:p@h/"`, `"a=b;c=d"`, `{}`, `[]`,
		`"{\"a\":{\"token\":1}}"`, `"` + strings.Repeat("ﷺ", 40) + `"`, `"?a=1&token=2"`,
		`"` + strings.Repeat("://", 60) + `"`, `"` + strings.Repeat("-----BEGIN ", 20) + `"`,
	}
)

// full is a little less than the largest document.
const full = validate.MaxDocument - 4096

// text returns the document. With another seed, its values differ.
func (r recipe) text(seed int) string {
	var b strings.Builder
	b.WriteString(`{"k_secret":"***"`)
	values := 0 // at most that many
	for i := 0; b.Len() < full && values < validate.MaxValues && len(r) >= 4; i++ {
		at := 4 * (i % (len(r) / 4))
		shape, depth := r[at]%4, int(r[at+1])%60
		name := recipeNames[int(r[at+2])%len(recipeNames)]
		value := recipeValues[(int(r[at+3])+seed)%len(recipeValues)]
		open, end, item := "[", "]", value
		switch shape {
		case 1:
			open, end = "[", "]"
			item = strings.TrimSuffix(strings.Repeat(value+",", 1000), ",")
		case 2:
			item = fmt.Sprintf(`{"name":%q,%q:%s}`, name, name, value)
			if name == "name" {
				item = value
			}
		case 3:
			open, end = `{"`+name+`":`, "}"
		}
		text := fmt.Sprintf(`,"%s%d":`, name, i) + strings.Repeat(open, depth) + item +
			strings.Repeat(end, depth)
		values += 2*strings.Count(text, ",") + depth + len(text)/64
		if b.Len()+len(text) > full || values > validate.MaxValues {
			break
		}
		b.WriteString(text)
	}
	return b.String() + "}"
}

// document returns the document, or nil if it is over a limit.
func (r recipe) document(seed int) *jsontree.Node {
	n, err := jsontree.Parse([]byte(r.text(seed)), jsontree.Limits{})
	if err != nil {
		return nil
	}
	return n
}

// edits returns as many edits as allowed, all of them at the end of a large object.
func (r recipe) edits(doc *jsontree.Node) []masked.Op {
	kinds := []masked.OpKind{
		masked.Set, masked.Add, masked.Put, masked.Merge, masked.Remove, masked.Test,
	}
	last := ""
	for token := range doc.Children() {
		last = "/" + token
	}
	var ops []masked.Op
	for i := range validate.MaxEdits {
		o := op(kinds[(int(r[i%len(r)])+i)%len(kinds)], last, `{"x":"***","y":[1,2]}`)
		if o.Kind == masked.Merge {
			o.Pointer = ""
		}
		ops = append(ops, o)
	}
	return ops
}

// maxStepsOfReplace is the largest number of steps that replacing a document by another may take.
// It is a multiple of the bytes of both, so no pair of documents takes quadratic work.
const maxStepsOfReplace = 12 * 2 * validate.MaxDocument

// checkSteps runs the writes of a recipe and returns the most steps that one of them took.
func checkSteps(t *testing.T, r recipe) int {
	before, after := r.document(0), r.document(1)
	if before == nil || after == nil {
		return 0
	}
	w := masked.Write{
		Path: "c", Rule: classify.NameRule{}, AllowDestination: len(r)%2 == 0,
		Stored: masked.Stored{Doc: before, Sealed: masks(before, "")},
	}
	if len(w.Stored.Sealed) > validate.MaxSecrets {
		w.Stored = masked.Stored{}
	}
	worst := 0
	writes := map[string]func() (masked.Result, error){
		"Replace": func() (masked.Result, error) { return w.Replace(context.Background(), after) },
		"Apply": func() (masked.Result, error) {
			return w.Apply(context.Background(), r.edits(before))
		},
	}
	for name, write := range writes {
		res, err := write()
		if err != nil && !errors.Is(err, validate.ErrInvalid) {
			t.Fatalf("%s: %v", name, err)
		}
		if res.Steps > masked.MaxSteps {
			t.Errorf("%s took %d steps, over the limit", name, res.Steps)
		}
		if name == "Replace" && res.Steps > maxStepsOfReplace {
			t.Errorf("Replace took %d steps", res.Steps)
		}
		worst = max(worst, res.Steps)
	}
	return worst
}

// FuzzSteps looks for the document that causes the most work.
func FuzzSteps(f *testing.F) {
	for i := range byte(len(recipeValues)) {
		f.Add([]byte{i % 4, i % 3, i, i})
	}
	f.Add([]byte{1, 59, 0, 2, 2, 58, 3, 1})
	f.Fuzz(func(t *testing.T, r []byte) {
		if len(r) >= 4 && len(r) <= 64 {
			checkSteps(t, r)
		}
	})
}

// A write ends with its context, however much is left to do.
func TestWriteWatchesContext(t *testing.T) {
	r := recipe{0, 0, 0, 0}
	before, after := r.document(0), r.document(1)
	w := masked.Write{Stored: masked.Stored{Doc: before, Sealed: masks(before, "")}}
	w.Rule = classify.NameRule{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Replace(ctx, after); !errors.Is(err, context.Canceled) {
		t.Errorf("Replace: got %v, want the error of the context", err)
	}
	if _, err := w.Apply(ctx, r.edits(before)); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply: got %v, want the error of the context", err)
	}
}
