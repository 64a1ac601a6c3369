//go:build race

package refreshing

// raceEnabled makes walks short. The race detector makes them ten times as slow, and their steps
// are made one after another in any case.
const raceEnabled = true
