package crypto

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	texttemplate "text/template"
)

// canary is the secret that must not show. It has 32 bytes, so it can be a key, and is
// printable, so it can be a text.
const canary = "hunter2-hunter3-canary-in-a-mine"

// canaries are the forms in which the canary may show: as text, and as printers write bytes. A
// part of it is enough.
var canaries = func() []string {
	b := []byte(canary)[:7]
	list := func(format, sep string) string {
		var parts []string
		for _, c := range b[:4] {
			parts = append(parts, fmt.Sprintf(format, c))
		}
		return strings.Join(parts, sep)
	}
	return []string{
		string(b), canary[8:15],
		fmt.Sprintf("% x", b), fmt.Sprintf("%X", b), fmt.Sprintf("% X", b), hex.EncodeToString(b),
		base64.StdEncoding.EncodeToString(b)[:8], encoding.EncodeToString([]byte(canary))[:8],
		list("%d", " "), list("%d", ", "), list("%d", ","), list("%#x", ", "),
		list("0x%02x", ","), list("%o", " "), list("%b", " "), list("%U", " "),
	}
}()

// leaks returns the form in which the canary shows in output, or "".
func leaks(output string) string {
	for _, c := range canaries {
		if strings.Contains(output, c) {
			return c
		}
	}
	return ""
}

// holder is a foreign type. It has the subject where printers do not call the subject's
// methods.
type holder struct {
	Exported any
	hidden   any
	Map      map[string]any
	Slice    []any
}

// subjects returns each type of this package that can have a secret, with the canary in it.
func subjects() map[string]any {
	secret := NewSecret(canary)
	key := must(NewKey("k1", []byte(canary)))
	ring := must(must(NewKeyring(key)).WithSuite(testSuite()))
	data := must(DataKeyFromBytes([]byte(canary+canary), 1, testSuite()))
	return map[string]any{
		"Secret": secret, "*Secret": &secret, "Key": key, "*Key": &key,
		"Keyring": *ring, "*Keyring": ring, "DataKey": *data, "*DataKey": data,
		"Secret in a field": struct{ s Secret }{secret}, "Key in a field": struct{ k Key }{key},
		"Keyring in a field": struct{ r *Keyring }{ring},
		"DataKey in a field": struct{ k DataKey }{*data},
	}
}

// sinks are the ways of a value into a log, a response or a dump. Each returns the output.
var sinks = map[string]func(v any) string{
	"fmt": func(v any) string {
		var b strings.Builder
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "80.3", "# "} {
			for _, verb := range "vsqxXdobcUtTeEfgGp!" {
				fmt.Fprintf(&b, "%"+flags+string(verb)+"\n", v)
			}
		}
		fmt.Fprintln(&b, fmt.Sprint(v), fmt.Sprintln(v), []any{v}, &v)
		return b.String()
	},
	"json": func(v any) string {
		b, err := json.Marshal(v)
		return string(b) + fmt.Sprint(err)
	},
	"json key": func(v any) string {
		b, err := json.Marshal(map[string]any{fmt.Sprint(v): v})
		return string(b) + fmt.Sprint(err)
	},
	"xml": func(v any) string {
		b, err := xml.Marshal(v)
		return string(b) + fmt.Sprint(err)
	},
	"gob": func(v any) string {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(v)
		return b.String() + fmt.Sprint(err)
	},
	"slog text": func(v any) string {
		var b bytes.Buffer
		logAll(slog.NewTextHandler(&b, nil), v)
		return b.String()
	},
	"slog json": func(v any) string {
		var b bytes.Buffer
		logAll(slog.NewJSONHandler(&b, nil), v)
		return b.String()
	},
	"text/template": func(v any) string {
		var b bytes.Buffer
		const text = `{{.}} {{printf "%#v %x" . .}} {{html .}} {{js .}} {{print .}}`
		err := texttemplate.Must(texttemplate.New("").Parse(text)).Execute(&b, v)
		return b.String() + fmt.Sprint(err)
	},
	"html/template": func(v any) string {
		var b bytes.Buffer
		const text = `<a href="{{.}}">{{.}}</a><script>var x = {{.}};</script>`
		err := htmltemplate.Must(htmltemplate.New("").Parse(text)).Execute(&b, v)
		return b.String() + fmt.Sprint(err)
	},
	"error": func(v any) string {
		format := "wrapped %w, %v" // a variable, because vet rejects %w here
		return fmt.Errorf(format, v, v).Error()
	},
	"panic": func(v any) (text string) {
		defer func() { text = fmt.Sprintf("%v %+v %#v", recover(), v, v) }()
		panic(v)
	},
	"stack":      func(v any) string { return string(debug.Stack()) },
	"reflection": func(v any) string { return dump(reflect.ValueOf(v), 0) },
}

