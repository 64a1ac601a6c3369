package ampersand_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
)

// TestOwner: the project owns its integrations, so the builder sees what its groups installed.
func TestOwner(t *testing.T) {
	owner, err := ampersand.Owner(t.Context(), "p", "i")
	if owner != "p" || err != nil {
		t.Errorf("got %q, %v", owner, err)
	}
}

// TestPolicy proves that a builder has its project, a group its installations, and neither has
// more.
func TestPolicy(t *testing.T) {
	inst := &installation.Installation{
		Tenant: "p", Extension: installation.Extension{ID: "i", Owner: "p"},
		Account: installation.Account{ID: "g"}, Status: installation.StatusInstalled,
	}
	unowned := *inst
	unowned.Extension.Owner = ""
	builder := installation.Actor{Kind: installation.Vendor, ID: "p"}
	group := installation.Actor{Kind: installation.Customer, ID: "g"}
	readOnly := group
	readOnly.ReadOnly = true
	for _, tt := range []struct {
		name  string
		actor installation.Actor
		do    installation.Action
		inst  *installation.Installation
		want  bool
	}{
		{"builder configures", builder, installation.ActionConfigure, inst, true},
		{"builder deletes", builder, installation.ActionDelete, inst, true},
		{"builder, not said to be the owner", builder, installation.ActionSee, &unowned, true},
		{"builder of another project, said to be the owner",
			installation.Actor{Kind: installation.Vendor, ID: "q"},
			installation.ActionSee, &installation.Installation{Tenant: "p",
				Extension: installation.Extension{Owner: "q"}}, false},
		{"builder maintains", builder, installation.ActionMaintain, nil, false},
		{"group sees the configuration", group, installation.ActionSeeConfiguration, inst,
			true},
		{"group configures", group, installation.ActionConfigure, inst, true},
		{"group deletes", group, installation.ActionDelete, inst, true},
		{"group reveals", group, installation.ActionReveal, inst, false},
		{"group invites", group, installation.ActionInvite, inst, false},
		{"another group sees", installation.Actor{Kind: installation.Customer, ID: "h"},
			installation.ActionSee, inst, false},
		{"another group sees the configuration", installation.Actor{Kind: installation.Customer,
			ID: "h"}, installation.ActionSeeConfiguration, inst, false},
		{"another group configures", installation.Actor{Kind: installation.Customer, ID: "h"},
			installation.ActionConfigure, inst, false},
		{"who only reads sees the configuration", readOnly, installation.ActionSeeConfiguration,
			inst, true},
		{"who only reads configures", readOnly, installation.ActionConfigure, inst, false},
		{"who only reads deletes", readOnly, installation.ActionDelete, inst, false},
		{"nobody", installation.Actor{}, installation.ActionSee, inst, false},
		{"host", installation.Actor{Kind: installation.Host}, installation.ActionMaintain, nil,
			true},
	} {
		if got := ampersand.Policy(tt.actor, tt.do, tt.inst); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if c := installation.DefaultClaims(inst); len(c) != 1 {
		t.Errorf("claims %q", c)
	}
}
