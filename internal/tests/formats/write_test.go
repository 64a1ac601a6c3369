package formats

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// formatInvite is a request that is sent again.
func formatInvite(id string) installation.InviteRequest {
	return installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "golden"}, ID: id, Parts: installation.Parts{Extension: fixture.Parts().Extension},
		Message: "Join the pilot", ExternalID: "external-1", Recipient: "iris@shop.example", Validity: "14d",
	}
}

// writeFormat returns one entry for each form and state in which a record is stored.
func writeFormat(t *testing.T) []*fixture.GoldenEntry {
	t.Helper()
	var entries []*fixture.GoldenEntry
	for _, state := range []struct {
		name string
		make func(t *testing.T, r *fixture.World, host *installation.Service, id string) error
		// rewrap says that the record is brought under another key after that.
		rewrap bool
	}{
		{name: "installed", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			return formatInstall(t, host, id)
		}},
		{name: "updated", make: func(t *testing.T, r *fixture.World, host *installation.Service, id string) error {
			if err := formatInstall(t, host, id); err != nil {
				return err
			}
			r.Advance(time.Hour)
			_, err := host.Patch(t.Context(), installation.PatchRequest{ID: id, Operations: []installation.Operation{
				installation.Set("/api_secret", installation.JSON(`"n3w"`)), installation.Unset("/nested"),
			}})
			return err
		}},
		{name: "invited", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			_, err := host.Invite(t.Context(), formatInvite(id))
			return err
		}},
		{name: "expired", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			if _, err := host.Invite(t.Context(), formatInvite(id)); err != nil {
				return err
			}
			_, err := host.Expire(t.Context(), installation.ExpireRequest{ID: id})
			return err
		}},
		{name: "uninstalled", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			if err := formatInstall(t, host, id); err != nil {
				return err
			}
			_, err := host.Uninstall(t.Context(), installation.UninstallRequest{ID: id, Reason: "moved away"})
			return err
		}},
		{name: "uninstalled without a key", make: func(t *testing.T, r *fixture.World, host *installation.Service, id string) error {
			if err := formatInstall(t, host, id); err != nil {
				return err
			}
			_, err := r.With(t, fixture.NewKey(t, "k9", fixture.ServiceSecret)).Uninstall(t.Context(), installation.UninstallRequest{ID: id})
			return err
		}},
		{name: "purged", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			if err := formatInstall(t, host, id); err != nil {
				return err
			}
			_, err := host.Uninstall(t.Context(), installation.UninstallRequest{ID: id, Final: true})
			return err
		}},
		{name: "purged without a key", make: func(t *testing.T, r *fixture.World, host *installation.Service, id string) error {
			if err := formatInstall(t, host, id); err != nil {
				return err
			}
			_, err := r.With(t, fixture.NewKey(t, "k9", fixture.ServiceSecret)).Uninstall(t.Context(), installation.UninstallRequest{ID: id, Final: true})
			return err
		}},
		{name: "installed again", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			if err := formatInstall(t, host, id); err != nil {
				return err
			}
			if _, err := host.Uninstall(t.Context(), installation.UninstallRequest{ID: id}); err != nil {
				return err
			}
			return formatInstall(t, host, id)
		}},
		{name: "rekeyed", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			if err := formatInstall(t, host, id); err != nil {
				return err
			}
			_, err := host.Rekey(t.Context(), installation.RekeyRequest{ID: id})
			return err
		}},
		{name: "rewrapped", make: func(t *testing.T, _ *fixture.World, host *installation.Service, id string) error {
			return formatInstall(t, host, id)
		}, rewrap: true},
	} {
		for _, suite := range []crypto.Suite{crypto.SuiteXChaCha20Poly1305, crypto.SuiteAES256GCM} {
			r := fixture.NewWorld(t)
			with := func(primary crypto.Key, others ...crypto.Key) *installation.Service {
				ring, err := fixture.RingOf(t, primary, others...).WithSuite(suite)
				if err != nil {
					t.Fatal(err)
				}
				return r.On(t, r.Store, ring)
			}
			name := state.name + ", " + suite.String()
			err := state.make(t, r, with(r.K1), "EXI-1")
			if err == nil && state.rewrap {
				_, err = with(r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{})
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			entries = append(entries, newEntry(t, r, name, suite))
		}
	}
	entries = append(entries, formatOtherSuite(t), formatAccepted(t, crypto.SuiteXChaCha20Poly1305), formatAccepted(t, crypto.SuiteAES256GCM))
	return append(entries, formatKeyService(t)...)
}

