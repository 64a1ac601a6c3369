// Package schemas checks what the schema of an extension does to the
// configurations of its installations.
package schemas

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

func TestSchemaDecidesWhatIsSensitive(t *testing.T) {
	w, _ := fixture.NewDescribed(t, `{
		"properties":{
			"pinned":{"type":"integer","writeOnly":true},
			"tokens":{"x-sensitive":false},
			"box":{"$ref":"#/$defs/box"}
		},
		"$defs":{"box":{"x-sensitive":true}}
	}`, `{"pinned":1234,"tokens":["a"],"box":{"a":[1]},"password":"p","name":"n"}`)
	want := `{"pinned":"***","tokens":["a"],"box":"***","password":"***","name":"n"}`
	if got := w.Configuration(t); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for at, want := range map[string]string{
		"/pinned": "1234", "/box": `{"a":[1]}`, "/password": "p",
	} {
		if got := w.Reveal(t, "i", installation.Ref("config"+at)); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
	res, err := w.Configure("i", w.Configuration(t))
	if err != nil || res.Changed {
		t.Errorf("the same document again: %+v, %v", res, err)
	}
}

const mergedSchema = `{
	"required":["token"],
	"properties":{
		"token":{"writeOnly":true,"minLength":8},
		"n":{"type":"integer"},
		"box":{"x-sensitive":true}
	}
}`

const mergedDocument = `{"token":"` + canary + `","n":1,"box":{"a":1}}`

// The schema validates the merged document, with the secrets that the write
// keeps. No violation quotes a value.
func TestSchemaValidatesTheMergedDocument(t *testing.T) {
	w, _ := fixture.NewDescribed(t, mergedSchema, mergedDocument)
	type result = *installation.Result
	for name, try := range map[string]struct {
		write func() (result, error)
		want  []string
	}{
		"a kept secret is valid": {
			func() (result, error) { return w.Patch(patch.Set("/n", installation.JSON("2"))) },
			nil,
		},
		"plain value": {
			func() (result, error) {
				return w.Patch(patch.Set("/n", installation.JSON(`"`+canary+`"`)))
			},
			[]string{"configuration/n schema type"},
		},
		"secret too short": {
			func() (result, error) {
				return w.Patch(patch.SetSecret("/token", crypto.NewSecret("canary")))
			},
			[]string{"configuration/token schema minLength"},
		},
		"secret removed": {
			func() (result, error) { return w.Configure("i", `{"n":1}`) },
			[]string{"configuration/token schema required"},
		},
		"several": {
			func() (result, error) { return w.Configure("i", `{"n":"`+canary+`"}`) },
			[]string{"configuration/n schema type", "configuration/token schema required"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try.write()
			if try.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(try.want, fixture.Violations(t, err)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
				t.Errorf("quoted: %v", err)
			}
		})
	}
}

// A stricter schema also applies to the secrets that a write keeps. It does not
// block writes that leave the configuration alone.
func TestStricterSchemaValidatesKeptSecrets(t *testing.T) {
	w, c := fixture.NewDescribed(t, mergedSchema, mergedDocument)
	c.Set("r2", `{"properties":{
		"token":{"writeOnly":true,"maxLength":3},
		"box":{"x-sensitive":true,"properties":{"a":{"type":"string"}},"required":["b"]}
	}}`)
	_, err := w.Patch(patch.Set("/n", installation.JSON("3")))
	want := []string{
		"configuration/box schema type",
		"configuration/box schema required",
		"configuration/token schema maxLength",
	}
	if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
		t.Errorf("violations of kept secrets:\n%s", diff)
	}
	if res, err := w.Configure("i", w.Configuration(t)); err != nil || res.Changed {
		t.Errorf("a write without a change: %+v, %v", res, err)
	}
	if err := rename(t, w, "x"); err != nil {
		t.Errorf("a write of something else: %v", err)
	}
}

