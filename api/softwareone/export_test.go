package softwareone

import (
	"context"

	"github.com/go-installation/installation/api/softwareone/internal/rql"
)

// MaxScan is how many rows a list looks at where no index serves it.
const MaxScan = maxScan

// SetMaxScan sets another number.
func SetMaxScan(h *Handler, n int) { h.maxScan = n }

// SetNewID sets how ids are made.
func SetNewID(h *Handler, newID func() string) { h.newID = newID }

// NewID makes an id as the handler does.
var NewID = newID

// SetMaxWork sets what a list may cost.
func SetMaxWork(h *Handler, n int) { h.maxWork = n }

// SortIDs sorts n rows by id and returns how often two were compared.
func SortIDs(ctx context.Context, n int) (compared int, err error) {
	c := &compiler{}
	by := c.order([]rql.Term{{Path: "id"}})
	work := &meter{ctx: ctx, left: maxWork}
	rows := make([]*Installation, n)
	for i := range rows {
		rows[i] = &Installation{ID: newID()}
	}
	err = by.sort(rows, work)
	return work.calls, err
}
