package rotation

import (
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/patch"
)

// keyOf returns the suite and the number of the data key of a stored record.
func keyOf(t *testing.T, w *fixture.World, id string) (crypto.Suite, uint32) {
	t.Helper()
	k := fixture.Unwrap(t, fixture.RingOf(t, w.K1, w.K2), w.Store.Last(fixture.KeyAt(id)))
	return k.Suite(), k.Number()
}

// suiteRing returns a keyring whose new data keys have a suite.
func suiteRing(
	t *testing.T,
	suite crypto.Suite,
	primary crypto.Key,
	others ...crypto.Key,
) *crypto.Keyring {
	t.Helper()
	ring, err := fixture.RingOf(t, primary, others...).WithSuite(suite)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// A data key keeps its suite when that of the keyring changes, however the record is written. A
// new data key, as Rekey makes it, has the new suite.
func TestDataKeyKeepsSuite(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("needs both suites")
	}
	const first, second = crypto.SuiteXChaCha20Poly1305, crypto.SuiteAES256GCM
	w := fixture.NewWorld(t)
	w.Add(t, w.On(t, w.Store, suiteRing(t, first, w.K1)), "a")
	host := w.On(t, w.Store, suiteRing(t, second, w.K1))
	rotated := w.On(t, w.Store, suiteRing(t, second, w.K2, w.K1))
	patch := func() error {
		_, err := host.Patch(
			t.Context(),
			installation.PatchRequest{ID: "a", Operations: []installation.Operation{
				patch.SetSecret("/token", crypto.NewSecret("new")),
			}},
		)
		return err
	}
	for _, step := range []struct {
		name   string
		do     func() error
		suite  crypto.Suite
		number uint32
	}{
		{"made", func() error { return nil }, first, 1},
		{"patched", patch, first, 1},
		{"rewrapped", func() error {
			report, err := rotated.Rewrap(t.Context(), installation.RewrapRequest{})
			if err == nil && report.Rewrapped != 1 {
				err = fmt.Errorf("%+v", report)
			}
			return err
		}, first, 1},
		{"rekeyed", func() error {
			_, err := rotated.Rekey(t.Context(), installation.RekeyRequest{ID: "a"})
			return err
		}, second, 2},
		{"ended", func() error {
			_, err := rotated.Uninstall(t.Context(), installation.UninstallRequest{ID: "a"})
			return err
		}, second, 2},
		{"installed again", func() error {
			account := installation.Account{ID: "ACC-a"}
			parts := installation.Parts{Account: installation.Value(account)}
			_, err := rotated.Upsert(t.Context(), installation.UpsertRequest{ID: "a", Parts: parts})
			return err
		}, second, 3},
		{"purged", func() error {
			end := installation.UninstallRequest{ID: "a", Final: true}
			_, err := rotated.Uninstall(t.Context(), end)
			return err
		}, second, 4},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if suite, number := keyOf(t, w, "a"); suite != step.suite || number != step.number {
			t.Errorf(
				"%s: suite %v and number %d, want %v and %d",
				step.name,
				suite,
				number,
				step.suite,
				step.number,
			)
		}
		if _, err := rotated.Get(t.Context(), "a"); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
}

// moved is what the process without restrictions leaves for the one with them.
type moved struct {
	Now     time.Time
	Records []*fixture.GoldenRecord
	Secrets map[string]string // of each record, by ref
}

const movedFile = "INSTALLATION_TEST_MOVED" // variable with the name of a file

// A host moves to FIPS: everything is sealed with the first suite, rekeyed to the second one,
// and the outcomes of before expire. Then a process with GODEBUG=fips140=only reads it all.
func TestMoveToFIPS(t *testing.T) {
	if file := os.Getenv(movedFile); file != "" {
		readMoved(t, file)
		return
	}
	if fips140.Enforced() {
		t.Skip("needs both suites")
	}
	w := fixture.NewWorld(t)
	before := w.On(t, w.Store, suiteRing(t, crypto.SuiteXChaCha20Poly1305, w.K1))
	ids := []string{"installed", "invited", "expired", "uninstalled", "purged"}
	for _, id := range ids {
		fillForMove(t, before, id)
	}
	after := w.On(t, w.Store, suiteRing(t, crypto.SuiteAES256GCM, w.K1))
	for _, id := range ids {
		if _, err := after.Rekey(t.Context(), installation.RekeyRequest{ID: id}); err != nil {
			t.Fatalf("rekey %s: %v", id, err)
		}
	}
	// An outcome of before still has a key of the first suite, so the move waits for it.
	w.Advance(24 * time.Hour)
	left := moved{Now: w.Now(), Secrets: make(map[string]string)}
	for _, id := range ids {
		i, err := after.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range i.Sealed {
			if i.Status != installation.StatusUninstalled { // whose secrets nobody reveals
				left.Secrets[id+" "+string(ref)] = w.Reveal(t, id, ref)
			}
		}
		left.Records = append(
			left.Records,
			fixture.NewGoldenRecord(w.Store.Last(fixture.KeyAt(id))),
		)
	}
	if len(left.Secrets) != 3*8 {
		t.Errorf("%d secrets, want eight in each record that reveals them", len(left.Secrets))
	}
	text, err := json.Marshal(left)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "moved.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	fixture.RepeatInFIPSMode(t, movedFile+"="+file)
}

// fillForMove makes a record in the state that its ID names, with an idempotency key.
func fillForMove(t *testing.T, host *installation.Service, id string) {
	t.Helper()
	guard := installation.Guard{IdempotencyKey: id}
	parts := fixture.SecretParts("ACC-"+id, "s3cr3t")
	var err error
	switch id {
	case "invited", "expired":
		_, err = host.Invite(
			t.Context(),
			installation.InviteRequest{Guard: guard, ID: id, Parts: parts, Validity: "99d"},
		)
		if err == nil && id == "expired" {
			_, err = host.Expire(t.Context(), installation.ExpireRequest{ID: id})
		}
	default:
		_, err = host.Upsert(
			t.Context(),
			installation.UpsertRequest{Guard: guard, ID: id, Parts: parts},
		)
		if err == nil && id != "installed" {
			req := installation.UninstallRequest{ID: id, Final: id == "purged"}
			_, err = host.Uninstall(t.Context(), req)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
}

// readMoved reads what TestMoveToFIPS left, in a process that may not use the first suite.
func readMoved(t *testing.T, file string) {
	if !fips140.Enforced() {
		t.Fatal("the process is not restricted")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var left moved
	if err := json.Unmarshal(text, &left); err != nil {
		t.Fatal(err)
	}
	w := fixture.NewWorld(t)
	w.Set(left.Now)
	store := memstore.New()
	for _, r := range left.Records {
		fixture.Load(t, store, left.Now, r.Stored())
	}
	host := w.On(t, store, fixture.RingOf(t, w.K1))
	read := 0
	for i, err := range host.All(t.Context(), installation.ListRequest{}) {
		if err != nil || i.Err != nil {
			t.Fatalf("list: %v, %+v", err, i)
		}
		if _, err := host.Get(t.Context(), i.ID); err != nil {
			t.Errorf("get %s: %v", i.ID, err)
		}
		for _, ref := range i.Sealed {
			if i.Status == installation.StatusUninstalled {
				continue
			}
			revealed, err := host.Reveal(t.Context(), installation.RevealRequest{
				ID: i.ID, Reason: "test", Refs: []installation.Ref{ref},
			})
			if err != nil || revealed[0].Err != nil ||
				revealed[0].Value.RevealString() != left.Secrets[i.ID+" "+string(ref)] {
				t.Errorf("reveal %s of %s: %v, %v", ref, i.ID, revealed, err)
			}
			read++
		}
	}
	if read != len(left.Secrets) {
		t.Errorf("%d secrets were read, want %d", read, len(left.Secrets))
	}
	report, err := host.Check(t.Context())
	if err != nil || !report.OK() || report.Records != int64(len(left.Records)) {
		t.Errorf("check: %+v, %v", report, err)
	}
	// The service works on: it writes what it read, with new outcomes.
	res, err := host.Upsert(t.Context(), installation.UpsertRequest{
		Guard: installation.Guard{IdempotencyKey: "installed"}, ID: "installed",
		Parts: installation.Parts{Name: installation.Value("moved")},
	})
	if err != nil || res.Replayed || res.Name != "moved" {
		t.Errorf("a write: %+v, %v", res, err)
	}
}