// logAll logs v alone, in a group and in a foreign type.
func logAll(h slog.Handler, v any) {
	slog.New(h).Info("m", "v", v, slog.Group("g", "v", v), "holder", holder{v, v, nil, nil})
}

// dump prints like debuggers and test libraries. It calls no methods, and follows every pointer
// and every unexported field.
func dump(v reflect.Value, depth int) string {
	if depth > 12 || !v.IsValid() {
		return ""
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return dump(v.Elem(), depth+1)
	case reflect.Struct:
		var b strings.Builder
		for i := range v.NumField() {
			b.WriteString(dump(v.Field(i), depth+1) + "\n")
		}
		return b.String()
	case reflect.Map:
		var b strings.Builder
		for it := v.MapRange(); it.Next(); {
			b.WriteString(dump(it.Key(), depth+1) + dump(it.Value(), depth+1) + "\n")
		}
		return b.String()
	case reflect.Slice, reflect.Array:
		var b strings.Builder
		for i := range v.Len() {
			b.WriteString(dump(v.Index(i), depth+1) + " ")
		}
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			b.Write(v.Bytes())
		}
		return b.String()
	case reflect.Uint8:
		return fmt.Sprint(v.Uint())
	case reflect.String:
		return v.String()
	case reflect.UnsafePointer:
		return fmt.Sprint(v.Pointer())
	}
	return v.Kind().String()
}

func TestNoSecretInAnySink(t *testing.T) {
	for subject, v := range subjects() {
		for shape, v := range map[string]any{
			"":           v,
			" in holder": holder{v, v, map[string]any{"k": v}, []any{v}},
			" in &":      &holder{v, v, map[string]any{"k": v}, []any{&v}},
			" in slice":  []any{v, &v},
		} {
			for sink, print := range sinks {
				if got := leaks(print(v)); got != "" {
					t.Errorf("%s%s leaks through %s: %s", subject, shape, sink, got)
				}
			}
		}
	}
}

// TestSinksShowPlainSecrets: the sinks show a secret in a string or slice, so the test above
// can fail.
func TestSinksShowPlainSecrets(t *testing.T) {
	blind := map[string]bool{"stack": true} // the stack shows arguments only of arrays
	for sink, print := range sinks {
		text, raw := leaks(print(canary)), leaks(print([]byte(canary)))
		if !blind[sink] && text == "" && raw == "" {
			t.Errorf("%s shows nothing", sink)
		}
	}
	behindPointers := holder{hidden: &struct{ b *[32]byte }{(*[32]byte)([]byte(canary))}}
	if leaks(dump(reflect.ValueOf(behindPointers), 0)) == "" {
		t.Error("reflection does not see what is behind pointers")
	}
}

