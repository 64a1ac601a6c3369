package installationtest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/installationtest"
	"github.com/go-installation/installation/patch"
)

const secret = `s3cr3t "<&>" / of+é`

// recorder is a test that keeps its failures.
type recorder struct {
	testing.TB
	failures []string
}

var errFatal = errors.New("fatal")

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(errFatal)
}

// search runs NoSecrets and returns its failures.
func search(
	t *testing.T, svc *installation.Service, id string, outputs ...any,
) (failures []string) {
	t.Helper()
	r := &recorder{TB: t}
	defer func() {
		if p := recover(); p != nil && p != errFatal {
			panic(p)
		}
		failures = r.failures
	}()
	installationtest.NoSecrets(r, svc, id, outputs...)
	return
}

// minimalParts returns the parts that every installation needs.
func minimalParts() installation.Parts {
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "E"}),
		Account:   installation.Value(installation.Account{ID: "A"}),
	}
}

// newHost returns a new service for the host, with an installation i that has the given secret.
func newHost(t *testing.T, value string) *installation.Service {
	t.Helper()
	svc, _ := installationtest.New(t, nil)
	host := svc.As(installation.Actor{Kind: installation.Host})
	document, err := installation.DocumentOf(
		map[string]string{"api_key": value, "note": "plain"})
	if err != nil {
		t.Fatal(err)
	}
	parts := minimalParts()
	parts.Configuration = installation.Value(installation.Configuration{Document: document})
	_, err = host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// textsWithSecret returns the secret in each encoding that NoSecrets knows.
func textsWithSecret(t *testing.T) map[string]any {
	t.Helper()
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	var page, script bytes.Buffer
	parse := func(text string) *template.Template {
		return template.Must(template.New("").Parse(text))
	}
	parse(`<p title="{{.}}">{{.}}</p>`).Execute(&page, secret)
	parse(`<script>var x = {{.}}</script>`).Execute(&script, secret)
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	wrapped := encoded[:8] + "\r\n " + encoded[8:16] + "\n" + encoded[16:]
	wrappedJSON, err := json.Marshal(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"text":            "before " + secret + " after",
		"bytes":           []byte(secret),
		"raw JSON":        json.RawMessage(quoted),
		"hex":             hex.EncodeToString([]byte(secret)),
		"upper hex":       strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"hex with spaces": fmt.Sprintf("% X", secret),
		"query":           "https://x.example?k=" + url.QueryEscape(secret),
		"lower query":     strings.ToLower(url.QueryEscape(secret)),
		"path":            "https://x.example/" + url.PathEscape(secret),
		"JSON":            string(quoted),
		"Go":              fmt.Sprintf("%q", secret),
		"Go in ASCII":     fmt.Sprintf("%+q", secret),
		"HTML":            html.EscapeString(secret),
		"list":            fmt.Sprint([]byte(secret)),
		"page":            page.String(),
		"script":          script.String(),
		"XML": strings.NewReplacer(
			"&", "&amp;", `"`, "&quot;", "<", "&#x3C;", "+", "&#43;",
		).Replace(secret),
		"JSON of PHP": strings.ReplaceAll(string(quoted), "/", `\/`),
		"JavaScript": strings.NewReplacer("+", `\x2b`, "/",
			`\u002F`).Replace(secret),
		"base64 in lines":         wrapped,
		"base64 in lines in JSON": string(wrappedJSON),
	}
}

// valuesWithSecret returns values from which the secret can be reached.
func valuesWithSecret() map[string]any {
	recorded := httptest.NewRecorder()
	recorded.WriteString("body: " + secret)
	type hidden struct{ v string }
	loop := &struct {
		next any
		v    *hidden
	}{v: &hidden{secret}}
	loop.next = loop
	return map[string]any{
		"buffer":              bytes.NewBufferString(secret),
		"struct":              struct{ V string }{secret},
		"pointer":             &struct{ V string }{secret},
		"map":                 map[string]any{"k": []string{secret}},
		"error":               fmt.Errorf("wrapped: %w", errors.New(secret)),
		"slice of bytes":      [][]byte{[]byte(secret)},
		"reader":              strings.NewReader(secret),
		"buffer by value":     *bytes.NewBufferString(secret),
		"recorder":            recorded,
		"response":            recorded.Result(),
		"pointer in a struct": struct{ p *hidden }{&hidden{secret}},
		"list of pointers":    []*hidden{{secret}},
		"key of a map":        map[hidden]bool{{secret}: true},
		"itself":              loop,
	}
}

func TestNoSecretsFinds(t *testing.T) {
	host := newHost(t, secret)
	outputs := textsWithSecret(t)
	maps.Copy(outputs, valuesWithSecret())
	for name, output := range outputs {
		failures := search(t, host, "i", "nothing here", output)
		if len(failures) != 1 || !strings.Contains(failures[0], "output 1") ||
			!strings.Contains(failures[0], "config/api_key") {
			t.Errorf("%s: %q", name, failures)
		}
		if strings.Contains(strings.Join(failures, ""), secret) {
			t.Errorf("%s: the failure shows it", name)
		}
	}
}

func TestNoSecretsFindsBase64AtAnyOffset(t *testing.T) {
	host := newHost(t, secret)
	for offset := range 7 {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding,
			base64.RawURLEncoding} {
			for _, after := range []string{"", "x", "xy"} {
				output := encoding.EncodeToString([]byte("user:pw"[:offset] + secret + after))
				if failures := search(t, host, "i", output); len(failures) != 1 {
					t.Errorf("base64 at offset %d: %q", offset, failures)
				}
			}
		}
	}
}

