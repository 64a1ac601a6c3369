package schema

import (
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxPatterns caps the number of instructions in all patterns of a schema. Equal patterns count
// once. A repeated part counts as often as it can occur: (?:a{900}){900} is 810,000 instructions,
// and matching tries each of them at every byte of a text.
const MaxPatterns = 50_000

// patterns are the regular expressions of one schema.
type patterns struct {
	meter    *meter
	known    map[string]*pattern
	size     int
	tooLarge bool
	compiled bool // later calls of compile are for texts in a document
}

// pattern is one regular expression.
type pattern struct {
	*regexp.Regexp
	size  int
	meter *meter
}

// compile is the regular expression engine of the library. The library calls it for the patterns of
// the schema, and later to find out whether a text in a document is a pattern.
func (p *patterns) compile(text string) (jsonschema.Regexp, error) {
	if known := p.known[text]; known != nil {
		return known, nil
	}
	if p.compiled {
		p.meter.spend(len(text))
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	size := instructions(tree)
	if p.compiled {
		if size > MaxPatterns {
			return nil, errComplex
		}
		return nil, nil // the library needs only the error
	}
	if p.size += size; p.size > MaxPatterns {
		p.tooLarge = true
		return nil, errComplex
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	p.known[text] = &pattern{re, size, p.meter}
	return p.known[text], nil
}

// instructions returns the approximate number of instructions of a pattern. The parser rejects
// patterns with more than a few million.
func instructions(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// steps returns the work of matching text.
func (p *pattern) steps(text string) int { return 1 + p.size*len(text)/32 }

// MatchString implements [jsonschema.Regexp]. The library calls it during a check.
func (p *pattern) MatchString(text string) bool {
	p.meter.spend(p.steps(text))
	return p.Regexp.MatchString(text)
}
