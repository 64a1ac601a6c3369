// Package schemas checks what the schema of an extension does to the configurations of its installations.
package schemas

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

func TestSchemaDecidesWhatIsSensitive(t *testing.T) {
	w, _ := fixture.NewDescribed(t, `{"properties":{
		"pinned":{"type":"integer","writeOnly":true}, "tokens":{"x-sensitive":false}, "box":{"$ref":"#/$defs/box"}
	},"$defs":{"box":{"x-sensitive":true}}}`, `{"pinned":1234,"tokens":["a"],"box":{"a":[1]},"password":"p","name":"n"}`)
	if got, want := w.Configuration(t), `{"pinned":"***","tokens":["a"],"box":"***","password":"***","name":"n"}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for at, want := range map[string]string{"/pinned": "1234", "/box": `{"a":[1]}`, "/password": "p"} {
		if got := w.Reveal(t, "i", installation.Ref("config"+at)); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
	res, err := w.Configure("i", w.Configuration(t))
	if err != nil || res.Changed {
		t.Errorf("echo: %+v, %v", res, err)
	}
}

// The merged document is what is validated, kept secrets and all, and no violation has a value in it.
func TestSchemaValidatesTheMergedDocument(t *testing.T) {
	const canary = "hunter2canary"
	w, c := fixture.NewDescribed(t, `{"required":["token"],"properties":{"token":{"writeOnly":true,"minLength":8},"n":{"type":"integer"},"box":{"x-sensitive":true}}}`,
		`{"token":"`+canary+`","n":1,"box":{"a":1}}`)
	for name, try := range map[string]struct {
		write func() (*installation.Result, error)
		want  []string
	}{
		"a kept secret satisfies it": {func() (*installation.Result, error) { return w.Patch(patch.Set("/n", installation.JSON("2"))) }, nil},
		"plain value": {func() (*installation.Result, error) {
			return w.Patch(patch.Set("/n", installation.JSON(`"`+canary+`"`)))
		}, []string{"configuration/n schema type"}},
		"secret too short": {func() (*installation.Result, error) {
			return w.Patch(patch.SetSecret("/token", crypto.NewSecret("canary")))
		},
			[]string{"configuration/token schema minLength"}},
		"secret removed": {func() (*installation.Result, error) { return w.Configure("i", `{"n":1}`) }, []string{"configuration/token schema required"}},
		"several":        {func() (*installation.Result, error) { return w.Configure("i", `{"n":"`+canary+`"}`) }, []string{"configuration/n schema type", "configuration/token schema required"}},
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

	c.Set("r2", `{"properties":{"token":{"writeOnly":true,"maxLength":3},"box":{"x-sensitive":true,"properties":{"a":{"type":"string"}},"required":["b"]}}}`)
	_, err := w.Patch(patch.Set("/n", installation.JSON("3")))
	want := []string{"configuration/box schema type", "configuration/box schema required", "configuration/token schema maxLength"}
	if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
		t.Errorf("a stricter schema meets a kept secret:\n%s", diff)
	}
	if res, err := w.Configure("i", w.Configuration(t)); err != nil || res.Changed {
		t.Errorf("an echo changes nothing and so is not refused: %+v, %v", res, err)
	}
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("x")}}); err != nil {
		t.Errorf("a write of something else: %v", err)
	}
}

// A read whose schema is still the same asks for its revision and for nothing else.
func TestReadsNeedOnlySchemaRevision(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{"properties":{"a":{"writeOnly":true}}}`, `{"a":"x"}`)
	again, err := installation.New(w.Store, fixture.Ring(t), &installation.Options{Schema: c.Schema})
	if err != nil {
		t.Fatal(err)
	}
	host := again.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	asked, loaded := c.Asked, c.Loaded
	for range 3 {
		if i, err := host.Get(t.Context(), "i"); err != nil || i.Configuration.Document.String() != `{"a":"***"}` {
			t.Fatalf("got %v, %v", i, err)
		}
	}
	if c.Asked-asked != 3 || c.Loaded != loaded {
		t.Errorf("three reads asked %d times and loaded %d times", c.Asked-asked, c.Loaded-loaded)
	}
	customer := again.In("tenant-1").As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
	if i, err := customer.Get(t.Context(), "i"); err != nil || i.Configuration != nil || c.Asked-asked != 3 {
		t.Errorf("one who may not see the configuration: %v, %v, asked %d", i, err, c.Asked-asked)
	}
	c.Set("r2", `{"properties":{"a":{"writeOnly":true}}}`)
	for range 3 {
		if _, err := host.Get(t.Context(), "i"); err != nil {
			t.Fatal(err)
		}
	}
	if c.Loaded != loaded+1 {
		t.Errorf("a new revision was loaded %d times", c.Loaded-loaded)
	}
}

