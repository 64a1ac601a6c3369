// Package rotationtest rotates keys beside traffic, for every store. Only tests import it.
package rotationtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// Stage has a process for each stage of a rotation from k1 to k2.
type Stage struct {
	Added    *installation.Service // keys k1 and k2: k2 was added
	Switched *installation.Service // keys k2 and k1: k2 was promoted
	Last     *installation.Service // key k2 alone: k1 was retired

	// Keyring is a file with the keys of Switched.
	Keyring string
}

// New returns the stage of a new rotation. The function open opens the store for one process.
func New(t *testing.T, open func() installation.Store) *Stage {
	t.Helper()
	dir := t.TempDir()
	k1, k2 := Generate(t, "k1"), Generate(t, "k2")
	s := &Stage{Keyring: filepath.Join(dir, "switched")}
	s.Added = process(t, open(), filepath.Join(dir, "added"), k1, k2)
	s.Switched = process(t, open(), s.Keyring, k2, k1)
	s.Last = process(t, open(), s.LastKeyring(), k2)
	return s
}

// LastKeyring returns a file with the key of Last.
func (s *Stage) LastKeyring() string { return filepath.Join(filepath.Dir(s.Keyring), "last") }

// Generate returns a new key.
func Generate(t *testing.T, id string) crypto.Key {
	t.Helper()
	k, err := crypto.GenerateKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// process returns the host of a process whose keys are in a file. It writes the file.
func process(
	t *testing.T, store installation.Store, file string, keys ...crypto.Key,
) *installation.Service {
	t.Helper()
	var text strings.Builder
	for _, k := range keys {
		text.WriteString(k.Reveal() + "\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	host, err := Host(store, file)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// Host returns the host of a process whose keys are in a file.
func Host(store installation.Store, keyring string) (*installation.Service, error) {
	ring, err := crypto.KeyringFromFile(keyring)
	if err != nil {
		return nil, err
	}
	svc, err := installation.New(store, ring, nil)
	if err != nil {
		return nil, err
	}
	return svc.As(installation.Actor{Kind: installation.Host}), nil
}

// tenant and id name installation n. It is in one of ten tenants.
func tenant(n int) string { return fmt.Sprintf("tenant-%d", n%10) }
func id(n int) string     { return fmt.Sprintf("i-%d", n) }

// Fill creates n installations. The secret of each contains its id.
func (s *Stage) Fill(t *testing.T, n int) {
	t.Helper()
	each(n, func(i int) {
		parts := installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:   installation.Value(installation.Account{ID: "ACC-" + id(i)}),
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(`{"secret":"of ` + id(i) + `"}`),
			}),
		}
		_, err := s.Added.In(tenant(i)).Upsert(t.Context(), installation.UpsertRequest{
			ID: id(i), Parts: parts,
		})
		if err != nil {
			t.Errorf("create %d: %v", i, err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
}

// each calls f for 0 to n-1, from eight goroutines.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// Opens reads installation i and reveals its secret.
func Opens(ctx context.Context, host *installation.Service, i int) error {
	host = host.In(tenant(i))
	if _, err := host.Get(ctx, id(i)); err != nil {
		return err
	}
	answers, err := host.Reveal(ctx, installation.RevealRequest{
		ID: id(i), Refs: []installation.Ref{installation.Ref("config/secret")}, Reason: "test",
	})
	switch {
	case err != nil:
		return err
	case answers[0].Err != nil:
		return answers[0].Err
	case answers[0].Value.RevealString() != "of "+id(i):
		return fmt.Errorf("%s has the wrong secret", id(i))
	}
	return nil
}
