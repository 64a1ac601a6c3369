// Package lineartest checks that the stores are linearizable. A history of
// concurrent calls is linearizable if some order of the calls gives the same
// answers in a single-threaded store. Each call must take effect between its start
// and its end. Each commit has an event with an id of its own, and the change log
// must have the event as often as the answer says. If an answer is lost, the event
// tells whether the commit was applied.
//
// The package is a module of its own, so that the library does not depend on the
// checker.
package lineartest
