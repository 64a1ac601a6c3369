package masked_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

func TestApplyToNothing(t *testing.T) {
	r, err := masked.Apply("c", masked.Stored{}, nil, classify.NameRule{})
	if diff := diffOutcome(outcome{}, outcomeOf(t, r, err)); diff != "" {
		t.Errorf("no edits: %s", diff)
	}
	ops := []masked.Op{{Kind: masked.Set, Pointer: "/token", Value: parse(t, `"t"`)}}
	r, err = masked.Apply("c", masked.Stored{}, ops, classify.NameRule{})
	want := outcome{Doc: `{"token":"***"}`, Seal: map[string]string{"/token": `"t"`},
		Changed: []string{""}}
	if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
		t.Error(diff)
	}
	r, err = masked.Apply("c", masked.Stored{}, []masked.Op{{Kind: masked.Remove, Pointer: ""}},
		classify.NameRule{})
	if diff := diffOutcome(outcome{Rejected: []string{"c not-found"}},
		outcomeOf(t, r, err)); diff != "" {
		t.Error(diff)
	}
}

func TestApplyNullInArrayStays(t *testing.T) {
	stored := masked.Stored{Doc: parse(t, `{"tokens":["***","***"]}`),
		Sealed: []string{"/tokens/0", "/tokens/1"}}
	r, err := masked.Apply("c", stored,
		[]masked.Op{{Kind: masked.Set, Pointer: "/tokens/0",
			Value: parse(t, `null`)}}, classify.NameRule{})
	want := outcome{Doc: `{"tokens":[null,"***"]}`, Keep: []string{"/tokens/1"},
		Changed: []string{"/tokens/0"}}
	if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
		t.Error(diff)
	}
}

// Edits can make a document larger, deeper and longer-named than one that is sent as a whole.
func TestApplyLimits(t *testing.T) {
	nested := func(depth int) *jsontree.Node {
		return parse(t, strings.Repeat("[", depth)+strings.Repeat("]", depth))
	}
	big := parse(t, `"`+strings.Repeat("x", validate.MaxDocument/2)+`"`)
	long := "/" + strings.Repeat("x", validate.MaxPointer-1)
	tests := []struct {
		name string
		ops  []masked.Op
		want string // violation; "" = accepted
	}{
		{"as deep as allowed",
			[]masked.Op{{Kind: masked.Set, Pointer: "/a",
				Value: nested(validate.MaxDepth - 1)}}, ""},
		{
			"deeper",
			[]masked.Op{{Kind: masked.Set, Pointer: "/a", Value: nested(validate.MaxDepth)}},
			"c/a" + strings.Repeat("/0", validate.MaxDepth-1) + " too-deep",
		},
		{"large", []masked.Op{{Kind: masked.Set, Pointer: "/a", Value: big},
			{Kind: masked.Set, Pointer: "/b", Value: big}}, "c too-large"},
		{"large secrets", []masked.Op{{Kind: masked.Set, Pointer: "/token", Value: big},
			{Kind: masked.SetSecret, Pointer: "/b", Value: big}}, "c too-large"},
		{"as long as allowed", []masked.Op{{Kind: masked.Set, Pointer: long, Value: nested(1)}},
			""},
		{"longer", []masked.Op{{Kind: masked.Set, Pointer: long, Value: parse(t, `[1]`)}},
			"c" + long + " too-long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := masked.Apply("c", masked.Stored{}, tt.ops, classify.NameRule{})
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if diff := diffOutcome(outcome{Rejected: []string{tt.want}},
				outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Secrets that move several times in one patch stay with their element.
func TestApplyMovesSecretsAcrossManyRemovals(t *testing.T) {
	const n = 20
	var elements, sealed []string
	for i := range n {
		elements = append(elements, `{"name":"n`+strconv.Itoa(i)+`","pin":"***"}`)
		sealed = append(sealed, "/l/"+strconv.Itoa(i)+"/pin")
	}
	stored := masked.Stored{Doc: parse(t, `{"l":[`+strings.Join(elements, ",")+`]}`),
		Sealed: sealed}
	var ops []masked.Op
	for i := range n / 2 {
		// every second element
		ops = append(ops, masked.Op{Kind: masked.Remove, Pointer: "/l/" + strconv.Itoa(i)})
	}
	r, err := masked.Apply("c", stored, ops, classify.NameRule{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Keep) != n/2 {
		t.Fatalf("kept %d secrets, want %d", len(r.Keep), n/2)
	}
	for i, m := range r.Keep {
		from, to := "/l/"+strconv.Itoa(2*i+1)+"/pin", "/l/"+strconv.Itoa(i)+"/pin"
		name := r.Doc.At([]string{"l", strconv.Itoa(i), "name"})
		if m.From != from || m.To != to || !name.IsString("n"+strconv.Itoa(2*i+1)) {
			t.Errorf("element %d: %v", i, m)
		}
	}
}

// The objects that Put creates are put into the document at once: one copy of the root, not sixty.
func TestPutCopiesOnce(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, `,"n%d":0`, i)
	}
	stored := masked.Stored{Doc: parse(t, "{"+b.String()[1:]+"}")}
	allocated := func(depth int) uint64 {
		var before, after runtime.MemStats
		ops := []masked.Op{op(masked.Put, strings.Repeat("/a", depth), "1")}
		runtime.ReadMemStats(&before)
		if _, err := masked.Apply("c", stored, ops, classify.NameRule{}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if flat, deep := allocated(1), allocated(60); deep > 2*flat {
		t.Errorf("%d bytes for one level, %d for 60", flat, deep)
	}
}
