package main

import "slices"

// mover is the kind of faults in Scan and Put.
const mover = "Mover"

// all returns the mutants in the order of the tables.
func all() []mutant {
	return slices.Concat(commitMutants, ruleMutants, rowMutants, listMutants, valueMutants,
		eventMutants, storeMutants, moverMutants)
}

// in makes a mutant with one edit.
func in(file, kind, name, old, now string) mutant {
	return mutant{kind: kind, name: name, edits: []edit{{file, old, now}}}
}

// same makes a mutant with one edit that no caller can notice.
func same(file, kind, name, old, now, why string) mutant {
	m := in(file, kind, name, old, now)
	m.equivalent = why
	return m
}

// missed makes a mutant with one edit that no case can find.
func missed(file, kind, name, old, now, why string) mutant {
	m := in(file, kind, name, old, now)
	m.missed = why
	return m
}
