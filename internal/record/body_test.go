package record

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
)

// lifecycleBytes encodes Lifecycle{status: "installed", generation: 1}.
var lifecycleBytes = []byte("\x0a\x09installed\x10\x01")

func bodies() []*Body {
	key := crypto.Wrapped{KeyID: "k1", Bytes: bytes.Repeat([]byte{1}, 140)}
	values := []Value{
		{"config", []byte("sealed")},
		{"config/a", []byte("sealed")},
		{"config/ä", []byte("sealed")},
		{"credential/api_key", []byte("sealed")},
	}
	manifest := bytes.Repeat([]byte{2}, 300)
	return []*Body{
		{Lifecycle: lifecycleBytes, Manifest: manifest, Key: key, Values: values},
		{Lifecycle: lifecycleBytes, Manifest: manifest, Key: key},
		{Lifecycle: lifecycleBytes}, // purged without the key
	}
}

func TestBodyRoundTrip(t *testing.T) {
	for i, want := range bodies() {
		raw := want.Append(nil)
		if raw[0] != 0x02 {
			t.Errorf("body %d: version byte %#x", i, raw[0])
		}
		if size := want.size(); size < len(raw) {
			t.Errorf("body %d: Size is %d, below %d", i, size, len(raw))
		}
		got, err := DecodeBody(raw)
		if err != nil {
			t.Fatalf("body %d: %v", i, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("body %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestDecodeBodyRejectsWhatBreaksARule(t *testing.T) {
	edit := func(change func(b *Body)) []byte {
		b := *bodies()[0]
		b.Values = slices.Clone(b.Values)
		change(&b)
		return b.Append(nil)
	}
	for name, raw := range map[string][]byte{
		"nothing":       nil,
		"only version":  {Version},
		"no lifecycle":  edit(func(b *Body) { b.Lifecycle = nil }),
		"order":         edit(func(b *Body) { slices.Reverse(b.Values) }),
		"twice":         edit(func(b *Body) { b.Values[1].Ref = b.Values[0].Ref }),
		"no ref":        edit(func(b *Body) { b.Values[0].Ref = "" }),
		"no sealed":     edit(func(b *Body) { b.Values[0].Sealed = nil }),
		"not UTF-8":     edit(func(b *Body) { b.Values[3].Ref = "credential/\xff" }),
		"unknown field": append(edit(func(*Body) {}), 0x78, 1),
		"too large":     edit(func(b *Body) { b.Manifest = make([]byte, MaxRead) }),
	} {
		if b, err := DecodeBody(raw); err != crypto.ErrSealed || b != nil {
			t.Errorf("%s: got %+v, %v, want ErrSealed", name, b, err)
		}
	}
}

func TestDecodeBodyNamesUnknownVersion(t *testing.T) {
	for _, first := range []byte{0, 1, 3, 255} {
		raw := bodies()[0].Append(nil)
		raw[0] = first
		_, err := DecodeBody(raw)
		version, ok := errors.AsType[*crypto.VersionError](err)
		if !ok || version.What != "record" || version.Version != first {
			t.Errorf("version %d: %v", first, err)
		}
	}
}

// FuzzDecodeBody proves that any input is a body with one encoding, or ErrSealed.
func FuzzDecodeBody(f *testing.F) {
	for _, b := range bodies() {
		f.Add(b.Append(nil))
	}
	f.Add([]byte("\x02\x0a\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := DecodeBody(raw)
		if err != nil {
			if !errors.Is(err, crypto.ErrSealed) || b != nil {
				t.Fatalf("got %v, %v, want ErrSealed", b, err)
			}
			return
		}
		if again := b.Append(nil); !bytes.Equal(raw, again) {
			t.Fatalf("accepted %x, which is written as %x", raw, again)
		}
		for i, v := range b.Values {
			unsorted := i > 0 && b.Values[i-1].Ref >= v.Ref
			if unsorted || v.Ref == "" || len(v.Sealed) == 0 {
				t.Fatalf("value %d of %+v", i, b.Values)
			}
		}
	})
}
