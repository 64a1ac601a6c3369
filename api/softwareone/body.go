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

// validities are the periods that the platform offers.
var validities = []string{"7d", "14d", "1m", "3m", "6m", "1y"}

// readCreation reads the body of POST /installations. A null member counts as absent, since API
// clients send null for members that they do not use. Without an invitation, the request is to
// install.
func readCreation(in httpapi.Object) *Installation {
	w, given := &Installation{}, in.NullAsAbsent()
	given.Require("extension")
	if given.Has("extension") {
		w.Extension.ID = readID(in.Object("extension"))
	}
	if given.Has("account") {
		w.Account.ID = readID(in.Object("account"))
	}
	w.Modules = readModules(in)
	if given.Has("invitation") {
		w.Invitation = readInvitation(in.Object("invitation"))
	}
	return w
}

// readID returns the ID of an object, which has to have one.
func readID(in httpapi.Object) string {
	id := in.String("id")
	in.Violations().ID(in.Path("id"), id)
	return id
}

// readInvitation reads an invitation. Its validity is a period such as "7d", or an object with the
// member period.
func readInvitation(in httpapi.Object) *Invitation {
	given := in.NullAsAbsent()
	i := &Invitation{Message: given.String("message"), ExternalID: given.String("externalId")}
	i.Validity = &Validity{} // not given
	n := given.Node("validity")
	if n == nil {
		return i
	}
	of, name := in, "validity"
	if n.Kind() == jsontree.Object {
		of, name = in.Object("validity"), "period"
	}
	i.Validity.Period = of.String(name)
	if !slices.Contains(validities, i.Validity.Period) {
		detail := "must be one of 7d, 14d, 1m, 3m, 6m and 1y"
		in.Violations().Add(of.Path(name), validate.RuleUnknown, detail)
	}
	return i
}

// readModules returns the modules in a body, without duplicates.
func readModules(in httpapi.Object) []Reference {
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
	var modules []Reference
	for i, item := range n.Children() {
		module := Reference{ID: readID(httpapi.ReadObject(item, in.Path(name)+"["+i+"]", l))}
		if !slices.Contains(modules, module) {
			modules = append(modules, module)
		}
	}
	return modules
}

// redemption is the body of POST /installations/{id}/redeem.
type redemption struct {
	code    crypto.Secret
	modules []Reference
}

func readRedemption(in httpapi.Object) *redemption {
	code := in.String("code")
	in.Violations().Required("code", code != "")
	return &redemption{code: crypto.NewSecret(code), modules: readModules(in)}
}

// consent returns the consent to modules. It rejects a module that the extension does not ask for.
func (e *Extension) consent(modules []Reference) (installation.Consent, error) {
	var c installation.Consent
	for _, r := range modules {
		if !slices.ContainsFunc(e.Modules, func(m Module) bool { return m.ID == r.ID }) {
			return c, httpapi.Invalid("modules", validate.RuleUnknown,
				"the extension does not ask for one of these modules")
		}
		c.Modules = append(c.Modules, r.domain())
	}
	return c, nil
}