// A new revision masks from the first read on and seals with the next write; what it un-marks stays sealed until a new value comes.
func TestNewSchemaRevisionApplies(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{}`, `{"note":"x","password":"p"}`)
	c.Set("r2", `{"properties":{"note":{"writeOnly":true},"password":{"x-sensitive":false}}}`)
	if got, want := w.Configuration(t), `{"note":"***","password":"***"}`; got != want {
		t.Errorf("read: %s", got)
	}
	if n := len(w.Get(t, "i").Sealed); n != 1 {
		t.Errorf("%d secrets are sealed, want one: a read does not write", n)
	}
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}})
	if err != nil || len(res.Sealed) != 2 {
		t.Fatalf("a write of something else sealed %v, %v", res.Sealed, err)
	}
	if got := w.Reveal(t, "i", installation.Ref("config/note")); got != "x" {
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

// While the schema cannot be used every value is masked, which is said, and no configuration can be written. Nothing is damaged by that.
func TestBrokenSchema(t *testing.T) {
	const canary = "hunter2canary"
	const before, hidden = `{"note":"x","n":1,"on":true,"password":"***","list":["a",null]}`, `{"note":"***","n":"***","on":"***","password":"***","list":["***",null]}`
	for name, c := range map[string]struct {
		breakIt func(c *fixture.Catalogue)
		fault   validate.SchemaFault
	}{
		"syntax":    {func(c *fixture.Catalogue) { c.Set("r2", `{"title":"`+canary) }, validate.SchemaSyntax},
		"keyword":   {func(c *fixture.Catalogue) { c.Set("r2", `{"type":"`+canary+`"}`) }, validate.SchemaKeyword},
		"reference": {func(c *fixture.Catalogue) { c.Set("r2", `{"$ref":"https://u:`+canary+`@schemas.example"}`) }, validate.SchemaReference},
		"resolver":  {func(c *fixture.Catalogue) { c.Fail(errors.New(canary)) }, validate.SchemaUnreachable},
		"cancelled": {func(c *fixture.Catalogue) { c.Fail(fmt.Errorf(canary+": %w", context.Canceled)) }, validate.SchemaUnreachable},
		"no text":   {func(c *fixture.Catalogue) { c.Set("r2", ""); c.Source.Load = nil }, validate.SchemaUnreachable},
		"no name":   {func(c *fixture.Catalogue) { c.Set(strings.Repeat("x", 257), "{}") }, validate.SchemaRevision},
		"odd name":  {func(c *fixture.Catalogue) { c.Set("\xff", "{}") }, validate.SchemaRevision},
		"load failed": {func(c *fixture.Catalogue) {
			c.Set("r2", "")
			c.Source.Load = func(context.Context) ([]byte, error) { return nil, errors.New(canary) }
		}, validate.SchemaUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			w, cat := fixture.NewDescribed(t, `{}`, `{"note":"x","n":1,"on":true,"password":"p","list":["a",null]}`)
			c.breakIt(cat)
			i, err := w.Host.Get(t.Context(), "i")
			if err != nil {
				t.Fatal(err)
			}
			says := func(what string, err error) {
				t.Helper()
				e, ok := errors.AsType[*validate.SchemaError](err)
				if !ok || e.Fault != c.fault || !errors.Is(err, validate.ErrSchema) {
					t.Errorf("%s: got %v", what, err)
				}
				if text := fmt.Sprintf("%v %+v %#v %#v", err, err, err, e); strings.Contains(text, canary) {
					t.Errorf("%s is quoted: %s", what, text)
				}
				if got := errors.Is(err, context.Canceled); got != (name == "cancelled") {
					t.Errorf("%s: cancelled is %v", what, got)
				}
			}
			says("read", i.Configuration.Err)
			if got := i.Configuration.Document.String(); got != hidden {
				t.Errorf("shown: %s", got)
			}
			list, err := w.Host.List(t.Context(), installation.ListRequest{})
			if err != nil || list.Installations[0].Configuration.Document.String() != hidden {
				t.Errorf("list: %v, %v", list, err)
			}
			_, err = w.Configure("i", hidden)
			says("echo", err)
			_, err = w.Configure("i", `{"a":1}`)
			says("write", err)
			_, err = w.Patch(patch.Set("/n", installation.JSON("2")))
			says("patch", err)
			_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "j", Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-1"}), Account: installation.Value(installation.Account{ID: "ACC-2"}),
				Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{}`)}),
			}})
			says("create", err)
			res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("new name")}})
			if err != nil || res.Name != "new name" {
				t.Errorf("a write of something else: %v", err)
			}

			cat.Set("r3", `{}`)
			if got := w.Configuration(t); got != before {
				t.Errorf("after the repair: %s", got)
			}
			_, err = w.Configure("i", hidden)
			want := []string{
				"configuration/list/0 mask-without-stored-value", "configuration/n mask-without-stored-value", "configuration/note mask-without-stored-value",
				"configuration/on mask-without-stored-value",
			}
			if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
				t.Errorf("what was shown meanwhile and is sent back: %s", diff)
			}
			if got := w.Reveal(t, "i", installation.Ref("config/password")); got != "p" {
				t.Errorf("the secret is %q", got)
			}
			c.breakIt(cat)
			res, err = w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Configuration: installation.Remove[installation.Configuration]()}})
			if err != nil || res.Configuration != nil {
				t.Errorf("removal: %v, %v", res, err)
			}
		})
	}
}

func TestSchemaDefaultsAndElements(t *testing.T) {
	w, _ := fixture.NewDescribed(t, `{"properties":{"region":{"default":"eu"},"targets":{"x-key":"id","items":{"properties":{"url":{"x-exposes":["1/token"]}}}}}}`,
		`{"targets":[{"id":"a","url":"https://a.example","token":"A"},{"id":"b","url":"https://b.example","token":"B"}]}`)
	const want = `{"targets":[{"id":"a","url":"https://a.example","token":"***"},{"id":"b","url":"https://b.example","token":"***"}],"region":"eu"}`
	if got := w.Configuration(t); got != want {
		t.Errorf("got %s", got)
	}
	if _, err := w.Configure("i", `{"targets":[{"id":"b","url":"https://b.example","token":"***"}],"region":"us"}`); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", installation.Ref("config/targets/0/token")); got != "B" {
		t.Errorf("the token of b is %q", got)
	}
	_, err := w.Configure("i", `{"targets":[{"id":"b","url":"https://evil.example","token":"***"}],"region":"us"}`)
	if diff := cmp.Diff([]string{"configuration/targets/0/token destination configuration/targets/0/url"}, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Configure("i", `{"targets":[{"id":"b","url":"https://b.example","token":"***"},{"id":"c","url":"https://c.example","token":"C"}],"region":"us"}`); err != nil {
		t.Errorf("a target more: %v", err)
	}
}

// A page asks once for each extension in a row, and loads a schema that fails once.
func TestListLooksUpSchemaOnce(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{}`, `{"a":1}`)
	for n := range 20 {
		parts := fixture.Parts()
		parts.Account = installation.Value(installation.Account{ID: fmt.Sprintf("ACC-%d", n+2)})
		parts.Extension = installation.Value(installation.Extension{ID: "EXT-1"})
		if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{Parts: parts}); err != nil {
			t.Fatal(err)
		}
	}
	loads := 0
	c.Source = validate.SchemaSource{Revision: "r2", Load: func(context.Context) ([]byte, error) { loads++; return nil, errors.New("down") }}
	asked := c.Asked
	list, err := w.Host.List(t.Context(), installation.ListRequest{})
	if err != nil || len(list.Installations) != 21 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, i := range list.Installations {
		if i.Configuration.Err == nil {
			t.Errorf("%s says nothing", i.ID)
		}
	}
	if c.Asked-asked != 1 || loads != 1 {
		t.Errorf("asked %d times, loaded %d times", c.Asked-asked, loads)
	}
}

