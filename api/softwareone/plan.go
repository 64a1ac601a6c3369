package softwareone

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone/internal/rql"
)

// planner chooses the indexes of a list. It removes the conditions that an index fulfils.
type planner struct {
	conditions []*rql.Expr
	parts      []part
	owned      []string // IDs of the extensions of a vendor
}

// plan sets the parts of a list for a caller.
func (p *planner) plan(h *Handler, c *call) error {
	extensions := c.scope // whose rows the caller sees; nil = all
	vendor := c.actor.Kind == installation.Vendor
	if vendor {
		owned, err := guard(h.directory.Owned(c.Context(), c.account.ID))
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		p.owned = owned
		extensions = slices.DeleteFunc(append([]string{}, owned...), func(id string) bool {
			return !c.reaches(id)
		})
	}
	extension := c.PathValue("extId")
	if id, at := p.equal("extension.id"); at >= 0 && (extension == "" || extension == id) {
		extension = id
		p.remove(at)
	}
	switch {
	case extension == "":
	case extensions == nil || slices.Contains(extensions, extension):
		extensions = []string{extension}
	default:
		extensions = []string{}
	}
	account, err := p.account(h, c)
	if err != nil {
		return err
	}
	if extensions == nil {
		req := installation.ListRequest{Account: account}
		if account == "" {
			req.Status = p.statuses()
		}
		p.parts = append(p.parts, part{ListRequest: req})
	}
	for i, id := range extensions {
		if !slices.Contains(extensions[:i], id) {
			req := installation.ListRequest{Extension: id, Account: account}
			p.parts = append(p.parts, part{ListRequest: req})
		}
	}
	if vendor && account == "" && (extension == "" || c.reaches(extension)) {
		req := installation.ListRequest{Extension: extension, Account: c.account.ID}
		p.parts = append(p.parts, part{ListRequest: req, others: true})
	}
	return nil
}

// account returns the account whose index to use; "" = none.
func (p *planner) account(h *Handler, c *call) (string, error) {
	account := c.confined
	if c.actor.Kind == installation.Customer {
		account = c.actor.ID
	}
	id, at := p.equal("account.id")
	if at < 0 || account != "" && account != id {
		return account, nil
	}
	indexed, err := h.indexed(c, id)
	if err != nil || !indexed {
		return account, err
	}
	p.remove(at)
	return id, nil
}

// equal finds the condition that a field is equal to a text. It returns the text and the index of
// the condition, or -1.
func (p *planner) equal(name string) (string, int) {
	for i, e := range p.conditions {
		v := e.Values
		if e.Op == rql.Eq && e.Field == name && v[0].Kind == rql.Text && v[0].Text != "" {
			return v[0].Text, i
		}
	}
	return "", -1
}

// remove removes the condition at an index.
func (p *planner) remove(at int) {
	p.conditions = slices.Delete(slices.Clone(p.conditions), at, at+1)
}

// indexed reports whether the index of accounts has all rows that show an account. Rows of
// invitations show the account that invited, which is never a client.
func (h *Handler) indexed(c *call, id string) (bool, error) {
	account, err := guard(h.directory.Account(c.Context(), id))
	switch {
	case errors.Is(err, ErrUnknown):
		return false, nil
	case err != nil:
		return false, err
	}
	return account.Type == AccountClient, nil
}

// statuses returns the statuses whose index serves a condition on the status; nil = none does.
func (p *planner) statuses() []installation.Status {
	name, at := p.equal("status")
	switch {
	case at < 0:
	case strings.EqualFold(name, "Installed"):
		p.remove(at)
		return []installation.Status{installation.StatusInstalled}
	case strings.EqualFold(name, "Uninstalled"):
		p.remove(at)
		return []installation.Status{installation.StatusUninstalled}
	case strings.EqualFold(name, "Invited"), strings.EqualFold(name, "Expired"):
		return []installation.Status{installation.StatusInvited, installation.StatusExpired}
	}
	return nil
}
