package storetest

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-installation/installation"
)

// messages is the tester of one case. It puts the sentence of the contract before the first message
// of the case, and shows all values in a form for people.
type messages struct {
	tester
	rule string
	once sync.Once
}

func (m *messages) Errorf(format string, args ...any) {
	m.Helper()
	m.tester.Errorf("%s", m.text(format, args))
}

func (m *messages) Fatalf(format string, args ...any) {
	m.Helper()
	m.tester.Fatalf("%s", m.text(format, args))
}

func (m *messages) text(format string, args []any) string {
	shown := make([]any, len(args))
	for i, arg := range args {
		shown[i] = value{arg}
	}
	text := fmt.Sprintf(format, shown...)
	m.once.Do(func() { text = "the contract: " + m.rule + "\n" + text })
	return text
}

// value is an argument of a message. Every verb shows it alike, but %s leaves a string as it is.
type value struct{ any }

// Format implements [fmt.Formatter].
func (v value) Format(f fmt.State, verb rune) {
	text, ok := v.any.(string)
	if !ok || verb != 's' {
		text = show(reflect.ValueOf(v.any))
	}
	_, _ = io.WriteString(f, text)
}

// show turns v into text: strings and bytes are quoted, arrays of bytes are in hexadecimal,
// pointers are followed, and fields that are zero are left out. Long values are cut.
func show(v reflect.Value) string {
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return "nil"
	}
	switch x := v.Interface().(type) {
	case error:
		return showError(x)
	case time.Time:
		return x.Format("2006-01-02T15:04:05.000000Z07:00")
	case installation.Body:
		return quote(string(x.Bytes()), 60)
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String(), 60)
	case reflect.Pointer, reflect.Interface:
		return show(v.Elem())
	case reflect.Array, reflect.Slice:
		return showList(v)
	case reflect.Map:
		var items []string
		for key, item := range v.Seq2() {
			items = append(items, show(key)+": "+show(item))
		}
		slices.Sort(items)
		return "{" + join(items, ", ") + "}"
	case reflect.Struct:
		return showStruct(v)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return v.Type().String() // the value is an address
	}
	return fmt.Sprint(v.Interface())
}

// showError returns the text of err, and the details of the errors that the contract names.
func showError(err error) string {
	text := quote(err.Error(), 600)
	if e, ok := errors.AsType[*installation.ConflictError](err); ok {
		return text + " " + show(reflect.ValueOf(*e))
	}
	if e, ok := errors.AsType[*installation.ExistsError](err); ok {
		return text + " " + show(reflect.ValueOf(*e))
	}
	return text
}

func showList(v reflect.Value) string {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.Kind() == reflect.Slice {
			return quote(string(v.Bytes()), 60)
		}
		digits := fmt.Sprintf("%x", v.Interface())
		if len(digits) > 20 {
			digits = digits[:8] + ".." + digits[len(digits)-8:]
		}
		return digits
	}
	var items []string
	for i := range v.Len() {
		items = append(items, show(v.Index(i)))
	}
	return "[" + join(items, " ") + "]"
}

func showStruct(v reflect.Value) string {
	var fields []string
	hidden := v.NumField() > 0
	for i := range v.NumField() {
		f := v.Type().Field(i)
		hidden = hidden && !f.IsExported()
		if f.IsExported() && !v.Field(i).IsZero() {
			fields = append(fields, f.Name+": "+show(v.Field(i)))
		}
	}
	if hidden {
		return v.Type().String()
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// join returns the first items if the text of all is long. The checksum tells apart lists that
// begin alike.
func join(items []string, separator string) string {
	text := strings.Join(items, separator)
	for i, length := 0, 0; i < len(items)-1; i++ {
		if length += len(items[i]); length > 200 {
			return fmt.Sprintf("%s%sand %d more, CRC %08x", strings.Join(items[:i+1], separator),
				separator, len(items)-i-1, crc32.ChecksumIEEE([]byte(text)))
		}
	}
	return text
}

// quote quotes s, so that its bytes are known. If s has more than most bytes, it quotes a third of
// most, up to the end of a character. The checksum tells apart strings that begin alike.
func quote(s string, most int) string {
	if len(s) <= most {
		if strings.Contains(s, `"`) {
			return fmt.Sprintf("%+#q", s) // in backquotes if all of s is printable
		}
		return fmt.Sprintf("%+q", s)
	}
	end := most / 3
	for end > most/3-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%+q.. (%d bytes, CRC %08x)", s[:end], len(s),
		crc32.ChecksumIEEE([]byte(s)))
}

// differing returns both values without the fields that are equal. Messages leave these out.
func differing[T any](got, want T) (T, T) {
	g, w := reflect.ValueOf(&got).Elem(), reflect.ValueOf(&want).Elem()
	for i := range g.NumField() {
		if reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			g.Field(i).SetZero()
			w.Field(i).SetZero()
		}
	}
	return got, want
}
