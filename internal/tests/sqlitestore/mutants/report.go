package main

import (
	"cmp"
	"errors"
	"fmt"
)

// row is a line of the table: how many faults of a kind there are.
type row struct{ planted, caught, equivalent, escaped int }

func (r *row) add(m mutant, got result) {
	r.planted++
	switch {
	case got.caught:
		r.caught++
	case m.equivalent != "":
		r.equivalent++
	default:
		r.escaped++
	}
}

// report prints the tables and returns an error if the suite missed a fault.
func report(mutants []mutant, results []result) error {
	var kinds []string
	rows := make(map[string]*row)
	var all row
	var wrong []error
	for i, m := range mutants {
		got := results[i]
		switch name := m.kind + "/" + m.name; {
		case got.err != nil:
			wrong = append(wrong, fmt.Errorf("%s: %w", name, got.err))
		case got.caught && m.equivalent != "":
			wrong = append(wrong, fmt.Errorf("%s is not equivalent: %s", name, got.by))
		case !got.caught && m.equivalent == "" && m.missed == "":
			wrong = append(wrong, fmt.Errorf("%s escaped", name))
		}
		if rows[m.kind] == nil {
			kinds = append(kinds, m.kind)
			rows[m.kind] = &row{}
		}
		rows[m.kind].add(m, got)
		all.add(m, got)
	}
	fmt.Println("| kind | planted | caught | equivalent | escaped |\n|---|---|---|---|---|")
	for _, kind := range kinds {
		fmt.Printf("| %s %s\n", kind, rows[kind])
	}
	fmt.Printf("| all %s\n", &all)
	fmt.Println("\n| not caught | why |\n|---|---|")
	for i, m := range mutants {
		if !results[i].caught {
			why := m.equivalent
			if why == "" {
				why = "escaped: " + cmp.Or(m.missed, "no case looks for it")
			}
			fmt.Printf("| %s: %s | %s |\n", m.kind, m.name, why)
		}
	}
	return errors.Join(wrong...)
}

func (r *row) String() string {
	return fmt.Sprintf("| %d | %d | %d | %d |", r.planted, r.caught, r.equivalent, r.escaped)
}
