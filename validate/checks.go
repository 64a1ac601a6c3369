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

// Limits of fields. They are part of the documented contract: raising one is a feature, lowering one breaks callers.
const (
	MaxID      = 256  // bytes of an id
	MaxName    = 256  // characters (Unicode code points) of a name
	MaxMessage = 4096 // characters of a message or reason
	MaxURL     = 2048 // bytes of a URL
)

// Limits of JSON documents.
const (
	MaxDocument = jsontree.DefaultBytes   // bytes of a document, 256 KiB
	MaxDepth    = jsontree.DefaultDepth   // arrays and objects inside each other, 64
	MaxPointer  = jsontree.DefaultPointer // bytes of the JSON Pointer (RFC 6901) to any value in a document, 1024
	MaxSecrets  = 1000                    // sealed values in one document
	MaxEdits    = 256                     // edits in one patch of a document
)

// Required demands that a value is there.
func (l *List) Required(path string, present bool) {
	if !present {
		l.Add(path, RuleRequired, "is required")
	}
}

// ID checks an identifier: 1 to [MaxID] bytes of UTF-8 without control characters. It is taken byte for byte: nothing is
// trimmed, folded or normalised, here or later.
func (l *List) ID(path, s string) {
	l.Required(path, s != "")
	l.OptionalID(path, s)
}

// OptionalID is [List.ID] for an identifier that may be empty.
func (l *List) OptionalID(path, s string) {
	if len(s) > MaxID {
		l.Add(path, RuleTooLong, fmt.Sprintf("must have at most %d bytes", MaxID))
		return
	}
	l.characters(path, s, "")
}

// Name checks a name for people: at most [MaxName] characters of UTF-8 on one line, without control characters. It may be
// empty.
func (l *List) Name(path, s string) { l.text(path, s, MaxName, "") }

// Text checks a text for people: at most limit characters of UTF-8, without control characters other than tab, line feed
// and carriage return. It may be empty.
func (l *List) Text(path, s string, limit int) { l.text(path, s, limit, "\t\n\r") }

func (l *List) text(path, s string, limit int, allowed string) {
	if utf8.RuneCountInString(s) > limit {
		l.Add(path, RuleTooLong, fmt.Sprintf("must have at most %d characters", limit))
		return
	}
	l.characters(path, s, allowed)
}

// characters refuses what is not UTF-8, and control characters (Unicode category Cc) that are not in allowed.
func (l *List) characters(path, s, allowed string) {
	if !utf8.ValidString(s) {
		l.Add(path, RuleUTF8, "must be valid UTF-8")
		return
	}
	forbidden := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }
	if strings.ContainsFunc(s, forbidden) {
		l.Add(path, RuleControl, "must not contain control characters")
	}
}

// URL checks an address to call or to link to: absolute, http or https, with a host, without user information, at most
// [MaxURL] bytes. Where it may lead is for the caller to decide.
func (l *List) URL(path, s string) {
	l.Required(path, s != "")
	l.OptionalURL(path, s)
}

// OptionalURL is [List.URL] for an address that may be empty.
func (l *List) OptionalURL(path, s string) {
	switch {
	case s == "":
	case len(s) > MaxURL:
		l.Add(path, RuleTooLong, fmt.Sprintf("must have at most %d bytes", MaxURL))
	case !webAddress(s):
		// The error of url.Parse quotes the address, with the password in it.
		l.Add(path, RuleFormat, "must be an absolute http or https URL with a host and without user information")
	}
}

// webAddress reports whether s is what [List.URL] wants. url.Parse alone takes "//evil.example/x", "javascript:x",
// "http:///x", "https://good.example:443@evil.example/" and the port 99999.
func webAddress(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == utf8.RuneError }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
		return false
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		return err == nil && n > 0
	}
	return true
}

// Time checks that t is set and in the years 1 to 9999, which is what RFC 3339 can write.
func (l *List) Time(path string, t time.Time) {
	l.Required(path, !t.IsZero())
	l.OptionalTime(path, t)
}

// OptionalTime is [List.Time] for a time that may be zero.
func (l *List) OptionalTime(path string, t time.Time) {
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		l.Add(path, RuleRange, "must be in the years 1 to 9999")
	}
}

// Range checks that n is at least low and at most high.
func (l *List) Range(path string, n, low, high int64) {
	if n < low || n > high {
		l.Add(path, RuleRange, fmt.Sprintf("must be from %d to %d", low, high))
	}
}

// Count checks that there are at most limit of something.
func (l *List) Count(path string, n, limit int) {
	if n > limit {
		l.Add(path, RuleTooMany, fmt.Sprintf("must have at most %d items", limit))
	}
}

// Enum checks that v is one of the allowed values. The empty value is like any other.
func Enum[S ~string](l *List, path string, v S, allowed ...S) {
	if !slices.Contains(allowed, v) {
		l.Add(path, RuleUnknown, "must be one of the known values")
	}
}

// Document checks a JSON document (RFC 8259) against [MaxDocument], [MaxDepth] and [MaxPointer], and refuses what readers
// understand differently: member names that occur twice in an object, invalid UTF-8, half surrogate pairs. It reports the
// first fault only, with a pointer to where it is.
func (l *List) Document(path string, b []byte) {
	_, err := jsontree.Parse(b, jsontree.Limits{})
	if fault, ok := errors.AsType[*jsontree.Error](err); ok {
		l.Add(path+fault.Pointer, Rule(fault.Fault), fault.Error())
	}
}
