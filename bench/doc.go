// Command bench compares the library with the raw parts that it is made of, and prints a table of
// ratios. It starts the servers it needs and lets both sides take turns in one process. It fails if
// something does not work, never because something is slow.
//
//	go run .               everything, with up to 1,000,000 records on Redis
//	go run . -quick        the same rows with fewer records and rounds
//	go run . -only memory  one group of rows; this one needs no Redis
//	go run . -json FILE    also writes the rows as JSON
//	go test -bench .       the same calls for benchstat: benchstat -col /side
//
// Package base has the code of the other side. The package is frozen.
package main