// formatKeyService makes entries of an installation and of an invitation with its outcome, under a key
// service.
func formatKeyService(t *testing.T) []*fixture.GoldenEntry {
	t.Helper()
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	kms := service.Key(t, "kms1", crypto.KMSOptions{})
	installed := fixture.NewWorld(t)
	if err := formatInstall(t, installed.On(t, installed.Store, kms), "EXI-1"); err != nil {
		t.Fatal(err)
	}
	invited := fixture.NewWorld(t)
	host := invited.On(t, invited.Store, kms)
	if _, err := host.Invite(t.Context(), formatInvite("EXI-1")); err != nil {
		t.Fatal(err)
	}
	const suite = crypto.SuiteXChaCha20Poly1305
	return []*fixture.GoldenEntry{
		newEntry(t, installed, "installed, under a key service", suite),
		newEntry(t, invited, "invited, under a key service", suite),
	}
}

// otherSuite is the name of the entry whose values have the first suite, and all else the second.
const otherSuite = "rewrapped, to another suite"

// formatOtherSuite makes that entry.
func formatOtherSuite(t *testing.T) *fixture.GoldenEntry {
	t.Helper()
	r := fixture.NewWorld(t)
	if err := formatInstall(t, r.With(t, r.K1), "EXI-1"); err != nil {
		t.Fatal(err)
	}
	ring, err := fixture.RingOf(t, r.K2, r.K1).WithSuite(crypto.SuiteAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.On(t, r.Store, ring).Rewrap(t.Context(), installation.RewrapRequest{}); err != nil {
		t.Fatal(err)
	}
	return newEntry(t, r, otherSuite, crypto.SuiteXChaCha20Poly1305)
}

// formatAccepted makes an entry of an invitation that was accepted, which says by whom and with which code.
func formatAccepted(t *testing.T, suite crypto.Suite) *fixture.GoldenEntry {
	t.Helper()
	r := fixture.NewWorld(t)
	ring, err := fixture.RingOf(t, r.K1).WithSuite(suite)
	if err != nil {
		t.Fatal(err)
	}
	host := r.On(t, r.Store, ring)
	invited, err := host.Invite(t.Context(), formatInvite("EXI-1"))
	if err != nil {
		t.Fatal(err)
	}
	code := invited.Code.RevealString()
	if _, err := formatAccept(t, host, "EXI-1", code, "ACC-1"); err != nil {
		t.Fatal(err)
	}
	e := newEntry(t, r, "accepted, "+suite.String(), suite)
	e.Code, e.Account = code, "ACC-1"
	return e
}

// formatAccept redeems the code of an invitation in the tenant of the golden records, as the customer itself.
func formatAccept(t *testing.T, svc *installation.Service, id, code, account string) (*installation.Result, error) {
	t.Helper()
	return svc.In("tenant-1").As(installation.Actor{Kind: installation.Customer, ID: account}).Accept(t.Context(), installation.AcceptRequest{
		ID: id, Code: crypto.NewSecret(code), Account: installation.Account{ID: account}, Recipient: formatInvite(id).Recipient,
	})
}

// formatInstall makes an installation in which every part is given.
func formatInstall(t *testing.T, host *installation.Service, id string) error {
	t.Helper()
	parts := fixture.Parts()
	account, _ := parts.Account.Get()
	account.Contact, account.URL = &installation.Contact{Name: "Iris", Email: "iris@shop.example"}, "https://shop.example"
	parts.Account = installation.Value(account)
	parts.Extra = installation.Value(installation.JSON(`{"webhook":{"signature":"s1gnature"},"x":[1,2.50,"\u00e9"]}`))
	_, err := host.Upsert(t.Context(), installation.UpsertRequest{ID: id, Parts: parts})
	return err
}

// entry takes down the last commit and what is in it.
func newEntry(t *testing.T, r *fixture.World, name string, suite crypto.Suite) *fixture.GoldenEntry {
	t.Helper()
	c := r.Store.Changes()[len(r.Store.Changes())-1]
	record := c.Record
	e := &fixture.GoldenEntry{Name: name, Suite: suite, Record: fixture.NewGoldenRecord(record)}
	for _, event := range c.Events {
		b, err := event.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		e.Record.Events = append(e.Record.Events, b)
	}
	host := r.On(t, r.Store, fixture.GoldenKeys(t))
	i, err := host.Get(t.Context(), record.Key.ID)
	if i == nil {
		t.Fatal(err)
	}
	if o := c.Idempotency; o != nil {
		e.Record.Digest, e.Record.Until, e.Record.Outcome = o.Digest[:], o.Until, o.Data
		res, err := host.Invite(t.Context(), formatInvite(i.ID))
		if err != nil {
			t.Fatal(err)
		}
		e.Code = res.Code.RevealString()
	}
	e.Shred, i.Err = err != nil, nil
	e.Secrets = map[string]string{}
	for _, ref := range i.Sealed {
		answers, err := host.Reveal(t.Context(), installation.RevealRequest{ID: i.ID, Reason: "golden", Refs: []installation.Ref{ref}})
		if err != nil || answers[0].Err != nil {
			t.Fatal(err, answers)
		}
		e.Secrets[ref.String()] = answers[0].Value.RevealString()
	}
	if e.Want, err = json.Marshal(i); err != nil {
		t.Fatal(err)
	}
	return e
}
