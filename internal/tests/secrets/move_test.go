package secrets

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// movedTo is the account part of a write that moves an installation.
var movedTo = installation.Value(installation.Account{ID: "ACC-2"})

// given are all parts of fixture.Parts that have secrets, given again for the next account.
func given() installation.Parts {
	all := fixture.Parts()
	return installation.Parts{
		Account: movedTo, Configuration: all.Configuration, Connection: all.Connection,
	}
}

// A write that moves an installation to another account keeps no stored secret, unless it says so.
func TestMoveToAnotherAccountKeepsNoSecret(t *testing.T) {
	without := func(change func(*installation.Parts)) installation.Parts {
		p := given()
		change(&p)
		return p
	}
	masked := func(p *installation.Parts) {
		p.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(
			`{"api_secret":"***","warehouse":"EU-2","nested":{"token":"new","depth":2}}`)})
	}
	noConnection := func(p *installation.Parts) { p.Connection = keep }
	maskedToken := func(p *installation.Parts) {
		c, _ := p.Connection.Get()
		c.RefreshToken.Value = crypto.Masked()
		p.Connection = installation.Value(c)
	}
	for name, tt := range map[string]struct {
		parts installation.Parts
		ops   []installation.Operation
		move  bool
		err   error
	}{
		"nothing else":         {parts: installation.Parts{Account: movedTo}, err: errMoves},
		"MoveSecrets":          {parts: installation.Parts{Account: movedTo}, move: true},
		"all given again":      {parts: given()},
		"no connection":        {parts: without(noConnection), err: errMoves},
		"a mask":               {parts: without(masked), err: errMoves},
		"a masked credential":  {parts: without(maskedToken), err: errMoves},
		"a mask, MoveSecrets":  {parts: without(masked), move: true},
		"all removed":          {parts: removed()},
		"the same account":     {parts: installation.Parts{Account: fixture.Parts().Account}},
		"new name of the same": {parts: installation.Parts{Account: renamed}},
		"set by operations": {
			parts: without(masked), ops: []installation.Operation{
				patch.SetSecret("/api_secret", crypto.NewSecret("new")),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.ops == nil {
				checkMove(t, tt.err, func(ctx context.Context, w *fixture.World) error {
					_, err := w.Host.Upsert(ctx, installation.UpsertRequest{
						ID: "i", Parts: tt.parts, MoveSecrets: tt.move,
					})
					return err
				})
			}
			checkMove(t, tt.err, func(ctx context.Context, w *fixture.World) error {
				_, err := w.Host.Patch(ctx, installation.PatchRequest{
					ID: "i", Parts: tt.parts, Operations: tt.ops, MoveSecrets: tt.move,
				})
				return err
			})
		})
	}
}

var (
	// errMoves stands for the refusal of a move.
	errMoves = errors.New("moves secrets")
	keep     installation.Optional[installation.Connection]
	renamed  = installation.Value(installation.Account{ID: "ACC-1", Name: "New name"})
)

func removed() installation.Parts {
	return installation.Parts{
		Account:       movedTo,
		Configuration: installation.Remove[installation.Configuration](),
		Connection:    installation.Remove[installation.Connection](),
	}
}

// checkMove makes a write to a new installation. It fails the test if the write returns another
// error than want.
func checkMove(
	t *testing.T, want error, write func(context.Context, *fixture.World) error,
) {
	t.Helper()
	w := fixture.NewWorld(t)
	before := w.Install(t, "i")
	err := write(t.Context(), w)
	if want == nil {
		if err != nil {
			t.Error(err)
		}
		return
	}
	invalid, ok := errors.AsType[*validate.Error](err)
	if !ok || len(invalid.Violations) != 1 || invalid.Violations[0].Path != "account.id" ||
		invalid.Violations[0].Rule != validate.RuleDestination ||
		!strings.Contains(err.Error(), "set MoveSecrets") {
		t.Errorf("got %v, want a violation of account.id", err)
	}
	if got := w.Get(t, "i"); got.Revision != before.Revision {
		t.Error("a rejected write changed the record")
	}
}

// A secret that a write moves to another place of its array is sealed again, and still is a kept
// secret.
func TestMoveToAnotherAccountFindsSecretAtOtherPlace(t *testing.T) {
	w, _ := fixture.NewDescribed(t, `{"properties":{"list":{"x-key":"id"}}}`,
		`{"list":[{"id":"a","token":"s3cr3t"},{"id":"b"}]}`)
	turned := installation.Parts{
		Account: movedTo,
		Configuration: installation.Value(installation.Configuration{
			Document: installation.JSON(`{"list":[{"id":"b"},{"id":"a","token":"***"}]}`),
		}),
	}
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: turned})
	fixture.WantErr(t, "moved within the array", err, installation.ErrInvalid)
	if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: turned, MoveSecrets: true,
	}); err != nil {
		t.Errorf("with MoveSecrets: %v", err)
	}
}

// To take secrets to another account needs the right to reveal them.
func TestMoveSecretsNeedsRightToReveal(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	_, err := w.Platform.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Account: movedTo}, MoveSecrets: true,
	})
	fixture.WantErr(t, "upsert by the platform", err, installation.ErrForbidden)
	_, err = w.Platform.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Account: movedTo}, MoveSecrets: true,
	})
	fixture.WantErr(t, "patch by the platform", err, installation.ErrForbidden)
}

// An invitation for one account is not given to another with its secrets either. One for whoever
// has the code can be given an account, by a write or by Accept.
func TestInvitationForAnotherAccountKeepsNoSecret(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := fixture.Parts()
	parts.Account = installation.Optional[installation.Account]{}
	invited, err := w.Host.Invite(t.Context(), installation.InviteRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		account installation.Optional[installation.Account]
		err     error
	}{
		{"first account", fixture.Parts().Account, nil},
		{"another account", movedTo, installation.ErrInvalid},
		{"no account", installation.Remove[installation.Account](), installation.ErrInvalid},
	} {
		_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
			ID: "i", Parts: installation.Parts{Account: tt.account},
		})
		fixture.WantErr(t, tt.name, err, tt.err)
	}
	if _, err := w.Customer.Accept(t.Context(), installation.AcceptRequest{
		ID: "i", Code: invited.Code, Account: installation.Account{ID: "ACC-1"},
	}); err != nil {
		t.Errorf("accept: %v", err)
	}
}
