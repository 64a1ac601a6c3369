package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
)

// cast has the service for each actor of the longest chapter, and the payload that all steps of the
// chapter use.
type cast struct {
	*story
	in                                *softwareone.Installation
	parts                             installation.Parts // of in
	account                           installation.Account
	host, vendor, extension, customer *installation.Service
}

// softwareone is the third chapter. An invitation becomes an installation, which is configured,
// used, uninstalled, installed again and deleted.
func (s *story) softwareone(ctx context.Context) error {
	in, err := readSoftwareone()
	if err != nil {
		return err
	}
	s.chapter("SoftwareOne: from an invitation to the end")
	as := func(kind installation.ActorKind, id, user string) *installation.Service {
		actor := installation.Actor{Kind: kind, ID: id, User: installation.Reference{ID: user}}
		return s.svc.As(actor)
	}
	c := &cast{
		story: s, in: in, parts: in.Parts(),
		host:      as(installation.Host, "", "nightly"),
		vendor:    as(installation.Vendor, softwareoneVendor, "USR-0001"),
		extension: as(installation.ExtensionActor, in.Extension.ID, "TKN-0007"),
		customer:  as(installation.Customer, in.Account.ID, "USR-0042"),
	}
	c.account, _ = c.parts.Account.Get()
	for _, part := range []func(context.Context) error{
		c.install, c.configure, c.putBack, c.reveal, c.expire, c.uninstall, c.reinstall, c.remove,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *cast) install(ctx context.Context) error {
	c.step("The vendor invites whoever has the code.")
	invited, err := c.vendor.Invite(ctx, installation.InviteRequest{
		ID: c.in.ID, Message: "Join the pilot", Validity: "7d",
		Parts: installation.Parts{Extension: c.parts.Extension},
	})
	if err != nil {
		return err
	}
	c.say("%s is %s until %s. The link to accept it prints as %s", invited.ID, invited.Status,
		invited.Invitation.Expires.Format(time.DateOnly), invited.AcceptURL)
	c.check(!invited.Code.IsZero(), "the code is in this answer and in no other")

	c.step("The customer accepts, and agrees to two modules.")
	c.now = c.now.Add(10 * time.Minute)
	installed, err := c.customer.Accept(ctx, installation.AcceptRequest{
		ID: invited.ID, Code: invited.Code, Account: c.account, Consent: c.parts.Consent,
	})
	if err != nil {
		return err
	}
	c.check(installed.Status == installation.StatusInstalled &&
		installed.Account.ID == c.in.Account.ID, "it is installed in the customer's account")
	c.check(len(installed.Consent.Modules) == 2, "the consent is part of it")
	return nil
}

func (c *cast) configure(ctx context.Context) error {
	c.step("The vendor configures it, with two secrets among the values.")
	c.now = c.now.Add(10 * time.Minute)
	if _, err := c.vendor.Patch(ctx, configure(c.in)); err != nil {
		return err
	}
	seen, err := c.extension.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	c.say("The extension reads:")
	c.show(softwareone.InstallationOf(seen))
	theirs, err := c.customer.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	c.check(len(seen.Sealed) == 2, "both secrets are sealed, and shown as ***")
	c.check(theirs.Configuration == nil, "the customer does not see the configuration at all")
	return nil
}

// configure maps the body of a PUT to a request. A PUT can only change the configuration.
func configure(in *softwareone.Installation) installation.PatchRequest {
	return installation.PatchRequest{
		ID: in.ID, Parts: installation.Parts{Configuration: in.Parts().Configuration},
	}
}

func (c *cast) putBack(ctx context.Context) error {
	c.step("The extension puts the masked document back with one value changed.")
	before, err := c.extension.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	c.now = c.now.Add(10 * time.Minute)
	edited := softwareone.InstallationOf(before)
	if edited.Configuration, err = with(edited.Configuration, "vendor", "ACC-999-999"); err != nil {
		return err
	}
	after, err := c.extension.Patch(ctx, configure(edited))
	if err != nil {
		return err
	}
	c.show(after.Configuration.Document)
	var members map[string]any // not strings, which cannot hold masks
	if err := after.Configuration.Document.Decode(&members); err != nil {
		return err
	}
	want := map[string]any{
		"adobe_secret": crypto.Mask, "mpt_token": crypto.Mask, "vendor": "ACC-999-999",
	}
	c.check(maps.Equal(members, want), "that value changed and no other")
	c.check(after.Revision == before.Revision+1, "it was one change: the revision grew by one")
	c.check(after.Configuration.RevisionID != before.Configuration.RevisionID,
		"the configuration has a new revision id")
	return nil
}

// with returns a copy of the document with one member changed. It treats a mask like any other
// string, as a client that does not know masks would.
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
	why := "nightly synchronisation"
	request := installation.RevealRequest{ID: c.in.ID, Refs: seen.Sealed, Reason: why}

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
		c.check(secret.Value.RevealString() == want[name],
			name+" is still what the vendor gave: the mask that came back kept it")
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
		ID: id, Validity: "7d",
		Parts: installation.Parts{Extension: c.parts.Extension},
	})
	if err != nil {
		return err
	}
	c.now = c.now.AddDate(0, 0, 8)
	read, err := c.vendor.Get(ctx, id)
	if err != nil {
		return err
	}
	c.check(read.Status == installation.StatusExpired && read.Revision == invited.Revision,
		"it reads as expired, and nothing was written for that")
	_, err = c.customer.Accept(ctx, installation.AcceptRequest{
		ID: id, Code: invited.Code, Account: c.account,
	})
	c.say("Whoever comes with the code is told: %v", err)
	c.check(errors.Is(err, installation.ErrInvitation), "it cannot be accepted any more")

	c.step("The host sweeps, which writes down what time has done.")
	report, err := c.host.Sweep(ctx, installation.SweepRequest{})
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

