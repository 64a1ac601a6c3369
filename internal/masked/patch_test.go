package masked_test

import (
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
)

func TestPatch(t *testing.T) {
	const doc = `{"name":"n","token":"***","db":{"zone":"z","password":"***"},"list":[{"pin":"***"},{"x":1}]}`
	sealed := []string{"/token", "/db/password", "/list/0/pin"}
	op := func(kind masked.OpKind, pointer, value string) masked.Op {
		return masked.Op{Kind: kind, Pointer: pointer, Value: parse(t, value)}
	}
	for name, c := range map[string]struct {
		ops  []masked.Op
		want outcome
	}{
		"add a member":      {[]masked.Op{op(masked.Add, "/note", `"x"`)}, outcome{Doc: doc[:len(doc)-1] + `,"note":"x"}`, Keep: sealed, Changed: []string{"/note"}}},
		"add over a member": {[]masked.Op{op(masked.Add, "/name", `1`)}, outcome{Doc: `{"name":1` + doc[11:], Keep: sealed, Changed: []string{"/name"}}},
		"add over a secret": {[]masked.Op{op(masked.Add, "/token", `"***"`)}, outcome{Doc: doc, Keep: sealed}},
		"add to nothing":    {[]masked.Op{op(masked.Add, "/x/y", `1`)}, outcome{Refused: []string{"c/x/y not-found"}}},
		"append":            {[]masked.Op{op(masked.Add, "/list/-", `2`)}, outcome{Doc: doc[:len(doc)-2] + `,2]}`, Keep: sealed, Changed: []string{"/list"}}},
		"append by index":   {[]masked.Op{op(masked.Add, "/list/2", `2`)}, outcome{Doc: doc[:len(doc)-2] + `,2]}`, Keep: sealed, Changed: []string{"/list"}}},
		"behind the end":    {[]masked.Op{op(masked.Add, "/list/3", `2`)}, outcome{Refused: []string{"c/list/3 not-found"}}},
		"insert moves a secret": {[]masked.Op{op(masked.Add, "/list/0", `2`)}, outcome{
			Doc:  `{"name":"n","token":"***","db":{"zone":"z","password":"***"},"list":[2,{"pin":"***"},{"x":1}]}`,
			Keep: []string{"/token", "/db/password", "/list/0/pin > /list/1/pin"}, Changed: []string{"/list"},
		}},
		"insert a secret": {[]masked.Op{op(masked.Add, "/list/0", `{"pin":"1"}`)}, outcome{
			Doc:  `{"name":"n","token":"***","db":{"zone":"z","password":"***"},"list":[{"pin":"***"},{"pin":"***"},{"x":1}]}`,
			Keep: []string{"/token", "/db/password", "/list/0/pin > /list/1/pin"}, Seal: map[string]string{"/list/0/pin": `"1"`}, Changed: []string{"/list"},
		}},
		"insert a mask":          {[]masked.Op{op(masked.Add, "/list/0", `{"pin":"***"}`)}, outcome{Refused: []string{"c/list/0/pin ambiguous-mask"}}},
		"add the document":       {[]masked.Op{op(masked.Add, "", `{"token":"***"}`)}, outcome{Doc: `{"token":"***"}`, Keep: sealed[:1], Changed: []string{"/db", "/list", "/name"}}},
		"replace":                {[]masked.Op{op(masked.SetExisting, "/name", `1`)}, outcome{Doc: `{"name":1` + doc[11:], Keep: sealed, Changed: []string{"/name"}}},
		"replace nothing":        {[]masked.Op{op(masked.SetExisting, "/note", `1`)}, outcome{Refused: []string{"c/note not-found"}}},
		"replace an element":     {[]masked.Op{op(masked.SetExisting, "/list/1", `2`)}, outcome{Doc: doc[:len(doc)-9] + `2]}`, Keep: sealed, Changed: []string{"/list/1"}}},
		"replace behind the end": {[]masked.Op{op(masked.SetExisting, "/list/-", `2`)}, outcome{Refused: []string{"c/list/- not-found"}}},
		"replace a secret":       {[]masked.Op{op(masked.SetExisting, "/token", `"t"`)}, outcome{Doc: doc, Keep: sealed[1:], Seal: map[string]string{"/token": `"t"`}, Changed: []string{"/token"}}},
		"put":                    {[]masked.Op{op(masked.Put, "/a/b/c", `1`)}, outcome{Doc: doc[:len(doc)-1] + `,"a":{"b":{"c":1}}}`, Keep: sealed, Changed: []string{"/a"}}},
		"put over":               {[]masked.Op{op(masked.Put, "/db/zone", `1`)}, outcome{Doc: `{"name":"n","token":"***","db":{"zone":1,"password":"***"},"list":[{"pin":"***"},{"x":1}]}`, Keep: sealed, Changed: []string{"/db/zone"}}},
		"put below a string":     {[]masked.Op{op(masked.Put, "/name/x", `1`)}, outcome{Refused: []string{"c/name/x not-found"}}},
		"put below a secret":     {[]masked.Op{op(masked.Put, "/token/x", `1`)}, outcome{Refused: []string{"c/token/x sealed"}}},
		"put a secret far away":  {[]masked.Op{op(masked.Put, "/a/secret", `"s"`)}, outcome{Doc: doc[:len(doc)-1] + `,"a":{"secret":"***"}}`, Keep: sealed, Seal: map[string]string{"/a/secret": `"s"`}, Changed: []string{"/a"}}},
		"merge nothing":          {[]masked.Op{op(masked.Merge, "", `{}`)}, outcome{Doc: doc, Keep: sealed}},
		"merge keeps what is absent": {[]masked.Op{op(masked.Merge, "", `{"db":{"zone":"y"}}`)}, outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":"y","password":"***"},"list":[{"pin":"***"},{"x":1}]}`, Keep: sealed, Changed: []string{"/db/zone"},
		}},
		"merge an echo": {[]masked.Op{op(masked.Merge, "", doc)}, outcome{Doc: doc, Keep: sealed}},
		"merge null":    {[]masked.Op{op(masked.Merge, "", `{"db":{"password":null,"nothing":null},"token":null}`)}, outcome{Doc: `{"name":"n","db":{"zone":"z"},"list":[{"pin":"***"},{"x":1}]}`, Keep: sealed[2:], Changed: []string{"/db/password", "/token"}}},
		"merge a new secret": {[]masked.Op{op(masked.Merge, "", `{"token":"t","db":{"api_key":"k"}}`)}, outcome{
			Doc:  `{"name":"n","token":"***","db":{"zone":"z","password":"***","api_key":"***"},"list":[{"pin":"***"},{"x":1}]}`,
			Keep: sealed[1:], Seal: map[string]string{"/token": `"t"`, "/db/api_key": `"k"`}, Changed: []string{"/db/api_key", "/token"},
		}},
		"merge an object over a secret":         {[]masked.Op{op(masked.Merge, "", `{"token":{"a":1}}`)}, outcome{Refused: []string{"c/token sealed"}}},
		"merge a mask over an object":           {[]masked.Op{op(masked.Merge, "", `{"db":"***"}`)}, outcome{Refused: []string{"c/db mask-without-stored-value"}}},
		"merge a mask over nothing":             {[]masked.Op{op(masked.Merge, "", `{"api_secret":"***"}`)}, outcome{Refused: []string{"c/api_secret mask-without-stored-value"}}},
		"merge an object over an array":         {[]masked.Op{op(masked.Merge, "", `{"list":{"a":null,"b":1}}`)}, outcome{Doc: `{"name":"n","token":"***","db":{"zone":"z","password":"***"},"list":{"b":1}}`, Keep: sealed[:2], Changed: []string{"/list"}}},
		"merge an object over an array, masked": {[]masked.Op{op(masked.Merge, "", `{"list":{"0":{"pin":"***"}}}`)}, outcome{Refused: []string{"c/list/0/pin ambiguous-mask"}}},
		"merge into a member":                   {[]masked.Op{op(masked.Merge, "/db", `{"zone":null}`)}, outcome{Doc: `{"name":"n","token":"***","db":{"password":"***"},"list":[{"pin":"***"},{"x":1}]}`, Keep: sealed, Changed: []string{"/db/zone"}}},
		"merge into a member that is not there": {[]masked.Op{op(masked.Merge, "/x", `{"a":{"b":null}}`)}, outcome{Doc: doc[:len(doc)-1] + `,"x":{"a":{}}}`, Keep: sealed, Changed: []string{"/x"}}},
		"merge an array replaces it":            {[]masked.Op{op(masked.Merge, "", `{"list":[null]}`)}, outcome{Doc: `{"name":"n","token":"***","db":{"zone":"z","password":"***"},"list":[null]}`, Keep: sealed[:2], Changed: []string{"/list"}}},
		"merge what is no object":               {[]masked.Op{op(masked.Merge, "", `[1]`)}, outcome{Doc: `[1]`, Changed: []string{""}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Apply("c", masked.Stored{Doc: parse(t, doc), Sealed: sealed}, c.ops, masked.NameRule{})
			if diff := diffOutcome(c.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// merged is RFC 7396 to the letter, on plain documents.
func merged(target, patch *jsontree.Node) *jsontree.Node {
	if patch.Kind() != jsontree.Object {
		return patch
	}
	if target == nil || target.Kind() != jsontree.Object {
		target = jsontree.NewObject()
	}
	for name, v := range patch.Children() {
		if v.Kind() == jsontree.Null {
			if target.Child(name) != nil {
				target, _ = target.Remove([]string{name})
			}
			continue
		}
		target, _ = target.Set([]string{name}, merged(target.Child(name), v))
	}
	return target
}

// Merging into the masked document comes to the same as merging into the plain one.
func TestMergeOfRandomDocuments(t *testing.T) {
	g := generator{newRand(7396)}
	refused := 0
	for range 5000 {
		doc, patch := g.object(4, false), parse(t, g.object(3, false))
		if strings.Contains(text(patch), masked.Text) {
			continue
		}
		v := store(t, doc, masked.NameRule{})
		r, err := masked.Apply("c", v.stored, []masked.Op{{Kind: masked.Merge, Value: patch}}, masked.NameRule{})
		if err != nil {
			checkRefusal(t, err)
			refused++ // a URL beside a secret
			continue
		}
		want := merged(parse(t, doc), patch)
		if got := parse(t, v.adopt(t, r).plain(t)); !got.Equal(want) {
			t.Fatalf("%s\npatched by %s\nholds %s\nwant %s", doc, text(patch), text(got), text(want))
		}
	}
	if refused > 3000 {
		t.Errorf("%d of 5000 were refused", refused)
	}
}
