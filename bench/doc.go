// Command bench compares the library with what a user would pick instead: the raw parts it is made of, and libraries that do
// a part of its work. It starts the servers it needs, lets ours and theirs take turns in one process and one run, and prints
// a table of ratios. Its exit status tells whether everything ran, never how fast.
//
//	go run .              everything; 1,000,000 records on Redis
//	go run . -quick       the same rows with fewer records and rounds
//	go run . -json FILE   also writes the rows as JSON
//	go test -bench .      the same work for benchstat: go test -bench . -count 10 | benchstat -col /side -
//
// Rows are listed in files by subject: each is a value of type [Row], and [Meter] measures them all.
package main