// A new revision masks from the first read and seals with the next write. A value
// that it no longer marks stays sealed until a new value is written.
func TestNewSchemaRevisionApplies(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{}`, `{"note":"x","password":"p"}`)
	c.Set("r2", `{"properties":{"note":{"writeOnly":true},"password":{"x-sensitive":false}}}`)
	if got, want := w.Configuration(t), `{"note":"***","password":"***"}`; got != want {
		t.Errorf("read: %s", got)
	}
	if n := len(w.Get(t, "i").Sealed); n != 1 {
		t.Errorf("%d secrets are sealed, want one: a read does not write", n)
	}
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Name: installation.Value("n")},
	})
	if err != nil || len(res.Sealed) != 2 {
		t.Fatalf("a write of something else: %+v, %v", res, err)
	}
	if got := w.Reveal(t, "i", "config/note"); got != "x" {
		t.Errorf("note is %q", got)
	}
	if _, err := w.Patch(patch.Set("/password", installation.JSON(`"plain"`))); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Configuration(t), `{"note":"***","password":"plain"}`; got != want {
		t.Errorf("written: %s, want %s", got, want)
	}
	c.Set("", "")
	if got, want := w.Configuration(t), `{"note":"***","password":"***"}`; got != want {
		t.Errorf("without a schema: %s, want %s", got, want)
	}
}

func TestSchemaDefaultsAndElements(t *testing.T) {
	const (
		a    = `{"id":"a","url":"https://a.example","token":"***"}`
		b    = `{"id":"b","url":"https://b.example","token":"***"}`
		evil = `{"id":"b","url":"https://evil.example","token":"***"}`
		c    = `{"id":"c","url":"https://c.example","token":"C"}`
		mode = `"mode":"full"`
	)
	w, _ := fixture.NewDescribed(t, `{"properties":{
		"mode":{"default":"fast"},
		"targets":{"x-key":"id","items":{"properties":{"url":{"x-exposes":["1/token"]}}}}
	}}`, `{"targets":[{"id":"a","url":"https://a.example","token":"A"},`+
		`{"id":"b","url":"https://b.example","token":"B"}]}`)
	want := `{"targets":[` + a + `,` + b + `],"mode":"fast"}`
	if got := w.Configuration(t); got != want {
		t.Errorf("got %s", got)
	}
	if _, err := w.Configure("i", `{"targets":[`+b+`],`+mode+`}`); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", "config/targets/0/token"); got != "B" {
		t.Errorf("the token of b is %q", got)
	}
	_, err := w.Configure("i", `{"targets":[`+evil+`],`+mode+`}`)
	violation := "configuration/targets/0/token destination configuration/targets/0/url"
	if diff := cmp.Diff([]string{violation}, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Configure("i", `{"targets":[`+b+`,`+c+`],`+mode+`}`); err != nil {
		t.Errorf("another target: %v", err)
	}
}

// A branch that applies only sometimes does not remove the rule for destinations,
// whether the document matches the branch or not.
func TestBranchesKeepDestinationRule(t *testing.T) {
	for name, schema := range map[string]string{
		"oneOf": `{"oneOf":[
			{"properties":{"kind":{"const":"a"},"url":{"x-exposes":[]}}},
			{"properties":{"kind":{"const":"b"},"url":{"format":"uri"}}}
		]}`,
		"then": `{
			"properties":{"url":{"format":"uri"}},
			"if":{"properties":{"kind":{"const":"a"}},"required":["kind"]},
			"then":{"properties":{"url":{"x-exposes":[]}}}
		}`,
	} {
		w, _ := fixture.NewDescribed(t, schema,
			`{"kind":"b","url":"https://good.example","token":"t"}`)
		_, err := w.Patch(patch.Set("/url", installation.JSON(`"https://evil.example"`)))
		want := []string{"configuration/token destination configuration/url"}
		if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A guess next to a secret gets the same answer whether it is right or wrong, in
// its own write and in the next one.
func TestUniqueItemsConfirmsNoGuess(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{"properties":{
		"n":{"type":"integer"},
		"pins":{"uniqueItems":true,"items":{"writeOnly":true}}
	}}`, `{"n":1,"pins":["4711"]}`)
	for _, guess := range []string{"4710", "4711"} {
		for what, op := range map[string]installation.Operation{
			"Set":       patch.Set("/pins/-", installation.JSON(`"`+guess+`"`)),
			"SetSecret": patch.SetSecret("/pins/-", crypto.NewSecret(guess)),
		} {
			if _, err := w.Patch(op); err != nil {
				t.Errorf("%s of %s: %v", what, guess, err)
			}
			if _, err := w.Patch(patch.Set("/n", installation.JSON(`2`))); err != nil {
				t.Errorf("the write after %s of %s: %v", what, guess, err)
			}
			reset := patch.Set("/n", installation.JSON(`1`))
			if _, err := w.Patch(patch.Unset("/pins/1"), reset); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The same is true for a stored plain value that a new schema makes sensitive.
	c.Set("r2", `{"properties":{"codes":{"uniqueItems":true}}}`)
	if _, err := w.Patch(patch.Set("/codes", installation.JSON(`["1"]`))); err != nil {
		t.Fatal(err)
	}
	c.Set("r3", `{"properties":{"codes":{"uniqueItems":true,"items":{"writeOnly":true}}}}`)
	for _, guess := range []string{"2", "1"} {
		if _, err := w.Patch(patch.Set("/codes/-", installation.JSON(`"`+guess+`"`))); err != nil {
			t.Errorf("%s next to a plain value: %v", guess, err)
		}
	}
}
