package ampersand

import (
	"context"
	_ "embed"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/validate"
)

// Policy is Options.Policy for a service behind a [Handler]. It extends
// [installation.DefaultPolicy]: a vendor with the ID of the tenant is the builder and owns
// everything in it. A customer is a group, and may configure and delete its installations.
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
		own.Extension.Owner = a.ID // a host may leave it empty
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

//go:embed schema.json
var contentSchema []byte

var contentSource = validate.SchemaText(contentSchema)

// Schema is Options.Schema for a service behind a [Handler]. It returns the schema of
// config.content.
//
// The schema marks the names that customers choose, so that the service does not take a field
// named access_token__c, or a value in an object of that name, for a secret. All other fields
// with names like secrets are sealed, and so are URLs with a password.
func Schema(context.Context, string, installation.Extension) (validate.SchemaSource, error) {
	return contentSource, nil
}
