//go:build race

package refreshing

// raceEnabled makes walks short. The race detector makes them ten times as slow, and has little to
// find in them, because they make one step at a time.
const raceEnabled = true
