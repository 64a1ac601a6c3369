package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
)

// story is what all chapters share: the transcript, the service and its clock.
type story struct {
	*transcript
	svc *installation.Service
	now time.Time // the clock of the service: it moves only when the story moves it
}

// tell builds a service on the store and runs the three chapters with it.
func tell(ctx context.Context, store installation.Store, out io.Writer) error {
	begin := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	s := &story{transcript: &transcript{out: out}, now: begin}

	// This key is lost when the program ends. In production, generate a key
	// once and read it with crypto.KeyringFromFile.
	key, err := crypto.GenerateKey("quickstart")
	if err != nil {
		return err
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		return err
	}
	s.svc, err = installation.New(store, keys, &installation.Options{
		Now:       func() time.Time { return s.now },
		Owner:     owner,
		AcceptURL: "https://client.example/accept-invite",
	})
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "An installation is one fact: this extension is installed "+
		"in that customer's account. Here is its life.")
	for _, chapter := range []func(context.Context) error{s.ampersand, s.vercel, s.softwareone} {
		if err := chapter(ctx); err != nil {
			return fmt.Errorf("step %d: %w", s.number, errors.Join(err, s.err()))
		}
	}
	if err := s.err(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nAll %d steps did what they say.\n", s.number)
	return nil
}

// ampersand is the first chapter. A customer connects a provider with OAuth, and the host stores
// the installation with the tokens.
func (s *story) ampersand(ctx context.Context) error {
	in, err := readAmpersand()
	if err != nil {
		return err
	}
	s.chapter("Ampersand: an installation with OAuth tokens")
	host := s.svc.In(in.ProjectID).As(installation.Actor{
		Kind: installation.Host, User: installation.Reference{ID: "consumer:consumer-123"},
	})

	s.step("Create the installation of an integration for a group.")
	inst, err := host.Upsert(ctx, installation.UpsertRequest{
		ID: in.ID, Guard: installation.Guard{Absent: true}, Parts: in.Parts(),
	})
	if err != nil {
		return err
	}
	s.say("The project %q is the tenant, the group %q the account. "+
		"The connection, as it is shown from now on:", inst.Tenant, inst.Account.Name)
	s.show(ampersand.InstallationOf(inst.Installation).Connection)
	s.check(inst.Created && inst.Status == installation.StatusInstalled && inst.Revision == 1,
		"it is installed, at revision 1")
	s.check(len(inst.Sealed) == 3,
		"access token, refresh token and API key are sealed, and shown as ***")
	return nil
}

// vercel is the second chapter. The platform calls the host, loses the answer and calls again.
func (s *story) vercel(ctx context.Context) error {
	in, out, err := readVercel()
	if err != nil {
		return err
	}
	s.chapter("Vercel: the platform chooses the id and may call twice")
	user := s.svc.In(vercelClientID).As(installation.Actor{
		Kind: installation.Customer, ID: vercelAccountID,
		User: installation.Reference{ID: vercelUserID},
	})
	req := installation.UpsertRequest{
		ID: vercelID, Guard: installation.Guard{IdempotencyKey: vercelIdempotencyKey},
		Parts: in.Parts(vercelAccountID),
	}
	// The integration becomes the extension. The rest comes from the response.
	req.Extension = installation.Value(installation.Extension{ID: vercelClientID})
	req.BillingPlan, req.Notification = out.Parts().BillingPlan, out.Parts().Notification

	s.step("Upsert, with an idempotency key.")
	first, err := user.Upsert(ctx, req)
	if err != nil {
		return err
	}
	s.say("%s is on the plan %q. The customer is told: %q",
		first.ID, first.BillingPlan.Name, first.Notification.Title)
	s.check(first.Created && !first.Replayed, "it was created")

	s.step("The same upsert with the same key, a minute later: " +
		"the first answer got lost on its way.")
	s.now = s.now.Add(time.Minute)
	second, err := user.Upsert(ctx, req)
	if err != nil {
		return err
	}
	s.check(second.Replayed && second.Created, "the answer is the first one again, marked Replayed")
	s.check(second.Revision == first.Revision &&
		second.Audit.Created.At.Equal(first.Audit.Created.At), "nothing was written")
	return nil
}
