package crypto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// TestOpenAcceptsAnyPadding: the sealer chooses the amount of padding, and may change it.
func TestOpenAcceptsAnyPadding(t *testing.T) {
	k := knownKey(0)
	for n := blockSize; n <= 2048; n += blockSize {
		spaces := bytes.Repeat([]byte(" "), n-len(knownValue))
		text := plaintext{body: append(bytes.Clone(knownValue), spaces...), fill: ' '}
		got, err := k.Open(nil, knownPlace, must(k.seal(nil, knownPlace, text, nil)))
		if err != nil || !bytes.Equal(got, knownValue) {
			t.Errorf("%d bytes: got %q, %v", n, got, err)
		}
		xy := append([]byte("xy"), make([]byte, n-6)...)
		content := plaintext{lead: []byte{0, 0, 0, 2}, body: xy}
		got, err = k.OpenBinary(nil, knownPlace, must(k.seal(nil, knownPlace, content, nil)))
		if err != nil || string(got) != "xy" {
			t.Errorf("%d bytes: got %q, %v", n, got, err)
		}
	}
}

func TestOpenBinaryRejectsOtherContent(t *testing.T) {
	k := must(NewDataKey(1, testSuite()))
	for name, p := range map[string]plaintext{
		"length beyond the end": {lead: []byte{0, 0, 0, 61}},
		"huge length":           {lead: []byte{0xff, 0xff, 0xff, 0xff}},
		"padding with spaces":   {lead: []byte{0, 0, 0, 1}, body: []byte("x"), fill: ' '},
		"JSON text":             {body: knownValue, fill: ' '},
	} {
		sealed := must(k.seal(nil, knownPlace, p, nil))
		got, err := k.OpenBinary(nil, knownPlace, sealed)
		if got != nil || !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	spaces := must(k.seal(nil, knownPlace, plaintext{fill: ' '}, nil))
	if got, err := k.Open(nil, knownPlace, spaces); got != nil || !errors.Is(err, ErrSealed) {
		t.Errorf("padding alone: got %q, %v", got, err)
	}
}

func TestOpenRejectsDamage(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := knownKey(suite)
		sealed := must(k.Seal(nil, knownPlace, knownValue))
		for name, m := range mutations(sealed) {
			got, err := k.Open(nil, knownPlace, m)
			if got != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
	})
}

// TestOpenRejectsMovedValue changes each part of the place and shifts bytes between parts.
func TestOpenRejectsMovedValue(t *testing.T) {
	p := knownPlace
	moved := map[string]Place{
		"tenant":      {"ACC-1234-1235", p.Record, p.Kind, p.Pointer, p.Extra},
		"record":      {p.Tenant, "EXI-1234-1234-0002", p.Kind, p.Pointer, p.Extra},
		"kind":        {p.Tenant, p.Record, "connection", p.Pointer, p.Extra},
		"pointer":     {p.Tenant, p.Record, p.Kind, "/adobe_secret2", p.Extra},
		"extra":       {p.Tenant, p.Record, p.Kind, p.Pointer, "less"},
		"no extra":    {p.Tenant, p.Record, p.Kind, p.Pointer, ""},
		"letter case": {p.Tenant, p.Record, p.Kind, "/Adobe_secret", p.Extra},
		"tenant to record": {
			p.Tenant[:12], p.Tenant[12:] + p.Record, p.Kind, p.Pointer, p.Extra,
		},
		"kind to record":   {p.Tenant, p.Record + p.Kind[:1], p.Kind[1:], p.Pointer, p.Extra},
		"pointer to kind":  {p.Tenant, p.Record, p.Kind + p.Pointer, "", p.Extra},
		"extra to pointer": {p.Tenant, p.Record, p.Kind, p.Pointer + p.Extra, ""},
		"swapped":          {p.Record, p.Tenant, p.Kind, p.Pointer, p.Extra},
		"nowhere":          {},
	}
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := knownKey(suite)
		sealed := must(k.Seal(nil, p, knownValue))
		for name, at := range moved {
			if got, err := k.Open(nil, at, sealed); got != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		if _, err := k.Open(nil, p, sealed); err != nil {
			t.Errorf("not moved: %v", err)
		}
	})
}

