package schema_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/schema"
)

// TestCheckIsBounded proves that a check ends for schemas that take exponential time or refer
// to themselves forever.
func TestCheckIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b,
			`"s%d":{"anyOf":[{"allOf":[{"$ref":"#/$defs/s%d"},{"$ref":"#/$defs/s%d"}]},`+
				`{"$ref":"#/$defs/s%d"}]},`, i, i+1, i+1, i+1)
	}
	bomb := compile(t, `{"$ref":"#/$defs/s0","$defs":{`+b.String()+`"s60":{"type":"null"}}}`)
	_, err := bomb.Check(t.Context(), schema.Subject{Doc: parse(t, `{"a":1}`)})
	if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault != schema.Complex {
		t.Errorf("bomb: got %v", err)
	}
	if found, err := bomb.Check(t.Context(),
		schema.Subject{Doc: parse(t, `null`)}); err == nil || found != nil {
		t.Errorf("bomb that holds: got %v, %v", found, err)
	}
	if got := bomb.Root().Verdict(); got != schema.Unsaid && got != schema.Secret {
		t.Errorf("verdict %v", got)
	}
	_, err = compile(t, `{"$ref":"#"}`).Check(t.Context(), schema.Subject{Doc: parse(t, `{}`)})
	if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault != schema.Reference {
		t.Errorf("endless: got %v", err)
	}
}

// list returns the elements of a JSON array of n equal parts, without its brackets.
func list(part string, n int) string {
	return strings.TrimSuffix(strings.Repeat(part+",", n), ",")
}

// TestProductsAreBounded proves that a check rejects pairs of schema and document whose sizes
// multiply. Without the bound, they took from seconds to hours.
func TestProductsAreBounded(t *testing.T) {
	elements, numbers := "["+list("1", 100_000)+"]", "["+list("1e1000", 20_000)+"]"
	for name, c := range map[string]struct{ schema, doc string }{
		"types": {`{"items":{"anyOf":[` + list(`{"type":"null"}`, 4000) + `]}}`,
			elements},
		"const": {`{"items":{"anyOf":[` + list(`{"const":2}`, 4000) + `]}}`,
			elements},
		"enum of objects": {`{"items":{"enum":[` + manyNames(4000, `{"e%d":1}`) + `]}}`,
			elements},
		"false":    {`{"items":{"anyOf":[` + list(`false`, 4000) + `]}}`, elements},
		"no items": {`{"anyOf":[` + list(`{"items":false}`, 4000) + `]}`, elements},
		"required": {`{"items":{"required":[` + manyNames(4000, `"r%d"`) + `]}}`,
			"[" + list("{}", 80_000) + "]"},
		"dependencies": {`{"items":{"dependentRequired":{"a":[` + manyNames(4000, `"r%d"`) +
			`]}}}`, "[" + list(`{"a":1}`, 30_000) + "]"},
		"types that fail": {`{"items":{"anyOf":[` + list(`{"type":"string"}`, 20) + `]}}`,
			"[" + list("0", 19_000) + "]"},
		"lengths that fail": {`{"items":{"oneOf":[` + list(`{"minLength":3}`, 10) + `]}}`,
			"[" + list(`"a"`, 19_000) + "]"},
		"equal elements": {`{"anyOf":[` + list(`{"uniqueItems":true}`, 4000) + `]}`, elements},
		"numbers": {`{"items":{"anyOf":[` + list(`{"minimum":1e1000}`, 100) + `]}}`,
			numbers},
		"pattern": {`{"pattern":"^(?:` + strings.Repeat("a?", 30) + `){30}b$"}`,
			`"` + strings.Repeat("a", 200_000) + `"`},
		"patterns": {`{"items":{"anyOf":[` + list(`{"pattern":"^b{100}"}`, 100) + `]}}`,
			"[" + list(`"`+strings.Repeat("a", 100)+`"`, 2000) + "]"},
		"names": {`{"patternProperties":{` + manyNames(1000, `"^[a-z]*x%d$":{}`) + `}}`,
			`{` + manyNames(2000, `"k%d":1`) + `}`},
		"a text as a pattern": {`{"items":{"format":"regex"},"allOf":[` +
			list(`{"items":{"format":"regex"}}`, 2000) + `]}`,
			"[" + list(`"`+strings.Repeat("a", 1000)+`"`, 200) + "]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, c.schema).Check(t.Context(),
				schema.Subject{Doc: parse(t, c.doc)})
			if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault != schema.Complex {
				t.Errorf("got %v", err)
			}
		})
	}
	small := compile(t, `{"items":{"format":"regex"}}`)
	found, err := small.Check(t.Context(),
		schema.Subject{Doc: parse(t, `["a+","(","(?:`+strings.Repeat("a?", 900)+`){900}"]`)})
	if diff := cmp.Diff([]schema.Violation{{Pointer: "/1", Keyword: "format"},
		{Pointer: "/2", Keyword: "format"}}, found); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
}

