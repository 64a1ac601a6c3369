package softwareone

import "github.com/go-installation/installation"

// Policy is [installation.DefaultPolicy] limited to the operations of the platform. A client does
// not uninstall. An extension only sees, and is revealed its secrets. Operations, which is the
// Platform here, never deletes a row.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	switch a.Kind {
	case installation.Customer:
		if do == installation.ActionUninstall {
			return false
		}
	case installation.ExtensionActor:
		switch do {
		case installation.ActionUpsert, installation.ActionConfigure, installation.ActionUninstall:
			return false
		}
	case installation.Platform:
		if do == installation.ActionDelete {
			return false
		}
	}
	return installation.DefaultPolicy(a, do, inst)
}
