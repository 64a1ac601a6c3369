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
	defaultPage = 100
	maxPage     = installation.MaxPage // rows of an answer
	maxBytes    = 4 << 20              // of an answer, about; a single row may be larger
	maxScan     = 10_000               // rows looked at where no index serves the filter and the order
	scanPage    = 100                  // rows read at a time, with all that is stored of them
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

// list shows the installations that exist for the caller and that the query names, oldest first; those of several extensions one extension after
// the other, and those in a vendor's own account last. A page that would be too large ends early, and its limit says so, since clients go on from there.
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
	page := wirePagination{Limit: defaultPage}
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
	body := wireList{Data: make([]any, 0, len(shown)), Meta: wireMeta{Omitted: selected.omitted()}}
	size := 0
	for i, w := range shown {
		if selected.has("configuration") {
			if err := h.configure(c, rows, w); err != nil {
				return nil, err
			}
		}
		if size += w.size(); size > maxBytes && i > 0 {
			page.Limit = i
			break
		}
		body.Data = append(body.Data, selected.of(w))
	}
	body.Meta.Pagination = page
	return &httpapi.Answer{Body: body}, nil
}

// configure adds the configuration to a row, for those who are shown it. Rows are read without: many are looked at and few are shown.
func (h *Handler) configure(c *call, rows *rows, w *wireInstallation) error {
	if c.actor.Kind != installation.ExtensionActor && !slices.Contains(rows.owned, w.Extension.ID) {
		return nil
	}
	inst, err := h.host().Get(c.Context(), w.ID)
	switch {
	case c.Context().Err() != nil:
		return c.Context().Err()
	case inst == nil && !errors.Is(err, installation.ErrNotFound):
		return err
	case inst != nil && inst.Extension.ID == w.Extension.ID && inst.Configuration != nil && (c.within == "" || inst.Account.ID == c.within):
		w.Configuration = inst.Configuration.Document.Bytes()
	}
	return nil // without, if there is none, it cannot be opened, or the row is another one since
}

// size is about how many bytes the row takes in an answer.
func (w *wireInstallation) size() int {
	n := 2<<10 + len(w.Configuration) + 64*len(w.Modules)
	if w.Invitation != nil {
		n += len(w.Invitation.Message)
	}
	return n
}

// rows says how to find the rows of a list, which are the rows of its parts, one part after the other, for which the matches hold.
type rows struct {
	svc   *installation.Service // the platform, which reads no configuration
	call  *call
	owned []string // ids of the extensions of a vendor
	parts []part
	most  int // how many rows may be looked at

	matches []match
	order   order
	work    *meter
}

// part is what one index names. At most one index is asked for, so that it can count its rows.
type part struct {
	installation.ListRequest
	others bool // of these, those of extensions that are not the caller's own
}

// newRows plans a list.
func (h *Handler) newRows(c *call, q *rql.Query, audit bool) (*rows, error) {
	compiler := &compiler{audit: audit}
	p := &planner{conditions: q.Filter.Conjuncts()}
	r := &rows{
		svc: h.svc.As(installation.Actor{Kind: installation.Platform}), call: c, most: h.maxScan, order: compiler.order(q.Order),
		work: &meter{ctx: c.Context(), left: h.maxWork},
	}
	for _, e := range p.conditions {
		r.matches = append(r.matches, compiler.compile(e))
	}
	if err := compiler.list.Err(); err != nil {
		return nil, err
	}
	if err := p.plan(h, c); err != nil {
		return nil, err
	}
	r.parts, r.owned = p.parts, p.owned
	if len(p.conditions) == 0 {
		r.matches = nil
	}
	return r, r.inOrder(q.Order)
}

// inOrder leaves the order to the index where it has it: rows are in the order of their creation.
func (r *rows) inOrder(terms []rql.Term) error {
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

// read returns the rows of a page and how many there are in all.
func (r *rows) read(offset, limit int) ([]*wireInstallation, int64, error) {
	if len(r.matches) > 0 || r.order != nil {
		return r.scan(offset, limit)
	}
	var page []*wireInstallation
	var total int64
	for _, p := range r.parts {
		skip := int(max(0, int64(offset)-total))
		wanted := limit - len(page)
		got, n, err := r.readPart(p, skip, wanted)
		if err != nil {
			return nil, 0, err
		}
		page, total = append(page, got...), total+n
	}
	return page, total, nil
}

// readPart returns rows of a part, and how many it has in all.
func (r *rows) readPart(p part, skip, limit int) ([]*wireInstallation, int64, error) {
	if p.others {
		seen := 0
		all, err := r.look(p, &seen)
		from := min(skip, len(all))
		return wires(all[from:min(from+limit, len(all))]), int64(len(all)), err
	}
	ctx := r.call.Context()
	total, err := r.svc.Count(ctx, p.ListRequest)
	if err != nil || limit == 0 || int64(skip) >= total {
		return nil, total, err
	}
	if skip > installation.MaxSkip {
		return nil, 0, narrow()
	}
	var page []*wireInstallation
	p.Skip, p.Limit = skip, min(limit, scanPage)
	for inst, err := range r.svc.All(ctx, p.ListRequest) {
		if err != nil {
			return nil, 0, err
		}
		if r.sees(inst) {
			page = append(page, wireOf(inst))
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

// scan looks at every row of the parts, up to a limit.
func (r *rows) scan(offset, limit int) ([]*wireInstallation, int64, error) {
	var all []*row
	seen := 0
	for _, p := range r.parts {
		some, err := r.look(p, &seen)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, some...)
	}
	if err := r.order.sort(all, r.work); err != nil {
		return nil, 0, err
	}
	from := min(offset, len(all))
	return wires(all[from:min(from+limit, len(all))]), int64(len(all)), nil
}

// look returns those rows of a part that were asked for, and adds to the number of rows that were looked at.
func (r *rows) look(p part, seen *int) ([]*row, error) {
	var out []*row
	p.Limit = scanPage
	for inst, err := range r.svc.All(r.call.Context(), p.ListRequest) {
		if err != nil {
			return nil, err
		}
		if *seen++; *seen > r.most {
			return nil, narrow()
		}
		if !r.sees(inst) || p.others && slices.Contains(r.owned, inst.Extension.ID) {
			continue
		}
		w := &row{wireInstallation: wireOf(inst), work: r.work}
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

func wires(found []*row) []*wireInstallation {
	var out []*wireInstallation
	for _, r := range found {
		out = append(out, r.wireInstallation)
	}
	return out
}

// narrow refuses what would take too many rows to answer.
func narrow() *httpapi.Problem {
	return httpapi.Invalid("query", validate.RuleTooMany, "there are too many rows to look at: narrow the filter")
}
