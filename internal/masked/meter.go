package masked

import (
	"context"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// MaxSteps is how much work one write of a document may cause. A step is a visit of one value, or
// the reading of 64 bytes of text. Reading a new name is some 40 steps.
const MaxSteps = 1_000_000

// pollSteps is how many steps pass between two looks at the context.
const pollSteps = 1000

// meter counts the work of one write. Everything that walks a document spends steps here. A nil
// meter counts nothing: reads walk a stored document a fixed number of times.
type meter struct {
	ctx    context.Context
	left   int
	polled int // value of left when the context was last looked at
}

// stop is the panic that ends a write from within its walks.
type stop struct{ err error }

// spend counts n steps. It panics with stop if too few are left, or if the context ended.
func (m *meter) spend(n int) {
	if m == nil {
		return
	}
	m.left -= n
	if m.polled-m.left < pollSteps && m.left >= 0 {
		return
	}
	m.polled = m.left
	if err := m.ctx.Err(); err != nil {
		panic(stop{err})
	}
	if m.left < 0 {
		panic(stop{})
	}
}

// spendOn counts the steps to walk a whole tree once.
func (m *meter) spendOn(n *jsontree.Node) { m.spend(n.Weight()) }

// metered runs a write and returns its error, or the reason why the meter stopped it.
func metered(path string, write func() (Result, error)) (r Result, err error) {
	defer func() {
		switch s := recover().(type) {
		case nil:
		case stop:
			r, err = Result{Steps: MaxSteps}, s.err
			if err == nil {
				var l validate.List
				l.Add(path, validate.RuleTooComplex,
					"takes too much work: send fewer edits at once, or a smaller document")
				err = l.Err()
			}
		default:
			panic(s)
		}
	}()
	return write()
}
