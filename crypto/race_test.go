//go:build race

package crypto

// raceEnabled disables tests of allocations: under the race detector, pools drop entries at
// random.
const raceEnabled = true
