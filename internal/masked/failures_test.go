package masked_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
)

// knownDocument is a stored document for known failures of other products with masked secrets.
// The subtests have the numbers of their reports.
type knownDocument struct{ vault }

func newKnownDocument(t *testing.T) knownDocument {
	t.Helper()
	return knownDocument{store(t, `{"url":"https://api.example","secret":"s3cr3t","token":"t"}`,
		classify.NameRule{})}
}

// view returns the document as a reader sees it.
func (k knownDocument) view() string { return text(k.stored.Doc) }

// put replaces the document.
func (k knownDocument) put(t *testing.T, doc string) outcome {
	t.Helper()
	r, err := masked.Replace("c", k.stored, parse(t, doc), classify.NameRule{})
	return outcomeOf(t, r, err)
}

func TestKnownFailuresOfMasks(t *testing.T) {
	known := newKnownDocument(t)
	t.Run("n8n-35987 mask stored as the secret on create", func(t *testing.T) {
		r, err := masked.Replace("c", masked.Stored{}, parse(t, known.view()),
			classify.NameRule{})
		want := outcome{Rejected: []string{"c/secret mask-without-stored-value",
			"c/token mask-without-stored-value"}}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("n8n-12447 a document that was read can be written back", func(t *testing.T) {
		if got := known.put(t, known.view()); len(got.Changed)+len(got.Seal)+
			len(got.Rejected) > 0 ||
			len(got.Keep) != 2 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("casdoor-749 literal mask only if requested", func(t *testing.T) {
		ops := []masked.Op{{Kind: masked.SetSecret, Pointer: "/secret",
			Value: parse(t, `"***"`)}}
		r, err := masked.Apply("c", known.stored, ops, classify.NameRule{})
		if got := outcomeOf(t, r, err); got.Seal["/secret"] != `"***"` {
			t.Errorf("got %+v", got)
		}
		if got := known.put(t, known.view()); got.Seal != nil {
			t.Errorf("a plain write sealed %v", got.Seal)
		}
	})
	t.Run("Jenkins and Nango: a value that looks sealed is a value", func(t *testing.T) {
		doc := strings.Replace(known.view(), `"secret":"***"`, `"secret":"isv1.AQEAAAAB"`, 1)
		if got := known.put(t, doc); got.Seal["/secret"] != `"isv1.AQEAAAAB"` {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("JSON names in another letter case do not overwrite", func(t *testing.T) {
		got := known.put(t,
			`{"url":"https://api.example","token":"***","TOKEN":"evil","secret":"***"}`)
		if !slices.Equal(got.Keep, []string{"/token", "/secret"}) ||
			got.Seal["/TOKEN"] != `"evil"` {
			t.Errorf("got %+v", got)
		}
	})
}

func TestKnownFailuresOfKeptSecrets(t *testing.T) {
	known := newKnownDocument(t)
	t.Run("Grafana-22552 a secret can be cleared", func(t *testing.T) {
		for _, doc := range []string{
			`{"url":"https://api.example","token":"***"}`,
			`{"url":"https://api.example","secret":null,"token":"***"}`,
		} {
			if got := known.put(t, doc); !slices.Equal(got.Keep, []string{"/token"}) ||
				got.Rejected != nil {
				t.Errorf("%s: got %+v", doc, got)
			}
		}
	})
	t.Run("Grafana-45273 an update of something else strips nothing", func(t *testing.T) {
		withNote := store(t, `{"note":"a","secret":"s3cr3t","token":"t"}`, classify.NameRule{})
		r, err := masked.Replace("c", withNote.stored,
			parse(t, `{"note":"b","secret":"***","token":"***"}`), classify.NameRule{})
		got := outcomeOf(t, r, err)
		if !slices.Equal(got.Keep, []string{"/secret", "/token"}) ||
			!slices.Equal(got.Changed, []string{"/note"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("Airbyte-13241 the mask of one object is not that of another", func(t *testing.T) {
		v := store(t, `{"a":{"token":"A"},"b":{"token":"B"}}`, classify.NameRule{})
		r, err := masked.Replace("c", v.stored,
			parse(t, `{"b":{"token":"***"},"a":{"token":"***"}}`), classify.NameRule{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := v.adopt(t, r).plain(t),
			`{"b":{"token":"B"},"a":{"token":"A"}}`; got != want {
			t.Errorf("holds %s, want %s", got, want)
		}
	})
	t.Run("Airbyte secrets in arrays are restored or rejected, never swapped", func(
		t *testing.T,
	) {
		v := store(t, `{"l":[{"n":1,"token":"A"},{"n":2,"token":"B"}]}`, classify.NameRule{})
		for doc, want := range map[string]string{
			`[{"n":1,"token":"***"},{"n":2,"token":"***"}]`: `[{"n":1,"token":"A"},{"n":2,` +
				`"token":"B"}]`,
			`[{"n":2,"token":"***"},{"n":1,"token":"***"}]`: "",
			`[{"n":2,"token":"***"}]`:                       "",
		} {
			r, err := masked.Replace("c", v.stored, parse(t, `{"l":`+doc+`}`),
				classify.NameRule{})
			if rejected := err != nil; rejected != (want == "") {
				t.Fatalf("%s: %v", doc, err)
			}
			if want != "" {
				if got := v.adopt(t, r).plain(t); got != `{"l":`+want+`}` {
					t.Errorf("%s: holds %s, want %s", doc, got, want)
				}
			}
		}
	})
}

func TestKnownFailuresWithGuesses(t *testing.T) {
	known := newKnownDocument(t)
	t.Run("CVE-2023-27481 CVE-2023-22894 CVE-2019-14351 nothing confirms a guess", func(
		t *testing.T,
	) {
		for _, guess := range []string{`"s3cr3t"`, `"wrong"`, `"***"`} {
			for _, ops := range [][]masked.Op{
				{{Kind: masked.Test, Pointer: "/secret", Value: parse(t, guess)}},
				{{Kind: masked.Test, Pointer: "/secret/0", Value: parse(t, guess)}},
				{{Kind: masked.Test, Pointer: "", Value: parse(t, `{"secret":`+guess+`}`)}},
			} {
				r, err := masked.Apply("c", known.stored, ops, classify.NameRule{})
				if got := outcomeOf(t, r, err); len(got.Rejected) != 1 ||
					!strings.HasSuffix(got.Rejected[0], " sealed") {
					t.Errorf("%s at %q: got %+v", guess, ops[0].Pointer, got)
				}
			}
		}
		a := known.put(t, strings.Replace(known.view(), `"***"`, `"s3cr3t"`, 1))
		b := known.put(t, strings.Replace(known.view(), `"***"`, `"wrong"`, 1))
		if !slices.Equal(a.Changed, b.Changed) || len(a.Seal) != len(b.Seal) {
			t.Errorf("right: %+v, wrong: %+v", a, b)
		}
	})
}

// No value is in an error, a list of changes or a print of anything (CVE-2023-40029,
// CVE-2025-23216).
func TestNothingPrintsASecret(t *testing.T) {
	const canary = "hunter2canary"
	old := store(t, `{"token":"`+canary+`","list":[{"pin":"`+canary+
		`","n":1},{"n":2}],"name":"`+canary+`"}`, classify.NameRule{})
	var prints []string
	add := func(values ...any) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			prints = append(prints, fmt.Sprintf(verb, values))
		}
	}
	for _, doc := range []string{
		`{"token":"` + canary + `2","list":[{"pin":"***","n":1},{"n":2}],"secret":"` + canary +
			`"}`,
		`{"token":"","list":["` + canary + `","***"],"secret":["***","` + canary + `"]}`,
		`{"token":{"` + canary[:3] + `":"` + canary + `"}}`,
		`"` + canary + `"`,
	} {
		r, err := masked.Replace("c", old.stored, parse(t, doc), classify.NameRule{})
		add(old.stored, r, r.Seal, r.Changed, err)
		for _, kind := range []masked.OpKind{masked.Set, masked.SetSecret, masked.Test,
			masked.Remove, "x"} {
			for _, at := range []string{"", "/token", "/token/x", "/list/0/pin", "/list/7",
				"/new", "x"} {
				op := masked.Op{Kind: kind, Pointer: at, Value: parse(t, doc)}
				r, err := masked.Apply("c", old.stored, []masked.Op{op}, classify.NameRule{})
				add(op, r, r.Seal, r.Changed, err)
			}
		}
	}
	for _, bad := range []string{`{"token":"` + canary + `"`,
		`{"token":"` + canary + `\ud800"}`, canary} {
		_, err := masked.Parse("c", []byte(bad))
		add(err)
	}
	if len(prints) < 100 {
		t.Fatal("nothing to look at")
	}
	for _, s := range prints {
		if strings.Contains(s, canary) || strings.Contains(s, fmt.Sprintf("%x", canary)) {
			t.Fatalf("a print has the secret: %s", s)
		}
	}
}

// The mask of another program is no secret (litellm-39878).
func TestMasksOfOtherPrograms(t *testing.T) {
	known := newKnownDocument(t)
	for _, value := range []string{`"s3****3t"`, `"****"`, `"a***"`, `"***\n"`, `"＊＊＊"`,
		`"sk-t****u9XK"`, `"•••"`, `"●●●●●●●●"`, `"<redacted>"`, `"[Secret hidden]"`,
		`"(sensitive value)"`, `"[FILTERED]"`, `"REDACTED"`, `"{{masked}}"`, `"xxxx4242"`,
		// four x in a row are how forms of payment mask a number
		`"XXXX-XXXX"`, `"sk-...u9XK"`, `"sk-…u9XK"`, `"########"`, `"____"`} {
		doc := strings.Replace(known.view(), `"secret":"***"`, `"secret":`+value, 1)
		got := known.put(t, doc).Rejected
		if diff := cmp.Diff([]string{"c/secret mask-without-stored-value"}, got); diff != "" {
			t.Errorf("%s: %s", value, diff)
		}
		_, err := masked.Replace("c", masked.Stored{}, parse(t, `{"secret":`+value+`}`),
			classify.NameRule{})
		if err == nil || !strings.Contains(err.Error(), "patch.SetSecret") {
			t.Errorf("%s, on create: got %v", value, err)
		}
		r, err := masked.Apply("c", known.stored,
			[]masked.Op{op(masked.SetSecret, "/secret", value)}, classify.NameRule{})
		if err != nil || len(r.Seal) != 1 {
			t.Errorf("%s, set explicitly: got %v", value, err)
		}
	}
}

// A real value with asterisks survives (OpenNMS-4599).
func TestAsterisksInSecrets(t *testing.T) {
	known := newKnownDocument(t)
	for _, value := range []string{`"**"`, `"a*b*c*d"`, `"<secret"`, `"[]"`, `"a secret"`,
		`"secret"`, `"hidden1"`, `"xxx"`, `"aaaa"`, `"0000"`, `"one ... two"`, `"##"`} {
		doc := strings.Replace(known.view(), `"secret":"***"`, `"secret":`+value, 1)
		if got := known.put(t, doc); got.Seal["/secret"] != value {
			t.Errorf("%s: got %+v", value, got)
		}
	}
}
