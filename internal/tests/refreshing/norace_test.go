//go:build !race

package refreshing

const raceEnabled = false
