package validate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/validate"
)

func TestListOrderAndText(t *testing.T) {
	var l validate.List
	if err := l.Err(); err != nil {
		t.Fatalf("an empty list is %v", err)
	}
	l.Add("b", validate.RuleRequired, "is required")
	l.Add("a", validate.RuleRange, "must be from 1 to 2")
	l.Add("", validate.RuleSyntax, "not valid JSON")
	err := l.Err()
	want := "installation: invalid: b: is required (required);\n" +
		"a: must be from 1 to 2 (range);\n" +
		"not valid JSON (syntax)"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(err, validate.ErrInvalid) ||
		!errors.Is(fmt.Errorf("upsert: %w", err), validate.ErrInvalid) {
		t.Error("does not match ErrInvalid")
	}
	if errors.Is(err, errors.New("installation: invalid")) {
		t.Error("matches another error of the same text")
	}
}

func TestErrDoesNotChange(t *testing.T) {
	var l validate.List
	l.Add("a", validate.RuleRequired, "is required")
	err := l.Err()
	l.Add("b", validate.RuleRequired, "is required")
	if got := paths(err); !cmp.Equal(got, []string{"a required"}) {
		t.Errorf("got %q", got)
	}
}

func TestMerge(t *testing.T) {
	var l, other validate.List
	l.Add("a", validate.RuleRequired, "is required")
	other.Add("b", validate.RuleRange, "out of range")
	if err := l.Merge(fmt.Errorf("wrapped: %w", other.Err())); err != nil {
		t.Errorf("got %v", err)
	}
	if err := l.Merge(nil); err != nil {
		t.Errorf("nothing to merge: got %v", err)
	}
	trouble := errors.New("trouble")
	if err := l.Merge(trouble); err != trouble {
		t.Errorf("another error: got %v", err)
	}
	if diff := cmp.Diff([]string{"a required", "b range"}, paths(l.Err())); diff != "" {
		t.Error(diff)
	}
}

func TestListIsBounded(t *testing.T) {
	var l, sum validate.List
	for range validate.MaxViolations + 7 {
		l.Add("p", validate.RuleRequired, "is required")
	}
	e, ok := errors.AsType[*validate.Error](l.Err())
	if !ok || len(e.Violations) != validate.MaxViolations || e.Omitted != 7 {
		t.Fatalf("got %d violations, %d omitted", len(e.Violations), e.Omitted)
	}
	if got := e.Error(); !strings.HasSuffix(got, "(required);\nand 7 more") {
		t.Errorf("ends in %q", got[len(got)-40:])
	}
	sum.Add("q", validate.RuleRequired, "is required")
	_ = sum.Merge(e)
	e, _ = errors.AsType[*validate.Error](sum.Err())
	if len(e.Violations) != validate.MaxViolations || e.Omitted != 8 {
		t.Errorf("merged: %d violations, %d omitted", len(e.Violations), e.Omitted)
	}
}

// TestPathsArePrintable: a customer may choose names in a path. They must not start a new line
// in a log or flood it.
func TestPathsArePrintable(t *testing.T) {
	tests := []struct{ name, path, want string }{
		{"plain", "consent.modules[2].id", "consent.modules[2].id"},
		{"text of another language", "configuration/größe/名", "configuration/größe/名"},
		{"line feed", "configuration/a\nlevel=error", `configuration/a\nlevel=error`},
		{"NUL and escape", "c/\x00\x1b[31m", `c/\x00\x1b[31m`},
		{"line separator", "c/\u2028", `c/\u2028`},
		{"text direction", "c/\u202egpj", `c/\u202egpj`},
		{"invalid UTF-8", "c/\xff\xfe", `c/\xff\xfe`},
		{"replacement character", "c/\ufffd", "c/\ufffd"},
		{"as long as allowed", strings.Repeat("x", validate.MaxPath-3),
			strings.Repeat("x", validate.MaxPath-3)},
		{"too long", strings.Repeat("x", validate.MaxPath+1),
			strings.Repeat("x", validate.MaxPath-3) + "..."},
		{"not cut within a character", strings.Repeat("x", validate.MaxPath-4) + "éé",
			strings.Repeat("x", validate.MaxPath-4) + "..."},
		{"escapes count", strings.Repeat("\x01", validate.MaxPath),
			strings.Repeat(`\x01`, (validate.MaxPath-3)/4) + "..."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l validate.List
			l.Add(tt.path, validate.RuleRequired, "is required")
			e, _ := errors.AsType[*validate.Error](l.Err())
			got := e.Violations[0].Path
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(got) > validate.MaxPath || !utf8.ValidString(got) {
				t.Errorf("%d bytes, valid UTF-8: %t", len(got), utf8.ValidString(got))
			}
		})
	}
}

// paths returns path and rule of each violation.
func paths(err error) []string {
	e, ok := errors.AsType[*validate.Error](err)
	if !ok {
		return nil
	}
	var all []string
	for _, v := range e.Violations {
		all = append(all, v.Path+" "+string(v.Rule))
	}
	return all
}
