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

// The control: where a secret is not protected, every sink shows it and the search finds it in every form.
func TestCanaryIsFoundWhenRevealed(t *testing.T) {
	const canary = `CNRY-ctrl"<&>ü-4Hu6gFp5`
	const core = `4Hu6gFp5CNRYcore9Zx`
	var f leakFinder
	f.add("canary", canary)
	f.add("core", core)

	t.Run("sinks", func(t *testing.T) {
		// A sink that formats a value not at all, or not this one, cannot show it.
		blind := map[string]bool{"%T": true, "Errorf %w": true, "%U": true, "%c": true, "%t": true, "%e": true}
		for name, sink := range leakSinks {
			for what, v := range map[string]any{
				"string": core, "struct": struct{ V string }{core}, "error": errors.New(core),
			} {
				switch {
				case blind[name], what == "struct" && name == "xml": // anonymous: no name to give to the element
					continue
				case what == "error" && slices.Contains([]string{"json", "json indent", "xml", "gob"}, name):
					continue // an error has no exported fields
				}
				if len(f.find([]byte(leakCatch(sink, v)))) == 0 {
					t.Errorf("%s does not show a plain %s: %.200s", name, what, leakCatch(sink, v))
				}
			}
		}
		for name, v := range map[string]any{"Errorf %w": errors.New(core), "%U": []byte(core)} {
			if len(f.find([]byte(leakSinks[name](v)))) == 0 {
				t.Errorf("%s does not show what it can show: %s", name, leakSinks[name](v))
			}
		}
		hidden := struct {
			a *struct{ b []map[string][]byte }
		}{&struct{ b []map[string][]byte }{[]map[string][]byte{{"k": []byte(core)}}}}
		if len(f.find([]byte(leakSinks["dump"](hidden)))) == 0 {
			t.Error("the dump does not look behind unexported fields")
		}
	})

	t.Run("forms", func(t *testing.T) {
		b := []byte(canary)
		quoted, _ := json.Marshal(canary)
		listed, _ := json.Marshal(slices.Collect(func(yield func(int) bool) {
			for _, c := range b {
				if !yield(int(c)) {
					return
				}
			}
		}))
		reversed := slices.Clone(b)
		slices.Reverse(reversed)
		for form, text := range map[string]string{
			"plain": canary, "lower": strings.ToLower(canary), "upper": strings.ToUpper(canary), "reversed": string(reversed),
			"json": string(quoted), "json list": string(listed), "%q": fmt.Sprintf("%q", canary), "%+q": fmt.Sprintf("%+q", canary),
			"%x": fmt.Sprintf("%x", b), "%X": fmt.Sprintf("%X", b), "% x": fmt.Sprintf("% x", b), "%d": fmt.Sprint(b), "%#v": fmt.Sprintf("%#v", b), "%U": fmt.Sprintf("%U", b),
		} {
			if len(f.find([]byte("before"+text+"after"))) == 0 {
				t.Errorf("%s is not found: %s", form, text)
			}
		}
		for before := range 5 {
			for after := range 4 {
				in := append(append(bytes.Repeat([]byte("b"), before), b...), bytes.Repeat([]byte("a"), after)...)
				for name, enc := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw": base64.RawURLEncoding} {
					if len(f.find([]byte(enc.EncodeToString(in)))) == 0 {
						t.Errorf("base64 %s with %d before and %d after is not found", name, before, after)
					}
				}
			}
		}
		if got := f.find([]byte(strings.Repeat("CNRY-ctrl and nothing else ", 100))); len(got) != 0 {
			t.Errorf("found %v where there is nothing", got)
		}
	})

	t.Run("revealed", func(t *testing.T) {
		h := fixture.NewAttack(t)
		p := leakParts("ACC-1")
		res, err := h.Host().Upsert(t.Context(), installation.UpsertRequest{ID: "EXI-1", Parts: p})
		if err != nil {
			t.Fatal(err)
		}
		revealed, err := h.Host().Reveal(t.Context(), installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: res.Sealed})
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
				t.Errorf("%v is in the text of an unrevealed value", got)
			}
			for _, got := range f.find(r.Value.Reveal()) {
				found[got.canary] = true
			}
		}
		for name := range leakCanaries {
			if !found[name] && name != "set secret" && name != "wrong code" {
				t.Errorf("%s was put in and is not found in what Reveal gives out", name)
			}
		}
		// The store sees plain text if one is handed to it.
		r := h.Store.Last(fixture.KeyAt("EXI-1"))
		r.Body = installation.BodyFromBytes(append(r.Body.Bytes(), leakCanaries["config"]...))
		var d leakDumper
		d.dump(reflect.ValueOf(r), 0)
		if len(f.find([]byte(d.out.String()))) == 0 {
			t.Error("plain text in a body is not found")
		}
	})
}
