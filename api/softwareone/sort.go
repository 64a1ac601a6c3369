package softwareone

import (
	"context"
	"slices"

	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/validate"
)

// What a list may cost. A unit is about a byte that is compared, so that all of it takes about a second at most, whatever the query is and
// however long the texts are.
const (
	maxWork  = 1 << 28
	foldCost = 8  // for each byte that is put in lower case
	keyCost  = 16 // for each value that a field is compared with

	lookEvery = 256 // how often the context is looked at, in comparisons
)

// meter counts the work of a list, which ends with the context and when there is too much of it.
type meter struct {
	ctx   context.Context
	left  int
	calls int
	err   error // why it ended
}

// spend counts work that is about to be done, and reports whether to do it.
func (m *meter) spend(units int) bool {
	if m.err != nil {
		return false
	}
	m.left -= 1 + units
	m.calls++
	switch {
	case m.left < 0:
		m.err = narrow()
	case m.calls%lookEvery == 0:
		m.err = m.ctx.Err()
	}
	return m.err == nil
}

// sortKey is one of the fields that a list is sorted by.
type sortKey struct {
	field
	sign int
}

// order is what a list is sorted by; nil = by nothing.
type order []sortKey

// order reads the terms of an order.
func (c *compiler) order(terms []rql.Term) order {
	var by order
	seen := make(map[string]bool)
	for _, t := range terms {
		f, ok := c.field(t.Path)
		if ok && f.typ == object {
			c.list.Add(t.Path, validate.RuleFormat, "cannot be ordered by")
		}
		k := sortKey{f, 1}
		if t.Less {
			k.sign = -1
		}
		if !seen[t.Path] { // a second time it decides nothing
			by = append(by, k)
		}
		seen[t.Path] = true
	}
	return by
}

// sort sorts rows, those that are equal in the order that they were in. What does not have a field comes before what does. After an error the rows
// are in any order.
func (o order) sort(rows []*row, work *meter) error {
	if len(o) == 0 {
		return work.err
	}
	for _, r := range rows {
		r.keys = make([][]string, len(o))
		for i, k := range o {
			r.keys[i] = k.get(r.wireInstallation)
		}
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		for i, k := range o {
			x, y := a.keys[i], b.keys[i]
			if !work.spend(min(lengthOf(x), lengthOf(y))) {
				return 0
			}
			if d := slices.Compare(x, y); d != 0 {
				return k.sign * d
			}
		}
		return 0
	})
	return work.err
}

// lengthOf is how many bytes there are to compare.
func lengthOf(values []string) int {
	n := len(values)
	for _, v := range values {
		n += len(v)
	}
	return n
}