func (c *cast) uninstall(ctx context.Context) error {
	c.step("The customer uninstalls.")
	ended, err := c.customer.Uninstall(ctx, installation.UninstallRequest{
		ID: c.in.ID, Reason: "trial is over",
	})
	if err != nil {
		return err
	}
	c.check(ended.Status == installation.StatusUninstalled && ended.Generation == 1,
		"it is uninstalled; the record stays")
	return nil
}

func (c *cast) reinstall(ctx context.Context) error {
	c.step("An hour later the customer installs it again.")
	c.now = c.now.Add(time.Hour)
	again, err := c.customer.Upsert(ctx, installation.UpsertRequest{
		ID: c.in.ID, Parts: installation.Parts{
			Account: c.parts.Account, Consent: c.parts.Consent,
		},
	})
	if err != nil {
		return err
	}
	c.check(again.Created && again.Generation == 2, "this is generation 2 of the same id")
	c.check(again.Configuration == nil && again.Sealed == nil,
		"it starts empty: the secrets of the first one are gone")

	c.step("A message about the first uninstall arrives late. It names generation 1.")
	_, err = c.vendor.Uninstall(ctx, installation.UninstallRequest{
		ID: c.in.ID, Guard: installation.Guard{Generation: 1},
	})
	c.say("The answer is: %v", err)
	c.check(errors.Is(err, installation.ErrStale), "it is ignored")
	still, err := c.vendor.Get(ctx, c.in.ID)
	if err != nil {
		return err
	}
	c.check(still.Status == installation.StatusInstalled && still.Revision == again.Revision,
		"the installation lives on")
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
		line := fmt.Sprintf("%s  %s r%d  %-11s by %-9s  %s", e.Time.Format("2006-01-02 15:04"),
			e.Key.ID, e.Revision, e.Type, e.Actor.Kind, strings.Join(e.Changed, " "))
		c.say("%s", strings.TrimRight(line, " "))
	}
	c.check(len(log.Events) == 10,
		"every change is there, and the reveal; what was refused or replayed is not")
	return nil
}
