// Package lease makes sure that only one caller at a time sends a credential that may be used only
// once, across processes. It has the states of the lease that stands in a record, the memory of a
// process, and the protocol. docs/refresh.md has the table of states.
package lease

import (
	"time"

	"github.com/go-installation/installation/internal/record"
)

// Kind is the state of a lease. The numbers are part of the stored format.
type Kind uint8

// The kinds. No State at all means that the lease is free.
const (
	Sending  Kind = 1 // the holder may be sending the credential
	Doubtful Kind = 2 // it was sent, and nobody knows the result
	Failed   Kind = 3 // it was refused for good
)

// State is a lease as a record has it.
type State struct {
	Kind       Kind
	Holder     string // random, new for each attempt
	Credential int64  // number of the credential that is sent
	Epoch      int64  // of the namespace when the lease was taken
	Duration   time.Duration

	Reason   string // code, of a failure
	Since    time.Time
	Attempts int64
}

// Code describes the fields of a State for a record.
func Code(c *record.Coder, s *State) {
	micros := s.Duration.Microseconds()
	record.Int(c, 1, &s.Kind)
	record.Raw(c, 2, &s.Holder)
	record.Int(c, 3, &s.Credential)
	record.Int(c, 4, &s.Epoch)
	record.Int(c, 5, &micros)
	record.String(c, 6, &s.Reason)
	record.Time(c, 7, &s.Since)
	record.Int(c, 8, &s.Attempts)
	s.Duration = time.Duration(micros) * time.Microsecond
	c.Require(s.Kind >= Sending && s.Kind <= Failed && s.Duration.Microseconds() == micros)
}

// Same reports whether a and b are the same state. Both may be nil.
func Same(a, b *State) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Holder == b.Holder && a.Credential == b.Credential &&
		a.Epoch == b.Epoch && a.Duration == b.Duration && a.Reason == b.Reason &&
		a.Since.Equal(b.Since) && a.Attempts == b.Attempts
}

// Of reports whether s is a lease of the given kind for the credential with this number. It returns
// false for nil.
func (s *State) Of(kind Kind, credential int64) bool {
	return s != nil && s.Kind == kind && s.Credential == credential
}
