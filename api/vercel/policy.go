package vercel

import "github.com/go-installation/installation"

// Policy is [installation.DefaultPolicy], narrowed to what the tokens of Vercel are for. A Platform actor sees and uninstalls, and nothing
// else; one with an ID, which [Claims.Actor] makes of a system token, does so within the account of that id alone. Without an ID it is the
// webhook, which speaks for all accounts.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	if a.Kind == installation.Platform {
		if do != installation.ActionSee && do != installation.ActionUninstall {
			return false
		}
		if a.ID != "" && (inst == nil || inst.Account.ID != a.ID) {
			return false
		}
	}
	return installation.DefaultPolicy(a, do, inst)
}

// NoClaims is Options.Claims for a service behind a [Handler]: installations exclude each other by their ids alone.
func NoClaims(*installation.Installation) []string { return nil }
