package softwareone

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone/internal/rql"
)

// plan chooses the indexes of a list and returns its parts. It removes each condition that an index
// serves completely.
func (r *rows) plan(h *Handler) ([]part, error) {
	c := r.call
	extensions := c.scope // whose rows the caller sees; nil = all
	vendor := c.actor.Kind == installation.Vendor
	if vendor {
		owned, err := guard(h.directory.Owned(c.Context(), c.account.ID))
		if err != nil && !errors.Is(err, ErrUnknown) {
			return nil, err
		}
		r.owned, extensions = owned, owned
	}
	extension := c.PathValue("extId") // the only one in the list; "" = any
	if id, at := r.equal("extension.id"); at >= 0 && (extension == "" || extension == id) {
		extension = id
		r.remove(at)
	}
	account, err := r.account(h)
	if err != nil {
		return nil, err
	}
	var parts []part
	if c.scope == nil && !vendor {
		req := installation.ListRequest{Extension: extension, Account: account}
		if extension == "" && account == "" {
			req.Status = r.statuses()
		}
		parts = append(parts, part{ListRequest: req})
	}
	for i, id := range extensions {
		listed := c.reaches(id) && (extension == "" || extension == id)
		if listed && !slices.Contains(extensions[:i], id) {
			req := installation.ListRequest{Extension: id, Account: account}
			parts = append(parts, part{ListRequest: req})
		}
	}
	if vendor && account == "" {
		req := installation.ListRequest{Extension: extension, Account: c.account.ID}
		parts = append(parts, part{ListRequest: req, others: true})
	}
	return parts, nil
}

// account returns the account whose index to use; "" = none.
func (r *rows) account(h *Handler) (string, error) {
	c := r.call
	account := c.confined
	if c.actor.Kind == installation.Customer {
		account = c.actor.ID
	}
	id, at := r.equal("account.id")
	if at < 0 || account != "" && account != id {
		return account, nil
	}
	// The index of a client has all rows that show the client. For any other account, rows can be
	// missing in the index: an invitation shows the account that invited, but is not in its index.
	// A client cannot invite, so its index has no such gap.
	shown, err := guard(h.directory.Account(c.Context(), id))
	switch {
	case errors.Is(err, ErrUnknown):
		return account, nil
	case err != nil || shown.Type != AccountClient:
		return account, err
	}
	r.remove(at)
	return id, nil
}

// equal finds the first condition eq(name,text) for the field with a name. It returns the text, and
// the position of the condition in r.conditions, or -1 if the request has no such condition.
func (r *rows) equal(name string) (string, int) {
	for i, e := range r.conditions {
		v := e.Values
		if e.Op == rql.Eq && e.Field == name && v[0].Kind == rql.Text && v[0].Text != "" {
			return v[0].Text, i
		}
	}
	return "", -1
}

// remove removes the condition at a position.
func (r *rows) remove(at int) {
	r.conditions = slices.Delete(r.conditions, at, at+1)
}

// statuses returns the statuses whose rows to read for a condition on the status, or nil for all
// rows. The rows of Invited and Expired are read together, and the condition still tests each row.
func (r *rows) statuses() []installation.Status {
	name, at := r.equal("status")
	switch status := installation.Status(strings.ToLower(name)); status {
	case installation.StatusInstalled, installation.StatusUninstalled:
		r.remove(at)
		return []installation.Status{status}
	case installation.StatusInvited, installation.StatusExpired:
		return []installation.Status{installation.StatusInvited, installation.StatusExpired}
	}
	return nil
}
