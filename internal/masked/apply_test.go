package masked_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

const applyDoc = `{"name":"n","token":"***","db":{"zone":"h","password":"***"},` +
	`"list":[{"pin":"***"},{"pin":"***"},{"x":1}]}`

var applySealed = []string{"/token", "/db/password", "/list/0/pin", "/list/1/pin"}

var applyTests = []struct {
	name string
	ops  []masked.Op
	want outcome
}{
	{name: "nothing", want: outcome{Doc: applyDoc, Keep: applySealed}},
	{
		name: "set a plain value", ops: []masked.Op{op(masked.Set, "/name", `"m"`)},
		want: outcome{Doc: strings.Replace(applyDoc, `"n"`, `"m"`, 1), Keep: applySealed,
			Changed: []string{"/name"}},
	},
	{
		name: "set the same value", ops: []masked.Op{op(masked.Set, "/name", `"n"`)},
		want: outcome{Doc: applyDoc, Keep: applySealed},
	},
	{
		name: "set a secret", ops: []masked.Op{op(masked.Set, "/token", `"t"`)},
		want: outcome{Doc: applyDoc, Keep: applySealed[1:],
			Seal:    map[string]string{"/token": `"t"`},
			Changed: []string{"/token"}},
	},
	{
		name: "set a secret twice",
		ops:  []masked.Op{op(masked.Set, "/token", `"t"`), op(masked.Set, "/token", `"u"`)},
		want: outcome{Doc: applyDoc, Keep: applySealed[1:],
			Seal:    map[string]string{"/token": `"u"`},
			Changed: []string{"/token"}},
	},
	{
		name: "set a secret, then keep it",
		ops: []masked.Op{op(masked.Set, "/token", `"t"`),
			op(masked.Set, "/token", `"***"`)},
		want: outcome{Doc: applyDoc, Keep: applySealed[1:],
			Seal:    map[string]string{"/token": `"t"`},
			Changed: []string{"/token"}},
	},
	{
		name: "keep a secret", ops: []masked.Op{op(masked.Set, "/token", `"***"`)},
		want: outcome{Doc: applyDoc, Keep: applySealed},
	},
	{
		name: "mask at a new sensitive place",
		ops:  []masked.Op{op(masked.Set, "/secret", `"***"`)},
		want: outcome{Rejected: []string{"c/secret mask-without-stored-value"}},
	},
	{
		name: "mask at a plain place", ops: []masked.Op{op(masked.Set, "/name", `"***"`)},
		want: outcome{Rejected: []string{"c/name mask-without-stored-value"}},
	},
	{
		name: "mask at a new plain place",
		ops:  []masked.Op{op(masked.Set, "/note", `"***"`)},
		want: outcome{Rejected: []string{"c/note mask-without-stored-value"}},
	},
	{
		name: "explicit mask is a secret",
		ops:  []masked.Op{op(masked.SetSecret, "/token", `"***"`)},
		want: outcome{Doc: applyDoc, Keep: applySealed[1:],
			Seal: map[string]string{"/token": `"***"`}, Changed: []string{"/token"}},
	},
	{
		name: "explicit secret at a plain place",
		ops:  []masked.Op{op(masked.SetSecret, "/name", `""`)},
		want: outcome{
			Doc: strings.Replace(applyDoc, `"n"`, `"***"`, 1), Keep: applySealed,
			Seal:    map[string]string{"/name": `""`},
			Changed: []string{"/name"},
		},
	},
	{
		name: "empty string at a secret", ops: []masked.Op{op(masked.Set, "/token", `""`)},
		want: outcome{Rejected: []string{"c/token empty-secret"}},
	},
	{
		name: "null at a secret", ops: []masked.Op{op(masked.Set, "/token", `null`)},
		want: outcome{Doc: strings.Replace(applyDoc, `"token":"***",`, ``, 1),
			Keep:    applySealed[1:],
			Changed: []string{"/token"}},
	},
	{
		name: "array in place of a secret, and one of new ones",
		ops: []masked.Op{
			op(masked.Set, "/list/0/pin", `["x"]`), op(masked.Set, "/pins", `["y"]`),
			op(masked.Set, "/pins/0", `null`),
		},
		want: outcome{
			Doc:     strings.TrimSuffix(applyDoc, "}") + `,"pins":[null]}`,
			Keep:    []string{"/token", "/db/password", "/list/1/pin"},
			Seal:    map[string]string{"/list/0/pin": `["x"]`},
			Changed: []string{"/list/0/pin", "/pins"},
		},
	},
	{
		name: "new member is judged by the rule",
		ops:  []masked.Op{op(masked.Set, "/apiKey", `"k"`)},
		want: outcome{
			Doc: strings.TrimSuffix(applyDoc, "}") + `,"apiKey":"***"}`, Keep: applySealed,
			Seal:    map[string]string{"/apiKey": `"k"`},
			Changed: []string{"/apiKey"},
		},
	},
	{
		name: "object around a secret, with its mask",
		ops:  []masked.Op{op(masked.Set, "/db", `{"zone":"i","password":"***"}`)},
		want: outcome{Doc: strings.Replace(applyDoc, `"h"`, `"i"`, 1), Keep: applySealed,
			Changed: []string{"/db/zone"}},
	},
	{
		name: "object around a secret, without it",
		ops:  []masked.Op{op(masked.Set, "/db", `{"zone":"h"}`)},
		want: outcome{
			Doc:     strings.Replace(applyDoc, `,"password":"***"`, ``, 1),
			Keep:    slices.Delete(slices.Clone(applySealed), 1, 2),
			Changed: []string{"/db/password"},
		},
	},
	{
		name: "remove a secret", ops: []masked.Op{op(masked.Remove, "/token", ``)},
		want: outcome{Doc: strings.Replace(applyDoc, `"token":"***",`, ``, 1),
			Keep:    applySealed[1:],
			Changed: []string{"/token"}},
	},
	{
		name: "remove above a secret",
		ops:  []masked.Op{op(masked.Remove, "/db", ``), op(masked.Remove, "/list", ``)},
		want: outcome{Doc: `{"name":"n","token":"***"}`, Keep: applySealed[:1],
			Changed: []string{"/db", "/list"}},
	},
	{
		name: "removed and set again: nothing is kept",
		ops: []masked.Op{op(masked.Remove, "/token", ``),
			op(masked.Set, "/token", `"***"`)},
		want: outcome{Rejected: []string{"c/token mask-without-stored-value"}},
	},
	{
		name: "remove an element: the others move with their secrets",
		ops:  []masked.Op{op(masked.Remove, "/list/0", ``)},
		want: outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":"h","password":"***"},` +
				`"list":[{"pin":"***"},{"x":1}]}`,
			Keep:    []string{"/token", "/db/password", "/list/1/pin > /list/0/pin"},
			Changed: []string{"/list"},
		},
	},
	{
		name: "remove an element, append another",
		ops: []masked.Op{op(masked.Remove, "/list/0", ``),
			op(masked.Set, "/list/-", `{"x":1}`), op(masked.Set, "/list/1", `{"pin":"3"}`)},
		want: outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":"h","password":"***"},` +
				`"list":[{"pin":"***"},{"pin":"***"},{"x":1}]}`,
			Keep:    []string{"/token", "/db/password", "/list/1/pin > /list/0/pin"},
			Seal:    map[string]string{"/list/1/pin": `"3"`},
			Changed: []string{"/list/0/pin", "/list/1/pin"},
		},
	},
	{
		name: "append next to secrets",
		ops: []masked.Op{op(masked.Set, "/list/-", `{"pin":7}`),
			op(masked.Set, "/list/4", `true`)},
		want: outcome{
			Doc:  strings.TrimSuffix(applyDoc, "]}") + `,{"pin":"***"},true]}`,
			Keep: applySealed, Seal: map[string]string{"/list/3/pin": `7`},
			Changed: []string{"/list"},
		},
	},
	{
		name: "whole document", ops: []masked.Op{op(masked.Set, "", `{"token":"***"}`)},
		want: outcome{Doc: `{"token":"***"}`, Keep: applySealed[:1],
			Changed: []string{"/db", "/list", "/name"}},
	},
	{
		name: "whole document removed", ops: []masked.Op{op(masked.Remove, "", ``)},
		want: outcome{Changed: []string{""}},
	},
	{
		name: "removed, then started again",
		ops:  []masked.Op{op(masked.Remove, "", ``), op(masked.Set, "/token", `"t"`)},
		want: outcome{
			Doc: `{"token":"***"}`, Seal: map[string]string{"/token": `"t"`},
			Changed: []string{"/db", "/list", "/name", "/token"},
		},
	},

	{
		name: "test holds",
		ops:  []masked.Op{op(masked.Test, "/db/zone", `"h"`), op(masked.Set, "/name", `1`)},
		want: outcome{Doc: strings.Replace(applyDoc, `"n"`, `1`, 1), Keep: applySealed,
			Changed: []string{"/name"}},
	},
	{
		name: "test fails",
		ops:  []masked.Op{op(masked.Set, "/name", `1`), op(masked.Test, "/db/zone", `"i"`)},
		want: outcome{Rejected: []string{"c/db/zone test-failed"}},
	},
	{
		name: "test of a missing value",
		ops:  []masked.Op{op(masked.Test, "/nothing", `null`)},
		want: outcome{Rejected: []string{"c/nothing test-failed"}},
	},
	{
		name: "test at a secret", ops: []masked.Op{op(masked.Test, "/token", `"***"`)},
		want: outcome{Rejected: []string{"c/token sealed"}},
	},
	{
		name: "test above a secret",
		ops:  []masked.Op{op(masked.Test, "/db", `{"zone":"h","password":"***"}`)},
		want: outcome{Rejected: []string{"c/db sealed"}},
	},
	{
		name: "test of everything", ops: []masked.Op{op(masked.Test, "", `{}`)},
		want: outcome{Rejected: []string{"c sealed"}},
	},
	{
		name: "test below a secret", ops: []masked.Op{op(masked.Test, "/token/x", `1`)},
		want: outcome{Rejected: []string{"c/token/x sealed"}},
	},
	{
		name: "test of a secret that was just given",
		ops: []masked.Op{op(masked.Set, "/token", `"t"`),
			op(masked.Test, "/token", `"t"`)},
		want: outcome{Rejected: []string{"c/token sealed"}},
	},

	{
		name: "set below a secret", ops: []masked.Op{op(masked.Set, "/token/x/y", `1`)},
		want: outcome{Rejected: []string{"c/token/x/y sealed"}},
	},
	{
		name: "remove below a secret", ops: []masked.Op{op(masked.Remove, "/token/0", ``)},
		want: outcome{Rejected: []string{"c/token/0 sealed"}},
	},
	{
		name: "set where nothing is", ops: []masked.Op{op(masked.Set, "/a/b", `1`)},
		want: outcome{Rejected: []string{"c/a/b not-found"}},
	},
	{
		name: "secret where nothing is",
		ops:  []masked.Op{op(masked.SetSecret, "/name/b", `1`)},
		want: outcome{Rejected: []string{"c/name/b not-found"}},
	},
	{
		name: "remove a missing value",
		ops:  []masked.Op{op(masked.Remove, "/list/3", ``)},
		want: outcome{Rejected: []string{"c/list/3 not-found"}},
	},
	{
		name: "no pointer", ops: []masked.Op{op(masked.Set, "name", `1`)},
		want: outcome{Rejected: []string{"c format"}},
	},
	{
		name: "pointer too long",
		ops: []masked.Op{
			op(masked.Set, "/"+strings.Repeat("x", validate.MaxPointer), `1`)},
		want: outcome{Rejected: []string{"c format"}},
	},
	{
		name: "no value", ops: []masked.Op{op(masked.SetSecret, "/name", ``)},
		want: outcome{Rejected: []string{"c/name required"}},
	},
	{
		name: "no kind", ops: []masked.Op{op("", "/name", `1`)},
		want: outcome{Rejected: []string{"c/name unknown"}},
	},
	{
		name: "the first bad edit ends it",
		ops: []masked.Op{op(masked.Set, "/db", `{"password":""}`),
			op(masked.Remove, "/x", ``)},
		want: outcome{Rejected: []string{"c/db/password empty-secret"}},
	},
	{
		name: "all that is wrong with an edit",
		ops:  []masked.Op{op(masked.Set, "", `{"token":"","db":{"password":["***"]}}`)},
		want: outcome{Rejected: []string{"c/db/password mask-without-stored-value",
			"c/token empty-secret"}},
	},
	{
		name: "too many", ops: make([]masked.Op, validate.MaxEdits+1),
		want: outcome{Rejected: []string{"c too-many"}},
	},
}

func TestApply(t *testing.T) {
	for _, tt := range applyTests {
		t.Run(tt.name, func(t *testing.T) {
			stored := masked.Stored{Doc: parse(t, applyDoc), Sealed: applySealed}
			r, err := masked.Apply("c", stored, tt.ops, classify.NameRule{})
			if diff := diffOutcome(tt.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
			if text(stored.Doc) != applyDoc {
				t.Error("the stored document changed")
			}
		})
	}
}