// TestOpenRejectsOtherKeys: the number and the suite belong to the key, as its bytes do.
func TestOpenRejectsOtherKeys(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		raw := count(0, dataKeySize)
		sealed := must(knownKey(suite).Seal(nil, knownPlace, knownValue))
		otherBytes := bytes.Clone(raw)
		otherBytes[keySize-1] ^= 1
		keys := map[string]*DataKey{
			"other bytes":  must(DataKeyFromBytes(otherBytes, 1, suite)),
			"other number": must(DataKeyFromBytes(raw, 2, suite)),
		}
		if other := otherSuite(suite); canUse(other) {
			keys["other suite"] = must(DataKeyFromBytes(raw, 1, other))
		}
		for name, k := range keys {
			got, err := k.Open(nil, knownPlace, sealed)
			if got != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
			// Relabelled for this key, it still does not open.
			m := bytes.Clone(sealed)
			m[1] = byte(k.Suite())
			binary.BigEndian.PutUint32(m[2:], k.Number())
			if d := k.Suite().nonceSize() - suite.nonceSize(); d > 0 {
				m = slices.Insert(m, headerSize, make([]byte, d)...)
			} else {
				m = slices.Delete(m, headerSize, headerSize-d)
			}
			got, err = k.Open(nil, knownPlace, m)
			if got != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s, relabelled: got %q, %v", name, got, err)
			}
		}
	})
}

// TestOpenNamesUnknownVersions: a value of another release is not taken for damage.
func TestOpenNamesUnknownVersions(t *testing.T) {
	k := knownKey(0)
	sealed := must(k.Seal(nil, knownPlace, knownValue))
	for _, tc := range []struct {
		at    int
		value byte
		want  VersionError
	}{
		{0, 1, VersionError{What: "value", Version: 1, Suite: testSuite()}},
		{0, 9, VersionError{What: "value", Version: 9, Suite: testSuite()}},
		{1, 9, VersionError{What: "value", Version: 2, Suite: 9}},
		{1, byte(suiteKMS), VersionError{What: "value", Version: 2, Suite: suiteKMS}},
	} {
		m := bytes.Clone(sealed)
		m[tc.at] = tc.value
		_, err := k.Open(nil, knownPlace, m)
		wantErr(t, err, ErrVersion)
		wantErr(t, err, ErrSealed)
		var got *VersionError
		if !errors.As(err, &got) || *got != tc.want {
			t.Errorf("got %v, want %v", err, &tc.want)
		}
	}
	m := bytes.Clone(sealed)
	m[len(m)-1]++
	if _, err := k.Open(nil, knownPlace, m); errors.Is(err, ErrVersion) {
		t.Errorf("damage is taken for another version: %v", err)
	}
	got := (&VersionError{What: "record", Version: 3}).Error()
	want := "installation: sealed in an unknown format version: record of version 3"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	needsXChaCha(f)
	known := map[string]bool{}
	place := goldens("text")[0].Place
	for _, g := range goldens("text") {
		if g.Place == place && g.Number == 1 {
			known[string(g.Out)] = true
		}
		f.Add([]byte(g.Out))
		f.Add([]byte(g.Out[:len(g.Out)-1]))
		f.Add(append(bytes.Clone(g.Out), make([]byte, blockSize)...))
	}
	keys := []*DataKey{knownKey(SuiteXChaCha20Poly1305), knownKey(SuiteAES256GCM)}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range keys {
			got, err := k.Open(nil, place, b)
			if err != nil {
				wantErr(t, err, ErrSealed)
			} else if !known[string(b)] {
				t.Errorf("forged: %x opens as %q", b, got)
			}
		}
	})
}
