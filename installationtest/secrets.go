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
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// MinSecret is the length in bytes of the shortest secret that [NoSecrets] searches for. A shorter
// secret can occur in a text by chance.
const MinSecret = 6

// NoSecrets fails the test if an output contains a secret of the installation. It finds a secret as
// it is, in base64 (even wrapped), in hexadecimal, and escaped for a URL, JSON, JavaScript, HTML,
// XML or Go. svc names the tenant (see [installation.Service.In]), and its actor needs the right to
// reveal. Each call reveals all secrets, and so adds events to the change log.
//
// An output can be a string, bytes, or any other value. NoSecrets searches the printed value, its
// JSON, and everything that it points to, such as the body of an
// [net/http/httptest.ResponseRecorder]. It skips a [crypto.Secret] and an [installation.Document],
// which never show their content. A failure names the secret and the number of the output. It never
// quotes the value of the secret or the output.
//
// The test also fails if the search would prove nothing: if the installation has no secrets, if a
// secret is shorter than [MinSecret], or if an output contains a channel or function, which cannot
// be searched.
func NoSecrets(tb testing.TB, svc *installation.Service, id string, outputs ...any) {
	tb.Helper()
	secrets, err := reveal(svc, id)
	if err != nil {
		tb.Fatalf("installationtest: reveal the secrets of %s: %v", id, err)
	}
	if len(secrets) == 0 {
		tb.Errorf("installationtest: %s has no secrets to search for", id)
	}
	texts := make([][]string, len(outputs))
	for i, output := range outputs {
		rendered, opaque := render(output)
		if opaque != "" {
			tb.Errorf("installationtest: output %d has a %s, which cannot be searched", i, opaque)
		}
		texts[i] = rendered
	}
	for _, s := range secrets {
		text := s.Value.RevealString()
		if len(text) < MinSecret {
			tb.Errorf("installationtest: %s is too short to search for: use at least %d bytes",
				s.Ref, MinSecret)
			continue
		}
		for i, rendered := range texts {
			if how := find(text, rendered); how != "" {
				tb.Errorf("installationtest: output %d has the secret %s (%s)", i, s.Ref, how)
			}
		}
	}
}

// reveal returns all secrets of an installation.
func reveal(svc *installation.Service, id string) ([]installation.Revealed, error) {
	ctx := context.Background() // tb.Context has ended when a cleanup runs
	i, err := svc.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	var all []installation.Revealed
	for refs := range slices.Chunk(i.Sealed, 256) {
		some, err := svc.Reveal(ctx, installation.RevealRequest{
			ID: id, Refs: refs, Reason: "installationtest.NoSecrets",
		})
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			if s.Err != nil {
				return nil, fmt.Errorf("%s: %w", s.Ref, s.Err)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

// render returns the texts of an output that are to be searched. opaque is the kind of a value in
// the output that cannot be searched, or "".
func render(output any) (texts []string, opaque string) {
	var plain []string
	switch v := output.(type) {
	case string:
		plain = []string{v}
	case []byte:
		plain = []string{string(v)}
	case json.RawMessage:
		plain = []string{string(v)}
	default:
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			plain = append(plain, fmt.Sprintf(verb, output))
		}
		if encoded, err := json.Marshal(output); err == nil {
			plain = append(plain, string(encoded))
		}
		w := walker{seen: make(map[visit]bool)}
		w.walk(reflect.ValueOf(output))
		plain, opaque = append(plain, w.texts...), w.opaque
	}
	for _, text := range plain {
		unescaped := unescape(html.UnescapeString(text))
		texts = append(texts, text, joinLines(text))
		if unescaped != text {
			texts = append(texts, unescaped, joinLines(unescaped))
		}
	}
	return texts, opaque
}

// joinLines removes line breaks and the spaces around them, as in wrapped base64.
func joinLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}

// unescape decodes the escapes of JSON, JavaScript and Go for single characters.
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
			tail = after // such as \/, or a single backslash
		}
		text = tail
	}
}

// walker collects the texts reachable from a value.
type walker struct {
	texts  []string
	opaque string // kind of a value that cannot be searched
	seen   map[visit]bool
}

// visit identifies a visited pointer or map. It includes the type, because a struct and its first
// field have the same address.
type visit struct {
	at uintptr
	as reflect.Type
}

func (w *walker) walk(v reflect.Value) {
	if !v.IsValid() || v.Type() == reflect.TypeFor[crypto.Secret]() ||
		v.Type() == reflect.TypeFor[installation.Document]() {
		return
	}
	if k := v.Kind(); k == reflect.Pointer || k == reflect.Map {
		at := visit{v.Pointer(), v.Type()}
		if w.seen[at] {
			return
		}
		w.seen[at] = true
	}
	switch v.Kind() {
	case reflect.String:
		w.texts = append(w.texts, v.String())
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		if !v.IsNil() {
			w.opaque = v.Kind().String()
		}
	case reflect.Interface, reflect.Pointer:
		w.walk(v.Elem()) // not valid if v is nil
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

// find searches the texts for secret in all encodings. It returns the name of the encoding that it
// found, or "".
func find(secret string, texts []string) string {
	list := encodings(secret)
	for _, text := range texts {
		lower := strings.ToLower(text)
		for _, e := range list {
			if strings.Contains(text, e.text) ||
				e.fold && strings.Contains(lower, strings.ToLower(e.text)) {
				return e.name
			}
		}
	}
	return ""
}

// encoding is a way to write a secret.
type encoding struct {
	name, text string
	fold       bool // ignore letter case
}

var base64Alphabets = map[string]*base64.Encoding{
	"base64":          base64.RawStdEncoding,
	"base64 for URLs": base64.RawURLEncoding,
}

func encodings(secret string) []encoding {
	quoted, _ := json.Marshal(secret) // a string always marshals
	list := []encoding{
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
	// Inside a longer text, the base64 of a secret has one of three forms, depending on the offset
	// of the secret. The characters at both ends also encode bits of the neighbours, so they are
	// cut off.
	for offset := range 3 {
		padded := append(make([]byte, offset), secret...)
		for name, alphabet := range base64Alphabets {
			encoded := alphabet.EncodeToString(padded)
			whole := len(padded) / 3 * 4
			list = append(list, encoding{name, encoded[(offset*8+5)/6 : whole], false})
		}
	}
	return list
}
