// Package base is what the benchmark compares the library with: the raw parts of one read or
// write, without what the library adds.
//
// Frozen: do not change. A ratio of last year and one of today mean the same only if the code
// below them is the same, so .ci/run compares this folder with .ci/base.sha256. A row that needs
// another base gets new code in a new file, and the checksums get a new line.
//
// The package imports nothing of the library. Its record has a shape of its own: a body of 2 KiB
// with ten configuration values, four of them sensitive.
package base
