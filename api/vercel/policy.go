package vercel

import "github.com/go-installation/installation"

// Policy is Options.Policy for a service behind a [Handler]. It allows what
// [installation.DefaultPolicy] allows, except that a Platform actor can only see and uninstall.
// [Claims.Actor] returns a Platform actor with the ID of an account, and Policy confines the actor
// to that account. A Platform actor without an ID is the [Webhook], which reaches all accounts.
func Policy(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
	switch {
	case a.Kind != installation.Platform:
	case do != installation.ActionSee && do != installation.ActionUninstall,
		a.ID != "" && (inst == nil || inst.Account.ID != a.ID):
		return false
	}
	return installation.DefaultPolicy(a, do, inst)
}

// NoClaims is Options.Claims for a service behind a [Handler]. It allows any number of
// installations in an account, as long as their IDs differ.
func NoClaims(*installation.Installation) []string { return nil }
