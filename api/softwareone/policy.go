package softwareone

import "github.com/go-installation/installation"

// Policy is [installation.DefaultPolicy], narrowed to the operations of the platform: a client does not uninstall, an extension only looks and is
// revealed its secrets, and the platform, which is operations here, never deletes a row.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	switch a.Kind {
	case installation.Customer:
		if do == installation.ActionUninstall {
			return false
		}
	case installation.ExtensionActor:
		if do == installation.ActionUpsert || do == installation.ActionConfigure || do == installation.ActionUninstall {
			return false
		}
	case installation.Platform:
		if do == installation.ActionDelete {
			return false
		}
	}
	return installation.DefaultPolicy(a, do, inst)
}
