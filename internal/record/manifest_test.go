package record

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
)

const testTag = "0123456789abcde\xff"

func manifests() []*Manifest {
	return []*Manifest{
		{
			ID: "i", Generation: 1, Revision: 2, Epoch: 3, Lifecycle: lifecycleBytes,
			Table: []Entry{
				{"config", testTag, 0},
				{"config/a\x00b/ü", testTag, 0},
				{"credential/api_key", testTag, 4},
			},
			Rule: "r1", IndexVersion: IndexVersion, Claims: []string{"a", "b"},
			CodeHash: []byte("hash"), CodeEra: "era", Redeemer: "ACC-1", CredentialNumber: 4,
		},
		{ID: "i", Generation: 1 << 40, Revision: 1, Lifecycle: lifecycleBytes, IndexVersion: 255},
	}
}

// testContent stands for the domain fields.
func testContent(v *inner) func(*Coder) {
	return func(c *Coder) { innerFields(c, v) }
}

func decodeManifest(b []byte) (*Manifest, *inner, error) {
	content := new(inner)
	m, err := DecodeManifest(b, testContent(content))
	return m, content, err
}

func TestManifestRoundTrip(t *testing.T) {
	for i, want := range manifests() {
		for _, text := range []string{"", "name", strings.Repeat("long", 100)} {
			b := want.Append(nil, testContent(&inner{Text: text}))
			got, content, err := decodeManifest(b)
			if err != nil {
				t.Fatalf("manifest %d: %v", i, err)
			}
			if diff := cmp.Diff(want, got); diff != "" || content.Text != text {
				t.Errorf("manifest %d: content %q (-want +got):\n%s", i, content.Text, diff)
			}
		}
	}
}

// An opened manifest stays as it is when the next one is opened in the same buffer.
func TestOpenManifestSharesNoBuffer(t *testing.T) {
	k, err := crypto.NewDataKey(1, crypto.SuiteAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	at := crypto.Place{Record: "i", Kind: "manifest"}
	var opened []*Manifest
	for _, m := range manifests() {
		sealed, err := k.SealBinary(nil, at, m.Append(nil, testContent(&inner{})))
		if err != nil {
			t.Fatal(err)
		}
		got, err := OpenManifest(k, at, sealed, testContent(&inner{}))
		if err != nil {
			t.Fatal(err)
		}
		clear(sealed)
		opened = append(opened, got)
	}
	if diff := cmp.Diff(manifests(), opened); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeManifestRejectsWhatBreaksARule(t *testing.T) {
	for name, change := range map[string]func(m *Manifest){
		"no ID":             func(m *Manifest) { m.ID = "" },
		"no generation":     func(m *Manifest) { m.Generation = 0 },
		"past generation":   func(m *Manifest) { m.Generation = -1 },
		"no revision":       func(m *Manifest) { m.Revision = 0 },
		"no lifecycle":      func(m *Manifest) { m.Lifecycle = nil },
		"no index version":  func(m *Manifest) { m.IndexVersion = 0 },
		"table order":       func(m *Manifest) { slices.Reverse(m.Table) },
		"entry twice":       func(m *Manifest) { m.Table[1].Ref = m.Table[0].Ref },
		"entry of no ref":   func(m *Manifest) { m.Table[0].Ref = "" },
		"entry without tag": func(m *Manifest) { m.Table[2].Tag = "" },
		"short tag":         func(m *Manifest) { m.Table[2].Tag = testTag[1:] },
		"long tag":          func(m *Manifest) { m.Table[2].Tag = testTag + "x" },
	} {
		m := manifests()[0]
		change(m)
		b := m.Append(nil, testContent(&inner{}))
		if m, _, err := decodeManifest(b); err != crypto.ErrSealed || m != nil {
			t.Errorf("%s: got %+v, %v, want ErrSealed", name, m, err)
		}
	}
	m := manifests()[0]
	b := m.Append(nil, testContent(&inner{Deep: &inner{Deep: &inner{}}}))
	if _, _, err := decodeManifest(append(b, 0x78, 1)); err != crypto.ErrSealed {
		t.Errorf("unknown field: %v", err)
	}
}

// sealedValues returns two values that have the form of sealed ones.
func sealedValues(t *testing.T) []Value {
	t.Helper()
	key, err := crypto.NewDataKey(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []Value
	for _, ref := range []string{"config/a", "credential/api_key"} {
		kind, name, _ := strings.Cut(ref, "/")
		at := crypto.Place{Record: "i", Kind: kind, Pointer: "/" + name}
		sealed, err := key.Seal(nil, at, []byte(`"secret"`))
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, Value{ref, sealed})
	}
	return values
}

func TestListsComparesRefsAndTags(t *testing.T) {
	values := sealedValues(t)
	m := Manifest{Table: table(values)}
	if !m.Lists(values) || !(&Manifest{}).Lists(nil) {
		t.Error("the table does not list the values it was made from")
	}
	swapped := []Value{{values[0].Ref, values[1].Sealed}, {values[1].Ref, values[0].Sealed}}
	flipped := bytes.Clone(values[0].Sealed)
	flipped[len(flipped)-1] ^= 1
	for name, other := range map[string][]Value{
		"none":        nil,
		"one less":    values[:1],
		"one more":    append(slices.Clone(values), Value{"extra", values[0].Sealed}),
		"reversed":    {values[1], values[0]},
		"swapped":     swapped,
		"kind":        {{"extra/a", values[0].Sealed}, values[1]},
		"pointer":     {{"config/b", values[0].Sealed}, values[1]},
		"tag":         {{values[0].Ref, flipped}, values[1]},
		"cut off":     {{values[0].Ref, values[0].Sealed[:20]}, values[1]},
		"only a tag":  {{values[0].Ref, crypto.Tag(values[0].Sealed)}, values[1]},
		"not a value": {{values[0].Ref, nil}, values[1]},
	} {
		if m.Lists(other) {
			t.Errorf("%s: listed", name)
		}
	}
}

// FuzzDecodeManifest proves that any input is a manifest with one encoding, or ErrSealed.
func FuzzDecodeManifest(f *testing.F) {
	for _, m := range manifests() {
		f.Add(m.Append(nil, testContent(&inner{Text: "name"})))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, content, err := decodeManifest(b)
		if err != nil {
			if err != crypto.ErrSealed || m != nil {
				t.Fatalf("got %v, %v, want ErrSealed", m, err)
			}
			return
		}
		if again := m.Append(nil, testContent(content)); !bytes.Equal(b, again) {
			t.Fatalf("accepted %x, which is written as %x", b, again)
		}
	})
}

// table returns the table of values, without numbers.
func table(values []Value) []Entry {
	entries := make([]Entry, len(values))
	for i, v := range values {
		entries[i] = Entry{Ref: v.Ref, Tag: string(crypto.Tag(v.Sealed))}
	}
	return entries
}