func TestNoSecretsPasses(t *testing.T) {
	host := newHost(t, secret)
	i, err := host.Get(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	request := installation.PatchRequest{Operations: []installation.Operation{
		patch.SetSecret("/x", crypto.NewSecret(secret)),
		patch.Set("/y", installation.JSON(`"`+secret+`"`)),
	}}
	outputs := []any{
		"", nil, "***", `a \ b \`, "s3cr3t", errors.New("plain"), map[string]any{},
		request, i, i.Configuration.Document,
		[]any{(chan int)(nil), (func())(nil), (*int)(nil)},
		base64.StdEncoding.EncodeToString([]byte("other")),
	}
	if failures := search(t, host, "i", outputs...); failures != nil {
		t.Errorf("got %q", failures)
	}
	installationtest.NoSecrets(t, host, "i", outputs...)
}

// TestNoSecretsFailsWithoutASearch proves that NoSecrets fails if it can find nothing.
func TestNoSecretsFailsWithoutASearch(t *testing.T) {
	host := newHost(t, "short")
	customer := host.As(installation.Actor{Kind: installation.Customer, ID: "A"})
	for name, c := range map[string]struct {
		svc  *installation.Service
		id   string
		want string
	}{
		"short":    {host, "i", "too short"},
		"unknown":  {host, "j", "not found"},
		"no right": {customer, "i", "no secrets"},
	} {
		failures := search(t, c.svc, c.id, "x")
		if len(failures) != 1 || !strings.Contains(failures[0], c.want) {
			t.Errorf("%s: %q", name, failures)
		}
	}
	for name, output := range map[string]any{
		"chan":             make(chan int),
		"func":             func() {},
		"unsafe.Pointer":   struct{ p any }{unsafe.Pointer(t)},
		"func in a struct": struct{ f []func() }{[]func(){func() {}}},
	} {
		want := "output 1 has a " + strings.Fields(name)[0]
		failures := search(t, newHost(t, secret), "i", "x", output)
		if len(failures) != 1 || !strings.Contains(failures[0], want) {
			t.Errorf("%s: %q", name, failures)
		}
	}
	none := newHost(t, secret)
	unset := []installation.Operation{patch.Unset("/api_key")}
	_, err := none.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: unset})
	if err != nil {
		t.Fatal(err)
	}
	failures := search(t, none, "i", secret)
	if len(failures) != 1 || !strings.Contains(failures[0], "no secrets") {
		t.Errorf("none: %q", failures)
	}
}

func TestNew(t *testing.T) {
	asked := false
	svc, clock := installationtest.New(t, &installation.Options{
		Now: func() time.Time { t.Error("the clock was not replaced"); return time.Time{} },
		Policy: func(installation.Actor, installation.Action, *installation.Installation) bool {
			asked = true
			return true
		},
	})
	if _, err := svc.Get(t.Context(), "i"); !errors.Is(err, installation.ErrForbidden) {
		t.Errorf("without an actor: %v", err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	res, err := host.Upsert(t.Context(),
		installation.UpsertRequest{ID: "i", Parts: minimalParts()})
	if err != nil || !asked {
		t.Fatal(err, asked)
	}
	if got := res.Audit.Created.At; !got.Equal(installationtest.Start) {
		t.Errorf("created at %v", got)
	}
	if got := clock.Advance(time.Hour); !got.Equal(installationtest.Start.Add(time.Hour)) ||
		!clock.Now().Equal(got) {
		t.Errorf("an hour later it is %v", got)
	}
	clock.Set(installationtest.Start)
	if !clock.Now().Equal(installationtest.Start) {
		t.Errorf("set back it is %v", clock.Now())
	}
}
