package softwareone

import (
	"errors"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/validate"
)

// Limits of lists.
const (
	maxPage  = 100     // rows of an answer, as on the platform; also the default
	maxBytes = 4 << 20 // of an answer, about; a single row can be larger
	maxScan  = 10_000  // rows to read and test if no index serves the query
	scanPage = 100     // rows to read from the store at a time
)

// wireList is the answer to a list.
type wireList struct {
	Data []any    `json:"data"`
	Meta wireMeta `json:"$meta"`
}

type wireMeta struct {
	Pagination wirePagination `json:"pagination"`
	Omitted    []string       `json:"omitted,omitempty"`
}

type wirePagination struct {
	Limit  int   `json:"limit"`
	Offset int   `json:"offset"`
	Total  int64 `json:"total"`
}

// list answers with the installations that the caller is allowed to see and that match the query,
// oldest first. If the caller has several extensions, list shows the rows of one extension after
// those of another, and the rows in the own account of a vendor last. A page that would be too
// large ends early. Its limit is then its number of rows, since clients continue at offset plus
// limit.
func (h *Handler) list(c *call) (*httpapi.Answer, error) {
	q, selected, err := readQuery(c.Request, false)
	if err != nil {
		return nil, err
	}
	rows, err := h.newRows(c, q, selected.has("audit"))
	if err != nil {
		return nil, err
	}
	page := wirePagination{Limit: maxPage}
	if q.Limit != nil {
		page.Limit = min(*q.Limit, maxPage)
	}
	if q.Offset != nil {
		page.Offset = *q.Offset
	}
	shown, total, err := rows.read(page.Offset, page.Limit)
	if err != nil {
		return nil, err
	}
	page.Total = total
	data, size := make([]any, 0, len(shown)), 0
	for i, w := range shown {
		if selected.has("configuration") {
			if err := h.addConfiguration(c, rows, w); err != nil {
				return nil, err
			}
		}
		if size += w.size(); size > maxBytes && i > 0 {
			page.Limit = i
			break
		}
		data = append(data, selected.of(w))
	}
	meta := wireMeta{Pagination: page, Omitted: selected.omitted()}
	return &httpapi.Answer{Body: wireList{Data: data, Meta: meta}}, nil
}

// addConfiguration adds the configuration to a row on a page, if the caller is allowed to see it.
// The rows are read without their configurations, because a list reads many rows and shows few. A
// row gets no configuration if the installation has none or cannot be decrypted, or if it has
// another extension or account by now.
func (h *Handler) addConfiguration(c *call, rows *rows, w *Installation) error {
	owned := slices.Contains(rows.owned, w.Extension.ID)
	if c.actor.Kind != installation.ExtensionActor && !owned {
		return nil
	}
	inst, err := h.asHost().Get(c.Context(), w.ID)
	switch {
	case c.Context().Err() != nil:
		return c.Context().Err()
	case inst == nil && !errors.Is(err, installation.ErrNotFound):
		return err
	case inst == nil, inst.Configuration == nil, inst.Extension.ID != w.Extension.ID,
		c.confined != "" && inst.Account.ID != c.confined:
		return nil
	}
	w.Configuration = inst.Configuration.Document
	return nil
}

// size returns the approximate number of bytes of a row in an answer.
func (w *Installation) size() int {
	n := 2<<10 + len(w.Configuration.Bytes()) + 64*len(w.Modules)
	if w.Invitation != nil {
		n += len(w.Invitation.Message)
	}
	return n
}

// rows finds the rows of a list. It reads its parts in order, and selects the rows that meet all
// conditions.
type rows struct {
	svc   *installation.Service // acts as the platform, which reads no configuration
	call  *call
	owned []string // IDs of the extensions that the calling vendor owns
	parts []part
	most  int // number of rows that can still be read

	conditions []condition // those that no index serves
	order      order
	work       *meter
}

// condition is a part of a filter, and how to test a row for it.
type condition struct {
	*rql.Expr
	match
}

// part is a list request that one index can serve and count.
type part struct {
	installation.ListRequest
	total  int64 // number of rows
	others bool  // only rows of extensions that the caller does not own
}

