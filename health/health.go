// Package health describes the results of a health check of a store or of keys.
package health

// Finding is one result of a health check.
type Finding struct {
	Level  Level
	Rule   string // stable, for machines, such as "eviction-policy"
	Detail string // for people
}

// Level grades a finding.
type Level string

// Levels of a finding, from the best to the worst.
const (
	OK      Level = "ok"      // as it should be
	Unknown Level = "unknown" // could not be checked, for example because a command is forbidden
	Warning Level = "warning" // works, but there is a risk
	Error   Level = "error"   // records are at risk
)
