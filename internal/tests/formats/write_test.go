package formats

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// formatInvite is a request that is sent again.
func formatInvite(id string) installation.InviteRequest {
	return installation.InviteRequest{
		Guard:      installation.Guard{IdempotencyKey: "golden"},
		ID:         id,
		Parts:      installation.Parts{Extension: fixture.Parts().Extension},
		Message:    "Join the pilot",
		ExternalID: "external-1",
		Recipient:  "iris@shop.example",
		Validity:   "14d",
	}
}

// formatState is a state in which a record is stored, and the calls that lead to it.
type formatState struct {
	name   string
	reach  func(ctx context.Context, s *formatSteps) error
	rewrap bool // the record is brought under another key afterwards
}

var formatStates = []formatState{
	{name: "installed", reach: func(ctx context.Context, s *formatSteps) error {
		return formatInstall(ctx, s.host, s.id)
	}},
	{name: "updated", reach: func(ctx context.Context, s *formatSteps) error {
		return s.installThen(ctx, func() error {
			s.Advance(time.Hour)
			_, err := s.host.Patch(ctx, installation.PatchRequest{
				ID: s.id, Operations: []installation.Operation{
					patch.Set("/api_secret", installation.JSON(`"n3w"`)),
					patch.Unset("/nested"),
				},
			})
			return err
		})
	}},
	{name: "invited", reach: func(ctx context.Context, s *formatSteps) error {
		_, err := s.host.Invite(ctx, formatInvite(s.id))
		return err
	}},
	{name: "expired", reach: func(ctx context.Context, s *formatSteps) error {
		if _, err := s.host.Invite(ctx, formatInvite(s.id)); err != nil {
			return err
		}
		_, err := s.host.Expire(ctx, installation.ExpireRequest{ID: s.id})
		return err
	}},
	{name: "uninstalled", reach: func(ctx context.Context, s *formatSteps) error {
		return s.installThen(ctx, func() error {
			req := installation.UninstallRequest{ID: s.id, Reason: "moved away"}
			_, err := s.host.Uninstall(ctx, req)
			return err
		})
	}},
	{name: "uninstalled without a key", reach: func(ctx context.Context, s *formatSteps) error {
		return s.installThen(ctx, func() error {
			_, err := s.keyless.Uninstall(ctx, installation.UninstallRequest{ID: s.id})
			return err
		})
	}},
	{name: "uninstalled without a key, then sealed", reach: func(
		ctx context.Context, s *formatSteps,
	) error {
		return s.installThen(ctx, func() error {
			_, err := s.keyless.Uninstall(ctx, installation.UninstallRequest{ID: s.id})
			if err == nil {
				_, err = s.host.Sweep(ctx, installation.SweepRequest{})
			}
			return err
		})
	}},
	{name: "purged", reach: func(ctx context.Context, s *formatSteps) error {
		return s.installThen(ctx, func() error {
			req := installation.UninstallRequest{ID: s.id, Final: true}
			_, err := s.host.Uninstall(ctx, req)
			return err
		})
	}},
	{name: "purged without a key", reach: func(ctx context.Context, s *formatSteps) error {
		return s.installThen(ctx, func() error {
			req := installation.UninstallRequest{ID: s.id, Final: true}
			_, err := s.keyless.Uninstall(ctx, req)
			return err
		})
	}},
	{name: "installed again", reach: func(ctx context.Context, s *formatSteps) error {
		return s.installThen(ctx, func() error {
			req := installation.UninstallRequest{ID: s.id}
			if _, err := s.host.Uninstall(ctx, req); err != nil {
				return err
			}
			return formatInstall(ctx, s.host, s.id)
		})
	}},
	{name: "rekeyed", reach: func(ctx context.Context, s *formatSteps) error {
		return s.installThen(ctx, func() error {
			_, err := s.host.Rekey(ctx, installation.RekeyRequest{ID: s.id})
			return err
		})
	}},
	{name: "rewrapped", rewrap: true, reach: func(ctx context.Context, s *formatSteps) error {
		return formatInstall(ctx, s.host, s.id)
	}},
}

// formatSteps is a world in which a record is brought to a state.
type formatSteps struct {
	*fixture.World
	host    *installation.Service
	keyless *installation.Service // the host without the key of the record
	id      string
}

// installThen makes the installation and calls then.
func (s *formatSteps) installThen(ctx context.Context, then func() error) error {
	if err := formatInstall(ctx, s.host, s.id); err != nil {
		return err
	}
	return then()
}

