package ampersand

import "github.com/go-installation/installation"

// Policy is [installation.DefaultPolicy], widened to what the callers of Ampersand may do. A Vendor is the builder, whose id is that of the
// project: everything in the tenant of that name is its own. A Customer is a group, and may configure and delete what is installed for it.
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
		own.Extension.Owner = a.ID // of an installation that the host made without saying so
		return installation.DefaultPolicy(a, do, &own)
	case installation.Customer:
		switch do {
		case installation.ActionSeeConfiguration:
			return installation.DefaultPolicy(a, installation.ActionSee, inst)
		case installation.ActionConfigure, installation.ActionDelete:
			return installation.DefaultPolicy(a, installation.ActionUpsert, inst)
		}
	}
	return installation.DefaultPolicy(a, do, inst)
}
