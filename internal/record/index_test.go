package record

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
)

func allTerms() Terms {
	return Terms{
		Extension: "EXT-1", Owner: "OWN-1", Account: "ACC-1", Connection: "CON-1",
		Phase: "installed", KeyID: "k1", Provider: "crm", Failed: true,
	}
}

func TestListIsSorted(t *testing.T) {
	for _, test := range []struct {
		terms Terms
		want  []string
	}{
		{Terms{}, []string{"@all", "all"}},
		{Terms{Phase: "x", Extension: "E"}, []string{"@all", "all", "ext=E", "phase=x"}},
		{Terms{Account: "A"}, []string{"@all", "acc=A", "all"}},
		{allTerms(), []string{
			"@all", "@kek=k1", "acc=ACC-1", "all", "conn=CON-1", "ext+acc=5:EXT-1ACC-1",
			"ext=EXT-1", "failed", "own=OWN-1", "phase=installed", "prov=crm",
		}},
		{Terms{Extension: "\x00", Account: "\xff", KeyID: "~"}, []string{
			"@all", "@kek=~", "acc=\xff", "all", "ext+acc=1:\x00\xff", "ext=\x00",
		}},
	} {
		got := test.terms.List()
		if diff := cmp.Diff(test.want, got); diff != "" || !slices.IsSorted(got) {
			t.Errorf("%+v: sorted %v (-want +got):\n%s", test.terms, slices.IsSorted(got), diff)
		}
		if err := test.terms.Match(IndexVersion, got); err != nil {
			t.Errorf("%+v does not match its own list: %v", test.terms, err)
		}
	}
}

// Records of version 1 have no terms for the provider and for a failed connection.
func TestMatchKnowsVersion1(t *testing.T) {
	old := allTerms()
	old.Provider, old.Failed = "", false
	if err := allTerms().Match(1, old.List()); err != nil {
		t.Errorf("terms of version 1: %v", err)
	}
	if err := allTerms().Match(1, allTerms().List()); err != crypto.ErrSealed {
		t.Errorf("terms of version 2 in version 1: %v, want ErrSealed", err)
	}
	if err := allTerms().Match(2, old.List()); err != crypto.ErrSealed {
		t.Errorf("terms of version 1 in version 2: %v, want ErrSealed", err)
	}
}

func TestMatchRejectsOtherTerms(t *testing.T) {
	list := allTerms().List()
	for i := range list {
		edited := slices.Clone(list)
		edited[i] += "x"
		for name, other := range map[string][]string{
			"without": slices.Delete(slices.Clone(list), i, i+1),
			"twice":   slices.Insert(slices.Clone(list), i, list[i]),
			"edited":  edited,
			"cut":     list[:i],
		} {
			if err := allTerms().Match(IndexVersion, other); err != crypto.ErrSealed {
				t.Errorf("%s %s: %v, want ErrSealed", name, list[i], err)
			}
		}
	}
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	if err := allTerms().Match(IndexVersion, reversed); err != crypto.ErrSealed {
		t.Errorf("reversed: %v", err)
	}
}

func TestMatchNamesUnknownVersion(t *testing.T) {
	for _, v := range []byte{0, IndexVersion + 1, 255} {
		err := allTerms().Match(v, allTerms().List())
		version, ok := errors.AsType[*crypto.VersionError](err)
		if !ok || version.What != "index" || version.Version != v {
			t.Errorf("version %d: %v", v, err)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	terms := allTerms()
	terms.Extension = strings.Repeat("E", 255)
	list := terms.List()
	if n := testing.AllocsPerRun(10, func() { _ = terms.Match(IndexVersion, list) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPairTermTellsPairsApart(t *testing.T) {
	parts := []string{"a", "aa", "1", "1:", ":", "11:a", "a1"}
	seen := map[string]bool{}
	for _, a := range parts {
		for _, b := range parts {
			term := PairTerm(a, b)
			if seen[term] {
				t.Errorf("%q and %q: another pair has the term %q", a, b, term)
			}
			seen[term] = true
			if list := (Terms{Extension: a, Account: b}).List(); !slices.Contains(list, term) {
				t.Errorf("%q is not in the list %q", term, list)
			}
		}
	}
}

func TestSetTermAndTermValue(t *testing.T) {
	list := allTerms().List()
	given := slices.Clone(list)
	moved := SetTerm(list, TermPhase, "uninstalled")
	if !slices.Equal(list, given) {
		t.Error("SetTerm changed its argument")
	}
	want := allTerms()
	want.Phase = "uninstalled"
	if diff := cmp.Diff(want.List(), moved); diff != "" {
		t.Errorf("phase set (-want +got):\n%s", diff)
	}
	want = allTerms()
	want.KeyID = ""
	if diff := cmp.Diff(want.List(), SetTerm(list, TermKey, "")); diff != "" {
		t.Errorf("key removed (-want +got):\n%s", diff)
	}
	for prefix, want := range map[string]string{
		TermPhase: "installed", TermKey: "k1", TermExtension: "EXT-1", TermOwner: "OWN-1",
		TermAccount: "ACC-1", TermConnection: "CON-1", "none=": "",
	} {
		if got := TermValue(list, prefix); got != want {
			t.Errorf("TermValue(%q) = %q, want %q", prefix, got, want)
		}
	}
}

// FuzzTerms proves that no two pairs of IDs give one term, and that no ID makes a term of
// another kind.
func FuzzTerms(f *testing.F) {
	for _, s := range [][4]string{
		{"a", "b", "a", "b"}, {"ab", "c", "a", "bc"}, {"1:a", "b", "1", ":ab"}, {"", "", "", ""},
		{"3:abc", "", "", "3:abc"}, {"ü", "\xff", "\x00", "="}, {"a", "11:b", "a1", "1:b"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		x, y := PairTerm(a, b), PairTerm(c, d)
		if (x == y) != (a == c && b == d) {
			t.Fatalf("(%q, %q) and (%q, %q) give %q and %q", a, b, c, d, x, y)
		}
		terms := Terms{
			Extension: a, Owner: b, Account: c, Connection: d, Phase: "installed", KeyID: "k1",
		}
		list := terms.List()
		if !slices.IsSorted(list) || terms.Match(IndexVersion, list) != nil {
			t.Fatalf("not sorted, or no match: %q", list)
		}
		everywhere := 0
		for _, term := range list {
			if strings.HasPrefix(term, "@") {
				everywhere++
			}
		}
		if everywhere != 2 {
			t.Fatalf("%d terms across tenants in %q, want 2", everywhere, list)
		}
		for prefix, want := range map[string]string{
			TermExtension: a, TermOwner: b, TermAccount: c, TermConnection: d,
			TermKey: "k1", TermPhase: "installed",
		} {
			if got := TermValue(list, prefix); got != want {
				t.Fatalf("%s is read as %q, want %q", prefix, got, want)
			}
			for _, term := range SetTerm(list, prefix, "new") {
				if !strings.HasPrefix(term, prefix) && !slices.Contains(list, term) {
					t.Fatalf("setting %s gave %q", prefix, term)
				}
			}
		}
	})
}