// writeFormat returns one entry for each form and state in which a record is stored.
func writeFormat(t *testing.T) []*fixture.GoldenEntry {
	t.Helper()
	suites := []crypto.Suite{crypto.SuiteXChaCha20Poly1305, crypto.SuiteAES256GCM}
	var entries []*fixture.GoldenEntry
	for _, state := range formatStates {
		for _, suite := range suites {
			entries = append(entries, formatInState(t, state, suite))
		}
	}
	entries = append(entries, formatOtherSuite(t))
	for _, suite := range suites {
		entries = append(entries, formatAccepted(t, suite))
	}
	return append(entries, formatKeyService(t)...)
}

// formatInState makes an entry of a record in a state, sealed with a suite.
func formatInState(
	t *testing.T, state formatState, suite crypto.Suite,
) *fixture.GoldenEntry {
	t.Helper()
	w := fixture.NewWorld(t)
	with := func(primary crypto.Key, others ...crypto.Key) *installation.Service {
		ring, err := fixture.RingOf(t, primary, others...).WithSuite(suite)
		if err != nil {
			t.Fatal(err)
		}
		return w.On(t, w.Store, ring)
	}
	name := state.name + ", " + suite.String()
	keyless := w.With(t, fixture.NewKey(t, "k9", fixture.ServiceSecret))
	steps := &formatSteps{World: w, host: with(w.K1), keyless: keyless, id: "EXI-1"}
	err := state.reach(t.Context(), steps)
	if err == nil && state.rewrap {
		_, err = with(w.K2, w.K1).Rewrap(t.Context(), installation.RewrapRequest{})
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return newEntry(t, w, name, suite)
}

// formatKeyService makes entries of an installation and of an invitation with its outcome,
// both under a key service.
func formatKeyService(t *testing.T) []*fixture.GoldenEntry {
	t.Helper()
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	kms := service.Key(t, "kms1", crypto.KMSOptions{})
	installed := fixture.NewWorld(t)
	host := installed.On(t, installed.Store, kms)
	if err := formatInstall(t.Context(), host, "EXI-1"); err != nil {
		t.Fatal(err)
	}
	invited := fixture.NewWorld(t)
	host = invited.On(t, invited.Store, kms)
	if _, err := host.Invite(t.Context(), formatInvite("EXI-1")); err != nil {
		t.Fatal(err)
	}
	const suite = crypto.SuiteXChaCha20Poly1305
	return []*fixture.GoldenEntry{
		newEntry(t, installed, "installed, under a key service", suite),
		newEntry(t, invited, "invited, under a key service", suite),
	}
}

// otherSuite is the name of an entry whose values have the first suite, and its wrapped key the
// second.
const otherSuite = "rewrapped, to another suite"

// formatOtherSuite makes the entry with the name otherSuite.
func formatOtherSuite(t *testing.T) *fixture.GoldenEntry {
	t.Helper()
	r := fixture.NewWorld(t)
	if err := formatInstall(t.Context(), r.With(t, r.K1), "EXI-1"); err != nil {
		t.Fatal(err)
	}
	ring, err := fixture.RingOf(t, r.K2, r.K1).WithSuite(crypto.SuiteAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.On(t, r.Store, ring).Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return newEntry(t, r, otherSuite, crypto.SuiteXChaCha20Poly1305)
}

// formatAccepted makes an entry of an accepted invitation, with its code and the account that
// accepted it.
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

// formatAccept accepts an invitation in the tenant of the golden records, as the customer.
func formatAccept(
	t *testing.T, svc *installation.Service, id, code, account string,
) (*installation.Result, error) {
	t.Helper()
	customer := installation.Actor{Kind: installation.Customer, ID: account}
	return svc.In("tenant-1").As(customer).Accept(t.Context(), installation.AcceptRequest{
		ID:        id,
		Code:      crypto.NewSecret(code),
		Account:   installation.Account{ID: account},
		Recipient: formatInvite(id).Recipient,
	})
}

// formatInstall makes an installation in which every part is given.
func formatInstall(ctx context.Context, host *installation.Service, id string) error {
	parts := fixture.Parts()
	account, _ := parts.Account.Get()
	account.Contact = &installation.Contact{Name: "Iris", Email: "iris@shop.example"}
	account.URL = "https://shop.example"
	parts.Account = installation.Value(account)
	parts.Extra = installation.Value(installation.JSON(
		`{"webhook":{"signature":"s1gnature"},"x":[1,2.50,"\u00e9"]}`,
	))
	_, err := host.Upsert(ctx, installation.UpsertRequest{ID: id, Parts: parts})
	return err
}

// newEntry records the last commit and its content.
func newEntry(
	t *testing.T, r *fixture.World, name string, suite crypto.Suite,
) *fixture.GoldenEntry {
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
		secret, err := revealGolden(t, host, i.ID, ref)
		if err != nil {
			t.Fatal(err)
		}
		e.Secrets[string(ref)] = secret.RevealString()
	}
	if e.Want, err = json.Marshal(i); err != nil {
		t.Fatal(err)
	}
	return e
}