// newRows compiles the query of a list and chooses the indexes.
func (h *Handler) newRows(c *call, q *rql.Query, audit bool) (*rows, error) {
	compiler := &compiler{audit: audit}
	r := &rows{
		svc: h.svc.As(installation.Actor{Kind: installation.Platform}), call: c,
		most: h.maxScan, order: compiler.order(q.Order),
		work: &meter{ctx: c.Context(), left: h.maxWork},
	}
	for _, e := range q.Filter.Conjuncts() {
		r.conditions = append(r.conditions, condition{e, compiler.compile(e)})
	}
	if err := compiler.list.Err(); err != nil {
		return nil, err
	}
	parts, err := r.plan(h)
	if err != nil {
		return nil, err
	}
	for _, p := range parts { // leaves out empty parts
		if p.total, err = r.svc.Count(c.Context(), p.ListRequest); err != nil {
			return nil, err
		}
		if p.total > 0 {
			r.parts = append(r.parts, p)
		}
	}
	// An index has its rows in the order of creation, so a single part needs no sorting.
	by := q.Order
	if len(r.parts) == 1 && len(by) == 1 && by[0].Path == "audit.created.at" {
		r.parts[0].Reverse, r.order = by[0].Less, nil
	}
	return r, nil
}

// read returns the rows of a page and the number of all rows of the list.
func (r *rows) read(offset, limit int) ([]*Installation, int64, error) {
	if len(r.conditions) > 0 || r.order != nil {
		return r.scan(r.parts, offset, limit)
	}
	var page []*Installation
	var total int64
	for _, p := range r.parts {
		skip := int(max(0, int64(offset)-total))
		got, n, err := r.readPart(p, skip, limit-len(page))
		if err != nil {
			return nil, 0, err
		}
		page, total = append(page, got...), total+n
	}
	return page, total, nil
}

// readPart returns rows of a part and the number of all its rows. It needs a scan if the index also
// has rows that are not of the part.
func (r *rows) readPart(p part, skip, limit int) ([]*Installation, int64, error) {
	switch {
	case p.others:
		return r.scan([]part{p}, skip, limit)
	case limit == 0 || int64(skip) >= p.total:
		return nil, p.total, nil
	case skip > installation.MaxSkip:
		return nil, 0, tooManyRows()
	}
	var page []*Installation
	p.Skip, p.Limit = skip, min(limit, scanPage)
	for inst, err := range r.svc.All(r.call.Context(), p.ListRequest) {
		if err != nil {
			return nil, 0, err
		}
		if r.sees(inst) {
			page = append(page, InstallationOf(inst))
		}
		if len(page) == limit {
			break
		}
	}
	return page, p.total, nil
}

func (r *rows) owns(inst *installation.Installation) bool {
	return slices.Contains(r.owned, inst.Extension.ID)
}

func (r *rows) sees(inst *installation.Installation) bool { return r.call.sees(inst, r.owns(inst)) }

// scan reads and tests the rows of parts, and sorts those that match. It returns the rows of a page
// and the number of all matching rows. It returns an error if the list has read too many rows.
func (r *rows) scan(parts []part, skip, limit int) ([]*Installation, int64, error) {
	var all []*Installation
	for _, p := range parts {
		p.Limit = scanPage
		for inst, err := range r.svc.All(r.call.Context(), p.ListRequest) {
			switch r.most--; {
			case err != nil:
				return nil, 0, err
			case r.work.err != nil:
				return nil, 0, r.work.err
			case r.most < 0:
				return nil, 0, tooManyRows()
			case !r.sees(inst), p.others && r.owns(inst):
				continue
			}
			if w := InstallationOf(inst); r.matches(w) {
				all = append(all, w)
			}
		}
	}
	if err := r.order.sort(all, r.work); err != nil {
		return nil, 0, err
	}
	from := min(skip, len(all))
	return all[from:min(from+limit, len(all))], int64(len(all)), nil
}

// matches reports whether a row meets all conditions.
func (r *rows) matches(w *Installation) bool {
	tested := &row{Installation: w, work: r.work}
	return !slices.ContainsFunc(r.conditions, func(c condition) bool { return !c.match(tested) })
}

// tooManyRows rejects a list that would cost too much.
func tooManyRows() *httpapi.Problem {
	return httpapi.Invalid("query", validate.RuleTooMany,
		"there are too many rows to look at: narrow the filter")
}
