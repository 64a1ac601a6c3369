// Package validate collects all violations of an input in the order of its fields. A violation has
// a path, a stable rule for machines, and a sentence for people. It never contains the value, which
// can be a secret or a payload.
//
//	var l validate.List
//	l.ID("extension.id", in.Extension.ID)
//	l.Name("extension.name", in.Extension.Name)
//	l.OptionalURL("account.url", in.Account.URL)
//	return l.Err()
//
// Paths use the names of the domain, with dots and indexes (consent.modules[2].id). Inside a JSON
// document, a JSON Pointer (RFC 6901) follows the path of the field: configuration/adobe_secret.
package validate

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid matches every [*Error].
var ErrInvalid = errors.New("installation: invalid")

// Violation is one fault of an input.
type Violation struct {
	// Path is the place of the fault. A customer may have chosen the names in it, so [List.Add]
	// escapes and cuts it; see [MaxPath]. A name that looks like a secret is cut too.
	Path string
	// Rule is the violated rule, for machines.
	Rule Rule
	// Detail describes the fault for people, without the value.
	Detail string
	// Related is the path of another value that is involved, or "". For [RuleDestination] it is the
	// place of the address that would receive the secret.
	Related string
	// Keyword is the violated keyword of the schema, for [RuleSchema].
	Keyword string
}

// String returns the violation on one line.
func (v Violation) String() string {
	text := fmt.Sprintf("%s (%s)", v.Detail, v.Rule)
	if v.Related != "" {
		text = fmt.Sprintf("%s (%s: %s)", v.Detail, v.Rule, v.Related)
	}
	if v.Path == "" {
		return text
	}
	return v.Path + ": " + text
}

// Rule names a kind of violation. The values are stable, so a client can branch on them. Later
// releases can add values.
type Rule string

// Rules that any input can break.
const (
	RuleRequired  Rule = "required"          // absent or empty
	RuleTooLong   Rule = "too-long"          // a string or JSON Pointer beyond its limit
	RuleTooLarge  Rule = "too-large"         // a document beyond its limit in bytes
	RuleTooDeep   Rule = "too-deep"          // a document nested too deep
	RuleTooMany   Rule = "too-many"          // more items than allowed
	RuleRange     Rule = "range"             // a number or time outside its bounds
	RuleFormat    Rule = "format"            // not in the required form
	RuleUnknown   Rule = "unknown"           // not one of the known values
	RuleControl   Rule = "control-character" // a forbidden control character
	RuleUTF8      Rule = "utf8"              // invalid UTF-8
	RuleExclusive Rule = "exclusive"         // excluded by another given value
	RuleImmutable Rule = "immutable"         // cannot change any more
)

// Rules of JSON documents and of edits to them.
const (
	RuleSyntax       Rule = "syntax"        // not one JSON text
	RuleDuplicateKey Rule = "duplicate-key" // a member named twice in one object
	RuleNotFound     Rule = "not-found"     // an edit names a missing place
	RuleTest         Rule = "test-failed"   // the condition of an edit is false
	RuleSchema       Rule = "schema"        // violates the schema; see Violation.Keyword
	RuleTooComplex   Rule = "too-complex"   // writing it, or checking it, takes too much work
)

// Rules of sealed values.
const (
	// RuleMaskWithoutStoredValue rejects "***" in a place where no secret is stored.
	RuleMaskWithoutStoredValue Rule = "mask-without-stored-value"
	// RuleAmbiguousMask rejects "***" in a changed array, or in a value that replaces an array with
	// secrets: it is unclear which secret the "***" stands for.
	RuleAmbiguousMask Rule = "ambiguous-mask"
	// RuleEmptySecret rejects an empty string in place of a stored secret, and as a credential.
	RuleEmptySecret Rule = "empty-secret"
	// RuleSealed rejects an edit inside a sealed value, or a test of a sealed value.
	RuleSealed Rule = "sealed"
	// RuleDestination rejects a change of an address that would send a stored secret to the new
	// address.
	RuleDestination Rule = "destination"
)

// Error is the error for an invalid input, with all its violations. Create it with a [List].
type Error struct {
	Violations []Violation // in the order of their discovery, at least one
	Omitted    int         // number of further violations beyond [MaxViolations]
}

// Error returns the violations, one per line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(ErrInvalid.Error())
	sep := ": "
	for _, v := range e.Violations {
		b.WriteString(sep)
		b.WriteString(v.String())
		sep = ";\n"
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&b, "%sand %d more", sep, e.Omitted)
	}
	return b.String()
}

// Is matches [ErrInvalid].
func (e *Error) Is(target error) bool { return target == ErrInvalid }
