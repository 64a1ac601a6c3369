package secrets

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// These tests check the search itself: it must find a secret that nothing
// protects, through every sink and in every form.
const (
	leakControl     = `CNRY-ctrl"<&>ü-4Hu6gFp5`
	leakControlCore = `4Hu6gFp5CNRYcore9Zx`
)

func newControlFinder() *leakFinder {
	var f leakFinder
	f.add("canary", leakControl)
	f.add("core", leakControlCore)
	return &f
}

func TestCanaryIsFoundThroughEverySink(t *testing.T) {
	const core = leakControlCore
	f := newControlFinder()
	// These sinks print no value, or not a value of these types.
	blind := []string{"%T", "Errorf %w", "%U", "%c", "%t", "%e"}
	encoders := []string{"json", "json indent", "xml", "gob"}
	for name, sink := range leakSinks {
		for what, v := range map[string]any{
			"string": core, "struct": struct{ V string }{core}, "error": errors.New(core),
		} {
			switch {
			case slices.Contains(blind, name):
				continue
			case what == "struct" && name == "xml": // anonymous: the element has no name
				continue
			case what == "error" && slices.Contains(encoders, name):
				continue // an error has no exported fields
			}
			if out := leakCatch(sink, v); len(f.find([]byte(out))) == 0 {
				t.Errorf("%s does not show a plain %s: %.200s", name, what, out)
			}
		}
	}
	for name, v := range map[string]any{"Errorf %w": errors.New(core), "%U": []byte(core)} {
		if out := leakSinks[name](v); len(f.find([]byte(out))) == 0 {
			t.Errorf("%s does not show its value: %s", name, out)
		}
	}
	hidden := struct {
		a *struct{ b []map[string][]byte }
	}{&struct{ b []map[string][]byte }{[]map[string][]byte{{"k": []byte(core)}}}}
	if len(f.find([]byte(leakSinks["dump"](hidden)))) == 0 {
		t.Error("the dump does not show unexported fields")
	}
}

func TestCanaryIsFoundInEveryForm(t *testing.T) {
	const canary = leakControl
	f := newControlFinder()
	b := []byte(canary)
	quoted, _ := json.Marshal(canary)
	numbers := make([]int, len(b))
	for i, c := range b {
		numbers[i] = int(c)
	}
	listed, _ := json.Marshal(numbers)
	reversed := slices.Clone(b)
	slices.Reverse(reversed)
	for form, text := range map[string]string{
		"plain": canary, "reversed": string(reversed),
		"lower": strings.ToLower(canary), "upper": strings.ToUpper(canary),
		"json": string(quoted), "json list": string(listed),
		"%q": fmt.Sprintf("%q", canary), "%+q": fmt.Sprintf("%+q", canary),
		"%x": fmt.Sprintf("%x", b), "%X": fmt.Sprintf("%X", b), "% x": fmt.Sprintf("% x", b),
		"%d": fmt.Sprint(b), "%#v": fmt.Sprintf("%#v", b), "%U": fmt.Sprintf("%U", b),
	} {
		if len(f.find([]byte("before"+text+"after"))) == 0 {
			t.Errorf("%s is not found: %s", form, text)
		}
	}
	encodings := map[string]*base64.Encoding{
		"std": base64.StdEncoding, "url": base64.URLEncoding, "raw": base64.RawURLEncoding,
	}
	for before := range 5 {
		for after := range 4 {
			in := slices.Concat(bytes.Repeat([]byte("b"), before), b,
				bytes.Repeat([]byte("a"), after))
			for name, enc := range encodings {
				if len(f.find([]byte(enc.EncodeToString(in)))) == 0 {
					t.Errorf("base64 %s with %d bytes before and %d after is not found",
						name, before, after)
				}
			}
		}
	}
	harmless := []byte(strings.Repeat("CNRY-ctrl and nothing else ", 100))
	if got := f.find(harmless); len(got) != 0 {
		t.Errorf("found %v in a harmless text", got)
	}
}

func TestCanaryIsFoundWhenRevealed(t *testing.T) {
	h := fixture.NewAttack(t)
	res, err := h.Host().Upsert(t.Context(), installation.UpsertRequest{
		ID: "EXI-1", Parts: leakParts("ACC-1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	revealed, err := h.Host().Reveal(t.Context(), installation.RevealRequest{
		ID: "EXI-1", Reason: "test", Refs: res.Sealed,
	})
	if err != nil {
		t.Fatal(err)
	}
	var f leakFinder
	for name, secret := range leakCanaries {
		f.add(name, secret)
	}
	found := make(map[string]bool)
	for _, r := range revealed {
		if got := f.find([]byte(fmt.Sprintf("%+v", r))); len(got) != 0 {
			t.Errorf("%v is in the printed answer of Reveal", got)
		}
		for _, got := range f.find(r.Value.Reveal()) {
			found[got.canary] = true
		}
	}
	for name := range leakCanaries {
		if !found[name] && name != "set secret" && name != "wrong code" {
			t.Errorf("%s was written, but Reveal does not return it", name)
		}
	}
	// The dump of a record finds plain text in its body.
	r := h.Store.Last(fixture.KeyAt("EXI-1"))
	r.Body = installation.BodyFromBytes(append(r.Body.Bytes(), leakCanaries["config"]...))
	var d leakDumper
	d.dump(reflect.ValueOf(r), 0)
	if len(f.find([]byte(d.out.String()))) == 0 {
		t.Error("plain text in a body is not found")
	}
}
