package crypto

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func TestParseTextRefuses(t *testing.T) {
	body := strings.TrimPrefix(knownText, "isv1.")
	raw := must(ParseText(knownText))
	odd := append(bytes.Clone(raw[:headerSize+chachaNonceSize]), raw[headerSize+chachaNonceSize+1:]...)
	for name, text := range map[string]string{
		"empty":             "",
		"prefix only":       "isv1.",
		"no prefix":         body,
		"plain text":        "s3cr3t",
		"JSON":              `"s3cr3t"`,
		"wrapped key":       knownWrapped,
		"upper case prefix": "ISV1." + body,
		"later prefix":      "isv2." + body,
		"space before":      " " + knownText,
		"space after":       knownText + " ",
		"newline after":     knownText + "\n",
		"newline within":    knownText[:40] + "\n" + knownText[40:],
		"CR within":         knownText[:40] + "\r" + knownText[40:],
		"padding":           knownText + "=",
		"standard alphabet": "isv1." + strings.NewReplacer("-", "+", "_", "/").Replace(body),
		"loose bits":        strings.TrimSuffix(knownText, "o") + "p",
		"one byte less":     valuePrefix + base64.RawURLEncoding.EncodeToString(odd),
		"one byte more":     valuePrefix + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw), 0)),
		"no block":          valuePrefix + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw[:30]), raw[94:]...)),
		"too long":          valuePrefix + strings.Repeat("A", maxText+1),
	} {
		got, err := ParseText(text)
		if got != nil {
			t.Errorf("%s: got %x", name, got)
		}
		wantErr(t, err, ErrSealed, "s3cr3t", body[:8])
	}
}

// TestParseTextBounds: text that is too long is refused before anything is decoded.
func TestParseTextBounds(t *testing.T) {
	text := valuePrefix + strings.Repeat("A", maxText+1)
	if got := testing.AllocsPerRun(10, func() { ParseText(text) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func TestParseWrappedRefuses(t *testing.T) {
	body := strings.TrimPrefix(knownWrapped, "isk1.k1.")
	raw := must(ParseWrapped(knownWrapped)).Bytes
	for name, text := range map[string]string{
		"empty":          "",
		"prefix only":    "isk1.",
		"no id":          "isk1." + body,
		"empty id":       "isk1.." + body,
		"long id":        "isk1." + strings.Repeat("k", 33) + "." + body,
		"odd id":         "isk1.k 1." + body,
		"non-ASCII id":   "isk1.ké." + body,
		"dot in id":      "isk1.k.1." + body,
		"sealed value":   knownText,
		"newline after":  knownWrapped + "\n",
		"loose bits":     strings.TrimSuffix(knownWrapped, "M") + "N",
		"one byte less":  "isk1.k1." + base64.RawURLEncoding.EncodeToString(raw[:len(raw)-1]),
		"no bytes":       "isk1.k1.",
		"length of GCM":  "isk1.k1." + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw), make([]byte, 12)...)),
		"newer version":  "isk1.k1.Ag" + body[2:],
		"external suite": "isk1.k1.AYAAAAABAAA",
	} {
		got, err := ParseWrapped(text)
		if got.Bytes != nil || got.KeyID != "" {
			t.Errorf("%s: got %v", name, got)
		}
		wantErr(t, err, ErrSealed, body[:8])
	}
}

func TestTextRoundTrip(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		for n := range 200 {
			sealed := must(k.SealBinary(nil, knownPlace, make([]byte, n)))
			if got := must(ParseText(EncodeText(sealed))); !bytes.Equal(got, sealed) {
				t.Fatalf("%d bytes: got %x, want %x", n, got, sealed)
			}
		}
		w := must(must(knownRing().WithSuite(suite)).Wrap(t.Context(), k, knownBinding))
		if got := must(ParseWrapped(w.Text())); got.KeyID != w.KeyID || !bytes.Equal(got.Bytes, w.Bytes) {
			t.Errorf("got %v, want %v", got, w)
		}
	})
}

// FuzzParseText: whatever parses has this one text.
func FuzzParseText(f *testing.F) {
	seeds := []string{knownText, knownTextGCM, "", "isv1.", knownText + "\n", knownText + "A", knownText[:90], knownWrapped}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseText(text)
		if err != nil {
			wantErr(t, err, ErrSealed)
		} else if got := EncodeText(b); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	})
}

// FuzzParseWrapped: whatever parses has this one text.
func FuzzParseWrapped(f *testing.F) {
	seeds := []string{knownWrapped, knownWrappedGCM, "", "isk1.", "isk1.k1.", knownWrapped + "\r", knownWrapped[:70], knownText}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWrapped(text)
		if err != nil {
			wantErr(t, err, ErrSealed)
		} else if got := w.Text(); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	})
}
