// Package formats checks that every record that a release stored opens in later releases.
package formats

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// The golden file has the records that this and earlier releases stored, one JSON object per
// line. Lines are added and never changed or removed.
var (
	golden = filepath.Join("testdata", "format", "v2", "golden.jsonl")
	update = flag.Bool("update", false, "add the missing entries to testdata/format")
)

// The first goldenLines lines of the golden file were part of a release and stay unchanged.
// goldenSum is their SHA-256. Each release raises both to the values that
// TestStoredRecordsOpen prints.
const (
	goldenLines = 29
	goldenSum   = "3900721ea73fbeb9b2c21f1a4eeb4aa929d44ff378c54b90abbb4ffefa279c11"
)

// Every record that a release stored opens in later releases, with the same content.
func TestStoredRecordsOpen(t *testing.T) {
	entries := readFormat(t)
	if *update {
		if fips140.Enforced() {
			t.Fatal("-update needs both suites")
		}
		addFormat(t, entries)
		entries = readFormat(t)
	}
	if len(entries) == 0 {
		t.Fatal("no entries")
	}
	for _, e := range entries {
		t.Run(e.Name, func(t *testing.T) {
			if fips140.Enforced() && e.Suite == crypto.SuiteXChaCha20Poly1305 {
				t.Skip("this process may not use XChaCha20-Poly1305")
			}
			opensRecord(t, e)
		})
	}
}

// frozen is a store that holds one golden record and what was committed with it.
type frozen struct {
	installation.Store
	*fixture.GoldenRecord
}

func (s *frozen) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if key != s.Key {
		return s.Store.Get(ctx, key)
	}
	return s.Stored(), ctx.Err()
}

func (s *frozen) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	if tenant != s.Key.Tenant || !bytes.Equal(d[:], s.Digest) {
		return s.Store.Outcome(ctx, tenant, d)
	}
	o := &installation.Outcome{Digest: d, Until: s.Until, Data: s.GoldenRecord.Outcome}
	return o, ctx.Err()
}

func (s *frozen) Commit(_ context.Context, c installation.Change) (installation.Receipt, error) {
	if c.Record != nil {
		return installation.Receipt{}, fmt.Errorf("golden: %w", installation.ErrUnavailable)
	}
	return installation.Receipt{Revision: s.Revision}, nil
}

