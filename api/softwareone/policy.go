package softwareone

import (
	"slices"

	"github.com/go-installation/installation"
)

// denied are the actions that the platform does not have, by the kind of the actor.
var denied = map[installation.ActorKind][]installation.Action{
	installation.Customer: {installation.ActionUninstall},
	installation.ExtensionActor: {
		installation.ActionUpsert, installation.ActionConfigure, installation.ActionUninstall,
	},
	installation.Platform: {installation.ActionDelete},
}

// Policy is [installation.DefaultPolicy] limited to the operations of the platform. A client does
// not uninstall. An extension only sees, and is revealed its secrets. Operations, which is the
// Platform here, never deletes a row.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	return !slices.Contains(denied[a.Kind], do) && installation.DefaultPolicy(a, do, inst)
}
