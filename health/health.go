// Package health describes what a check of a store or of keys found.
package health

// Finding is one statement about the health of a store or of a key.
type Finding struct {
	Level  Level
	Rule   string // stable, for machines: "eviction-policy"
	Detail string // for people
}

// Level grades a finding.
type Level string

// Levels of a finding, from the best to the worst.
const (
	OK      Level = "ok"      // as it should be
	Unknown Level = "unknown" // could not be checked, for example because a command is forbidden
	Warning Level = "warning" // works, with a risk worth knowing
	Error   Level = "error"   // records are at risk
)
