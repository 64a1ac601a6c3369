package crypto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// The lines of testdata/golden.jsonl are known answers of a second implementation that shares
// no code with this package. To regenerate them, run in this folder:
//
//	python3 testdata/golden.py > testdata/golden.jsonl
//
// From the first release on, lines are only appended.

// hexBytes is a byte string that the lines write in hexadecimal.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// golden is one line. What names the format, Out is the answer, and the rest is the input.
type golden struct {
	What string   `json:"what"`
	Out  hexBytes `json:"out"`

	Parts     []string `json:"parts"`
	Key       hexBytes `json:"key"` // a data key
	Suite     Suite    `json:"suite"`
	Number    uint32   `json:"number"`
	Nonce     hexBytes `json:"nonce"`
	Place     Place    `json:"place"`
	Text      string   `json:"text"`
	Content   hexBytes `json:"content"`
	KEK       hexBytes `json:"kek"`
	KeyID     string   `json:"key_id"`
	WrapSuite Suite    `json:"wrap_suite"`
	Tenant    string   `json:"tenant"`
	Record    string   `json:"record"`
	Blob      hexBytes `json:"blob"`
	Context   hexBytes `json:"context"`
}

// goldens returns all lines of a format.
func goldens(what string) []golden {
	d := json.NewDecoder(bytes.NewReader(must(os.ReadFile("testdata/golden.jsonl"))))
	d.DisallowUnknownFields()
	var lines []golden
	for d.More() {
		var g golden
		if err := d.Decode(&g); err != nil {
			panic(err)
		}
		if g.What == what {
			lines = append(lines, g)
		}
	}
	if len(lines) == 0 {
		panic("no golden lines for " + what)
	}
	return lines
}

func (g golden) dataKey() *DataKey { return must(DataKeyFromBytes(g.Key, g.Number, g.Suite)) }

func (g golden) binding() Binding { return Binding{Tenant: g.Tenant, Record: g.Record} }

// forSuites runs f with each line whose suites this process can use.
func forSuites(t *testing.T, lines []golden, f func(t *testing.T, g golden)) {
	run := 0
	for _, g := range lines {
		if canUse(g.Suite) && (g.WrapSuite == 0 || canUse(g.WrapSuite)) {
			f(t, g)
			run++
		}
	}
	if run == 0 {
		t.Error("no line was tried")
	}
}

func TestGoldenPAE(t *testing.T) {
	for _, g := range goldens("pae") {
		if got := appendPAE(nil, g.Parts...); !bytes.Equal(got, g.Out) {
			t.Errorf("%q: got %x, want %x", g.Parts, got, g.Out)
		}
	}
}

func TestGoldenFingerprint(t *testing.T) {
	for _, g := range goldens("fingerprint") {
		var parts [][]byte
		for _, p := range g.Parts {
			parts = append(parts, []byte(p))
		}
		k := must(DataKeyFromBytes(g.Key, 1, testSuite()))
		if got := must(k.Fingerprint(parts...)); !bytes.Equal(got[:], g.Out) {
			t.Errorf("%q: got %x, want %x", g.Parts, got, g.Out)
		}
	}
}

func TestGoldenCheckValue(t *testing.T) {
	for _, g := range goldens("check value") {
		e := newKEK(must(NewKey("k1", g.KEK)))
		if !bytes.Equal(e.check, g.Out) {
			t.Errorf("got %x, want %x", e.check, g.Out)
		}
	}
}

func TestGoldenText(t *testing.T) {
	forSuites(t, goldens("text"), func(t *testing.T, g golden) {
		k := g.dataKey()
		if got, err := k.Open(nil, g.Place, g.Out); err != nil || string(got) != g.Text {
			t.Errorf("%v %+v: got %q, %v, want %q", g.Suite, g.Place, got, err, g.Text)
		}
		if g.Suite == SuiteAES256GCM {
			return // it draws its own nonce
		}
		got := must(k.sealText(nil, g.Place, []byte(g.Text), g.Nonce))
		if !bytes.Equal(got, g.Out) {
			t.Errorf("%v %+v: got %x, want %x", g.Suite, g.Place, got, g.Out)
		}
	})
}

func TestGoldenBinary(t *testing.T) {
	forSuites(t, goldens("binary"), func(t *testing.T, g golden) {
		k := g.dataKey()
		got, err := k.OpenBinary(nil, g.Place, g.Out)
		if err != nil || !bytes.Equal(got, g.Content) {
			t.Errorf("%v: got %x, %v, want %x", g.Suite, got, err, g.Content)
		}
		if g.Suite == SuiteAES256GCM {
			return // it draws its own nonce
		}
		got = must(k.sealBinary(nil, g.Place, g.Content, g.Nonce))
		if !bytes.Equal(got, g.Out) {
			t.Errorf("%v: got %x, want %x", g.Suite, got, g.Out)
		}
	})
}

func TestGoldenWrapped(t *testing.T) {
	forSuites(t, goldens("wrapped"), func(t *testing.T, g golden) {
		key := must(NewKey(g.KeyID, g.KEK))
		w := Wrapped{KeyID: g.KeyID, Bytes: g.Out}
		k, err := must(NewKeyring(key)).Unwrap(t.Context(), w, g.binding())
		if err != nil {
			t.Fatalf("%v in %v: %v", g.Suite, g.WrapSuite, err)
		}
		raw := must(k.Reveal())
		if !bytes.Equal(raw, g.Key) || k.Number() != g.Number || k.Suite() != g.Suite {
			t.Errorf("got %x, number %d, %v", raw, k.Number(), k.Suite())
		}
		if g.WrapSuite == SuiteAES256GCM {
			return // it draws its own nonce
		}
		got := must(newKEK(key).wrap(g.dataKey(), g.WrapSuite, g.binding(), g.Nonce))
		if !bytes.Equal(got, g.Out) {
			t.Errorf("got %x, want %x", got, g.Out)
		}
	})
}

func TestGoldenKMS(t *testing.T) {
	forSuites(t, goldens("kms"), func(t *testing.T, g golden) {
		service := &recorder{blob: g.Blob, key: g.Key}
		keys := must(NewKMS(g.KeyID, service, &KMSOptions{Suite: testSuite()}))
		w := must(keys.Wrap(t.Context(), g.dataKey(), g.binding()))
		if w.KeyID != g.KeyID || !bytes.Equal(w.Bytes, g.Out) {
			t.Errorf("got %s %x, want %x", w.KeyID, w.Bytes, g.Out)
		}
		k := must(keys.Unwrap(t.Context(), w, g.binding()))
		raw := must(k.Reveal())
		if !bytes.Equal(raw, g.Key) || k.Number() != g.Number || k.Suite() != g.Suite {
			t.Errorf("got %x, number %d, %v", raw, k.Number(), k.Suite())
		}
		for _, at := range service.contexts {
			if got := at.Bytes(); !bytes.Equal(got, g.Context) {
				t.Errorf("context: got %x, want %x", got, g.Context)
			}
		}
		if len(service.contexts) != 2 || !slices.Equal(service.given, g.Key) {
			t.Errorf("%d calls, the service got %x", len(service.contexts), service.given)
		}
	})
}
