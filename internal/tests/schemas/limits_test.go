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

// Validation against a schema stops when the context of the write ends. The
// write then changes nothing.
func TestValidationEndsWithContext(t *testing.T) {
	w, _ := fixture.NewDescribed(t,
		`{"properties":{"list":{"items":{"type":"integer"}}}}`, `{"n":1}`)
	list := `[` + strings.TrimSuffix(strings.Repeat("1,", 9_000), ",") + `]`
	write := func(ctx context.Context) error {
		op := patch.Set("/list", installation.JSON(list))
		_, err := w.Host.Patch(ctx, installation.PatchRequest{
			ID: "i", Operations: []installation.Operation{op},
		})
		return err
	}
	ctx := &countingContext{Context: t.Context(), end: -1}
	if err := write(ctx); err != nil || ctx.asked < 15 {
		t.Fatalf("asked %d times, %v", ctx.asked, err)
	}
	if _, err := w.Patch(patch.Unset("/list")); err != nil {
		t.Fatal(err)
	}
	half := &countingContext{Context: t.Context(), end: ctx.asked / 2}
	if err := write(half); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended: %v", err)
	}
	if got := w.Configuration(t); got != `{"n":1}` {
		t.Errorf("ended: %.100s", got)
	}
}

// countingContext counts calls of Err. It ends after that many calls, or never if
// end is negative.
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

// mapping returns a document with n numbers whose names are not sensitive.
func mapping(n int) string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf(`"f%d":1`, i))
	}
	return `{"mapping":{` + strings.Join(members, ",") + `}}`
}

// alternatives returns a schema with 2*n branches for each member of a mapping.
func alternatives(n int) string {
	branches := strings.Repeat(`{"type":"string"},{"type":"integer"},`, n)
	return `{"properties":{"mapping":{"additionalProperties":{"anyOf":[` +
		strings.TrimSuffix(branches, ",") + `]}}}}`
}

// A large document under an ordinary schema is stored unchanged. If validation
// needs too much work, the write is rejected as too complex. No value is sealed
// or masked because of that.
func TestTooComplexSchemaIsReported(t *testing.T) {
	w, c := fixture.NewDescribed(t, alternatives(10), mapping(4500))
	i := w.Get(t, "i")
	if len(i.Sealed) > 0 || i.Configuration.Document.String() != mapping(4500) ||
		i.Configuration.Err != nil {
		t.Errorf("%d sealed, %v", len(i.Sealed), i.Configuration.Err)
	}
	want := []string{"configuration too-complex"}
	for name, write := range map[string]func() error{
		"a document": func() error { _, err := w.Configure("i", mapping(15_000)); return err },
		"operations": func() error {
			_, err := w.Patch(patch.Set("", installation.JSON(mapping(15_000))))
			return err
		},
	} {
		if diff := cmp.Diff(want, fixture.Violations(t, write())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	c.Set("r2", alternatives(100))
	i = w.Get(t, "i")
	e, ok := errors.AsType[*validate.SchemaError](i.Configuration.Err)
	if !ok || e.Fault != validate.SchemaTooComplex ||
		strings.Contains(i.Configuration.Document.String(), "1,") {
		t.Errorf("read under a schema that is too complex: %v", i.Configuration.Err)
	}
	op := patch.Set("/mapping/f1", installation.JSON("2"))
	if _, err := w.Patch(op); !errors.Is(err, validate.ErrSchema) {
		t.Errorf("written under it: %v", err)
	}
	if err := rename(t, w, "n"); err != nil {
		t.Errorf("a write of something else: %v", err)
	}
	c.Set("r1", alternatives(10))
	if i := w.Get(t, "i"); len(i.Sealed) > 0 || i.Configuration.Document.String() != mapping(4500) {
		t.Errorf("back again: %d sealed", len(i.Sealed))
	}
}

// A document that defaults make too large is rejected.
func TestTooManyDefaultsAreRejected(t *testing.T) {
	var members []string
	for i := range 200 {
		members = append(members, fmt.Sprintf(`"p%d":{"default":0}`, i))
	}
	properties := strings.Join(members, ",")
	w, _ := fixture.NewDescribed(t,
		`{"properties":{"list":{"items":{"properties":{`+properties+`}}}}}`, `{}`)
	list := strings.TrimSuffix(strings.Repeat("{},", 15_000), ",")
	_, err := w.Configure("i", `{"list":[`+list+`]}`)
	want := []string{"configuration too-many"}
	if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
}

// A number out of range is rejected on write if there is a schema. A stored one
// does not block writes of other values.
func TestStoredNumbersDoNotBlockWrites(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{}`, `{}`)
	c.Set("", "")
	if _, err := w.Configure("i", `{"n":1e2000,"list":[1e3000],"pin":1e2000,"m":1}`); err != nil {
		t.Fatal(err)
	}
	c.Set("r1", `{}`)
	for _, op := range []installation.Operation{
		patch.Set("/m", installation.JSON("2")),
		patch.Set("/list/-", installation.JSON("1")),
		patch.Set("/n", installation.JSON("3")),
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
