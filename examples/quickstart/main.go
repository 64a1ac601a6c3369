// Quickstart takes installations of three platforms through their life, from payloads as those platforms send them, and tells what
// happens. It needs no server, no network and no settings:
//
//	go run ./examples/quickstart
//
// With -redis it tells the same story on a Redis server.
//
// Each step is held against what it says. If one is not so, the program says which and ends with status 1.
//
// The story is in this file; ampersand.go, vercel.go and softwareone.go map the payloads, which are in the directory payloads.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

func main() {
	redisURL := flag.String("redis", "", "keep installations in the Redis server at this `URL`, such as redis://127.0.0.1:6379, in a namespace of their own")
	flag.Parse()
	ctx := context.Background()
	store, err := newStore(ctx, *redisURL)
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
	os.Exit(program(ctx, store, os.Stdout, os.Stderr))
}

// newStore is the one place that knows where installations are kept: in memory, or in Redis if there is a URL. The story begins with nothing
// installed, so each run has a namespace of its own.
func newStore(ctx context.Context, redisURL string) (installation.Store, error) {
	if redisURL == "" {
		return memstore.New(), nil
	}
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, errors.New("-redis is no URL of a Redis server")
	}
	options.ContextTimeoutEnabled = true
	return redisstore.Open(ctx, redis.NewClient(options), &redisstore.Options{Namespace: "quickstart-" + uuid.NewString()})
}

// program tells the story on a store and returns the status to exit with.
func program(ctx context.Context, store installation.Store, stdout, stderr io.Writer) int {
	if err := tell(ctx, store, stdout); err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	return 0
}

// story is what all chapters share.
type story struct {
	*transcript
	svc *installation.Service
	now time.Time // the clock of the service: it moves when the story says so
}

func tell(ctx context.Context, store installation.Store, out io.Writer) error {
	s := &story{transcript: &transcript{out: out}, now: time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)}

	// A key made here ends with the program. A real one is made once and read with crypto.KeyringFromFile.
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
		AcceptURL: "https://client.example/accept-invite",
	})
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "An installation is one fact: this extension is installed in that customer's account. Here is its life.")
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

// ampersand: a customer connects a provider with OAuth, and the host stores the installation with the tokens.
func (s *story) ampersand(ctx context.Context) error {
	in, err := readAmpersand()
	if err != nil {
		return err
	}
	s.chapter("Ampersand: an installation with OAuth tokens")
	host := s.svc.In(in.ProjectID).As(installation.Actor{Kind: installation.Host, User: installation.Reference{ID: "consumer:consumer-123"}})

	s.step("Create the installation of an integration for a group.")
	inst, err := host.Upsert(ctx, installation.UpsertRequest{ID: in.ID, Guard: installation.Guard{Absent: true}, Parts: in.parts()})
	if err != nil {
		return err
	}
	s.say("The project %q is the tenant, the group %q the account. The connection, as it is shown from now on:", inst.Tenant, inst.Account.Name)
	if err := s.show(ampersandAnswer(inst.Connection)); err != nil {
		return err
	}
	s.check(inst.Created && inst.Status == installation.StatusInstalled && inst.Revision == 1, "it is installed, at revision 1")
	s.check(len(inst.Sealed) == 3, "access token, refresh token and API key are sealed, and shown as ***")
	return nil
}

// vercel: the platform calls the host, and calls again when it did not hear the answer.
func (s *story) vercel(ctx context.Context) error {
	in, out, err := readVercel()
	if err != nil {
		return err
	}
	s.chapter("Vercel: the platform chooses the id and may call twice")
	user := s.svc.In(vercelClientID).As(installation.Actor{
		Kind: installation.Customer, ID: vercelAccountID, User: installation.Reference{ID: vercelUserID},
	})
	req := installation.UpsertRequest{
		ID: vercelID, Guard: installation.Guard{IdempotencyKey: vercelIdempotencyKey}, Parts: in.parts(),
	}
	req.BillingPlan, req.Notification = installation.Value(out.BillingPlan.plan()), out.notice()

	s.step("Upsert, with an idempotency key.")
	first, err := user.Upsert(ctx, req)
	if err != nil {
		return err
	}
	s.say("%s is on the plan %q. The customer is told: %q", first.ID, first.BillingPlan.Name, first.Notification.Title)
	s.check(first.Created && !first.Replayed, "it was created")

	s.step("The same upsert with the same key, a minute later: the first answer got lost on its way.")
	s.now = s.now.Add(time.Minute)
	second, err := user.Upsert(ctx, req)
	if err != nil {
		return err
	}
	s.check(second.Replayed && second.Created, "the answer is the first one again, marked Replayed")
	s.check(second.Revision == first.Revision && second.Audit.Created.At.Equal(first.Audit.Created.At), "nothing was written")
	return nil
}

