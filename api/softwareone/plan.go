package softwareone

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/softwareone/internal/rql"
)

// planner chooses the indexes for a list, and takes the conditions away that they alone fulfil.
type planner struct {
	conditions []*rql.Expr
	parts      []part
	owned      []string // ids of the extensions of a vendor
}

func (p *planner) plan(h *Handler, c *call) error {
	// The extensions whose rows the caller sees, nil = all.
	extensions := c.scope
	vendor := c.actor.Kind == installation.Vendor
	if vendor {
		owned, err := h.directory.Owned(c.Context(), c.account.ID)
		switch {
		case errors.Is(err, ErrUnknown):
		case err != nil:
			return httpapi.Failure(err)
		}
		p.owned = owned
		extensions = slices.DeleteFunc(append([]string{}, owned...), func(id string) bool { return !c.reaches(id) })
	}
	extension := c.PathValue("extId")
	if id, at := p.equal("extension.id"); at >= 0 && (extension == "" || extension == id) {
		extension = id
		p.fulfilled(at)
	}
	switch {
	case extension == "":
	case extensions == nil || slices.Contains(extensions, extension):
		extensions = []string{extension}
	default:
		extensions = []string{}
	}
	account := c.within
	if c.actor.Kind == installation.Customer {
		account = c.actor.ID
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
	if extensions == nil {
		req := installation.ListRequest{Account: account}
		if account == "" {
			req.Status = p.phase()
		}
		p.parts = append(p.parts, part{ListRequest: req})
	}
	for i, id := range extensions {
		if !slices.Contains(extensions[:i], id) {
			p.parts = append(p.parts, part{ListRequest: installation.ListRequest{Extension: id, Account: account}})
		}
	}
	if vendor && account == "" && (extension == "" || c.reaches(extension)) {
		p.parts = append(p.parts, part{ListRequest: installation.ListRequest{Extension: extension, Account: c.account.ID}, others: true})
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
		return false, httpapi.Failure(err)
	}
	return account.Type == Client, nil
}

// phase returns the states of the index that serves a condition on the status; nil if there is none.
func (p *planner) phase() []installation.Status {
	name, at := p.equal("status")
	switch {
	case at < 0:
	case strings.EqualFold(name, "Installed"):
		p.fulfilled(at)
		return []installation.Status{installation.StatusInstalled}
	case strings.EqualFold(name, "Uninstalled"):
		p.fulfilled(at)
		return []installation.Status{installation.StatusUninstalled}
	case strings.EqualFold(name, "Invited"), strings.EqualFold(name, "Expired"):
		return []installation.Status{installation.StatusInvited, installation.StatusExpired}
	}
	return nil
}
