package schemas

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/validate"
)

// If the schema is unchanged, a read looks up only its revision.
func TestReadsNeedOnlySchemaRevision(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{"properties":{"a":{"writeOnly":true}}}`, `{"a":"x"}`)
	again, err := installation.New(w.Store, fixture.Ring(t), &installation.Options{
		Schema: c.Schema,
	})
	if err != nil {
		t.Fatal(err)
	}
	host := again.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	asked, loaded := c.Asked, c.Loaded
	for range 3 {
		i, err := host.Get(t.Context(), "i")
		if err != nil || i.Configuration.Document.String() != `{"a":"***"}` {
			t.Fatalf("got %v, %v", i, err)
		}
	}
	if c.Asked-asked != 3 || c.Loaded != loaded {
		t.Errorf("three reads looked up %d revisions and loaded %d schemas",
			c.Asked-asked, c.Loaded-loaded)
	}
	customer := again.In("tenant-1").As(fixture.CustomerActor)
	i, err := customer.Get(t.Context(), "i")
	if err != nil || i.Configuration != nil || c.Asked-asked != 3 {
		t.Errorf("a reader who may not see the configuration: %v, %v, looked up %d",
			i, err, c.Asked-asked)
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

// A page looks up the schema of an extension once, even if the schema fails to
// load.
func TestListLooksUpSchemaOnce(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{}`, `{"a":1}`)
	for n := range 20 {
		parts := fixture.Parts()
		parts.Account = installation.Value(installation.Account{ID: fmt.Sprintf("ACC-%d", n+2)})
		parts.Extension = installation.Value(installation.Extension{ID: "EXT-1"})
		request := installation.UpsertRequest{Parts: parts}
		if _, err := w.Host.Upsert(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	loads := 0
	c.Source = validate.SchemaSource{
		Revision: "r2",
		Load:     func(context.Context) ([]byte, error) { loads++; return nil, errors.New("down") },
	}
	asked := c.Asked
	list, err := w.Host.List(t.Context(), installation.ListRequest{})
	if err != nil || len(list.Installations) != 21 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, i := range list.Installations {
		if i.Configuration.Err == nil {
			t.Errorf("%s reports no error of its schema", i.ID)
		}
	}
	if c.Asked-asked != 1 || loads != 1 {
		t.Errorf("looked up %d times, loaded %d times", c.Asked-asked, loads)
	}
}

// The cache never confuses the schemas of extensions or tenants.
func TestSchemasAreKeptApart(t *testing.T) {
	schemas := map[string]string{
		"t1/E1": `{"properties":{"a":{"writeOnly":true}}}`,
		"t1/E2": `{"properties":{"b":{"writeOnly":true}}}`,
		"t2/E1": `{"properties":{"c":{"writeOnly":true}}}`,
	}
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Schema = func(
			_ context.Context, tenant string, ext installation.Extension,
		) (validate.SchemaSource, error) {
			text := schemas[tenant+"/"+ext.ID]
			load := func(context.Context) ([]byte, error) { return []byte(text), nil }
			return validate.SchemaSource{Revision: "1", Load: load}, nil
		}
	})
	configuration := installation.Configuration{
		Document: installation.JSON(`{"a":"x","b":"x","c":"x"}`),
	}
	for place, want := range map[string]string{
		"t1/E1": `{"a":"***","b":"x","c":"x"}`,
		"t1/E2": `{"a":"x","b":"***","c":"x"}`,
		"t2/E1": `{"a":"x","b":"x","c":"***"}`,
	} {
		tenant, extension, _ := strings.Cut(place, "/")
		host := w.Service.In(tenant).As(installation.Actor{Kind: installation.Host})
		res, err := host.Upsert(t.Context(), installation.UpsertRequest{
			ID: "i-" + extension,
			Parts: installation.Parts{
				Extension:     installation.Value(installation.Extension{ID: extension}),
				Account:       installation.Value(installation.Account{ID: "A"}),
				Configuration: installation.Value(configuration),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Configuration.Document.String(); got != want {
			t.Errorf("%s: %s, want %s", place, got, want)
		}
	}
}
