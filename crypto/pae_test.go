package crypto

import (
	"bytes"
	"slices"
	"testing"
)

// TestPAEIsInjective: different lists with the same joined parts have different encodings.
func TestPAEIsInjective(t *testing.T) {
	lists := [][]string{
		nil, {""}, {"", ""}, {"a:b"}, {"a", "b"}, {"a", ":b"}, {"a:", "b"}, {"ab"}, {"ab", ""},
		{"", "ab"}, {"2", "3"}, {"23"}, {"23", ""}, {"to", "to"}, {"to:to"},
		{"\x00\x00\x00\x01a"}, {"\x00\x00\x00\x01", "a"},
	}
	seen := map[string][]string{}
	for _, l := range lists {
		key := string(appendPAE(nil, l...))
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have one encoding", l, other)
		}
		seen[key] = l
	}
}

// FuzzPAE: two lists have one encoding only if they are equal. The fuzzer cuts its bytes into
// lists.
func FuzzPAE(f *testing.F) {
	seeds := []struct {
		a, b       string
		cutA, cutB uint8
	}{{"ab", "ab", 1, 2}, {"", "", 0, 0}, {"\x00\x00\x00\x01a", "a", 4, 1}, {"a:b", "a:b", 1, 2}}
	for _, s := range seeds {
		f.Add(s.a, s.cutA, s.b, s.cutB)
	}
	split := func(s string, cut uint8) []string {
		var parts []string
		for cut > 0 && len(s) > int(cut) {
			parts, s = append(parts, s[:cut]), s[cut:]
		}
		return append(parts, s)
	}
	f.Fuzz(func(t *testing.T, a string, cutA uint8, b string, cutB uint8) {
		x, y := split(a, cutA), split(b, cutB)
		got, want := bytes.Equal(appendPAE(nil, x...), appendPAE(nil, y...)), slices.Equal(x, y)
		if got != want {
			t.Errorf("%q and %q: same encoding %v, want %v", x, y, got, want)
		}
	})
}