// Another extension, tenant or revision never gets the schema of this one.
func TestSchemasAreKeptApart(t *testing.T) {
	schemas := map[string]string{"t1/E1": `{"properties":{"a":{"writeOnly":true}}}`, "t1/E2": `{"properties":{"b":{"writeOnly":true}}}`, "t2/E1": `{"properties":{"c":{"writeOnly":true}}}`}
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Schema = func(_ context.Context, tenant string, ext installation.Extension) (validate.SchemaSource, error) {
			text := schemas[tenant+"/"+ext.ID]
			return validate.SchemaSource{Revision: "1", Load: func(context.Context) ([]byte, error) { return []byte(text), nil }}, nil
		}
	})
	for place, want := range map[string]string{"t1/E1": `{"a":"***","b":"x","c":"x"}`, "t1/E2": `{"a":"x","b":"***","c":"x"}`, "t2/E1": `{"a":"x","b":"x","c":"***"}`} {
		tenant, extension, _ := strings.Cut(place, "/")
		res, err := w.Service.In(tenant).As(installation.Actor{Kind: installation.Host}).Upsert(t.Context(), installation.UpsertRequest{ID: "i-" + extension, Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: extension}), Account: installation.Value(installation.Account{ID: "A"}),
			Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"a":"x","b":"x","c":"x"}`)}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Configuration.Document.String(); got != want {
			t.Errorf("%s: %s, want %s", place, got, want)
		}
	}
}

// What is said of a place in one branch alone does not take the rule for destinations away, whichever branch the document is in.
func TestBranchesDoNotDisarmDestinations(t *testing.T) {
	for name, schema := range map[string]string{
		"oneOf": `{"oneOf":[{"properties":{"kind":{"const":"a"},"url":{"x-exposes":[]}}},{"properties":{"kind":{"const":"b"},"url":{"format":"uri"}}}]}`,
		"then":  `{"properties":{"url":{"format":"uri"}},"if":{"properties":{"kind":{"const":"a"}},"required":["kind"]},"then":{"properties":{"url":{"x-exposes":[]}}}}`,
	} {
		w, _ := fixture.NewDescribed(t, schema, `{"kind":"b","url":"https://good.example","token":"t"}`)
		_, err := w.Patch(patch.Set("/url", installation.JSON(`"https://evil.example"`)))
		if diff := cmp.Diff([]string{"configuration/token destination configuration/url"}, fixture.Violations(t, err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A guess put beside a secret gets the same answer whether it is right or wrong, also in the write after it.
func TestUniqueItemsConfirmsNoGuess(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{"properties":{"n":{"type":"integer"},"pins":{"uniqueItems":true,"items":{"writeOnly":true}}}}`, `{"n":1,"pins":["4711"]}`)
	for _, guess := range []string{"4710", "4711"} {
		for what, op := range map[string]installation.Operation{
			"Set": patch.Set("/pins/-", installation.JSON(`"`+guess+`"`)), "SetSecret": patch.SetSecret("/pins/-", crypto.NewSecret(guess)),
		} {
			if _, err := w.Patch(op); err != nil {
				t.Errorf("%s of %s: %v", what, guess, err)
			}
			if _, err := w.Patch(patch.Set("/n", installation.JSON(`2`))); err != nil {
				t.Errorf("the write after %s of %s: %v", what, guess, err)
			}
			if _, err := w.Patch(patch.Unset("/pins/1"), patch.Set("/n", installation.JSON(`1`))); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A value that is still stored plain, but sensitive under a new schema, is no other.
	c.Set("r2", `{"properties":{"codes":{"uniqueItems":true}}}`)
	if _, err := w.Patch(patch.Set("/codes", installation.JSON(`["1"]`))); err != nil {
		t.Fatal(err)
	}
	c.Set("r3", `{"properties":{"codes":{"uniqueItems":true,"items":{"writeOnly":true}}}}`)
	for _, guess := range []string{"2", "1"} {
		if _, err := w.Patch(patch.Set("/codes/-", installation.JSON(`"`+guess+`"`))); err != nil {
			t.Errorf("%s beside a plain one: %v", guess, err)
		}
	}
}
