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
	q, err := readQuery(c.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	selected, err := newSelection(q.Select, false)
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

// rows finds the rows of a list. It reads its parts in order, and selects the rows that match all
// conditions.
type rows struct {
	svc   *installation.Service // acts as the platform, which reads no configuration
	call  *call
	owned []string // IDs of the extensions that the calling vendor owns
	parts []part
	most  int // number of rows that can still be read

	conditions []*rql.Expr // those that no index serves
	matches    []match
	order      order
	work       *meter
}

// part is a list request that one index can serve and count.
type part struct {
	installation.ListRequest
	others bool // only rows of extensions that the caller does not own
}

// newRows compiles the query of a list and chooses the indexes.
func (h *Handler) newRows(c *call, q *rql.Query, audit bool) (*rows, error) {
	compiler := &compiler{audit: audit}
	r := &rows{
		svc: h.svc.As(installation.Actor{Kind: installation.Platform}), call: c,
		most: h.maxScan, conditions: q.Filter.Conjuncts(), order: compiler.order(q.Order),
		work: &meter{ctx: c.Context(), left: h.maxWork},
	}
	for _, e := range r.conditions {
		r.matches = append(r.matches, compiler.compile(e))
	}
	if err := compiler.list.Err(); err != nil {
		return nil, err
	}
	if err := r.plan(h, c); err != nil {
		return nil, err
	}
	if len(r.conditions) == 0 {
		r.matches = nil
	}
	return r, r.useIndexOrder(q.Order)
}

// useIndexOrder leaves the sorting to the index if the query sorts only by audit.created.at, since
// an index has its rows in the order of creation. This needs a single part, so useIndexOrder
// removes empty parts first. With more parts, the rows are still sorted later.
func (r *rows) useIndexOrder(terms []rql.Term) error {
	if len(terms) != 1 || terms[0].Path != "audit.created.at" {
		return nil
	}
	var filled []part
	for _, p := range r.parts {
		if len(r.parts) > 1 {
			n, err := r.svc.Count(r.call.Context(), p.ListRequest)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
		}
		p.Reverse = terms[0].Less
		filled = append(filled, p)
	}
	if r.parts = filled; len(filled) <= 1 {
		r.order = nil
	}
	return nil
}

// read returns the rows of a page and the number of all rows of the list.
func (r *rows) read(offset, limit int) ([]*Installation, int64, error) {
	if len(r.matches) > 0 || r.order != nil {
		return r.scan(offset, limit)
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

// readPart returns rows of a part and the number of all its rows.
func (r *rows) readPart(p part, skip, limit int) ([]*Installation, int64, error) {
	if p.others {
		all, err := r.look(p)
		return cut(all, skip, limit), int64(len(all)), err
	}
	ctx := r.call.Context()
	total, err := r.svc.Count(ctx, p.ListRequest)
	if err != nil || limit == 0 || int64(skip) >= total {
		return nil, total, err
	}
	if skip > installation.MaxSkip {
		return nil, 0, tooManyRows()
	}
	var page []*Installation
	p.Skip, p.Limit = skip, min(limit, scanPage)
	for inst, err := range r.svc.All(ctx, p.ListRequest) {
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
	return page, total, nil
}

func (r *rows) sees(inst *installation.Installation) bool {
	return r.call.sees(inst, slices.Contains(r.owned, inst.Extension.ID))
}

// scan reads and tests the rows of all parts, and sorts those that match. It returns the rows of a
// page and the number of all matching rows.
func (r *rows) scan(offset, limit int) ([]*Installation, int64, error) {
	var all []*row
	for _, p := range r.parts {
		some, err := r.look(p)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, some...)
	}
	if err := r.order.sort(all, r.work); err != nil {
		return nil, 0, err
	}
	return cut(all, offset, limit), int64(len(all)), nil
}

// look reads the rows of a part and returns those that match. It returns an error if the list has
// read too many rows.
func (r *rows) look(p part) ([]*row, error) {
	var out []*row
	p.Limit = scanPage
	for inst, err := range r.svc.All(r.call.Context(), p.ListRequest) {
		if err != nil {
			return nil, err
		}
		if r.most--; r.most < 0 {
			return nil, tooManyRows()
		}
		if !r.sees(inst) || p.others && slices.Contains(r.owned, inst.Extension.ID) {
			continue
		}
		w := &row{Installation: InstallationOf(inst), work: r.work}
		matches := !slices.ContainsFunc(r.matches, func(m match) bool { return !m(w) })
		if r.work.err != nil {
			return nil, r.work.err
		}
		if w.lower = nil; matches {
			out = append(out, w)
		}
	}
	return out, nil
}

// cut returns the rows of a page: at most limit rows after the first skip rows.
func cut(all []*row, skip, limit int) []*Installation {
	from := min(skip, len(all))
	var out []*Installation
	for _, r := range all[from:min(from+limit, len(all))] {
		out = append(out, r.Installation)
	}
	return out
}

// tooManyRows rejects a list that would cost too much.
func tooManyRows() *httpapi.Problem {
	return httpapi.Invalid("query", validate.RuleTooMany,
		"there are too many rows to look at: narrow the filter")
}
