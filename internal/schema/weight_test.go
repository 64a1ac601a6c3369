package schema_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/schema"
)

// heavy are texts of which the compiled schema takes much more memory than the text.
var heavy = map[string]string{
	"objects":        `{"anyOf":[` + list(`{"a":1}`, 3000) + `]}`,
	"booleans":       `{"anyOf":[` + list(`true`, 3000) + `]}`,
	"names":          `{"patternProperties":{` + manyNames(3000, `"p%d":{"type":"string"}`) + `}}`,
	"long pointers":  longPointers("x", 4000, 500),
	"escaped":        longPointers("é", 1900, 500),
	"numbers":        `{"anyOf":[` + list(`{"minimum":1e1000,"multipleOf":1e-1000}`, 3000) + `]}`,
	"instructions":   `{"allOf":[` + manyNames(30, `{"pattern":"%d(?:[acegikmoq]|x){400}"}`) + `]}`,
	"enum of arrays": `{"enum":[` + manyNames(30_000, `[%d]`) + `]}`,
	"x-exposes":      `{"x-exposes":[` + list(`"`+strings.Repeat("/", 1000)+`"`, 1000) + `]}`,
	"default":        `{"properties":{"a":{"default":[` + list(`[0]`, 4_000) + `]}}}`,
	"examples":       `{"examples":[` + list(`[]`, 100_000) + `]}`,
	"dependencies":   `{"dependencies":{` + manyNames(20_000, `"%d":["a"]`) + `}}`,
}

func longPointers(letter string, n, objects int) string {
	return `{"properties":{"` + strings.Repeat(letter, n) + `":{"anyOf":[` +
		list(`{"a":1}`, objects) + `]}}}`
}

// TestWeightBoundsTheHeap checks that a compiled schema keeps no more bytes than its weight says.
func TestWeightBoundsTheHeap(t *testing.T) {
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one left to finalizers
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for name, text := range heavy {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s := compile(t, text)
			if kept := heap() - before; kept > s.Weight() {
				t.Errorf("%d bytes of text keep %d, the weight is %d", len(text), kept, s.Weight())
			}
			runtime.KeepAlive(s)
		})
	}
}

// TestCompilingIsBounded checks that a text is refused if the library would need many times its
// size in memory, or quadratic time. The first two took seconds and gigabytes.
func TestCompilingIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"long pointers": longPointers("x", 4000, 4000),
		"a long name":   longPointers("x", 5000, 1),
		"booleans":      `{"anyOf":[` + list("true", 50_000) + `]}`,
		"references":    strangeRefs(2500),
		"old draft":     definitions(draft07, `$defs`),
		"names":         `{"anyOf":[` + manyNames(4000, `{"$id":"i%d"}`) + `]}`,
		"anchors":       `{"anyOf":[` + manyNames(4000, `{"$dynamicAnchor":"i%d"}`) + `]}`,
	} {
		if _, err := schema.Compile([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	compile(t, strangeRefs(500))
	compile(t, definitions(``, `$defs`))
	compile(t, definitions(draft07, `definitions`))
}

// definitions is a text with many definitions under a keyword.
func definitions(draft, keyword string) string {
	return fmt.Sprintf(`{%s"anyOf":[%s],"%s":{%s}}`, draft,
		manyNames(1800, `{"$ref":"#/`+keyword+`/d%d"}`), keyword,
		manyNames(1800, `"d%d":{"type":"string"}`))
}

// strangeRefs is a text with references to places where the library expects no schemas.
func strangeRefs(n int) string {
	return fmt.Sprintf(`{"anyOf":[%s],"x":[%s]}`, manyNames(n, `{"$ref":"#/x/%d"}`),
		list(`{"type":"string"}`, n))
}
