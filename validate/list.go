package validate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/redact"
)

// Limits of an [*Error].
const (
	// MaxViolations is the maximum number of violations in an [*Error]. Further ones are counted.
	MaxViolations = 100
	// MaxPath is the maximum length of a path in a violation, in bytes. A longer path is cut
	// and ends in "...".
	MaxPath = 2048
)

// List collects violations. The zero value is empty and ready to use. A List is for one goroutine.
type List struct {
	violations []Violation
	omitted    int
}

// Add appends a violation. It escapes control characters and invalid UTF-8 in the path, cuts a long
// path, and cuts each name that looks like a secret to its first characters and "...", because a
// customer may have chosen the names. The detail must not contain the value.
func (l *List) Add(path string, rule Rule, detail string) {
	l.AddViolation(Violation{Path: path, Rule: rule, Detail: detail})
}

// AddViolation is like [List.Add] for a violation that has Related or Keyword.
func (l *List) AddViolation(v Violation) {
	if len(l.violations) == MaxViolations {
		l.omitted++
		return
	}
	v.Path, v.Related = printable(redact.Path(v.Path)), printable(redact.Path(v.Related))
	l.violations = append(l.violations, v)
}

// Merge appends the violations of err if err is an [*Error], and returns nil. It returns any other
// err unchanged, so that the caller does not lose it.
func (l *List) Merge(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	for _, v := range e.Violations {
		l.AddViolation(v)
	}
	l.omitted += e.Omitted
	return nil
}

// Err returns nil if the list is empty, and otherwise an [*Error] with the violations in the order
// of their addition. Later additions do not change that error.
func (l *List) Err() error {
	if len(l.violations) == 0 {
		return nil
	}
	return &Error{Violations: slices.Clone(l.violations), Omitted: l.omitted}
}

// printable returns path on one line of at most MaxPath bytes of valid UTF-8.
func printable(path string) string {
	const ellipsis = "..."
	var b strings.Builder
	for i := 0; i < len(path); {
		r, size := utf8.DecodeRuneInString(path[i:])
		text := path[i : i+size]
		switch {
		case r == utf8.RuneError && size == 1:
			text = fmt.Sprintf(`\x%02x`, path[i])
		case !unicode.IsPrint(r):
			text = strings.Trim(strconv.QuoteRuneToASCII(r), "'")
		}
		if b.Len()+len(text) > MaxPath-len(ellipsis) {
			b.WriteString(ellipsis)
			break
		}
		b.WriteString(text)
		i += size
	}
	return b.String()
}
