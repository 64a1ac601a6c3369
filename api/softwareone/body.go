package softwareone

import (
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// maxModules is how many modules one request names.
const maxModules = 100

// creation is the body of POST /installations.
type creation struct {
	extension  string
	account    string // "" = not said
	modules    []string
	invitation *invitation // nil = install
}

// invitation is what the caller says of one.
type invitation struct {
	message    string
	externalID string
	validity   installation.Period // "" = not said
}

// validities are the periods that the platform offers.
var validities = []installation.Period{"7d", "14d", "1m", "3m", "6m", "1y"}

// present returns the reader of a member that is there and not null. Clients write null for what they do not say.
func present(in httpapi.Object, name string) (httpapi.Object, bool) {
	if !in.Has(name) || in.Null(name) {
		return httpapi.Object{}, false
	}
	return in.Object(name), true
}

// optional returns a string that may be absent or null.
func optional(in httpapi.Object, name string) string {
	if in.Null(name) {
		return ""
	}
	return in.String(name)
}

// readCreation reads the body of POST. Fields that it does not name, such as configuration and audit, do not matter.
func readCreation(body *jsontree.Node) (*creation, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	if err := l.Err(); err != nil {
		return nil, err
	}
	c := &creation{}
	if ext, ok := present(in, "extension"); ok {
		c.extension = ext.String("id")
		l.ID(ext.Path("id"), c.extension)
	} else {
		l.Required("extension", false)
	}
	if account, ok := present(in, "account"); ok {
		c.account = account.String("id")
		l.ID(account.Path("id"), c.account)
	}
	c.modules = readModules(in, &l)
	if invited, ok := present(in, "invitation"); ok {
		c.invitation = readInvitation(invited, &l)
	}
	return c, l.Err()
}

// readInvitation reads an invitation, whose validity is a text or an object with one.
func readInvitation(in httpapi.Object, l *validate.List) *invitation {
	i := &invitation{message: optional(in, "message"), externalID: optional(in, "externalId")}
	path := in.Path("validity")
	switch n := in.Node("validity"); {
	case n == nil || n.Kind() == jsontree.Null:
		return i
	case n.Kind() == jsontree.Object:
		validity := in.Object("validity")
		i.validity, path = installation.Period(validity.String("period")), validity.Path("period")
	default:
		i.validity = installation.Period(in.String("validity"))
	}
	if !slices.Contains(validities, i.validity) {
		l.Add(path, validate.RuleUnknown, "must be one of 7d, 14d, 1m, 3m, 6m and 1y")
	}
	return i
}

// readModules reads ids, each once.
func readModules(in httpapi.Object, l *validate.List) []string {
	n := in.Node("modules")
	switch {
	case n == nil || n.Kind() == jsontree.Null:
		return nil
	case n.Kind() != jsontree.Array:
		l.Add(in.Path("modules"), validate.RuleFormat, "must be an array")
		return nil
	case n.Len() > maxModules:
		l.Count(in.Path("modules"), n.Len(), maxModules)
		return nil
	}
	var ids []string
	for i, item := range n.Children() {
		m := httpapi.ReadObject(item, in.Path("modules")+"["+i+"]", l)
		id := m.String("id")
		l.ID(m.Path("id"), id)
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// redemption is the body of POST /installations/{id}/redeem.
type redemption struct {
	code    crypto.Secret
	modules []string
}

func readRedemption(body *jsontree.Node) (*redemption, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	if err := l.Err(); err != nil {
		return nil, err
	}
	code := in.String("code")
	l.Required("code", code != "")
	r := &redemption{code: crypto.NewSecret(code), modules: readModules(in, &l)}
	return r, l.Err()
}

// consent is what a customer agreed to: nothing but modules that the extension asks for.
func (e *Extension) consent(modules []string) (installation.Consent, error) {
	var l validate.List
	var c installation.Consent
	for _, id := range modules {
		if !slices.ContainsFunc(e.Modules, func(m Module) bool { return m.ID == id }) {
			l.Add("modules", validate.RuleUnknown, "the extension does not ask for one of these modules")
			break
		}
		c.Modules = append(c.Modules, installation.Reference{ID: id})
	}
	return c, l.Err()
}
