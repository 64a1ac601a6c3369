package schema

import (
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxPatterns is how many instructions all the patterns of a schema may have, each counted once. A repeat counts as often as it may
// occur: the few bytes of (?:a{900}){900} are 810,000 instructions, and matching tries each at every byte of a text.
const MaxPatterns = 50_000

// patterns are the regular expressions of one schema.
type patterns struct {
	meter  *meter
	known  map[string]*pattern
	size   int
	over   bool // the size is
	closed bool // the schema is compiled: what comes now is a text in a document
}

// pattern is one regular expression.
type pattern struct {
	*regexp.Regexp
	size  int
	meter *meter
}

// compile is the engine that the library is given. It is asked for the patterns of the schema, and later whether a text in a document is
// a pattern.
func (p *patterns) compile(text string) (jsonschema.Regexp, error) {
	if known := p.known[text]; known != nil {
		return known, nil
	}
	if p.closed {
		p.meter.spend(len(text))
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	size := instructions(tree)
	if p.closed {
		if size > MaxPatterns {
			return nil, errComplex
		}
		return nil, nil // the library does not look at it
	}
	if p.size += size; p.size > MaxPatterns {
		p.over = true
		return nil, errComplex
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	p.known[text] = &pattern{re, size, p.meter}
	return p.known[text], nil
}

// instructions returns about how many instructions a pattern is compiled to. The parser bounds it, to a few million.
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

// steps is the work of matching a text.
func (p *pattern) steps(text string) int { return 1 + p.size*len(text)/32 }

// MatchString is called by the library in the course of a check.
func (p *pattern) MatchString(text string) bool {
	p.meter.spend(p.steps(text))
	return p.Regexp.MatchString(text)
}
