package softwareone

import (
	"context"
	"slices"

	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/validate"
)

// Costs of a list, in units of about one compared byte. maxWork limits a list to about a second,
// whatever the query and the texts are.
const (
	maxWork  = 1 << 28
	foldCost = 8  // for each byte that is put in lower case
	keyCost  = 16 // for each value that a field is compared with
	itemCost = 64 // for each item of a collection

	contextChecks = 256 // comparisons between checks of the context
)

// meter limits the work of a list. The work ends when its units are used up, or with the context.
type meter struct {
	ctx   context.Context
	left  int   // units
	calls int   // of spend
	err   error // why the work ended; nil = it goes on
}

// spend has to be called before a piece of work. It counts the units of the work, and reports
// whether the work is allowed.
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
	descending bool
}

// order is the list of fields to sort by. An empty order keeps the order of the index.
type order []sortKey

// order returns the fields to sort by for the order part of a query.
func (c *compiler) order(terms []rql.Term) order {
	var by order
	for _, t := range terms {
		f, ok := c.field(t.Path)
		if ok && f.typ == objectField {
			c.list.Add(t.Path, validate.RuleFormat, "cannot be ordered by")
		}
		by = append(by, sortKey{f, t.Less})
	}
	return by
}

// sort sorts rows. Equal rows keep their order. In ascending order, rows without the field come
// first. After an error, the order of the rows is undefined.
func (o order) sort(rows []*Installation, work *meter) error {
	if len(o) == 0 {
		return work.err
	}
	keys := make(map[*Installation][][]string, len(rows)) // values of the fields to sort by
	for _, w := range rows {
		for _, k := range o {
			keys[w] = append(keys[w], k.values(w))
		}
	}
	slices.SortStableFunc(rows, func(a, b *Installation) int {
		for i, k := range o {
			x, y := keys[a][i], keys[b][i]
			if k.descending {
				x, y = y, x
			}
			if !work.spend(min(lengthOf(x), lengthOf(y))) {
				return 0
			}
			if d := slices.Compare(x, y); d != 0 {
				return d
			}
		}
		return 0
	})
	return work.err
}

// lengthOf returns the cost to compare values: their number and their bytes.
func lengthOf(values []string) int {
	n := len(values)
	for _, v := range values {
		n += len(v)
	}
	return n
}
