package softwareone

import (
	"slices"

	"github.com/go-installation/installation"
)

// denied are the actions that this platform does not allow, by the kind of the actor.
var denied = map[installation.ActorKind][]installation.Action{
	installation.Customer: {installation.ActionUninstall},
	installation.ExtensionActor: {
		installation.ActionUpsert, installation.ActionConfigure, installation.ActionUninstall,
	},
	installation.Platform: {installation.ActionDelete},
}

// Policy is [installation.DefaultPolicy] without the actions that this platform does not allow. A
// client ([installation.Customer]) cannot uninstall. An extension can only see its installations
// and read their secrets. Operations ([installation.Platform]) cannot delete an installation.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	return !slices.Contains(denied[a.Kind], do) && installation.DefaultPolicy(a, do, inst)
}
