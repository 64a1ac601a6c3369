package installationtest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// MinSecret is the length, in bytes, of the shortest secret that NoSecrets looks for. Shorter ones are in any text by chance.
const MinSecret = 6

// NoSecrets fails the test if a secret of an installation is in any of the outputs: as it is, in base64 (in lines or not) or hexadecimal, or
// escaped for a URL, JSON, JavaScript, HTML, XML or Go. svc must be one that may reveal; the tenant is that of svc. Revealing is recorded
// in the change log.
//
// An output may be a string, bytes, or any other value. That is printed, encoded as JSON, and searched with all that it points to, such as
// the body of an [net/http/httptest.ResponseRecorder], but for a [crypto.Secret] and an [installation.Document], which show nothing of
// themselves. The failure names the secret and the number of the output, and does not show either.
//
// What would show nothing fails the test as well: an installation without secrets, a secret shorter than [MinSecret], and an output that has
// a channel or function in it, which cannot be searched.
func NoSecrets(tb testing.TB, svc *installation.Service, id string, outputs ...any) {
	tb.Helper()
	secrets, err := reveal(svc, id)
	if err != nil {
		tb.Fatalf("installationtest: the secrets of %s: %v", id, err)
	}
	if len(secrets) == 0 {
		tb.Errorf("installationtest: %s has no secrets that could be looked for", id)
	}
	texts := make([][]string, len(outputs))
	for i, output := range outputs {
		rendered, closed := render(output)
		if closed != "" {
			tb.Errorf("installationtest: output %d has a %s in it, which cannot be searched", i, closed)
		}
		texts[i] = rendered
	}
	for _, s := range secrets {
		text := s.Value.RevealString()
		if len(text) < MinSecret {
			tb.Errorf("installationtest: %s is too short to be looked for: give it at least %d bytes", s.Ref, MinSecret)
			continue
		}
		for i, rendered := range texts {
			if form := find(text, rendered); form != "" {
				tb.Errorf("installationtest: output %d has the secret %s (%s)", i, s.Ref, form)
			}
		}
	}
}

// reveal returns all secrets of an installation.
func reveal(svc *installation.Service, id string) ([]installation.Revealed, error) {
	ctx := context.Background() // not that of the test: this may run in a cleanup, when that has ended
	i, err := svc.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	var all []installation.Revealed
	for refs := i.Sealed; len(refs) > 0; {
		n := min(len(refs), installation.MaxReveal)
		some, err := svc.Reveal(ctx, installation.RevealRequest{ID: id, Refs: refs[:n], Reason: "installationtest.NoSecrets"})
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			if s.Err != nil {
				return nil, fmt.Errorf("%s: %w", s.Ref, s.Err)
			}
		}
		all, refs = append(all, some...), refs[n:]
	}
	return all, nil
}

// render returns an output as the texts that are searched, and what in it cannot be, "" if nothing.
func render(output any) (texts []string, closed string) {
	var plain []string
	switch v := output.(type) {
	case string:
		plain = []string{v}
	case []byte:
		plain = []string{string(v)}
	case json.RawMessage:
		plain = []string{string(v)}
	default:
		plain = []string{fmt.Sprintf("%v", output), fmt.Sprintf("%+v", output), fmt.Sprintf("%#v", output), fmt.Sprintf("%s", output)}
		if encoded, err := json.Marshal(output); err == nil {
			plain = append(plain, string(encoded))
		}
		w := walker{seen: make(map[visit]bool)}
		w.walk(reflect.ValueOf(output))
		plain, closed = append(plain, w.texts...), w.closed
	}
	for _, text := range plain {
		unescaped := unescape(html.UnescapeString(text))
		texts = append(texts, text, joinLines(text))
		if unescaped != text {
			texts = append(texts, unescaped, joinLines(unescaped))
		}
	}
	return texts, closed
}

// joinLines returns a text without line breaks and the spaces around them, as base64 is wrapped.
func joinLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}

// unescape returns a text with the escapes of JSON, JavaScript and Go that stand for one character undone.
func unescape(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		value, _, tail, err := strconv.UnquoteChar(`\`+after, 0)
		if err == nil {
			b.WriteRune(value)
		} else {
			tail = after // as \/, or a backslash alone
		}
		text = tail
	}
}

// walker collects the texts that can be reached from a value.
type walker struct {
	texts  []string
	closed string // what cannot be searched
	seen   map[visit]bool
}

// visit is a place that was searched. A struct and its first field share an address.
type visit struct {
	at uintptr
	as reflect.Type
}

func (w *walker) walk(v reflect.Value) {
	if !v.IsValid() || v.Type() == reflect.TypeFor[crypto.Secret]() || v.Type() == reflect.TypeFor[installation.Document]() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		w.texts = append(w.texts, v.String())
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		if !v.IsNil() {
			w.closed = v.Kind().String()
		}
	case reflect.Interface:
		w.walk(v.Elem())
	case reflect.Pointer, reflect.Map, reflect.Slice:
		at := visit{v.Pointer(), v.Type()}
		if v.IsNil() || v.Kind() != reflect.Slice && w.seen[at] {
			return
		}
		w.seen[at] = true
		w.children(v)
	case reflect.Array, reflect.Struct:
		w.children(v)
	}
}

func (w *walker) children(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		w.walk(v.Elem())
	case reflect.Map:
		for key, value := range v.Seq2() {
			w.walk(key)
			w.walk(value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			w.walk(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			for i := range b {
				b[i] = byte(v.Index(i).Uint())
			}
			w.texts = append(w.texts, string(b))
			return
		}
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	}
}

// find returns the name of the form in which a secret is in one of the texts, or "".
func find(secret string, texts []string) string {
	for _, text := range texts {
		lower := strings.ToLower(text)
		for _, f := range forms(secret) {
			if strings.Contains(text, f.text) || f.fold && strings.Contains(lower, strings.ToLower(f.text)) {
				return f.name
			}
		}
	}
	return ""
}

// form is a way to write a secret.
type form struct {
	name, text string
	fold       bool // in either letter case
}

func forms(secret string) []form {
	quoted, _ := json.Marshal(secret) // a string always marshals
	list := []form{
		{"as it is", secret, false},
		{"hexadecimal", hex.EncodeToString([]byte(secret)), true},
		{"hexadecimal with spaces", fmt.Sprintf("% x", secret), true},
		{"list of bytes", strings.Trim(fmt.Sprint([]byte(secret)), "[]"), false},
		{"escaped for a URL query", url.QueryEscape(secret), true},
		{"escaped for a URL path", url.PathEscape(secret), true},
		{"escaped for JSON", strings.Trim(string(quoted), `"`), true},
		{"escaped for Go", strings.Trim(strconv.Quote(secret), `"`), false},
		{"escaped for Go in ASCII", strings.Trim(strconv.QuoteToASCII(secret), `"`), false},
		{"escaped for HTML", html.EscapeString(secret), false},
	}
	// In base64 a text looks different at each of three offsets. The characters at either end hold bits of the neighbours too.
	for offset := range 3 {
		padded := append(make([]byte, offset), secret...)
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
			encoded := encoding.EncodeToString(padded)
			whole := len(padded) / 3 * 4
			list = append(list, form{name, encoded[(offset*8+5)/6 : whole], false})
		}
	}
	return list
}
