// Package validate collects what is wrong with an input: all of it at once, in the order of the fields, each violation as a
// path, a rule that machines can rely on, and a sentence for people. The value itself is never part of it, because it may
// be a secret or a payload.
//
//	var l validate.List
//	l.ID("extension.id", in.Extension.ID)
//	l.Name("extension.name", in.Extension.Name)
//	l.OptionalURL("account.url", in.Account.URL)
//	return l.Err()
//
// Paths use the names of the domain, with dots and indexes (consent.modules[2].id). Inside a JSON document the path of the
// field is followed by a JSON Pointer (RFC 6901): configuration/adobe_secret.
package validate

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is matched by every [*Error].
var ErrInvalid = errors.New("installation: invalid")

// Violation is one thing that is wrong.
type Violation struct {
	// Path says where. Names in it may come from the customer, so [List.Add] escapes and bounds it; see [MaxPath].
	Path string
	// Rule says what was broken, for machines.
	Rule Rule
	// Detail says it for people, without the value.
	Detail string
	// Related is the path of another value that it is about, or "": for [RuleDestination], where the secret would go.
	Related string
	// Keyword is the keyword of the schema that is not satisfied, for [RuleSchema].
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

// Rule names what a violation broke. The values are stable: a client may branch on them. New ones may come.
type Rule string

// Rules that any input can break.
const (
	RuleRequired  Rule = "required"          // absent or empty
	RuleTooLong   Rule = "too-long"          // a string, or a pointer into a document, over its limit
	RuleTooLarge  Rule = "too-large"         // a document over its limit in bytes
	RuleTooDeep   Rule = "too-deep"          // a document nested too deep
	RuleTooMany   Rule = "too-many"          // more items than allowed
	RuleRange     Rule = "range"             // a number or time outside its bounds
	RuleFormat    Rule = "format"            // not of the form that the field demands
	RuleUnknown   Rule = "unknown"           // none of the values that the field can have
	RuleControl   Rule = "control-character" // a control character where none may be
	RuleUTF8      Rule = "utf8"              // text that is not valid UTF-8
	RuleExclusive Rule = "exclusive"         // given together with something that excludes it
	RuleImmutable Rule = "immutable"         // may not change any more
)

// Rules of JSON documents and of edits to them.
const (
	RuleSyntax       Rule = "syntax"        // not one JSON text
	RuleDuplicateKey Rule = "duplicate-key" // a member named twice in one object
	RuleNotFound     Rule = "not-found"     // an edit names a place that is not there
	RuleTest         Rule = "test-failed"   // an edit was conditional on another value
	RuleSchema       Rule = "schema"        // not what the schema of the configuration accepts; see Violation.Keyword
	RuleTooComplex   Rule = "too-complex"   // a document that is too much work to hold against its schema
)

// Rules of sealed values.
const (
	// RuleMaskWithoutStoredValue refuses "***" where no secret is stored that it could stand for.
	RuleMaskWithoutStoredValue Rule = "mask-without-stored-value"
	// RuleAmbiguousMask refuses "***" in an array that changed, or in what stands in place of one that held secrets: it is
	// unclear which of them is meant.
	RuleAmbiguousMask Rule = "ambiguous-mask"
	// RuleEmptySecret refuses an empty string in place of a stored secret.
	RuleEmptySecret Rule = "empty-secret"
	// RuleSealed refuses to look at, or to edit inside of, a sealed value.
	RuleSealed Rule = "sealed"
	// RuleDestination refuses to send a stored secret to a changed destination.
	RuleDestination Rule = "destination"
)

// Error is an input that was refused, with everything that was found. Make it with a [List].
type Error struct {
	Violations []Violation // in the order in which they were found, at least one
	Omitted    int         // how many more there were beyond [MaxViolations]
}

// Error returns the violations, one to a line.
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
