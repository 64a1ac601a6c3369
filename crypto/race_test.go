//go:build race

package crypto

// raceEnabled says that pools drop entries at random, so that nothing can be said of
// allocations.
const raceEnabled = true
