// Package lineartest checks histories of concurrent calls of the stores for linearizability: that there is an order of all
// calls, each at a moment between its beginning and its end, in which a single-threaded store would have given the same
// answers. It is a module of its own, so that the library does not depend on the checker.
package lineartest
