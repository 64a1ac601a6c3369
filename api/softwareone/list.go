package softwareone

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/internal/httpapi"
	"github.com/go-installation/installation/validate"
)

// Limits of lists.
const (
	maxPage = installation.MaxPage // rows of an answer; also what a request without a limit gets
	maxScan = 10_000               // rows looked at where no index serves the filter and the order
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

// list shows the installations that exist for the caller and that the query names, oldest first.
func (h *Handler) list(c *call) (httpapi.Answer, error) {
	q, err := readQuery(c.URL.RawQuery)
	if err != nil {
		return httpapi.Answer{}, err
	}
	selected, err := newSelection(q.Select, false)
	if err != nil {
		return httpapi.Answer{}, err
	}
	rows, err := h.newRows(c, q, selected.has("audit"))
	if err != nil {
		return httpapi.Answer{}, err
	}
	page := wirePagination{Limit: maxPage}
	if q.Limit != nil {
		page.Limit = min(*q.Limit, maxPage)
	}
	if q.Offset != nil {
		page.Offset = *q.Offset
	}
	found, total, err := rows.read(c, page.Offset, page.Limit)
	if err != nil {
		return httpapi.Answer{}, err
	}
	page.Total = total
	body := wireList{Data: make([]any, 0, len(found)), Meta: wireMeta{Pagination: page, Omitted: selected.omitted()}}
	for _, w := range found {
		body.Data = append(body.Data, selected.of(w))
	}
	return httpapi.Answer{Body: body}, nil
}

// rows says how to find the rows of a list: req names those that one index has, which are read with the rights of svc; of these the caller must see
// the row and the conditions hold.
type rows struct {
	svc  *installation.Service
	req  installation.ListRequest // at most one index is asked for, so that every row read is one to look at
	most int                      // how many rows may be looked at
	none bool                     // there is nothing that the caller could see

	// exact says that the index has the rows in question and no others, in the order asked for.
	exact   bool
	matches []match
	order   func(a, b *wireInstallation) int
}

// newRows plans a list.
func (h *Handler) newRows(c *call, q *rql.Query, audit bool) (*rows, error) {
	compiler := &compiler{audit: audit}
	p := &planner{conditions: q.Filter.Conjuncts()}
	r := &rows{most: h.maxScan, order: compiler.order(q.Order)}
	for _, e := range p.conditions {
		r.matches = append(r.matches, compiler.compile(e))
	}
	if err := compiler.list.Err(); err != nil {
		return nil, err
	}
	if err := p.plan(h, c); err != nil {
		return nil, err
	}
	r.req, r.none, r.exact = p.req, p.none, p.exact && len(p.conditions) == 0
	// Rows are in the order of their creation.
	if len(q.Order) == 1 && q.Order[0].Path == "audit.created.at" {
		r.req.Reverse, r.order = q.Order[0].Less, nil
	}
	r.exact = r.exact && r.order == nil
	// What a platform is shown has no configuration; a host sees it masked.
	r.svc = h.svc.As(installation.Actor{Kind: installation.Platform})
	if c.actor.Kind == installation.Vendor || c.actor.Kind == installation.ExtensionActor {
		r.svc = h.host()
	}
	return r, nil
}

// read returns the rows of a page and how many there are in all.
func (r *rows) read(c *call, offset, limit int) ([]*wireInstallation, int64, error) {
	switch {
	case r.none:
		return nil, 0, nil
	case !r.exact:
		return r.scan(c, offset, limit)
	}
	total, err := r.svc.Count(c.Context(), r.req)
	if err != nil || limit == 0 || int64(offset) >= total {
		return nil, total, err
	}
	if offset > installation.MaxSkip {
		return nil, 0, narrow()
	}
	req := r.req
	req.Skip, req.Limit = offset, limit
	var found []*wireInstallation
	for inst, err := range r.svc.All(c.Context(), req) {
		if err != nil {
			return nil, 0, err
		}
		if c.sees(inst) {
			found = append(found, wireOf(inst))
		}
		if len(found) == limit {
			break
		}
	}
	return found, total, nil
}

// scan looks at every row that the index has, up to a limit.
func (r *rows) scan(c *call, offset, limit int) ([]*wireInstallation, int64, error) {
	req := r.req
	req.Limit = installation.MaxPage
	var found []*wireInstallation
	seen := 0
	for inst, err := range r.svc.All(c.Context(), req) {
		if err != nil {
			return nil, 0, err
		}
		if seen++; seen > r.most {
			return nil, 0, narrow()
		}
		if !c.sees(inst) {
			continue
		}
		if w := wireOf(inst); !slices.ContainsFunc(r.matches, func(m match) bool { return !m(w) }) {
			found = append(found, w)
		}
	}
	if r.order != nil {
		slices.SortStableFunc(found, r.order)
	}
	from := min(offset, len(found))
	return found[from:min(from+limit, len(found))], int64(len(found)), nil
}

// narrow refuses what would take too many rows to answer.
func narrow() *httpapi.Problem {
	return httpapi.Invalid("query", validate.RuleTooMany, "there are too many rows to look at: narrow the filter")
}

// planner chooses the index for a list, and takes the conditions away that the index alone fulfils.
type planner struct {
	conditions []*rql.Expr
	req        installation.ListRequest
	none       bool
	exact      bool // but for the conditions that are left
}

func (p *planner) plan(h *Handler, c *call) error {
	p.exact = true
	var extension, account string
	switch {
	case c.scope == nil:
	case len(c.scope) == 1:
		extension = c.scope[0]
	case len(c.scope) == 0:
		p.none = true
	default:
		p.exact = false
	}
	if c.actor.Kind == installation.Customer {
		account = c.actor.ID
	}
	account = cmp.Or(account, c.within)
	if id := c.PathValue("extId"); id != "" {
		if extension != "" && extension != id {
			p.none = true
		}
		extension = id
	}
	if id, at := p.equal("extension.id"); at >= 0 && (extension == "" || extension == id) {
		extension = id
		p.fulfilled(at)
	}
	if id, at := p.equal("account.id"); at >= 0 && (account == "" || account == id) {
		indexed, err := h.indexed(c, id)
		if err != nil {
			return err
		}
		if indexed {
			account = id
			p.fulfilled(at)
		}
	}
	p.req.Extension, p.req.Account = extension, account
	if c.actor.Kind == installation.Vendor {
		return p.owned(h, c)
	}
	if extension == "" && account == "" {
		p.phase()
	}
	return nil
}

// owned confines the plan of a vendor to its own rows. Of an extension it owns these are all there are, but for what another owner sold it with.
func (p *planner) owned(h *Handler, c *call) error {
	if p.req.Extension == "" && p.req.Account == "" {
		p.req.Owner = c.actor.ID
		return nil
	}
	if p.req.Extension == "" {
		p.exact = false
		return nil
	}
	ext, err := h.directory.Extension(c.Context(), p.req.Extension)
	switch {
	case errors.Is(err, ErrUnknown):
		p.exact = false
	case err != nil:
		return hostFailure(err)
	default:
		p.exact = p.exact && ext.Owner == c.actor.ID
	}
	return nil
}

// equal finds a condition that a field is equal to a text, and returns the text and where the condition is, -1 if there is none.
func (p *planner) equal(name string) (string, int) {
	for i, e := range p.conditions {
		if e.Op == rql.Eq && e.Field == name && e.Values[0].Kind == rql.Text && e.Values[0].Text != "" {
			return e.Values[0].Text, i
		}
	}
	return "", -1
}

// fulfilled takes a condition away.
func (p *planner) fulfilled(at int) {
	p.conditions = slices.Delete(slices.Clone(p.conditions), at, at+1)
}

// indexed reports whether the index of accounts has all rows that show an account: rows of invitations show the account that invited, which is no
// client.
func (h *Handler) indexed(c *call, id string) (bool, error) {
	account, err := h.directory.Account(c.Context(), id)
	switch {
	case errors.Is(err, ErrUnknown):
		return false, nil
	case err != nil:
		return false, hostFailure(err)
	}
	return account.Type == Client, nil
}

// phase lets the index of states serve a condition on the status.
func (p *planner) phase() {
	name, at := p.equal("status")
	switch {
	case at < 0:
	case strings.EqualFold(name, "Installed"):
		p.req.Status = []installation.Status{installation.StatusInstalled}
		p.fulfilled(at)
	case strings.EqualFold(name, "Uninstalled"):
		p.req.Status = []installation.Status{installation.StatusUninstalled}
		p.fulfilled(at)
	case strings.EqualFold(name, "Invited"), strings.EqualFold(name, "Expired"):
		p.req.Status = []installation.Status{installation.StatusInvited, installation.StatusExpired}
	}
}
