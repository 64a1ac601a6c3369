package secrets

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// leakFinder finds canaries in every form in which a program may print them.
type leakFinder struct {
	forms  map[uint64][]leakForm // keyed by the first eight bytes
	filter [1 << 16]bool
}

type leakForm struct {
	canary, form string
	text         []byte
}

func (f *leakFinder) add(canary, secret string) {
	if len(secret) < 12 {
		panic("a canary must be long enough to be unmistakable")
	}
	b := []byte(secret)
	reversed := slices.Clone(b)
	slices.Reverse(reversed)
	quoted := func(s string, err error) string { return strings.Trim(s, `"`) }
	marshalled, err := json.Marshal(secret)
	numbers := func(format, sep string) string {
		parts := make([]string, len(b))
		for i, c := range b {
			parts[i] = fmt.Sprintf(format, c)
		}
		return strings.Join(parts, sep)
	}
	forms := map[string]string{
		"plain":           secret,
		"lower case":      strings.ToLower(secret),
		"upper case":      strings.ToUpper(secret),
		"reversed":        string(reversed),
		"JSON":            quoted(string(marshalled), err),
		"Go":              quoted(strconv.Quote(secret), nil),
		"ASCII":           quoted(strconv.QuoteToASCII(secret), nil),
		"hex":             hex.EncodeToString(b),
		"HEX":             strings.ToUpper(hex.EncodeToString(b)),
		"hex with spaces": numbers("%02x", " "),
		"hex list":        numbers("%#x", ", "),
		"decimal":         numbers("%d", " "),
		"decimal list":    numbers("%d", ","),
		"decimal JSON":    numbers("%d", ", "),
		"code points":     numbers("U+%04X", " "),
	}
	// In the base64 of a longer text, the characters at both ends of the secret
	// depend on its neighbours. They are left out.
	for shift := range 3 {
		whole := append(bytes.Repeat([]byte{'x'}, shift), b...)
		for name, enc := range map[string]*base64.Encoding{
			"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding,
		} {
			text := enc.EncodeToString(whole)
			forms[fmt.Sprintf("%s at %d", name, shift)] = text[(shift*8+5)/6 : len(whole)*8/6]
		}
	}
	for name, text := range forms {
		if f.forms == nil {
			f.forms = make(map[uint64][]leakForm)
		}
		k := binary.LittleEndian.Uint64([]byte(text))
		f.forms[k] = append(f.forms[k], leakForm{canary, name, []byte(text)})
		f.filter[leakHash(k)] = true
	}
}

func leakHash(k uint64) uint16 { return uint16(k * 0x9e3779b97f4a7c15 >> 48) }

// find returns the canaries in text, each with its form.
func (f *leakFinder) find(text []byte) []leakForm {
	var found []leakForm
	for i := 0; i+8 <= len(text); i++ {
		k := binary.LittleEndian.Uint64(text[i:])
		if !f.filter[leakHash(k)] {
			continue
		}
		for _, form := range f.forms[k] {
			if bytes.HasPrefix(text[i:], form.text) {
				found = append(found, form)
			}
		}
	}
	return found
}

// leakDumper prints everything that reflection can reach. It follows pointers
// and includes unexported fields.
type leakDumper struct {
	out  strings.Builder
	seen map[leakSeen]bool
}

type leakSeen struct {
	at uintptr
	of reflect.Type
}

func (d *leakDumper) dump(v reflect.Value, depth int) {
	if !v.IsValid() || depth > 200 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() {
			return
		}
		if v.Kind() != reflect.Slice {
			k := leakSeen{v.Pointer(), v.Type()}
			if d.seen[k] {
				return
			}
			if d.seen == nil {
				d.seen = make(map[leakSeen]bool)
			}
			d.seen[k] = true
		}
	}
	d.out.WriteByte('\n')
	switch v.Kind() {
	case reflect.String:
		d.out.WriteString(v.String())
	case reflect.Pointer, reflect.Interface:
		d.dump(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			d.out.WriteString(v.Type().Field(i).Name)
			d.dump(v.Field(i), depth+1)
		}
	case reflect.Map:
		for k, e := range v.Seq2() {
			d.dump(k, depth+1)
			d.dump(e, depth+1)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			for i := range v.Len() {
				d.out.WriteByte(byte(v.Index(i).Uint()))
			}
			return
		}
		for i := range v.Len() {
			d.dump(v.Index(i), depth+1)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.out.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.out.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		d.out.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
}

// leakLog collects every output as text. The search runs at the end, when all
// canaries are known.
type leakLog struct {
	t      *testing.T
	finder leakFinder
	out    map[string]string // the source of each text
}

func newLeakLog(t *testing.T) *leakLog {
	return &leakLog{t: t, out: make(map[string]string)}
}

func (l *leakLog) text(where, text string) {
	if _, ok := l.out[text]; !ok {
		l.out[text] = where
	}
}

// see renders a value through every sink, alone and inside other values. For an
// error, it also renders every error that it wraps.
func (l *leakLog) see(where string, v any) {
	if v == nil {
		return
	}
	for name, sink := range leakSinks {
		l.text(where+" "+name, leakCatch(sink, v))
	}
	for shape, in := range map[string]any{
		"pointer": &v, "slice": []any{v}, "map": map[string]any{"k": v},
		"field": struct{ V any }{v}, "unexported": struct{ v any }{v},
	} {
		for _, name := range []string{
			"%v", "%+v", "%#v", "%x", "%d", "json", "slog text", "dump",
		} {
			l.text(where+" "+shape+" "+name, leakCatch(leakSinks[name], in))
		}
	}
	switch e := v.(type) {
	case interface{ Unwrap() error }:
		if err := e.Unwrap(); err != nil {
			l.see(where+" unwrapped", err)
		}
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			l.see(where+" unwrapped", err)
		}
	}
}

// leakCatch runs a sink. If the sink panics, it returns the text of the panic.
func leakCatch(sink func(v any) string, v any) (out string) {
	defer func() {
		if p := recover(); p != nil {
			out = fmt.Sprint(p)
		}
	}()
	return sink(v)
}

// call runs f and sees the request, the result and the error.
func (l *leakLog) call(name string, request any, f func() (any, error)) error {
	l.see("request of "+name, request)
	result, err := f()
	l.see("result of "+name, result)
	l.see("error of "+name, err)
	return err
}

// search fails for every canary that got out.
func (l *leakLog) search() {
	l.t.Helper()
	total := 0
	reported := make(map[string]bool)
	for text, where := range l.out {
		total += len(text)
		for _, f := range l.finder.find([]byte(text)) {
			plain := f.canary == "idempotency key" || f.canary == "plain field"
			if strings.HasPrefix(where, "request") && plain {
				continue // the caller can read the plain fields of its request
			}
			if k := where + f.canary; !reported[k] && len(reported) < 40 {
				reported[k] = true
				l.t.Errorf("%s is in the %s, as %s", f.canary, where, f.form)
			}
		}
	}
	l.t.Logf("%d texts, %d bytes", len(l.out), total)
}