// cast are the actors of the longest chapter, each on its own view of the service, and the payload they share.
type cast struct {
	*story
	in                                *softwareoneInstallation
	host, vendor, extension, customer *installation.Service
}

// softwareone: an invitation that becomes an installation, is configured, used, ended and made anew.
func (s *story) softwareone(ctx context.Context) error {
	in, err := readSoftwareone()
	if err != nil {
		return err
	}
	s.chapter("SoftwareOne: from an invitation to the end")
	as := func(kind installation.ActorKind, id, user string) *installation.Service {
		return s.svc.As(installation.Actor{Kind: kind, ID: id, User: installation.Reference{ID: user}})
	}
	c := &cast{
		story: s, in: in,
		host:      as(installation.Host, "", "nightly"),
		vendor:    as(installation.Vendor, softwareoneVendor, "USR-0001"),
		extension: as(installation.ExtensionActor, in.Extension.ID, "TKN-0007"),
		customer:  as(installation.Customer, in.Account.ID, "USR-0042"),
	}
	for _, part := range []func(context.Context) error{c.install, c.configure, c.reveal, c.expire, c.reinstall, c.remove} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *cast) install(ctx context.Context) error {
	c.step("The vendor invites whoever has the code.")
	invited, err := c.vendor.Invite(ctx, installation.InviteRequest{
		ID: c.in.ID, Parts: installation.Parts{Extension: installation.Value(c.in.extension())}, Message: "Join the pilot", Validity: "7d",
	})
	if err != nil {
		return err
	}
	c.say("%s is %s until %s. The link to accept it prints as %s", invited.ID, invited.Status, invited.Invitation.Expires.Format(time.DateOnly), invited.AcceptURL)
	c.check(!invited.Code.IsZero(), "the code is in this answer and in no other")

	c.step("The customer accepts, and agrees to two modules.")
	c.now = c.now.Add(10 * time.Minute)
	installed, err := c.customer.Accept(ctx, installation.AcceptRequest{
		ID: invited.ID, Code: invited.Code, Account: c.in.account(), Consent: installation.Value(c.in.consent()),
	})
	if err != nil {
		return err
	}
	c.check(installed.Status == installation.StatusInstalled && installed.Account.ID == c.in.Account.ID, "it is installed in the customer's account")
	c.check(len(installed.Consent.Modules) == 2, "the consent is part of it")
	return nil
}

func (c *cast) configure(ctx context.Context) error {
	c.step("The vendor configures it, with two secrets among the values.")
	c.now = c.now.Add(10 * time.Minute)
	if _, err := c.vendor.Patch(ctx, c.in.configure()); err != nil {
		return err
	}
	before, err := c.extension.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	c.say("The extension reads:")
	if err := c.show(softwareoneAnswer(before)); err != nil {
		return err
	}
	theirs, err := c.customer.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	c.check(len(before.Sealed) == 2, "both secrets are sealed, and shown as ***")
	c.check(theirs.Configuration == nil, "the customer does not see the configuration at all")

	c.step("The extension puts the masked document back with one value changed.")
	c.now = c.now.Add(10 * time.Minute)
	edited := softwareoneAnswer(before)
	if edited.Configuration, err = with(edited.Configuration, "vendor", "ACC-999-999"); err != nil {
		return err
	}
	after, err := c.extension.Patch(ctx, edited.configure())
	if err != nil {
		return err
	}
	if err := c.show(after.Configuration.Document); err != nil {
		return err
	}
	var members map[string]string
	if err := after.Configuration.Document.Decode(&members); err != nil {
		return err
	}
	want := map[string]string{"adobe_secret": crypto.Mask, "mpt_token": crypto.Mask, "vendor": "ACC-999-999"}
	c.check(maps.Equal(members, want), "that value changed and no other")
	c.check(after.Revision == before.Revision+1, "it was one change: the revision grew by one")
	c.check(after.Configuration.RevisionID != before.Configuration.RevisionID, "the configuration has a new revision id")
	return nil
}

// with returns a document with one member changed, as a client does that knows nothing of masks.
func with(d installation.Document, name, value string) (installation.Document, error) {
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		return installation.Document{}, err
	}
	members[name] = value
	return installation.DocumentOf(members)
}