// frozenService returns a service on a store with one golden record.
func frozenService(t *testing.T, r *fixture.GoldenRecord) *installation.Service {
	t.Helper()
	opts := &installation.Options{Now: fixture.NewClock().Now}
	svc, err := installation.New(&frozen{memstore.New(), r}, fixture.GoldenKeys(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// revealGolden reveals one secret of a golden record.
func revealGolden(
	t *testing.T, host *installation.Service, id string, ref installation.Ref,
) (crypto.Secret, error) {
	t.Helper()
	answers, err := host.Reveal(t.Context(), installation.RevealRequest{
		ID: id, Reason: "golden", Refs: []installation.Ref{ref},
	})
	if err != nil {
		return crypto.Secret{}, err
	}
	return answers[0].Value, answers[0].Err
}

func opensRecord(t *testing.T, e *fixture.GoldenEntry) {
	svc := frozenService(t, e.Record)
	host := svc.In(e.Record.Key.Tenant).As(installation.Actor{Kind: installation.Host})
	i, err := host.Get(t.Context(), e.Record.Key.ID)
	if e.Shred {
		fixture.WantErr(t, "get", err, installation.ErrShredded)
	} else if err != nil {
		t.Fatal(err)
	}
	i.Err = nil // it has no form in JSON
	got, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacks(t, e.Want, got); missing != "" {
		t.Errorf("%s differs:\n got %s\nwant %s", missing, got, e.Want)
	}
	for name, want := range e.Secrets {
		secret, err := revealGolden(t, host, i.ID, installation.Ref(name))
		if err != nil || secret.RevealString() != want {
			t.Errorf("%s: %v, %v", name, secret, err)
		}
	}
	for _, b := range e.Record.Events {
		var event installation.Event
		err := event.UnmarshalBinary(b)
		if err != nil || event.Key != e.Record.Key || event.Revision != e.Record.Revision {
			t.Errorf("event %+v, %v", event, err)
		}
	}
	retriesReturnTheOutcome(t, svc, e)
}

// retriesReturnTheOutcome sends the request that led to a golden record again.
func retriesReturnTheOutcome(
	t *testing.T, svc *installation.Service, e *fixture.GoldenEntry,
) {
	t.Helper()
	id := e.Record.Key.ID
	switch {
	case e.Account != "":
		again, err := formatAccept(t, svc, id, e.Code, e.Account)
		if err != nil || !again.Replayed || again.Account.ID != e.Account {
			t.Errorf("accepted again: %+v, %v", again, err)
		}
		_, err = formatAccept(t, svc, id, e.Code, e.Account+"x")
		fixture.WantErr(t, "accepted for another account", err, installation.ErrInvitation)
	case e.Code != "":
		host := svc.In(e.Record.Key.Tenant).As(installation.Actor{Kind: installation.Host})
		res, err := host.Invite(t.Context(), formatInvite(id))
		if err != nil || !res.Replayed || res.Code.RevealString() != e.Code {
			t.Errorf("sent again: %+v, %v", res, err)
		}
	}
}

// lacks returns the path of the first value in want that differs in got, or "". got may have
// more fields, which a later release added.
func lacks(t testing.TB, want, got []byte) string {
	t.Helper()
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	return lacking("", w, g)
}

func lacking(path string, want, got any) string {
	w, ok := want.(map[string]any)
	if !ok {
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if !bytes.Equal(a, b) {
			return path
		}
		return ""
	}
	g, _ := got.(map[string]any)
	for name, value := range w {
		if missing := lacking(path+"/"+name, value, g[name]); missing != "" {
			return missing
		}
	}
	return ""
}

// readFormat reads the golden file. It fails the test if a line of a release changed.
func readFormat(t *testing.T) []*fixture.GoldenEntry {
	t.Helper()
	raw, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	entries := fixture.ReadGolden(t, raw)
	if err := frozenLines(raw, goldenLines, goldenSum); err != nil {
		t.Errorf("%s: %v", golden, err)
	}
	t.Logf("%d lines with sum %x", len(entries), sha256.Sum256(raw))
	return entries
}

// frozenLines returns an error unless text begins with n lines that have this sum.
func frozenLines(text []byte, n int, want string) error {
	first := text
	for range n {
		_, rest, ok := bytes.Cut(first, []byte("\n"))
		if !ok {
			return fmt.Errorf("it has fewer than %d lines", n)
		}
		first = rest
	}
	sum := sha256.Sum256(text[:len(text)-len(first)])
	if got := hex.EncodeToString(sum[:]); got != want {
		return fmt.Errorf("the first %d lines have sum %s, want %s", n, got, want)
	}
	return nil
}

// A changed or missing line of a release is an error; added lines are not.
func TestGoldenLinesMustNotChange(t *testing.T) {
	of := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	for text, frozen := range map[string]bool{
		"a\nb\n": true, "a\nb\nc\n": true,
		"a\nx\n": false, "x\nb\nc\n": false, "a\n": false, "": false, "a\nb": false,
	} {
		if err := frozenLines([]byte(text), 2, of("a\nb\n")); (err == nil) != frozen {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// addFormat writes the entries that the golden file lacks.
func addFormat(t *testing.T, have []*fixture.GoldenEntry) {
	t.Helper()
	there := map[string]bool{}
	for _, e := range have {
		there[e.Name] = true
	}
	if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(golden, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, e := range writeFormat(t) {
		if there[e.Name] {
			continue
		}
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
	}
}
