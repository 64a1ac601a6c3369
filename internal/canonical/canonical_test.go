package canonical

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/go-installation/installation/crypto"
)

// optional is a struct whose content is not in exported fields.
type optional[T any] struct {
	given bool
	value *T
}

func (o optional[T]) content() any {
	if o.value == nil {
		return nil
	}
	return *o.value
}

func give[T any](v T) optional[T] { return optional[T]{true, &v} }

func remove[T any]() optional[T] { return optional[T]{given: true} }

// document is text that may be secret.
type document struct{ text string }

func (d document) content() any { return crypto.NewSecret(d.text) }

func testContent(v any) (any, bool) {
	if c, ok := v.(interface{ content() any }); ok {
		return c.content(), true
	}
	return nil, false
}

func encode(t testing.TB, method string, request any) string {
	t.Helper()
	b, err := Encode(method, request, testContent)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)

func TestEncodeTellsValuesApart(t *testing.T) {
	type pair struct{ A, B any }
	yes, no := true, false
	values := []any{
		nil, "", "a", "ab", "\x00", true, false, 0, 1, -1, uint(1), 1.0, math.Inf(1),
		[]string{}, []string{""}, []string{"a", "b"}, []string{"ab"}, [2]string{"a", ""},
		[]any{[]string{"a"}, "b"}, []any{[]string{"a", "b"}}, &yes, &no, (*bool)(nil),
		map[string]string{}, map[string]string{"a": "b"}, map[string]string{"a": "", "b": ""},
		testTime, testTime.Add(time.Microsecond), testTime.Add(time.Hour),
		crypto.NewSecret(""), crypto.NewSecret("a"), crypto.NewSecret("***"), crypto.Masked(),
		crypto.Secret{}, document{"b"}, give("a"), remove[string](), give(""),
		pair{}, pair{A: "a"}, pair{B: "a"}, pair{A: "a", B: "b"}, pair{A: "ab"},
		pair{A: pair{A: "a"}}, pair{A: []any{"a"}}, pair{A: "A", B: nil},
	}
	seen := map[string]int{}
	for i, v := range values {
		text := encode(t, "method", v)
		if j, ok := seen[text]; ok {
			t.Errorf("%#v and %#v have the same bytes", values[j], v)
		}
		seen[text] = i
		if again := encode(t, "method", v); again != text {
			t.Errorf("%#v: not the same twice", v)
		}
	}
	if encode(t, "a", "b") == encode(t, "ab", "") {
		t.Error("the method runs into the request")
	}
}

func TestEncodeIgnoresWhatSaysNothing(t *testing.T) {
	type older struct{ A string }
	type newer struct {
		A string
		B *int
		C optional[string]
	}
	zone := time.FixedZone("", 3600)
	for name, pair := range map[string][2]any{
		"a field added later": {older{"a"}, newer{A: "a"}},
		"time zone":           {testTime, testTime.In(zone)},
		"nanoseconds":         {testTime, testTime.Add(999)},
		"order of a map": {
			map[string]int{"a": 1, "b": 2, "c": 3}, map[string]int{"c": 3, "b": 2, "a": 1},
		},
	} {
		if encode(t, "m", pair[0]) != encode(t, "m", pair[1]) {
			t.Errorf("%s changes the bytes", name)
		}
	}
}

func TestEncodeReturnsErrorForTypesWithoutCanonicalForm(t *testing.T) {
	type cyclic struct{ Next *cyclic }
	cycle := &cyclic{}
	cycle.Next = cycle
	type hidden struct {
		Text   string
		hidden string
	}
	for name, v := range map[string]any{
		"func":            func() {},
		"chan":            make(chan int),
		"complex":         1i,
		"uintptr":         uintptr(1),
		"unsafe pointer":  unsafe.Pointer(t),
		"map of numbers":  map[int]string{1: "canary"},
		"unexported":      hidden{"canary", "canary"},
		"cycle":           cycle,
		"in a struct":     struct{ F func() }{func() {}},
		"in a slice":      []any{func() {}},
		"in a map":        map[string]any{"canary": func() {}},
		"in a pointer":    new(chan int),
		"in the content":  give[any](func() {}),
		"after a secret":  []any{crypto.NewSecret("canary"), func() {}},
		"unexported zero": hidden{},
	} {
		b, err := Encode("m", v, testContent)
		if err == nil || b != nil {
			t.Errorf("%s: got %x, %v, want an error", name, b, err)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
}

func TestEncodeClearsOutgrownBuffers(t *testing.T) {
	var e encoder
	e.secret(crypto.NewSecret("canary"))
	old := e.out
	e.text(strings.Repeat("long", 1000))
	if !bytes.Equal(old, make([]byte, len(old))) {
		t.Errorf("the old buffer still has %q", old)
	}
	if !bytes.Contains(e.out, []byte("canary")) {
		t.Error("the new buffer lost its start")
	}
}