func (c *cast) reveal(ctx context.Context) error {
	var want map[string]string
	if err := c.in.Configuration.Decode(&want); err != nil {
		return err
	}
	seen, err := c.extension.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	request := installation.RevealRequest{ID: c.in.ID, Refs: seen.Sealed, Reason: "nightly synchronisation"}

	c.step("The extension asks for the secrets themselves, and says why.")
	secrets, err := c.extension.Reveal(ctx, request)
	if err != nil {
		return err
	}
	for _, secret := range secrets {
		if secret.Err != nil {
			return secret.Err
		}
		c.say("revealed %s: %s", secret.Ref, secret.Value.RevealString())
		name := strings.TrimPrefix(secret.Ref.Pointer(), "/")
		c.check(secret.Value.RevealString() == want[name], name+" is still what the vendor gave: the mask that came back kept it")
	}

	c.step("The customer asks for the same.")
	_, err = c.customer.Reveal(ctx, request)
	c.say("The answer is: %v", err)
	c.check(errors.Is(err, installation.ErrForbidden), "it is refused")
	return nil
}

func (c *cast) expire(ctx context.Context) error {
	const id = "EXI-1234-1234-0002"
	c.step("A second invitation is never accepted. Eight days pass.")
	invited, err := c.vendor.Invite(ctx, installation.InviteRequest{
		ID: id, Parts: installation.Parts{Extension: installation.Value(c.in.extension())}, Validity: "7d",
	})
	if err != nil {
		return err
	}
	c.now = c.now.AddDate(0, 0, 8)
	read, err := c.vendor.Get(ctx, id)
	if err != nil {
		return err
	}
	c.check(read.Status == installation.StatusExpired && read.Revision == invited.Revision, "it reads as expired, and nothing was written for that")
	_, err = c.customer.Accept(ctx, installation.AcceptRequest{ID: id, Code: invited.Code, Account: c.in.account()})
	c.say("Whoever comes with the code is told: %v", err)
	c.check(errors.Is(err, installation.ErrInvitation), "it cannot be accepted any more")

	c.step("The host sweeps, which writes down what time has done.")
	report, err := c.host.Sweep(ctx, 0)
	if err != nil {
		return err
	}
	if read, err = c.vendor.Get(ctx, id); err != nil {
		return err
	}
	c.check(report.Expired == 1 && report.Failed == 0, "one invitation expired")
	c.check(read.Audit.Expired != nil && read.Revision == invited.Revision+1, "the audit says when")
	return nil
}

func (c *cast) reinstall(ctx context.Context) error {
	c.step("The customer uninstalls.")
	ended, err := c.customer.Uninstall(ctx, installation.UninstallRequest{ID: c.in.ID, Reason: "trial is over"})
	if err != nil {
		return err
	}
	c.check(ended.Status == installation.StatusUninstalled && ended.Generation == 1, "it is uninstalled; the record stays")

	c.step("An hour later the customer installs it again.")
	c.now = c.now.Add(time.Hour)
	again, err := c.customer.Upsert(ctx, installation.UpsertRequest{ID: c.in.ID, Parts: installation.Parts{
		Account: installation.Value(c.in.account()), Consent: installation.Value(c.in.consent()),
	}})
	if err != nil {
		return err
	}
	c.check(again.Created && again.Generation == 2, "this is generation 2 of the same id")
	c.check(again.Configuration == nil && again.Sealed == nil, "it starts empty: the secrets of the first one are gone")

	c.step("A message about the first uninstall arrives late. It names generation 1.")
	_, err = c.vendor.Uninstall(ctx, installation.UninstallRequest{ID: c.in.ID, Guard: installation.Guard{Generation: ended.Generation}})
	c.say("The answer is: %v", err)
	c.check(errors.Is(err, installation.ErrStale), "it is ignored")
	still, err := c.vendor.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	c.check(still.Status == installation.StatusInstalled && still.Revision == again.Revision, "the installation lives on")
	return nil
}

func (c *cast) remove(ctx context.Context) error {
	c.step("The vendor deletes it.")
	c.now = c.now.Add(time.Hour)
	if _, err := c.vendor.Delete(ctx, installation.DeleteRequest{ID: c.in.ID}); err != nil {
		return err
	}
	_, err := c.vendor.Get(ctx, c.in.ID)
	c.say("Who looks for it is told: %v", err)
	c.check(errors.Is(err, installation.ErrNotFound), "it is gone")

	c.step("The host reads the change log of it all.")
	log, err := c.host.Events(ctx, "", 0)
	if err != nil {
		return err
	}
	for _, e := range log.Events {
		line := fmt.Sprintf("%s  %s r%d  %-11s by %-9s  %s",
			e.Time.Format("2006-01-02 15:04"), e.Key.ID, e.Revision, e.Type, e.Actor.Kind, strings.Join(e.Changed, " "))
		c.say("%s", strings.TrimRight(line, " "))
	}
	c.check(len(log.Events) == 10, "every change is there, and the reveal; what was refused or replayed is not")
	return nil
}
