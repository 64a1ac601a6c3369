package softwareone

import (
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// maxModules is the number of modules that one request can name.
const maxModules = 100

// creation is the body of POST /installations.
type creation struct {
	extension  string
	account    string // "" = not given
	modules    []string
	invitation *invitation // nil = install
}

type invitation struct {
	message    string
	externalID string
	validity   installation.Period // "" = not given
}

// validities are the periods that the platform offers.
var validities = []installation.Period{"7d", "14d", "1m", "3m", "6m", "1y"}

// readCreation reads the body of POST /installations. A null member counts as absent, since API
// clients send null for members that they do not use.
func readCreation(in httpapi.Object) *creation {
	c, l, given := &creation{}, in.Violations(), in.NullAsAbsent()
	l.Required("extension", given.Has("extension"))
	if given.Has("extension") {
		ext := in.Object("extension")
		c.extension = ext.String("id")
		l.ID(ext.Path("id"), c.extension)
	}
	if given.Has("account") {
		account := in.Object("account")
		c.account = account.String("id")
		l.ID(account.Path("id"), c.account)
	}
	c.modules = readModules(in)
	if given.Has("invitation") {
		c.invitation = readInvitation(in.Object("invitation"))
	}
	return c
}

// readInvitation reads an invitation. Its validity is a period such as "7d", or an object with the
// member period.
func readInvitation(in httpapi.Object) *invitation {
	given := in.NullAsAbsent()
	i := &invitation{message: given.String("message"), externalID: given.String("externalId")}
	n := given.Node("validity")
	if n == nil {
		return i
	}
	of, name := in, "validity"
	if n.Kind() == jsontree.Object {
		of, name = in.Object("validity"), "period"
	}
	i.validity = installation.Period(of.String(name))
	if !slices.Contains(validities, i.validity) {
		detail := "must be one of 7d, 14d, 1m, 3m, 6m and 1y"
		in.Violations().Add(of.Path(name), validate.RuleUnknown, detail)
	}
	return i
}

// readModules returns the IDs of the modules in a body, without duplicates.
func readModules(in httpapi.Object) []string {
	const name = "modules"
	l, n := in.Violations(), in.NullAsAbsent().Node(name)
	switch {
	case n == nil:
		return nil
	case n.Kind() != jsontree.Array:
		l.Add(in.Path(name), validate.RuleFormat, "must be an array")
		return nil
	case n.Len() > maxModules:
		l.Count(in.Path(name), n.Len(), maxModules)
		return nil
	}
	var ids []string
	for i, item := range n.Children() {
		m := httpapi.ReadObject(item, in.Path(name)+"["+i+"]", l)
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

func readRedemption(in httpapi.Object) *redemption {
	code := in.String("code")
	in.Violations().Required("code", code != "")
	return &redemption{code: crypto.NewSecret(code), modules: readModules(in)}
}

// consent returns the consent to modules. It rejects a module that the extension does not ask for.
func (e *Extension) consent(modules []string) (installation.Consent, error) {
	var c installation.Consent
	for _, id := range modules {
		if !slices.ContainsFunc(e.Modules, func(m Module) bool { return m.ID == id }) {
			return c, httpapi.Invalid("modules", validate.RuleUnknown,
				"the extension does not ask for one of these modules")
		}
		c.Modules = append(c.Modules, installation.Reference{ID: id})
	}
	return c, nil
}
