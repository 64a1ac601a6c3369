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

// A check of a schema ends with the context of its write, which then changed nothing.
func TestValidationEndsWithContext(t *testing.T) {
	w, _ := fixture.NewDescribed(t, `{"properties":{"list":{"items":{"type":"integer"}}}}`, `{"n":1}`)
	list := `[` + strings.TrimSuffix(strings.Repeat("1,", 50_000), ",") + `]`
	write := func(ctx context.Context) error {
		_, err := w.Host.Patch(ctx, installation.PatchRequest{ID: "i", Operations: []installation.Operation{patch.Set("/list", installation.JSON(list))}})
		return err
	}
	ctx := &countingContext{Context: t.Context(), end: -1}
	if err := write(ctx); err != nil || ctx.asked < 50 {
		t.Fatalf("asked %d times, %v", ctx.asked, err)
	}
	if _, err := w.Patch(patch.Unset("/list")); err != nil {
		t.Fatal(err)
	}
	if err := write(&countingContext{Context: t.Context(), end: ctx.asked / 2}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended: %v", err)
	}
	if got := w.Configuration(t); got != `{"n":1}` {
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
func TestTooComplexSchemaIsReported(t *testing.T) {
	w, c := fixture.NewDescribed(t, alternatives, mapping(4500))
	if i := w.Get(t, "i"); len(i.Sealed) > 0 || i.Configuration.Document.String() != mapping(4500) || i.Configuration.Err != nil {
		t.Errorf("%d sealed, %v", len(i.Sealed), i.Configuration.Err)
	}
	want := []string{"configuration too-complex"}
	for name, write := range map[string]func() error{
		"a document": func() error { _, err := w.Configure("i", mapping(15_000)); return err },
		"operations": func() error { _, err := w.Patch(patch.Set("", installation.JSON(mapping(15_000)))); return err },
	} {
		if diff := cmp.Diff(want, fixture.Violations(t, write())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`{"type":"string"},{"type":"integer"},`, 100), ",")
	c.Set("r2", `{"properties":{"mapping":{"additionalProperties":{"anyOf":[`+many+`]}}}}`)
	i := w.Get(t, "i")
	if e, ok := errors.AsType[*validate.SchemaError](i.Configuration.Err); !ok || e.Fault != validate.SchemaTooComplex || strings.Contains(i.Configuration.Document.String(), "1,") {
		t.Errorf("read under a schema that is too much for it: %v", i.Configuration.Err)
	}
	if _, err := w.Patch(patch.Set("/mapping/f1", installation.JSON("2"))); !errors.Is(err, validate.ErrSchema) {
		t.Errorf("written under it: %v", err)
	}
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}}); err != nil {
		t.Errorf("a write of something else: %v", err)
	}
	c.Set("r1", alternatives)
	if i := w.Get(t, "i"); len(i.Sealed) > 0 || i.Configuration.Document.String() != mapping(4500) {
		t.Errorf("back again: %d sealed", len(i.Sealed))
	}
}

// Defaults that would make a document too large are refused as that.
func TestTooManyDefaultsAreRejected(t *testing.T) {
	var members []string
	for i := range 200 {
		members = append(members, fmt.Sprintf(`"p%d":{"default":0}`, i))
	}
	w, _ := fixture.NewDescribed(t, `{"properties":{"list":{"items":{"properties":{`+strings.Join(members, ",")+`}}}}}`, `{}`)
	_, err := w.Configure("i", `{"list":[`+strings.TrimSuffix(strings.Repeat("{},", 15_000), ",")+`]}`)
	if diff := cmp.Diff([]string{"configuration too-large"}, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
}

// A number that no schema can compare is refused when it is given, and no hindrance once it is stored.
func TestStoredNumbersDoNotBlockWrites(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{}`, `{}`)
	c.Set("", "")
	if _, err := w.Configure("i", `{"n":1e2000,"list":[1e3000],"pin":1e2000,"m":1}`); err != nil {
		t.Fatal(err)
	}
	c.Set("r1", `{}`)
	for _, op := range []installation.Operation{
		patch.Set("/m", installation.JSON("2")), patch.Set("/list/-", installation.JSON("1")), patch.Set("/n", installation.JSON("3")),
	} {
		if _, err := w.Patch(op); err != nil {
			t.Error(err)
		}
	}
	_, err := w.Patch(patch.Set("/n", installation.JSON("1e2001")))
	if diff := cmp.Diff([]string{"configuration/n range"}, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
}
