package leaktest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/patch"
)

// canary is the secret that no output may contain.
const canary = "hunter2-hunter3-canary-in-a-mine"

// traces are the forms of the canary to look for: as text, and as printers write
// bytes. A part of it is enough.
var traces = func() []string {
	b := []byte(canary)
	numbers := func(format, sep string) string {
		var parts []string
		for _, c := range b[:4] {
			parts = append(parts, fmt.Sprintf(format, c))
		}
		return strings.Join(parts, sep)
	}
	return []string{
		canary[:7], canary[8:15], base64.StdEncoding.EncodeToString(b)[:8],
		hex.EncodeToString(b[:7]), strings.ToUpper(hex.EncodeToString(b[:7])),
		fmt.Sprintf("% x", b[:7]), fmt.Sprintf("% X", b[:7]),
		numbers("%d", " "), numbers("%d", ", "), numbers("%d", ","), numbers("%#x", ", "),
		numbers("0x%02x", ","), numbers("0x%02x", ", "), numbers("%o", " "),
		numbers("%b", " "), numbers("%c", " "), numbers("%U", " "), numbers("- %d\n", ""),
	}
}()

func leaks(output string) bool {
	for _, t := range traces {
		if strings.Contains(output, t) {
			return true
		}
	}
	return false
}

// subjects returns a value of each type that contains a secret of a caller.
func subjects() map[string]any {
	secret := crypto.NewSecret(canary)
	document := installation.JSON(`{"token":"` + canary + `"}`)
	opened, decoded := opened()
	return map[string]any{
		"Opened":    opened,
		"decoded":   decoded,
		"Secret":    secret,
		"Document":  document,
		"Operation": patch.SetSecret("/a", secret),
		"Set":       patch.Set("/a", installation.JSON(`"`+canary+`"`)),
		"Connection": installation.Connection{
			AccessToken: installation.Token{Value: secret},
			APIKey:      secret,
			Metadata:    installation.JSON(`{"t":"` + canary + `"}`),
		},
		"Result":        installation.Result{Code: secret, AcceptURL: secret},
		"Revealed":      installation.Revealed{Value: secret},
		"AcceptRequest": installation.AcceptRequest{ID: "i", Code: secret},
		"UpsertRequest": installation.UpsertRequest{ID: "i", Parts: installation.Parts{
			Configuration: installation.Value(installation.Configuration{Document: document}),
			Connection:    installation.Value(installation.Connection{APIKey: secret}),
		}},
	}
}

// shapes returns values that contain v in different ways.
func shapes(v any) map[string]any {
	return map[string]any{
		"value":             v,
		"pointer":           &v,
		"exported field":    struct{ V any }{v},
		"unexported field":  struct{ v any }{v},
		"pointer to struct": &struct{ V, w any }{v, v},
		"slice":             []any{v, &v},
		"map":               map[string]any{"k": v},
		"interface":         any([1]any{v}),
	}
}

// Every subject goes through every sink, in every shape.
func TestNoSinkShowsASecret(t *testing.T) {
	count, leaked := 0, 0
	for subject, v := range subjects() {
		for shape, v := range shapes(v) {
			for _, s := range sinks() {
				count++
				if output := guarded(s.show, v); leaks(output) {
					leaked++
					t.Errorf("%s as %s leaks through %s", subject, shape, s.name)
				}
			}
		}
	}
	t.Logf("%d leaks in %d outputs: %d subjects, %d shapes, %d sinks",
		leaked, count, len(subjects()), len(shapes(nil)), len(sinks()))
}

// guarded returns the output of a sink, or the text of its panic.
func guarded(show func(any) string, v any) (output string) {
	defer func() {
		if p := recover(); p != nil {
			output = fmt.Sprintf("%v %+v", p, p)
		}
	}()
	return show(v)
}

// The same sinks show a plain string or byte slice, so the test above can fail.
func TestSinksShowPlainText(t *testing.T) {
	blind := 0
	for _, s := range sinks() {
		seen := false
		for _, v := range []any{canary, []byte(canary), struct{ V string }{canary}} {
			seen = seen || leaks(guarded(s.show, v))
		}
		if !seen {
			t.Logf("%s shows nothing", s.name)
			blind++
		}
	}
	// Some verbs print no value, and those for numbers shorten it.
	if blind > len(sinks())/4 {
		t.Errorf("%d of %d sinks show nothing", blind, len(sinks()))
	}
}
