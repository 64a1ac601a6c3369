package schemas

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

const (
	canary = "hunter2canary" // in the text of schemas and errors, and in no answer

	brokenDocument = `{"note":"x","n":1,"on":true,"password":"p","list":["a",null]}`
	brokenMasked   = `{"note":"x","n":1,"on":true,"password":"***","list":["a",null]}`
	brokenHidden   = `{"note":"***","n":"***","on":"***","password":"***","list":["***",null]}`
)

// breakage is a way to make a schema unusable, with the fault to report.
type breakage struct {
	name    string
	breakIt func(c *fixture.Catalogue)
	fault   validate.SchemaFault
}

var breakages = []breakage{
	{"syntax", setSchema("r2", `{"title":"`+canary), validate.SchemaSyntax},
	{"keyword", setSchema("r2", `{"type":"`+canary+`"}`), validate.SchemaKeyword},
	{"reference", setSchema("r2", `{"$ref":"https://u:`+canary+`@schemas.example"}`),
		validate.SchemaReference},
	{"lost mark", setSchema("r2", `{"connectionSpecification":{"properties":{"note":{`+
		`"secret":true,"title":"`+canary+`"}}}}`), validate.SchemaMark},
	{"default", setSchema("r2", `{"properties":{"x":{"type":"integer","default":"`+canary+`"}}}`),
		validate.SchemaDefault},
	{"resolver", func(c *fixture.Catalogue) { c.Fail(errors.New(canary)) },
		validate.SchemaUnreachable},
	{"cancelled", func(c *fixture.Catalogue) {
		c.Fail(fmt.Errorf(canary+": %w", context.Canceled))
	}, validate.SchemaUnreachable},
	{"no text", func(c *fixture.Catalogue) {
		c.Set("r2", "")
		c.Source.Load = nil
	}, validate.SchemaUnreachable},
	{"long revision", setSchema(strings.Repeat("x", 257), "{}"), validate.SchemaRevision},
	{"odd revision", setSchema("\xff", "{}"), validate.SchemaRevision},
	{"load failed", func(c *fixture.Catalogue) {
		c.Set("r2", "")
		c.Source.Load = func(context.Context) ([]byte, error) { return nil, errors.New(canary) }
	}, validate.SchemaUnreachable},
}

func setSchema(revision, text string) func(c *fixture.Catalogue) {
	return func(c *fixture.Catalogue) { c.Set(revision, text) }
}

// check compares an error with the fault. It must not quote the schema or the
// host's error.
func (b *breakage) check(t *testing.T, what string, err error) {
	t.Helper()
	e, ok := errors.AsType[*validate.SchemaError](err)
	if !ok || e.Fault != b.fault || !errors.Is(err, validate.ErrSchema) {
		t.Errorf("%s: got %v", what, err)
	}
	if text := fmt.Sprintf("%v %+v %#v %#v", err, err, err, e); strings.Contains(text, canary) {
		t.Errorf("%s is quoted: %s", what, text)
	}
	if got := errors.Is(err, context.Canceled); got != (b.name == "cancelled") {
		t.Errorf("%s: cancelled is %v", what, got)
	}
}

// While the schema is unusable, reads mask every value and report the fault, and
// the configuration cannot be written. A repaired schema restores everything.
func TestBrokenSchemaMasksEverything(t *testing.T) {
	for _, b := range breakages {
		t.Run(b.name, func(t *testing.T) {
			w, cat := fixture.NewDescribed(t, `{}`, brokenDocument)
			b.breakIt(cat)
			b.reads(t, w)
			b.writes(t, w)
			cat.Set("r3", `{}`)
			afterRepair(t, w)

			b.breakIt(cat)
			res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
				ID: "i", Parts: installation.Parts{
					Configuration: installation.Remove[installation.Configuration](),
				},
			})
			if err != nil || res.Configuration != nil {
				t.Errorf("removal: %v, %v", res, err)
			}
		})
	}
}

func (b *breakage) reads(t *testing.T, w *fixture.World) {
	i, err := w.Host.Get(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	b.check(t, "read", i.Configuration.Err)
	if got := i.Configuration.Document.String(); got != brokenHidden {
		t.Errorf("shown: %s", got)
	}
	list, err := w.Host.List(t.Context(), installation.ListRequest{})
	if err != nil || list.Installations[0].Configuration.Document.String() != brokenHidden {
		t.Errorf("list: %v, %v", list, err)
	}
}

func (b *breakage) writes(t *testing.T, w *fixture.World) {
	_, err := w.Configure("i", brokenHidden)
	b.check(t, "write of the document that was read", err)
	_, err = w.Configure("i", `{"a":1}`)
	b.check(t, "write", err)
	_, err = w.Patch(patch.Set("/n", installation.JSON("2")))
	b.check(t, "patch", err)
	empty := installation.Configuration{Document: installation.JSON(`{}`)}
	_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "j",
		Parts: installation.Parts{
			Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:       installation.Value(installation.Account{ID: "ACC-2"}),
			Configuration: installation.Value(empty),
		},
	})
	b.check(t, "create", err)
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Name: installation.Value("new name")},
	})
	if err != nil || res.Name != "new name" {
		t.Errorf("a write of something else: %v", err)
	}
}

func afterRepair(t *testing.T, w *fixture.World) {
	if got := w.Configuration(t); got != brokenMasked {
		t.Errorf("after the repair: %s", got)
	}
	_, err := w.Configure("i", brokenHidden)
	want := []string{
		"configuration/list/0 mask-without-stored-value",
		"configuration/n mask-without-stored-value",
		"configuration/note mask-without-stored-value",
		"configuration/on mask-without-stored-value",
	}
	if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
		t.Errorf("write of the document read while the schema was broken: %s", diff)
	}
	if got := w.Reveal(t, "i", "config/password"); got != "p" {
		t.Errorf("the secret is %q", got)
	}
}
