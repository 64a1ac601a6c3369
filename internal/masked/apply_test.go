package masked_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

func TestApply(t *testing.T) {
	const doc = `{"name":"n","token":"***","db":{"zone":"h","password":"***"},"list":[{"pin":"***"},{"pin":"***"},{"x":1}]}`
	sealed := []string{"/token", "/db/password", "/list/0/pin", "/list/1/pin"}
	op := func(kind masked.OpKind, pointer, value string) masked.Op {
		return masked.Op{Kind: kind, Pointer: pointer, Value: parse(t, value)}
	}
	tests := []struct {
		name string
		ops  []masked.Op
		want outcome
	}{
		{name: "nothing", want: outcome{Doc: doc, Keep: sealed}},
		{
			name: "set a plain value", ops: []masked.Op{op(masked.Set, "/name", `"m"`)},
			want: outcome{Doc: strings.Replace(doc, `"n"`, `"m"`, 1), Keep: sealed, Changed: []string{"/name"}},
		},
		{
			name: "set what it is already", ops: []masked.Op{op(masked.Set, "/name", `"n"`)},
			want: outcome{Doc: doc, Keep: sealed},
		},
		{
			name: "set a secret", ops: []masked.Op{op(masked.Set, "/token", `"t"`)},
			want: outcome{Doc: doc, Keep: sealed[1:], Seal: map[string]string{"/token": `"t"`}, Changed: []string{"/token"}},
		},
		{
			name: "set a secret twice", ops: []masked.Op{op(masked.Set, "/token", `"t"`), op(masked.Set, "/token", `"u"`)},
			want: outcome{Doc: doc, Keep: sealed[1:], Seal: map[string]string{"/token": `"u"`}, Changed: []string{"/token"}},
		},
		{
			name: "set a secret, then keep it", ops: []masked.Op{op(masked.Set, "/token", `"t"`), op(masked.Set, "/token", `"***"`)},
			want: outcome{Doc: doc, Keep: sealed[1:], Seal: map[string]string{"/token": `"t"`}, Changed: []string{"/token"}},
		},
		{
			name: "keep a secret", ops: []masked.Op{op(masked.Set, "/token", `"***"`)},
			want: outcome{Doc: doc, Keep: sealed},
		},
		{
			name: "mask at a new sensitive place", ops: []masked.Op{op(masked.Set, "/secret", `"***"`)},
			want: outcome{Refused: []string{"c/secret mask-without-stored-value"}},
		},
		{
			name: "mask at a plain place", ops: []masked.Op{op(masked.Set, "/name", `"***"`)},
			want: outcome{Refused: []string{"c/name mask-without-stored-value"}},
		},
		{
			name: "mask at a new plain place", ops: []masked.Op{op(masked.Set, "/note", `"***"`)},
			want: outcome{Refused: []string{"c/note mask-without-stored-value"}},
		},
		{
			name: "explicit mask is a secret", ops: []masked.Op{op(masked.SetSecret, "/token", `"***"`)},
			want: outcome{Doc: doc, Keep: sealed[1:], Seal: map[string]string{"/token": `"***"`}, Changed: []string{"/token"}},
		},
		{
			name: "explicit secret at a plain place", ops: []masked.Op{op(masked.SetSecret, "/name", `""`)},
			want: outcome{
				Doc: strings.Replace(doc, `"n"`, `"***"`, 1), Keep: sealed, Seal: map[string]string{"/name": `""`},
				Changed: []string{"/name"},
			},
		},
		{
			name: "empty string at a secret", ops: []masked.Op{op(masked.Set, "/token", `""`)},
			want: outcome{Refused: []string{"c/token empty-secret"}},
		},
		{
			name: "null at a secret", ops: []masked.Op{op(masked.Set, "/token", `null`)},
			want: outcome{Doc: strings.Replace(doc, `"token":"***",`, ``, 1), Keep: sealed[1:], Changed: []string{"/token"}},
		},
		{
			name: "array in place of a secret, and one of new ones",
			ops: []masked.Op{
				op(masked.Set, "/list/0/pin", `["x"]`), op(masked.Set, "/pins", `["y"]`), op(masked.Set, "/pins/0", `null`),
			},
			want: outcome{
				Doc:  strings.TrimSuffix(doc, "}") + `,"pins":[null]}`,
				Keep: []string{"/token", "/db/password", "/list/1/pin"}, Seal: map[string]string{"/list/0/pin": `["x"]`},
				Changed: []string{"/list/0/pin", "/pins"},
			},
		},
		{
			name: "new member is judged by the rule", ops: []masked.Op{op(masked.Set, "/apiKey", `"k"`)},
			want: outcome{
				Doc: strings.TrimSuffix(doc, "}") + `,"apiKey":"***"}`, Keep: sealed, Seal: map[string]string{"/apiKey": `"k"`},
				Changed: []string{"/apiKey"},
			},
		},
		{
			name: "object around a secret, with its mask", ops: []masked.Op{op(masked.Set, "/db", `{"zone":"i","password":"***"}`)},
			want: outcome{Doc: strings.Replace(doc, `"h"`, `"i"`, 1), Keep: sealed, Changed: []string{"/db/zone"}},
		},
		{
			name: "object around a secret, without it", ops: []masked.Op{op(masked.Set, "/db", `{"zone":"h"}`)},
			want: outcome{
				Doc: strings.Replace(doc, `,"password":"***"`, ``, 1), Keep: slices.Delete(slices.Clone(sealed), 1, 2),
				Changed: []string{"/db/password"},
			},
		},
		{
			name: "remove a secret", ops: []masked.Op{op(masked.Remove, "/token", ``)},
			want: outcome{Doc: strings.Replace(doc, `"token":"***",`, ``, 1), Keep: sealed[1:], Changed: []string{"/token"}},
		},
		{
			name: "remove above a secret", ops: []masked.Op{op(masked.Remove, "/db", ``), op(masked.Remove, "/list", ``)},
			want: outcome{Doc: `{"name":"n","token":"***"}`, Keep: sealed[:1], Changed: []string{"/db", "/list"}},
		},
		{
			name: "removed and set again: nothing is kept",
			ops:  []masked.Op{op(masked.Remove, "/token", ``), op(masked.Set, "/token", `"***"`)},
			want: outcome{Refused: []string{"c/token mask-without-stored-value"}},
		},
		{
			name: "remove an element: the others move with their secrets", ops: []masked.Op{op(masked.Remove, "/list/0", ``)},
			want: outcome{
				Doc:  `{"name":"n","token":"***","db":{"zone":"h","password":"***"},"list":[{"pin":"***"},{"x":1}]}`,
				Keep: []string{"/token", "/db/password", "/list/1/pin > /list/0/pin"}, Changed: []string{"/list"},
			},
		},
		{
			name: "remove an element, append another",
			ops:  []masked.Op{op(masked.Remove, "/list/0", ``), op(masked.Set, "/list/-", `{"x":1}`), op(masked.Set, "/list/1", `{"pin":"3"}`)},
			want: outcome{
				Doc:     `{"name":"n","token":"***","db":{"zone":"h","password":"***"},"list":[{"pin":"***"},{"pin":"***"},{"x":1}]}`,
				Keep:    []string{"/token", "/db/password", "/list/1/pin > /list/0/pin"},
				Seal:    map[string]string{"/list/1/pin": `"3"`},
				Changed: []string{"/list/0/pin", "/list/1/pin"},
			},
		},
		{
			name: "append beside secrets", ops: []masked.Op{op(masked.Set, "/list/-", `{"pin":7}`), op(masked.Set, "/list/4", `true`)},
			want: outcome{
				Doc:  strings.TrimSuffix(doc, "]}") + `,{"pin":"***"},true]}`,
				Keep: sealed, Seal: map[string]string{"/list/3/pin": `7`}, Changed: []string{"/list"},
			},
		},
		{
			name: "whole document", ops: []masked.Op{op(masked.Set, "", `{"token":"***"}`)},
			want: outcome{Doc: `{"token":"***"}`, Keep: sealed[:1], Changed: []string{"/db", "/list", "/name"}},
		},
		{
			name: "whole document removed", ops: []masked.Op{op(masked.Remove, "", ``)},
			want: outcome{Changed: []string{""}},
		},
		{
			name: "removed, then begun anew", ops: []masked.Op{op(masked.Remove, "", ``), op(masked.Set, "/token", `"t"`)},
			want: outcome{
				Doc: `{"token":"***"}`, Seal: map[string]string{"/token": `"t"`},
				Changed: []string{"/db", "/list", "/name", "/token"},
			},
		},

		{
			name: "test holds", ops: []masked.Op{op(masked.Test, "/db/zone", `"h"`), op(masked.Set, "/name", `1`)},
			want: outcome{Doc: strings.Replace(doc, `"n"`, `1`, 1), Keep: sealed, Changed: []string{"/name"}},
		},
		{
			name: "test fails", ops: []masked.Op{op(masked.Set, "/name", `1`), op(masked.Test, "/db/zone", `"i"`)},
			want: outcome{Refused: []string{"c/db/zone test-failed"}},
		},
		{
			name: "test of what is not there", ops: []masked.Op{op(masked.Test, "/nothing", `null`)},
			want: outcome{Refused: []string{"c/nothing test-failed"}},
		},
		{
			name: "test at a secret", ops: []masked.Op{op(masked.Test, "/token", `"***"`)},
			want: outcome{Refused: []string{"c/token sealed"}},
		},
		{
			name: "test above a secret", ops: []masked.Op{op(masked.Test, "/db", `{"zone":"h","password":"***"}`)},
			want: outcome{Refused: []string{"c/db sealed"}},
		},
		{
			name: "test of everything", ops: []masked.Op{op(masked.Test, "", `{}`)},
			want: outcome{Refused: []string{"c sealed"}},
		},
		{
			name: "test below a secret", ops: []masked.Op{op(masked.Test, "/token/x", `1`)},
			want: outcome{Refused: []string{"c/token/x sealed"}},
		},
		{
			name: "test of a secret that was just given", ops: []masked.Op{op(masked.Set, "/token", `"t"`), op(masked.Test, "/token", `"t"`)},
			want: outcome{Refused: []string{"c/token sealed"}},
		},

		{
			name: "set below a secret", ops: []masked.Op{op(masked.Set, "/token/x/y", `1`)},
			want: outcome{Refused: []string{"c/token/x/y sealed"}},
		},
		{
			name: "remove below a secret", ops: []masked.Op{op(masked.Remove, "/token/0", ``)},
			want: outcome{Refused: []string{"c/token/0 sealed"}},
		},
		{
			name: "set where nothing is", ops: []masked.Op{op(masked.Set, "/a/b", `1`)},
			want: outcome{Refused: []string{"c/a/b not-found"}},
		},
		{
			name: "secret where nothing is", ops: []masked.Op{op(masked.SetSecret, "/name/b", `1`)},
			want: outcome{Refused: []string{"c/name/b not-found"}},
		},
		{
			name: "remove what is not there", ops: []masked.Op{op(masked.Remove, "/list/3", ``)},
			want: outcome{Refused: []string{"c/list/3 not-found"}},
		},
		{
			name: "no pointer", ops: []masked.Op{op(masked.Set, "name", `1`)},
			want: outcome{Refused: []string{"c format"}},
		},
		{
			name: "pointer too long", ops: []masked.Op{op(masked.Set, "/"+strings.Repeat("x", validate.MaxPointer), `1`)},
			want: outcome{Refused: []string{"c format"}},
		},
		{
			name: "no value", ops: []masked.Op{op(masked.SetSecret, "/name", ``)},
			want: outcome{Refused: []string{"c/name required"}},
		},
		{
			name: "no kind", ops: []masked.Op{op("", "/name", `1`)},
			want: outcome{Refused: []string{"c/name unknown"}},
		},
		{
			name: "the first bad edit ends it", ops: []masked.Op{op(masked.Set, "/db", `{"password":""}`), op(masked.Remove, "/x", ``)},
			want: outcome{Refused: []string{"c/db/password empty-secret"}},
		},
		{
			name: "all that is wrong with an edit", ops: []masked.Op{op(masked.Set, "", `{"token":"","db":{"password":["***"]}}`)},
			want: outcome{Refused: []string{"c/db/password mask-without-stored-value", "c/token empty-secret"}},
		},
		{
			name: "too many", ops: make([]masked.Op, validate.MaxEdits+1),
			want: outcome{Refused: []string{"c too-many"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stored := masked.Stored{Doc: parse(t, doc), Sealed: sealed}
			r, err := masked.Apply("c", stored, tt.ops, masked.NameRule{})
			if diff := diffOutcome(tt.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
			if text(stored.Doc) != doc {
				t.Error("the stored document changed")
			}
		})
	}
}

func TestApplyToNothing(t *testing.T) {
	r, err := masked.Apply("c", masked.Stored{}, nil, masked.NameRule{})
	if diff := diffOutcome(outcome{}, outcomeOf(t, r, err)); diff != "" {
		t.Errorf("no edits: %s", diff)
	}
	ops := []masked.Op{{Kind: masked.Set, Pointer: "/token", Value: parse(t, `"t"`)}}
	r, err = masked.Apply("c", masked.Stored{}, ops, masked.NameRule{})
	want := outcome{Doc: `{"token":"***"}`, Seal: map[string]string{"/token": `"t"`}, Changed: []string{""}}
	if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
		t.Error(diff)
	}
	r, err = masked.Apply("c", masked.Stored{}, []masked.Op{{Kind: masked.Remove, Pointer: ""}}, masked.NameRule{})
	if diff := diffOutcome(outcome{Refused: []string{"c not-found"}}, outcomeOf(t, r, err)); diff != "" {
		t.Error(diff)
	}
}

func TestApplyNullInArrayStays(t *testing.T) {
	stored := masked.Stored{Doc: parse(t, `{"tokens":["***","***"]}`), Sealed: []string{"/tokens/0", "/tokens/1"}}
	r, err := masked.Apply("c", stored, []masked.Op{{Kind: masked.Set, Pointer: "/tokens/0", Value: parse(t, `null`)}}, masked.NameRule{})
	want := outcome{Doc: `{"tokens":[null,"***"]}`, Keep: []string{"/tokens/1"}, Changed: []string{"/tokens/0"}}
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
		want string // violation, "" = accepted
	}{
		{"as deep as allowed", []masked.Op{{Kind: masked.Set, Pointer: "/a", Value: nested(validate.MaxDepth - 1)}}, ""},
		{
			"deeper", []masked.Op{{Kind: masked.Set, Pointer: "/a", Value: nested(validate.MaxDepth)}},
			"c/a" + strings.Repeat("/0", validate.MaxDepth-1) + " too-deep",
		},
		{"large", []masked.Op{{Kind: masked.Set, Pointer: "/a", Value: big}, {Kind: masked.Set, Pointer: "/b", Value: big}}, "c too-large"},
		{"large secrets", []masked.Op{{Kind: masked.Set, Pointer: "/token", Value: big}, {Kind: masked.SetSecret, Pointer: "/b", Value: big}}, "c too-large"},
		{"as long as allowed", []masked.Op{{Kind: masked.Set, Pointer: long, Value: nested(1)}}, ""},
		{"longer", []masked.Op{{Kind: masked.Set, Pointer: long, Value: parse(t, `[1]`)}}, "c" + long + " too-long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := masked.Apply("c", masked.Stored{}, tt.ops, masked.NameRule{})
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if diff := diffOutcome(outcome{Refused: []string{tt.want}}, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Secrets that move several times in one patch arrive where their element does.
func TestApplyMovesSecretsAcrossManyRemovals(t *testing.T) {
	const n = 20
	var elements, sealed []string
	for i := range n {
		elements = append(elements, `{"name":"`+strconv.Itoa(i)+`","pin":"***"}`)
		sealed = append(sealed, "/l/"+strconv.Itoa(i)+"/pin")
	}
	stored := masked.Stored{Doc: parse(t, `{"l":[`+strings.Join(elements, ",")+`]}`), Sealed: sealed}
	var ops []masked.Op
	for i := range n / 2 {
		ops = append(ops, masked.Op{Kind: masked.Remove, Pointer: "/l/" + strconv.Itoa(i)}) // every second element
	}
	r, err := masked.Apply("c", stored, ops, masked.NameRule{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Keep) != n/2 {
		t.Fatalf("kept %d secrets, want %d", len(r.Keep), n/2)
	}
	for i, m := range r.Keep {
		from, to := "/l/"+strconv.Itoa(2*i+1)+"/pin", "/l/"+strconv.Itoa(i)+"/pin"
		name := r.Doc.At([]string{"l", strconv.Itoa(i), "name"})
		if m.From != from || m.To != to || !name.IsString(strconv.Itoa(2*i+1)) {
			t.Errorf("element %d: %v", i, m)
		}
	}
}
