package softwareone

import (
	"context"
	"slices"

	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/validate"
)

// Costs of a list. A unit is about one compared byte, so that a list takes at most about a second,
// whatever the query and the texts are.
const (
	maxWork  = 1 << 28
	foldCost = 8  // for each byte that is put in lower case
	keyCost  = 16 // for each value that a field is compared with

	contextChecks = 256 // comparisons between checks of the context
)

// meter counts the work of a list. The work ends with the context, or when there is too much.
type meter struct {
	ctx   context.Context
	left  int
	calls int
	err   error // why it ended
}

// spend counts work in advance. It reports whether to do the work.
func (m *meter) spend(units int) bool {
	if m.err != nil {
		return false
	}
	m.left -= 1 + units
	m.calls++
	switch {
	case m.left < 0:
		m.err = tooManyRows()
	case m.calls%contextChecks == 0:
		m.err = m.ctx.Err()
	}
	return m.err == nil
}

// sortKey is a field to sort by.
type sortKey struct {
	field
	sign int
}

// order are the fields to sort by; none keeps the order of the index.
type order []sortKey

// order reads the terms of an order.
func (c *compiler) order(terms []rql.Term) order {
	var by order
	for _, t := range terms {
		f, ok := c.field(t.Path)
		if ok && f.typ == objectField {
			c.list.Add(t.Path, validate.RuleFormat, "cannot be ordered by")
		}
		k := sortKey{f, 1}
		if t.Less {
			k.sign = -1
		}
		// Only the first time decides.
		if !slices.ContainsFunc(by, func(k sortKey) bool { return k.name == t.Path }) {
			by = append(by, k)
		}
	}
	return by
}

// sort sorts rows. Equal rows keep their order, and rows without a field come first. The order is
// undefined after an error.
func (o order) sort(rows []*row, work *meter) error {
	if len(o) == 0 {
		return work.err
	}
	for _, r := range rows {
		for _, k := range o {
			r.keys = append(r.keys, k.values(r.wireInstallation))
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

// lengthOf returns the number of bytes to compare.
func lengthOf(values []string) int {
	n := len(values)
	for _, v := range values {
		n += len(v)
	}
	return n
}