// manyNames returns the members of an object, without its braces.
func manyNames(n int, format string) string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf(format, i))
	}
	return strings.Join(members, ",")
}

// TestHonestDocumentsFit proves that the bounds leave room for large enums, alternatives for
// thousands of members, and patterns with a length.
func TestHonestDocumentsFit(t *testing.T) {
	for name, c := range map[string]struct{ schema, doc string }{
		"alternatives": {
			`{"additionalProperties":{"anyOf":[` + list(`{"type":"string"},{"type":"integer"}`,
				10) + `]}}`, `{` + manyNames(4500, `"f%d":1`) + `}`,
		},
		"enum": {`{"items":{"enum":[` + manyNames(2000, `"e%d"`) + `]}}`,
			"[" + list(`"e1999"`, 20_000) + "]"},
		"pattern": {`{"items":{"pattern":"^[a-z]{1,64}$"}}`,
			"[" + list(`"`+strings.Repeat("a", 60)+`"`, 1500) + "]"},
	} {
		t.Run(name, func(t *testing.T) {
			s, doc := compile(t, c.schema), parse(t, c.doc)
			if found, err := s.Check(t.Context(), schema.Subject{Doc: doc}); err != nil ||
				found != nil {
				t.Errorf("got %v, %v", found, err)
			}
			if !s.Fits(doc) {
				t.Error("its places are too much work")
			}
		})
	}
}

// blockedContext blocks the second look at its error until release is closed.
type blockedContext struct {
	context.Context
	asked   atomic.Int32
	entered chan struct{}
	release chan struct{}
}

func (c *blockedContext) Err() error {
	if c.asked.Add(1) == 2 {
		close(c.entered)
		<-c.release
	}
	return nil
}

// TestCheckEndsWithItsContext proves that a check stops with its context, both while it runs
// and while it waits for another one.
func TestCheckEndsWithItsContext(t *testing.T) {
	s, doc := compile(t, `{"items":{"type":"number"}}`), parse(t, "["+list("1", 5000)+"]")
	slow := &blockedContext{Context: t.Context(), entered: make(chan struct{}),
		release: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		if found, err := s.Check(slow, schema.Subject{Doc: doc}); err != nil || found != nil {
			t.Errorf("the slow one: %v, %v", found, err)
		}
	})
	<-slow.entered
	if _, err := s.Check(&ending{Context: t.Context()},
		schema.Subject{Doc: doc}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the waiting one: %v", err)
	}
	close(slow.release)
	wg.Wait()
	if _, err := s.Check(&ending{Context: t.Context()},
		schema.Subject{Doc: doc}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one whose time ends: %v", err)
	}
	if found, err := s.Check(t.Context(), schema.Subject{Doc: doc}); err != nil ||
		found != nil {
		t.Errorf("the next one: %v, %v", found, err)
	}
}

// ending is a context that ends after the first look at its error.
type ending struct {
	context.Context
	asked int
}

func (c *ending) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (c *ending) Err() error {
	if c.asked++; c.asked > 1 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestPlacesAreBounded proves that places beyond the budget count as secret, and that the
// session reports it.
func TestPlacesAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&b, `{"properties":{"a%d":{}},"additionalProperties":{"$ref":"#"}},`, i)
	}
	s := compile(t, `{"x-sensitive":false,"anyOf":[`+strings.TrimSuffix(b.String(), ",")+
		`]}`).Session()
	p := s.Root()
	if p.Verdict() != schema.Open || s.Overran() {
		t.Fatalf("verdict %v of the root", p.Verdict())
	}
	for range 60 {
		p = p.Child("x", false)
	}
	if got := p.Verdict(); got != schema.Secret {
		t.Errorf("verdict %v, want secret", got)
	}
	if _, said := p.Exposes(); said || !p.Address() {
		t.Error("it does not count as an address of everything")
	}
	if !s.Overran() || s.Session().Overran() {
		t.Error("the session does not say that it is over, or a new one does")
	}
	names := compile(t, `{"patternProperties":{`+manyNames(1000, `"^[a-z]*x%d$":{}`)+`}}`)
	if names.Fits(parse(t, `{`+manyNames(2000, `"k%d":1`)+`}`)) ||
		!names.Fits(parse(t, `{`+manyNames(50, `"k%d":1`)+`}`)) {
		t.Error("matching names is not counted, or too much")
	}
}
