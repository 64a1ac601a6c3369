package masked_test

import (
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
)

const patchDoc = `{"name":"n","token":"***","db":{"zone":"z","password":"***"},` +
	`"list":[{"pin":"***"},{"x":1}]}`

var patchSealed = []string{"/token", "/db/password", "/list/0/pin"}

var patches = map[string]struct {
	ops  []masked.Op
	want outcome
}{
	"add a member": {[]masked.Op{op(masked.Add, "/note", `"x"`)},
		outcome{Doc: patchDoc[:len(patchDoc)-1] + `,"note":"x"}`, Keep: patchSealed,
			Changed: []string{"/note"}}},
	"add over a member": {[]masked.Op{op(masked.Add, "/name", `1`)},
		outcome{Doc: `{"name":1` + patchDoc[11:], Keep: patchSealed,
			Changed: []string{"/name"}}},
	"add over a secret": {[]masked.Op{op(masked.Add, "/token", `"***"`)},
		outcome{Doc: patchDoc, Keep: patchSealed}},
	"add to nothing": {[]masked.Op{op(masked.Add, "/x/y", `1`)},
		outcome{Rejected: []string{"c/x/y not-found"}}},
	"append": {[]masked.Op{op(masked.Add, "/list/-", `2`)},
		outcome{Doc: patchDoc[:len(patchDoc)-2] + `,2]}`, Keep: patchSealed,
			Changed: []string{"/list"}}},
	"append by index": {[]masked.Op{op(masked.Add, "/list/2", `2`)},
		outcome{Doc: patchDoc[:len(patchDoc)-2] + `,2]}`, Keep: patchSealed,
			Changed: []string{"/list"}}},
	"behind the end": {[]masked.Op{op(masked.Add, "/list/3", `2`)},
		outcome{Rejected: []string{"c/list/3 not-found"}}},
	"insert moves a secret": {[]masked.Op{op(masked.Add, "/list/0", `2`)}, outcome{
		Doc: `{"name":"n","token":"***","db":{"zone":"z","password":"***"},"list":[2,` +
			`{"pin":"***"},{"x":1}]}`,
		Keep:    []string{"/token", "/db/password", "/list/0/pin > /list/1/pin"},
		Changed: []string{"/list"},
	}},
	"insert a secret": {[]masked.Op{op(masked.Add, "/list/0", `{"pin":"1"}`)}, outcome{
		Doc: `{"name":"n","token":"***","db":{"zone":"z","password":"***"},` +
			`"list":[{"pin":"***"},{"pin":"***"},{"x":1}]}`,
		Keep: []string{"/token", "/db/password", "/list/0/pin > /list/1/pin"},
		Seal: map[string]string{"/list/0/pin": `"1"`}, Changed: []string{"/list"},
	}},
	"insert a mask": {[]masked.Op{op(masked.Add, "/list/0", `{"pin":"***"}`)},
		outcome{Rejected: []string{"c/list/0/pin ambiguous-mask"}}},
	"add the document": {[]masked.Op{op(masked.Add, "", `{"token":"***"}`)},
		outcome{Doc: `{"token":"***"}`, Keep: patchSealed[:1],
			Changed: []string{"/db", "/list", "/name"}}},
	"replace": {[]masked.Op{op(masked.SetExisting, "/name", `1`)},
		outcome{Doc: `{"name":1` + patchDoc[11:], Keep: patchSealed,
			Changed: []string{"/name"}}},
	"replace nothing": {[]masked.Op{op(masked.SetExisting, "/note", `1`)},
		outcome{Rejected: []string{"c/note not-found"}}},
	"replace an element": {[]masked.Op{op(masked.SetExisting, "/list/1", `2`)},
		outcome{Doc: patchDoc[:len(patchDoc)-9] + `2]}`, Keep: patchSealed,
			Changed: []string{"/list/1"}}},
	"replace behind the end": {[]masked.Op{op(masked.SetExisting, "/list/-", `2`)},
		outcome{Rejected: []string{"c/list/- not-found"}}},
	"replace a secret": {[]masked.Op{op(masked.SetExisting, "/token", `"t"`)},
		outcome{Doc: patchDoc, Keep: patchSealed[1:], Seal: map[string]string{"/token": `"t"`},
			Changed: []string{"/token"}}},
	"put": {[]masked.Op{op(masked.Put, "/a/b/c", `1`)},
		outcome{Doc: patchDoc[:len(patchDoc)-1] + `,"a":{"b":{"c":1}}}`, Keep: patchSealed,
			Changed: []string{"/a"}}},
	"put over": {[]masked.Op{op(masked.Put, "/db/zone", `1`)},
		outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":1,"password":"***"},` +
				`"list":[{"pin":"***"},{"x":1}]}`, Keep: patchSealed,
			Changed: []string{"/db/zone"}}},
	"put below a string": {[]masked.Op{op(masked.Put, "/name/x", `1`)},
		outcome{Rejected: []string{"c/name/x not-found"}}},
	"put below a secret": {[]masked.Op{op(masked.Put, "/token/x", `1`)},
		outcome{Rejected: []string{"c/token/x sealed"}}},
	"put a secret far away": {[]masked.Op{op(masked.Put, "/a/secret", `"s"`)},
		outcome{Doc: patchDoc[:len(patchDoc)-1] + `,"a":{"secret":"***"}}`, Keep: patchSealed,
			Seal: map[string]string{"/a/secret": `"s"`}, Changed: []string{"/a"}}},
	"merge nothing": {[]masked.Op{op(masked.Merge, "", `{}`)},
		outcome{Doc: patchDoc, Keep: patchSealed}},
	"merge keeps absent members": {[]masked.Op{op(masked.Merge, "", `{"db":{"zone":"y"}}`)},
		outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":"y","password":"***"},` +
				`"list":[{"pin":"***"},{"x":1}]}`, Keep: patchSealed,
			Changed: []string{"/db/zone"},
		}},
	"merge an echo": {[]masked.Op{op(masked.Merge, "", patchDoc)},
		outcome{Doc: patchDoc, Keep: patchSealed}},
	"merge null": {
		[]masked.Op{op(masked.Merge, "",
			`{"db":{"password":null,"nothing":null},"token":null}`)},
		outcome{Doc: `{"name":"n","db":{"zone":"z"},"list":[{"pin":"***"},{"x":1}]}`,
			Keep: patchSealed[2:], Changed: []string{"/db/password", "/token"}}},
	"merge a new secret": {
		[]masked.Op{op(masked.Merge, "", `{"token":"t","db":{"api_key":"k"}}`)}, outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":"z","password":"***",` +
				`"api_key":"***"},"list":[{"pin":"***"},{"x":1}]}`,
			Keep:    patchSealed[1:],
			Seal:    map[string]string{"/token": `"t"`, "/db/api_key": `"k"`},
			Changed: []string{"/db/api_key", "/token"},
		}},
	"merge an object over a secret": {
		[]masked.Op{op(masked.Merge, "", `{"token":{"a":1}}`)},
		outcome{Rejected: []string{"c/token sealed"}}},
	"merge a mask over an object": {
		[]masked.Op{op(masked.Merge, "", `{"db":"***"}`)},
		outcome{Rejected: []string{"c/db mask-without-stored-value"}}},
	"merge a mask over nothing": {
		[]masked.Op{op(masked.Merge, "", `{"api_secret":"***"}`)},
		outcome{Rejected: []string{"c/api_secret mask-without-stored-value"}}},
	"merge an object over an array": {
		[]masked.Op{op(masked.Merge, "", `{"list":{"a":null,"b":1}}`)},
		outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":"z","password":"***"},` +
				`"list":{"b":1}}`, Keep: patchSealed[:2], Changed: []string{"/list"}}},
	"merge an object over an array, masked": {
		[]masked.Op{op(masked.Merge, "", `{"list":{"0":{"pin":"***"}}}`)},
		outcome{Rejected: []string{"c/list/0/pin ambiguous-mask"}}},
	"merge into a member": {
		[]masked.Op{op(masked.Merge, "/db", `{"zone":null}`)},
		outcome{
			Doc: `{"name":"n","token":"***","db":{"password":"***"},` +
				`"list":[{"pin":"***"},{"x":1}]}`, Keep: patchSealed,
			Changed: []string{"/db/zone"}}},
	"merge into a member that is not there": {
		[]masked.Op{op(masked.Merge, "/x", `{"a":{"b":null}}`)},
		outcome{Doc: patchDoc[:len(patchDoc)-1] + `,"x":{"a":{}}}`, Keep: patchSealed,
			Changed: []string{"/x"}}},
	"merge an array replaces it": {[]masked.Op{op(masked.Merge, "", `{"list":[null]}`)},
		outcome{
			Doc: `{"name":"n","token":"***","db":{"zone":"z","password":"***"},` +
				`"list":[null]}`, Keep: patchSealed[:2], Changed: []string{"/list"}}},
	"merge with a non-object": {[]masked.Op{op(masked.Merge, "", `[1]`)},
		outcome{Doc: `[1]`, Changed: []string{""}}},
}

func TestPatch(t *testing.T) {
	for name, c := range patches {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Apply("c",
				masked.Stored{Doc: parse(t, patchDoc), Sealed: patchSealed},
				c.ops, classify.NameRule{})
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

// Merging into the masked document has the same result as merging into the plain one.
func TestMergeOfRandomDocuments(t *testing.T) {
	g := generator{newRand(7396)}
	rejected := 0
	for range 5000 {
		doc, patch := g.object(4, false), parse(t, g.object(3, false))
		if strings.Contains(text(patch), masked.Text) {
			continue
		}
		v := store(t, doc, classify.NameRule{})
		r, err := masked.Apply("c", v.stored, []masked.Op{{Kind: masked.Merge, Value: patch}},
			classify.NameRule{})
		if err != nil {
			checkRejection(t, err)
			rejected++ // a URL next to a secret
			continue
		}
		want := merged(parse(t, doc), patch)
		if got := parse(t, v.adopt(t, r).plain(t)); !got.Equal(want) {
			t.Fatalf("%s\npatched by %s\nholds %s\nwant %s", doc, text(patch), text(got),
				text(want))
		}
	}
	if rejected > 3000 {
		t.Errorf("%d of 5000 were rejected", rejected)
	}
}
