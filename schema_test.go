package installation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
	"github.com/google/go-cmp/cmp"
)

// catalogue is a host's catalogue of schemas, of which tests change what it says.
type catalogue struct {
	mu     sync.Mutex
	source validate.SchemaSource
	err    error
	asked  int
	loaded int
}

// set makes a text the schema of a revision.
func (c *catalogue) set(revision, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = nil
	c.source = validate.SchemaSource{Revision: revision, Load: func(context.Context) ([]byte, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.loaded++
		return []byte(text), nil
	}}
}

func (c *catalogue) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *catalogue) schema(context.Context, string, installation.Extension) (validate.SchemaSource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.source, c.err
}

// newDescribed is a world whose extension has a schema, and an installation i with the given configuration.
func newDescribed(t testing.TB, schema, configuration string) (*world, *catalogue) {
	t.Helper()
	c := &catalogue{}
	c.set("r1", schema)
	w := newWorld(t, func(o *installation.Options) { o.Schema = c.schema })
	if _, err := w.configure("i", configuration); err != nil {
		t.Fatal(err)
	}
	return w, c
}

// configure writes the configuration of an installation, which it makes if there is none.
func (w *world) configure(id, document string) (*installation.Result, error) {
	return w.host.Upsert(context.Background(), installation.UpsertRequest{ID: id, Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "EXT-1"}), Account: installation.Value(installation.Account{ID: "ACC-1"}),
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(document)}),
	}})
}

// patch applies operations to the configuration of i.
func (w *world) patch(ops ...installation.Operation) (*installation.Result, error) {
	return w.host.Patch(context.Background(), installation.PatchRequest{ID: "i", Operations: ops})
}

// configuration reads the configuration of i, masked.
func (w *world) configuration(t testing.TB) string {
	t.Helper()
	return w.get(t, "i").Configuration.Document.String()
}

// violations returns those of an error as "path rule", with the keyword of a schema and the related path.
func violations(t testing.TB, err error) []string {
	t.Helper()
	e, ok := errors.AsType[*validate.Error](err)
	if !ok {
		t.Fatalf("got %v, want violations", err)
	}
	var found []string
	for _, v := range e.Violations {
		text := v.Path + " " + string(v.Rule)
		for _, more := range []string{v.Keyword, v.Related} {
			if more != "" {
				text += " " + more
			}
		}
		found = append(found, text)
	}
	return found
}

func config(pointer string) installation.Ref {
	return installation.Ref{Kind: installation.RefConfig, Pointer: pointer}
}

