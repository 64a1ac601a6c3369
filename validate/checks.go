package validate

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/jsontree"
)

// Limits of fields. They are part of the API: a higher limit is a feature, a lower one breaks
// callers.
const (
	MaxID      = 256  // bytes of an ID
	MaxName    = 256  // characters (Unicode code points) of a name
	MaxMessage = 4096 // characters of a message or reason
	MaxURL     = 2048 // bytes of a URL
)

// Limits of JSON documents.
const (
	MaxDocument = jsontree.DefaultBytes   // bytes of a document, 256 KiB
	MaxDepth    = jsontree.DefaultDepth   // nested arrays and objects, 64
	MaxPointer  = jsontree.DefaultPointer // bytes of the JSON Pointer to a value, 1024
	MaxValues   = jsontree.DefaultValues  // values of a document; 64 bytes of text are one more
	MaxSecrets  = 1000                    // sealed values in one document
	MaxEdits    = 256                     // edits in one patch of a document
)

// Required adds a violation if a value is missing.
func (l *List) Required(path string, present bool) {
	if !present {
		l.Add(path, RuleRequired, "is required")
	}
}

// ID validates an identifier: 1 to [MaxID] bytes of UTF-8 without control characters.
// Identifiers are byte-exact. Nothing trims, folds or normalizes them, here or later.
func (l *List) ID(path, s string) {
	l.Required(path, s != "")
	l.OptionalID(path, s)
}

// OptionalID is like [List.ID], but accepts an empty identifier.
func (l *List) OptionalID(path, s string) {
	if len(s) > MaxID {
		l.Add(path, RuleTooLong, fmt.Sprintf("must have at most %d bytes", MaxID))
		return
	}
	l.characters(path, s, "")
}

// Name validates a name for people: at most [MaxName] characters of UTF-8 on one line, without
// control characters. It may be empty.
func (l *List) Name(path, s string) { l.text(path, s, MaxName, "") }

// Text validates a text for people: at most limit characters of UTF-8, without control
// characters except tab, line feed and carriage return. It may be empty.
func (l *List) Text(path, s string, limit int) { l.text(path, s, limit, "\t\n\r") }

func (l *List) text(path, s string, limit int, allowed string) {
	if utf8.RuneCountInString(s) > limit {
		l.Add(path, RuleTooLong, fmt.Sprintf("must have at most %d characters", limit))
		return
	}
	l.characters(path, s, allowed)
}

// characters rejects invalid UTF-8 and control characters (Unicode category Cc), except those in
// allowed.
func (l *List) characters(path, s, allowed string) {
	if !utf8.ValidString(s) {
		l.Add(path, RuleUTF8, "must be valid UTF-8")
		return
	}
	forbidden := func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(allowed, r)
	}
	if strings.ContainsFunc(s, forbidden) {
		l.Add(path, RuleControl, "must not contain control characters")
	}
}

// URL validates a web address: absolute, http or https, with a host, without user information,
// at most [MaxURL] bytes. The caller decides which hosts are allowed.
func (l *List) URL(path, s string) {
	l.Required(path, s != "")
	l.OptionalURL(path, s)
}

// OptionalURL is like [List.URL], but accepts an empty address.
func (l *List) OptionalURL(path, s string) {
	switch {
	case s == "":
	case len(s) > MaxURL:
		l.Add(path, RuleTooLong, fmt.Sprintf("must have at most %d bytes", MaxURL))
	case !webAddress(s):
		// Do not wrap the error of url.Parse: it quotes the address with its password.
		l.Add(path, RuleFormat,
			"must be an absolute http or https URL with a host and without user information")
	}
}

// webAddress reports whether s satisfies [List.URL]. url.Parse alone accepts "//evil.example/x",
// "javascript:x", "http:///x", "https://good.example:443@evil.example/" and the port 99999.
func webAddress(s string) bool {
	forbidden := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || r == utf8.RuneError
	}
	if strings.ContainsFunc(s, forbidden) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil ||
		u.Hostname() == "" {
		return false
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		return err == nil && n > 0
	}
	return true
}

// Time validates that t is set and in the years 1 to 9999, the range of RFC 3339.
func (l *List) Time(path string, t time.Time) {
	l.Required(path, !t.IsZero())
	l.OptionalTime(path, t)
}

// OptionalTime is like [List.Time], but accepts the zero time.
func (l *List) OptionalTime(path string, t time.Time) {
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		l.Add(path, RuleRange, "must be in the years 1 to 9999")
	}
}

// Range validates that n is at least low and at most high.
func (l *List) Range(path string, n, low, high int64) {
	if n < low || n > high {
		l.Add(path, RuleRange, fmt.Sprintf("must be from %d to %d", low, high))
	}
}

// Count validates that n is at most limit.
func (l *List) Count(path string, n, limit int) {
	if n > limit {
		l.Add(path, RuleTooMany, fmt.Sprintf("must have at most %d items", limit))
	}
}

// Enum validates that v is one of the allowed values. The empty value is not special.
func Enum[S ~string](l *List, path string, v S, allowed ...S) {
	if !slices.Contains(allowed, v) {
		l.Add(path, RuleUnknown, "must be a known value")
	}
}

// Document validates a JSON document (RFC 8259) against [MaxDocument], [MaxDepth] and [MaxPointer].
// It rejects text that readers understand differently: duplicate member names, invalid UTF-8, half
// surrogate pairs. It reports only the first fault, with a pointer to the place of the fault.
func (l *List) Document(path string, b []byte) {
	_, err := jsontree.Parse(b, jsontree.Limits{})
	if fault, ok := errors.AsType[*jsontree.Error](err); ok {
		l.Add(path+fault.Pointer, Rule(fault.Fault), fault.Error())
	}
}