func TestPrintedForms(t *testing.T) {
	s := subjects()
	for name, want := range map[string][2]string{
		"Secret":   {"***", `"***"`},
		"Key":      {"k1:***", `"k1:***"`},
		"*Keyring": {"keyring k1", `{"primary":"k1","keys":["k1"]}`},
		"*DataKey": {"***", `"***"`},
		"DataKey":  {"***", `"***"`},
	} {
		for _, verb := range []string{"%v", "%s", "%+v", "%#v", "%x", "%d", "%q"} {
			if got := fmt.Sprintf(verb, s[name]); got != want[0] {
				t.Errorf("%s with %s: got %s, want %s", name, verb, got, want[0])
			}
		}
		for _, got := range []string{
			s[name].(fmt.GoStringer).GoString(), s[name].(fmt.Stringer).String(),
			s[name].(slog.LogValuer).LogValue().String(),
		} {
			if got != want[0] {
				t.Errorf("%s: got %s, want %s", name, got, want[0])
			}
		}
		if got := string(must(json.Marshal(s[name]))); got != want[1] {
			t.Errorf("%s: got %s, want %s", name, got, want[1])
		}
	}
	k1, k2, k3 := must(GenerateKey("k1")), must(GenerateKey("k2")), must(GenerateKey("k3"))
	ring := must(NewKeyring(k2, k1, k3))
	if got, want := fmt.Sprint(ring), "keyring k2 k1 k3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := fmt.Sprint((*Keyring)(nil)), "keyring without keys"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNoSecretInErrors: no error shows the secret in the arguments of the call.
func TestNoSecretInErrors(t *testing.T) {
	key := must(DataKeyFromBytes([]byte(canary+canary), 1, testSuite()))
	ring := must(must(NewKeyring(must(NewKey("k1", []byte(canary))))).WithSuite(testSuite()))
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	_, err := key.Seal(nil, knownPlace, []byte(canary+"\xff"))
	add(err)
	_, err = key.Seal(nil, knownPlace, []byte(strings.Repeat(canary, MaxValue/16)))
	add(err)
	_, err = key.Open(nil, knownPlace, []byte(canary))
	add(err)
	_, err = ring.Unwrap(t.Context(), Wrapped{KeyID: "k1", Bytes: []byte(canary)}, knownBinding)
	add(err)
	_, err = ring.Unwrap(t.Context(), Wrapped{KeyID: canary + " "}, knownBinding)
	add(err)
	_, err = NewKey(canary+"!", []byte(canary))
	add(err)
	_, err = NewKey("k1", []byte(canary+"!"))
	add(err)
	_, err = ParseKey([]byte(canary))
	add(err)
	_, err = ParseKeyring([]byte(canary + ":" + canary))
	add(err)
	_, err = DataKeyFromBytes([]byte(canary), 1, testSuite())
	add(err)
	add(json.Unmarshal([]byte(`["`+canary+`"]`), new(Secret)))
	add(json.Unmarshal([]byte("\""+canary+"\xff\""), new(Secret)))
	add(xml.Unmarshal([]byte("<a>"+canary+"\xff</a>"), new(Secret)))
	add(new(Secret).UnmarshalText([]byte(canary + "\xff")))
	_, err = json.Marshal(struct{ F any }{holder{Exported: func() {}, hidden: NewSecret(canary)}})
	add(err)
	for i, err := range errs {
		for ; err != nil; err = errors.Unwrap(err) {
			text := fmt.Sprintf("%v %+v %#v", err, err, err) + dump(reflect.ValueOf(err), 0)
			if got := leaks(text); got != "" {
				t.Errorf("error %d leaks: %v", i, err)
			}
		}
		if errs[i] == nil {
			t.Errorf("call %d gave no error", i)
		}
	}
}

// TestNoSecretInCrash lets a process panic with keys and secrets on its stack, and reads its
// output.
func TestNoSecretInCrash(t *testing.T) {
	if os.Getenv(inChild) != "" {
		s := subjects()
		crash(s["Secret"].(Secret), s["*DataKey"].(*DataKey), s["DataKey"].(DataKey),
			s["*Keyring"].(*Keyring), s["Key"].(Key))
		return
	}
	output, err := child(t, t.Name(), "GOTRACEBACK=all")
	crashed := strings.Contains(output, "panic: ") && strings.Contains(output, "crypto.crash")
	if err == nil || !crashed {
		t.Fatalf("the process did not crash: %v\n%s", err, output)
	}
	if got := leaks(output); got != "" {
		t.Errorf("the crash shows %s:\n%s", got, output)
	}
}

//go:noinline
func crash(s Secret, pointer *DataKey, value DataKey, ring *Keyring, k Key) {
	defer func() { panic(s) }()
	defer func() { panic(k) }()
	defer func() { panic(value) }()
	defer func() { panic(ring) }()
	panic(pointer)
}
