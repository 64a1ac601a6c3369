package main

import "testing"

// TestMutantsFitTheStore proves that the texts of all mutants occur in the store, so a change of
// the store must take its mutants along.
func TestMutantsFitTheStore(t *testing.T) {
	t.Chdir("..")
	sources, err := readSources()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all() {
		if _, err := m.plant(sources); err != nil {
			t.Errorf("%s, %s: %v", m.kind, m.name, err)
		}
	}
}
