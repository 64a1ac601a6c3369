package faults

import (
	"context"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

type (
	service = installation.Service
	result  = installation.Result
)

// operation is one write of the service that the walk takes through every fault.
type operation struct {
	name   string
	begin  func(t testing.TB, host *service) crypto.Secret // makes what the write works on
	keyed  bool                                            // it has an idempotency key
	invite bool                                            // it returns an invitation code
	event  bool                                            // it writes an event alone
	run    func(ctx context.Context, s *service, code crypto.Secret) (*result, error)
}

// id is the installation that every operation works on.
const id = "i"

var (
	extension = installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-vendor"})
	account   = installation.Value(installation.Account{ID: "ACC-1"})
	secrets   = installation.Value(installation.Configuration{
		Document: installation.JSON(`{"api_secret":"s3cr3t"}`),
	})
	keyed = installation.Guard{IdempotencyKey: "key-1"}
)

func installed() installation.Parts {
	return installation.Parts{Extension: extension, Account: account, Configuration: secrets}
}

func named(name string) installation.Parts {
	return installation.Parts{Name: installation.Value(name)}
}

func install(t testing.TB, host *service) (code crypto.Secret) {
	t.Helper()
	req := installation.UpsertRequest{ID: id, Parts: installed()}
	if _, err := host.Upsert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	return code
}

func invite(t testing.TB, host *service) crypto.Secret {
	t.Helper()
	res, err := host.Invite(t.Context(), installation.InviteRequest{
		ID: id, Parts: installation.Parts{Extension: extension},
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.Code
}

func nothing(testing.TB, *service) (code crypto.Secret) { return code }

// operations returns every kind of write.
func operations() []operation {
	return append(append([]operation{revealing}, invitationOperations()...), plainOperations()...)
}

// revealing is a write without a record.
var revealing = operation{
	name: "reveal", begin: install, event: true,
	run: func(c context.Context, s *service, _ crypto.Secret) (*result, error) {
		return nil, reveal(c, s)
	},
}

func plainOperations() []operation {
	type secret = crypto.Secret
	guarded, absent := installation.Guard{Revision: 1}, installation.Guard{Absent: true}
	type call = func(context.Context, *service, secret) (*result, error)
	upsert := func(guard installation.Guard, id string) call {
		return func(c context.Context, s *service, _ secret) (*result, error) {
			return s.Upsert(c, installation.UpsertRequest{Guard: guard, ID: id, Parts: installed()})
		}
	}
	patch := func(guard installation.Guard) call {
		return func(c context.Context, s *service, _ secret) (*result, error) {
			return s.Patch(c, installation.PatchRequest{
				Guard: guard, ID: id, Parts: named("mine"),
			})
		}
	}
	return []operation{
		{name: "create", begin: nothing, run: upsert(installation.Guard{}, id)},
		{name: "create without id", begin: nothing, run: upsert(installation.Guard{}, "")},
		{name: "create if absent", begin: nothing, run: upsert(absent, id)},
		{name: "create with key", begin: nothing, keyed: true, run: upsert(keyed, "")},
		{name: "update", begin: install, run: patch(installation.Guard{})},
		{name: "guarded update", begin: install, run: patch(guarded)},
		{name: "update with key", begin: install, keyed: true, run: patch(keyed)},
		{name: "uninstall", begin: install,
			run: func(c context.Context, s *service, _ secret) (*result, error) {
				return s.Uninstall(c, installation.UninstallRequest{ID: id})
			}},
		{name: "delete", begin: install,
			run: func(c context.Context, s *service, _ secret) (*result, error) {
				return s.Delete(c, installation.DeleteRequest{ID: id})
			}},
	}
}

func invitationOperations() []operation {
	type secret = crypto.Secret
	type call = func(context.Context, *service, secret) (*result, error)
	inviteWith := func(guard installation.Guard) call {
		return func(c context.Context, s *service, _ secret) (*result, error) {
			return s.Invite(c, installation.InviteRequest{
				Guard: guard, ID: id, Parts: installation.Parts{Extension: extension},
			})
		}
	}
	return []operation{
		{name: "invite", begin: nothing, invite: true, run: inviteWith(installation.Guard{})},
		{name: "invite with key", begin: nothing, invite: true, keyed: true,
			run: inviteWith(keyed)},
		{name: "resend", begin: invite, invite: true,
			run: func(c context.Context, s *service, _ secret) (*result, error) {
				return s.Resend(c, installation.ResendRequest{ID: id})
			}},
		{name: "accept", begin: invite, run: accept},
	}
}

// accept redeems a code for the account ACC-1, as a user of it.
func accept(c context.Context, s *service, code crypto.Secret) (*result, error) {
	customer := s.As(installation.Actor{
		Kind: installation.Customer, ID: "ACC-1", User: installation.Reference{ID: "caller"},
	})
	return customer.Accept(c, installation.AcceptRequest{
		ID: id, Code: code, Account: installation.Account{ID: "ACC-1"},
	})
}

func reveal(ctx context.Context, s *service) error {
	_, err := s.Reveal(ctx, installation.RevealRequest{
		ID: id, Refs: []installation.Ref{"config/api_secret"}, Reason: "test",
	})
	return err
}

// writer is a second writer, which has no faults of its own.
type writer struct {
	name     string
	run      func(ctx context.Context, host *service)
	restores bool // it puts the state from before the call back first
}

// writers returns what a second writer does between two steps. Its errors do not matter: what it
// works on may not exist.
func writers() []writer {
	acceptRestore := func(c context.Context, s *service) { _, _ = s.AcceptRestore(c) }
	update := func(c context.Context, s *service, name string) {
		parts := installed()
		parts.Name = installation.Value(name)
		_, _ = s.Upsert(c, installation.UpsertRequest{ID: id, Parts: parts})
	}
	updates := func(c context.Context, s *service) {
		for n := range installation.RememberedOps {
			update(c, s, string(rune('a'+n)))
		}
	}
	reveals := func(c context.Context, s *service) {
		for range installation.RememberedOps {
			_ = reveal(c, s)
		}
	}
	return []writer{
		{name: "an update", run: func(c context.Context, s *service) { update(c, s, "other") }},
		{name: "a delete", run: func(c context.Context, s *service) {
			_, _ = s.Delete(c, installation.DeleteRequest{ID: id})
		}},
		{name: "delete and create", run: func(c context.Context, s *service) {
			_, _ = s.Delete(c, installation.DeleteRequest{ID: id})
			update(c, s, "again")
		}},
		{name: "eight updates", run: updates},
		{name: "eight reveals", run: reveals},
		{name: "eight reveals and an update", run: func(c context.Context, s *service) {
			reveals(c, s)
			update(c, s, "after")
		}},
		{name: "an accept", run: acceptRestore},
		{name: "a restore and an accept", run: acceptRestore, restores: true},
		{name: "eight updates and an accept", run: func(c context.Context, s *service) {
			updates(c, s)
			acceptRestore(c, s)
		}},
	}
}

// as returns the service of a user of the host.
func as(s *service, user string) *service {
	return s.In(fixture.Tenant).As(installation.Actor{
		Kind: installation.Host, User: installation.Reference{ID: user},
	})
}
