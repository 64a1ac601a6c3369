package vercel

import "github.com/go-installation/installation"

// Policy is [installation.DefaultPolicy] without what Vercel's tokens are not for. A Platform
// actor only sees and uninstalls. With an ID, which [Claims.Actor] gives it, it does so within
// the account with that ID. Without an ID it is the webhook, which reaches all accounts.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	switch {
	case a.Kind != installation.Platform:
	case do != installation.ActionSee && do != installation.ActionUninstall,
		a.ID != "" && (inst == nil || inst.Account.ID != a.ID):
		return false
	}
	return installation.DefaultPolicy(a, do, inst)
}

// NoClaims is Options.Claims for a service behind a [Handler]. Only the IDs of installations are
// unique.
func NoClaims(*installation.Installation) []string { return nil }