func TestSchemaDecidesWhatIsSensitive(t *testing.T) {
	w, _ := newDescribed(t, `{"properties":{
		"pinned":{"type":"integer","writeOnly":true}, "tokens":{"x-sensitive":false}, "box":{"$ref":"#/$defs/box"}
	},"$defs":{"box":{"x-sensitive":true}}}`, `{"pinned":1234,"tokens":["a"],"box":{"a":[1]},"password":"p","name":"n"}`)
	if got, want := w.configuration(t), `{"pinned":"***","tokens":["a"],"box":"***","password":"***","name":"n"}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for at, want := range map[string]string{"/pinned": "1234", "/box": `{"a":[1]}`, "/password": "p"} {
		if got := w.reveal(t, "i", config(at)); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
	res, err := w.configure("i", w.configuration(t))
	if err != nil || res.Changed {
		t.Errorf("echo: %+v, %v", res, err)
	}
}

// The merged document is what is validated, kept secrets and all, and no violation has a value in it.
func TestSchemaValidatesTheMergedDocument(t *testing.T) {
	const canary = "hunter2canary"
	w, c := newDescribed(t, `{"required":["token"],"properties":{"token":{"writeOnly":true,"minLength":8},"n":{"type":"integer"},"box":{"x-sensitive":true}}}`,
		`{"token":"`+canary+`","n":1,"box":{"a":1}}`)
	for name, try := range map[string]struct {
		write func() (*installation.Result, error)
		want  []string
	}{
		"a kept secret satisfies it": {func() (*installation.Result, error) { return w.patch(installation.Set("/n", installation.JSON("2"))) }, nil},
		"plain value": {func() (*installation.Result, error) {
			return w.patch(installation.Set("/n", installation.JSON(`"`+canary+`"`)))
		}, []string{"configuration/n schema type"}},
		"secret too short": {func() (*installation.Result, error) {
			return w.patch(installation.SetSecret("/token", crypto.NewSecret("canary")))
		},
			[]string{"configuration/token schema minLength"}},
		"secret removed": {func() (*installation.Result, error) { return w.configure("i", `{"n":1}`) }, []string{"configuration/token schema required"}},
		"several":        {func() (*installation.Result, error) { return w.configure("i", `{"n":"`+canary+`"}`) }, []string{"configuration/n schema type", "configuration/token schema required"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try.write()
			if try.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(try.want, violations(t, err)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
				t.Errorf("quoted: %v", err)
			}
		})
	}

	c.set("r2", `{"properties":{"token":{"writeOnly":true,"maxLength":3},"box":{"x-sensitive":true,"properties":{"a":{"type":"string"}},"required":["b"]}}}`)
	_, err := w.patch(installation.Set("/n", installation.JSON("3")))
	want := []string{"configuration/box schema type", "configuration/box schema required", "configuration/token schema maxLength"}
	if diff := cmp.Diff(want, violations(t, err)); diff != "" {
		t.Errorf("a stricter schema meets a kept secret:\n%s", diff)
	}
	if res, err := w.configure("i", w.configuration(t)); err != nil || res.Changed {
		t.Errorf("an echo changes nothing and so is not refused: %+v, %v", res, err)
	}
	if _, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("x")}}); err != nil {
		t.Errorf("a write of something else: %v", err)
	}
}

// A read whose schema is still the same asks for its revision and for nothing else.
func TestReadsNeedTheRevisionAlone(t *testing.T) {
	w, c := newDescribed(t, `{"properties":{"a":{"writeOnly":true}}}`, `{"a":"x"}`)
	again, err := installation.New(w.store, testRing(t), &installation.Options{Schema: c.schema})
	if err != nil {
		t.Fatal(err)
	}
	host := again.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	asked, loaded := c.asked, c.loaded
	for range 3 {
		if i, err := host.Get(t.Context(), "i"); err != nil || i.Configuration.Document.String() != `{"a":"***"}` {
			t.Fatalf("got %v, %v", i, err)
		}
	}
	if c.asked-asked != 3 || c.loaded != loaded {
		t.Errorf("three reads asked %d times and loaded %d times", c.asked-asked, c.loaded-loaded)
	}
	customer := again.In("tenant-1").As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
	if i, err := customer.Get(t.Context(), "i"); err != nil || i.Configuration != nil || c.asked-asked != 3 {
		t.Errorf("one who may not see the configuration: %v, %v, asked %d", i, err, c.asked-asked)
	}
	c.set("r2", `{"properties":{"a":{"writeOnly":true}}}`)
	for range 3 {
		if _, err := host.Get(t.Context(), "i"); err != nil {
			t.Fatal(err)
		}
	}
	if c.loaded != loaded+1 {
		t.Errorf("a new revision was loaded %d times", c.loaded-loaded)
	}
}

// A new revision masks from the first read on and seals with the next write; what it un-marks stays sealed until a new value comes.
func TestANewRevision(t *testing.T) {
	w, c := newDescribed(t, `{}`, `{"note":"x","password":"p"}`)
	c.set("r2", `{"properties":{"note":{"writeOnly":true},"password":{"x-sensitive":false}}}`)
	if got, want := w.configuration(t), `{"note":"***","password":"***"}`; got != want {
		t.Errorf("read: %s", got)
	}
	if n := len(w.get(t, "i").Sealed); n != 1 {
		t.Errorf("%d secrets are sealed, want one: a read does not write", n)
	}
	res, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}})
	if err != nil || len(res.Sealed) != 2 {
		t.Fatalf("a write of something else sealed %v, %v", res.Sealed, err)
	}
	if got := w.reveal(t, "i", config("/note")); got != "x" {
		t.Errorf("note is %q", got)
	}
	if _, err := w.patch(installation.Set("/password", installation.JSON(`"plain"`))); err != nil {
		t.Fatal(err)
	}
	if got, want := w.configuration(t), `{"note":"***","password":"plain"}`; got != want {
		t.Errorf("written: %s, want %s", got, want)
	}
	c.set("", "")
	if got, want := w.configuration(t), `{"note":"***","password":"***"}`; got != want {
		t.Errorf("without a schema: %s, want %s", got, want)
	}
}

// While the schema cannot be used every value is masked, which is said, and no configuration can be written. Nothing is damaged by that.
func TestBrokenSchema(t *testing.T) {
	const canary = "hunter2canary"
	const before, hidden = `{"note":"x","n":1,"on":true,"password":"***","list":["a",null]}`, `{"note":"***","n":"***","on":"***","password":"***","list":["***",null]}`
	for name, c := range map[string]struct {
		breakIt func(c *catalogue)
		fault   validate.SchemaFault
	}{
		"syntax":    {func(c *catalogue) { c.set("r2", `{"title":"`+canary) }, validate.SchemaSyntax},
		"keyword":   {func(c *catalogue) { c.set("r2", `{"type":"`+canary+`"}`) }, validate.SchemaKeyword},
		"reference": {func(c *catalogue) { c.set("r2", `{"$ref":"https://u:`+canary+`@schemas.example"}`) }, validate.SchemaReference},
		"resolver":  {func(c *catalogue) { c.fail(errors.New(canary)) }, validate.SchemaUnreachable},
		"cancelled": {func(c *catalogue) { c.fail(fmt.Errorf(canary+": %w", context.Canceled)) }, validate.SchemaUnreachable},
		"no text":   {func(c *catalogue) { c.set("r2", ""); c.source.Load = nil }, validate.SchemaUnreachable},
		"no name":   {func(c *catalogue) { c.set(strings.Repeat("x", 257), "{}") }, validate.SchemaRevision},
		"odd name":  {func(c *catalogue) { c.set("\xff", "{}") }, validate.SchemaRevision},
		"load failed": {func(c *catalogue) {
			c.set("r2", "")
			c.source.Load = func(context.Context) ([]byte, error) { return nil, errors.New(canary) }
		}, validate.SchemaUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			w, cat := newDescribed(t, `{}`, `{"note":"x","n":1,"on":true,"password":"p","list":["a",null]}`)
			c.breakIt(cat)
			i, err := w.host.Get(t.Context(), "i")
			if err != nil {
				t.Fatal(err)
			}
			says := func(what string, err error) {
				t.Helper()
				e, ok := errors.AsType[*validate.SchemaError](err)
				if !ok || e.Fault != c.fault || !errors.Is(err, installation.ErrSchema) {
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
			list, err := w.host.List(t.Context(), installation.ListRequest{})
			if err != nil || list.Installations[0].Configuration.Document.String() != hidden {
				t.Errorf("list: %v, %v", list, err)
			}
			_, err = w.configure("i", hidden)
			says("echo", err)
			_, err = w.configure("i", `{"a":1}`)
			says("write", err)
			_, err = w.patch(installation.Set("/n", installation.JSON("2")))
			says("patch", err)
			_, err = w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "j", Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-1"}), Account: installation.Value(installation.Account{ID: "ACC-2"}),
				Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{}`)}),
			}})
			says("create", err)
			res, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("new name")}})
			if err != nil || res.Name != "new name" {
				t.Errorf("a write of something else: %v", err)
			}

			cat.set("r3", `{}`)
			if got := w.configuration(t); got != before {
				t.Errorf("after the repair: %s", got)
			}
			_, err = w.configure("i", hidden)
			want := []string{
				"configuration/list/0 mask-without-stored-value", "configuration/n mask-without-stored-value", "configuration/note mask-without-stored-value",
				"configuration/on mask-without-stored-value",
			}
			if diff := cmp.Diff(want, violations(t, err)); diff != "" {
				t.Errorf("what was shown meanwhile and is sent back: %s", diff)
			}
			if got := w.reveal(t, "i", config("/password")); got != "p" {
				t.Errorf("the secret is %q", got)
			}
			c.breakIt(cat)
			res, err = w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Configuration: installation.Remove[installation.Configuration]()}})
			if err != nil || res.Configuration != nil {
				t.Errorf("removal: %v, %v", res, err)
			}
		})
	}
}

func TestSchemaDefaultsAndElements(t *testing.T) {
	w, _ := newDescribed(t, `{"properties":{"region":{"default":"eu"},"targets":{"x-key":"id","items":{"properties":{"url":{"x-exposes":["1/token"]}}}}}}`,
		`{"targets":[{"id":"a","url":"https://a.example","token":"A"},{"id":"b","url":"https://b.example","token":"B"}]}`)
	const want = `{"targets":[{"id":"a","url":"https://a.example","token":"***"},{"id":"b","url":"https://b.example","token":"***"}],"region":"eu"}`
	if got := w.configuration(t); got != want {
		t.Errorf("got %s", got)
	}
	if _, err := w.configure("i", `{"targets":[{"id":"b","url":"https://b.example","token":"***"}],"region":"us"}`); err != nil {
		t.Fatal(err)
	}
	if got := w.reveal(t, "i", config("/targets/0/token")); got != "B" {
		t.Errorf("the token of b is %q", got)
	}
	_, err := w.configure("i", `{"targets":[{"id":"b","url":"https://evil.example","token":"***"}],"region":"us"}`)
	if diff := cmp.Diff([]string{"configuration/targets/0/token destination configuration/targets/0/url"}, violations(t, err)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.configure("i", `{"targets":[{"id":"b","url":"https://b.example","token":"***"},{"id":"c","url":"https://c.example","token":"C"}],"region":"us"}`); err != nil {
		t.Errorf("a target more: %v", err)
	}
}

// A page asks once for each extension in a row, and loads a schema that fails once.
func TestListsAskOnce(t *testing.T) {
	w, c := newDescribed(t, `{}`, `{"a":1}`)
	for n := range 20 {
		parts := sample()
		parts.Account = installation.Value(installation.Account{ID: fmt.Sprintf("ACC-%d", n+2)})
		parts.Extension = installation.Value(installation.Extension{ID: "EXT-1"})
		if _, err := w.host.Upsert(t.Context(), installation.UpsertRequest{Parts: parts}); err != nil {
			t.Fatal(err)
		}
	}
	loads := 0
	c.source = validate.SchemaSource{Revision: "r2", Load: func(context.Context) ([]byte, error) { loads++; return nil, errors.New("down") }}
	asked := c.asked
	list, err := w.host.List(t.Context(), installation.ListRequest{})
	if err != nil || len(list.Installations) != 21 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, i := range list.Installations {
		if i.Configuration.Err == nil {
			t.Errorf("%s says nothing", i.ID)
		}
	}
	if c.asked-asked != 1 || loads != 1 {
		t.Errorf("asked %d times, loaded %d times", c.asked-asked, loads)
	}
}

// Another extension, tenant or revision never gets the schema of this one.
func TestSchemasAreToldApart(t *testing.T) {
	schemas := map[string]string{"t1/E1": `{"properties":{"a":{"writeOnly":true}}}`, "t1/E2": `{"properties":{"b":{"writeOnly":true}}}`, "t2/E1": `{"properties":{"c":{"writeOnly":true}}}`}
	w := newWorld(t, func(o *installation.Options) {
		o.Schema = func(_ context.Context, tenant string, ext installation.Extension) (validate.SchemaSource, error) {
			text := schemas[tenant+"/"+ext.ID]
			return validate.SchemaSource{Revision: "1", Load: func(context.Context) ([]byte, error) { return []byte(text), nil }}, nil
		}
	})
	for place, want := range map[string]string{"t1/E1": `{"a":"***","b":"x","c":"x"}`, "t1/E2": `{"a":"x","b":"***","c":"x"}`, "t2/E1": `{"a":"x","b":"x","c":"***"}`} {
		tenant, extension, _ := strings.Cut(place, "/")
		res, err := w.svc.In(tenant).As(installation.Actor{Kind: installation.Host}).Upsert(t.Context(), installation.UpsertRequest{ID: "i-" + extension, Parts: installation.Parts{
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
		w, _ := newDescribed(t, schema, `{"kind":"b","url":"https://good.example","token":"t"}`)
		_, err := w.patch(installation.Set("/url", installation.JSON(`"https://evil.example"`)))
		if diff := cmp.Diff([]string{"configuration/token destination configuration/url"}, violations(t, err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A guess put beside a secret gets the same answer whether it is right or wrong, also in the write after it.
func TestUniqueItemsConfirmsNoGuess(t *testing.T) {
	w, c := newDescribed(t, `{"properties":{"n":{"type":"integer"},"pins":{"uniqueItems":true,"items":{"writeOnly":true}}}}`, `{"n":1,"pins":["4711"]}`)
	for _, guess := range []string{"4710", "4711"} {
		for what, op := range map[string]installation.Operation{
			"Set": installation.Set("/pins/-", installation.JSON(`"`+guess+`"`)), "SetSecret": installation.SetSecret("/pins/-", crypto.NewSecret(guess)),
		} {
			if _, err := w.patch(op); err != nil {
				t.Errorf("%s of %s: %v", what, guess, err)
			}
			if _, err := w.patch(installation.Set("/n", installation.JSON(`2`))); err != nil {
				t.Errorf("the write after %s of %s: %v", what, guess, err)
			}
			if _, err := w.patch(installation.Unset("/pins/1"), installation.Set("/n", installation.JSON(`1`))); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A value that is still stored plain, but sensitive under a new schema, is no other.
	c.set("r2", `{"properties":{"codes":{"uniqueItems":true}}}`)
	if _, err := w.patch(installation.Set("/codes", installation.JSON(`["1"]`))); err != nil {
		t.Fatal(err)
	}
	c.set("r3", `{"properties":{"codes":{"uniqueItems":true,"items":{"writeOnly":true}}}}`)
	for _, guess := range []string{"2", "1"} {
		if _, err := w.patch(installation.Set("/codes/-", installation.JSON(`"`+guess+`"`))); err != nil {
			t.Errorf("%s beside a plain one: %v", guess, err)
		}
	}
}

// A check of a schema ends with the context of its write, which then changed nothing.
func TestChecksEndWithTheContext(t *testing.T) {
	w, _ := newDescribed(t, `{"properties":{"list":{"items":{"type":"integer"}}}}`, `{"n":1}`)
	list := `[` + strings.TrimSuffix(strings.Repeat("1,", 50_000), ",") + `]`
	write := func(ctx context.Context) error {
		_, err := w.host.Patch(ctx, installation.PatchRequest{ID: "i", Operations: []installation.Operation{installation.Set("/list", installation.JSON(list))}})
		return err
	}
	ctx := &countingContext{Context: t.Context(), end: -1}
	if err := write(ctx); err != nil || ctx.asked < 50 {
		t.Fatalf("asked %d times, %v", ctx.asked, err)
	}
	if _, err := w.patch(installation.Unset("/list")); err != nil {
		t.Fatal(err)
	}
	if err := write(&countingContext{Context: t.Context(), end: ctx.asked / 2}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended: %v", err)
	}
	if got := w.configuration(t); got != `{"n":1}` {
		t.Errorf("ended: %.100s", got)
	}
}

// countingContext counts how often it is asked for its end, and ends at one of these times.
type countingContext struct {
	context.Context
	asked, end int
}

func (c *countingContext) Err() error {
	c.asked++
	if c.end >= 0 && c.asked > c.end {
		return context.DeadlineExceeded
	}
	return nil
}

// mapping is a document with n numbers that no name makes sensitive.
func mapping(n int) string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf(`"f%d":1`, i))
	}
	return `{"mapping":{` + strings.Join(members, ",") + `}}`
}

// alternatives is a schema with 20 branches for each member of a mapping.
var alternatives = `{"properties":{"mapping":{"additionalProperties":{"anyOf":[` + strings.TrimSuffix(strings.Repeat(`{"type":"string"},{"type":"integer"},`, 10), ",") + `]}}}}`

// A large document under an honest schema is stored as it is. One that is too much work is refused by that name, and nothing of it is sealed
// or hidden for want of an answer.
func TestTooComplexIsSaid(t *testing.T) {
	w, c := newDescribed(t, alternatives, mapping(4500))
	if i := w.get(t, "i"); len(i.Sealed) > 0 || i.Configuration.Document.String() != mapping(4500) || i.Configuration.Err != nil {
		t.Errorf("%d sealed, %v", len(i.Sealed), i.Configuration.Err)
	}
	want := []string{"configuration too-complex"}
	for name, write := range map[string]func() error{
		"a document": func() error { _, err := w.configure("i", mapping(15_000)); return err },
		"operations": func() error { _, err := w.patch(installation.Set("", installation.JSON(mapping(15_000)))); return err },
	} {
		if diff := cmp.Diff(want, violations(t, write())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`{"type":"string"},{"type":"integer"},`, 100), ",")
	c.set("r2", `{"properties":{"mapping":{"additionalProperties":{"anyOf":[`+many+`]}}}}`)
	i := w.get(t, "i")
	if e, ok := errors.AsType[*validate.SchemaError](i.Configuration.Err); !ok || e.Fault != validate.SchemaTooComplex || strings.Contains(i.Configuration.Document.String(), "1,") {
		t.Errorf("read under a schema that is too much for it: %v", i.Configuration.Err)
	}
	if _, err := w.patch(installation.Set("/mapping/f1", installation.JSON("2"))); !errors.Is(err, installation.ErrSchema) {
		t.Errorf("written under it: %v", err)
	}
	if _, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}}); err != nil {
		t.Errorf("a write of something else: %v", err)
	}
	c.set("r1", alternatives)
	if i := w.get(t, "i"); len(i.Sealed) > 0 || i.Configuration.Document.String() != mapping(4500) {
		t.Errorf("back again: %d sealed", len(i.Sealed))
	}
}

// Defaults that would make a document too large are refused as that.
func TestDefaultsThatAreTooMany(t *testing.T) {
	var members []string
	for i := range 200 {
		members = append(members, fmt.Sprintf(`"p%d":{"default":0}`, i))
	}
	w, _ := newDescribed(t, `{"properties":{"list":{"items":{"properties":{`+strings.Join(members, ",")+`}}}}}`, `{}`)
	_, err := w.configure("i", `{"list":[`+strings.TrimSuffix(strings.Repeat("{},", 15_000), ",")+`]}`)
	if diff := cmp.Diff([]string{"configuration too-large"}, violations(t, err)); diff != "" {
		t.Error(diff)
	}
}

// A number that no schema can compare is refused when it is given, and no hindrance once it is stored.
func TestStoredNumbersDoNotBlockWrites(t *testing.T) {
	w, c := newDescribed(t, `{}`, `{}`)
	c.set("", "")
	if _, err := w.configure("i", `{"n":1e2000,"list":[1e3000],"pin":1e2000,"m":1}`); err != nil {
		t.Fatal(err)
	}
	c.set("r1", `{}`)
	for _, op := range []installation.Operation{
		installation.Set("/m", installation.JSON("2")), installation.Set("/list/-", installation.JSON("1")), installation.Set("/n", installation.JSON("3")),
	} {
		if _, err := w.patch(op); err != nil {
			t.Error(err)
		}
	}
	_, err := w.patch(installation.Set("/n", installation.JSON("1e2001")))
	if diff := cmp.Diff([]string{"configuration/n range"}, violations(t, err)); diff != "" {
		t.Error(diff)
	}
}
