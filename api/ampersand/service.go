package ampersand

import (
	"context"
	_ "embed"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/validate"
)

// Policy is Options.Policy for a service behind a [Handler]. It differs from
// [installation.DefaultPolicy] in two ways. A Vendor is the builder: its ID has to be the tenant,
// and it owns all installations in the tenant. A Customer is a group, and may also see the
// configuration of its installations, configure them and delete them.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	if inst == nil {
		return installation.DefaultPolicy(a, do, inst)
	}
	switch a.Kind {
	case installation.Vendor:
		if a.ID != inst.Tenant {
			return false
		}
		own := *inst
		own.Extension.Owner = a.ID // the host can leave Owner empty
		return installation.DefaultPolicy(a, do, &own)
	case installation.Customer:
		switch do {
		case installation.ActionSeeConfiguration:
			do = installation.ActionSee
		case installation.ActionConfigure, installation.ActionDelete:
			do = installation.ActionUpsert
		}
	}
	return installation.DefaultPolicy(a, do, inst)
}

// Owner is Options.Owner for a service behind a [Handler]. A project owns all of its integrations,
// and the tenant is the ID of the project.
func Owner(_ context.Context, tenant, _ string) (string, error) { return tenant, nil }

//go:embed schema.json
var contentSchema []byte

var contentSource = validate.SchemaText(contentSchema)

// Schema is Options.Schema for a service behind a [Handler]. It returns the JSON Schema of
// config.content, which is the same for all integrations.
//
// Customers choose the names of some fields and objects, such as access_token__c. The schema marks
// such names, so that the service does not take the values below them for secrets. The service
// seals all other fields with names like secrets, and URLs with a password.
func Schema(context.Context, string, installation.Extension) (validate.SchemaSource, error) {
	return contentSource, nil
}
