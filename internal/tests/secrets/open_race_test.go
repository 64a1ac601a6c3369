package secrets

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// Writers move a destination and its secrets together. No reader gets a secret with the destination
// of another revision, neither in one Open nor in a Get followed by a Reveal of its revision.
func TestInvariant19OneRevision(t *testing.T) {
	for name, open := range map[string]func(*testing.T) installation.Store{
		"memstore": func(*testing.T) installation.Store { return memstore.New() },
		"boltstore": func(t *testing.T) installation.Store {
			path := filepath.Join(t.TempDir(), "store.db")
			store, err := boltstore.Open(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			return store
		},
	} {
		t.Run(name, func(t *testing.T) { readersPairOneRevision(t, open(t)) })
	}
}

const (
	movers = 4
	moves  = 25 // of each mover
)

func readersPairOneRevision(t *testing.T, store installation.Store) {
	w := fixture.NewWorldOn(t, store)
	var number, left atomic.Int64
	left.Store(movers)
	if err := moveTo(w, number.Add(1)); err != nil {
		t.Fatal(err)
	}
	var pairs [2]atomic.Int64
	fixture.Parallel(2*movers, func(n int) {
		if n < movers {
			defer left.Add(-1)
			for range moves {
				if err := moveTo(w, number.Add(1)); err != nil {
					t.Error(err)
				}
			}
			return
		}
		read := []func(*testing.T, *fixture.World) bool{pairOfOpen, pairOfReveal}[n%2]
		for more := true; more && !t.Failed(); {
			more = left.Load() > 0 // the last read sees the last write
			if read(t, w) {
				pairs[n%2].Add(1)
			}
		}
	})
	if pairs[0].Load() == 0 || pairs[1].Load() == 0 {
		t.Errorf("pairs of Open and of Reveal: %d, %d", pairs[0].Load(), pairs[1].Load())
	}
}

// moveTo writes destination n with its secrets, in configuration and connection.
func moveTo(w *fixture.World, n int64) error {
	host := "https://" + strconv.FormatInt(n, 10) + ".example"
	secret := crypto.NewSecret("secret of " + host)
	_, err := w.Host.Upsert(context.Background(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:   installation.Value(installation.Account{ID: "ACC-1"}),
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(
					`{"url":"` + host + `","api_key":"secret of ` + host + `"}`),
			}),
			Connection: installation.Value(installation.Connection{
				WorkspaceRef: host, AccessToken: installation.Token{Value: secret},
				Metadata: installation.JSON(`{"client_secret":"secret of ` + host + `"}`),
			}),
		},
	})
	return err
}

// pairOfOpen reports that one Open returned destination and secrets, and checks that they belong
// together.
func pairOfOpen(t *testing.T, w *fixture.World) bool {
	o, err := w.Host.Open(context.Background(), openRequest())
	if err != nil {
		t.Error(err)
		return false
	}
	defer o.Close()
	var cfg struct {
		URL    string        `json:"url"`
		APIKey crypto.Secret `json:"api_key"`
	}
	c, err := o.Credentials()
	if err == nil {
		err = o.Decode(&cfg)
	}
	if err != nil {
		t.Error(err)
		return false
	}
	var metadata map[string]string
	if err := c.Metadata.Decode(&metadata); err != nil {
		t.Error(err)
		return false
	}
	shown := o.Configuration.Document.String()
	for _, secret := range []string{
		cfg.APIKey.RevealString(), c.AccessToken.Value.RevealString(), metadata["client_secret"],
	} {
		if secret != "secret of "+cfg.URL || c.WorkspaceRef != cfg.URL ||
			!strings.Contains(shown, cfg.URL) {
			t.Errorf("the %s came with %s, %s and %s", secret, cfg.URL, c.WorkspaceRef, shown)
		}
	}
	return true
}

// pairOfReveal reports that Reveal answered for the revision of a Get, and checks that destination
// and secret belong together.
func pairOfReveal(t *testing.T, w *fixture.World) bool {
	inst, err := w.Host.Get(context.Background(), "i")
	if err != nil {
		t.Error(err)
		return false
	}
	var cfg struct{ URL string }
	if err := inst.Configuration.Document.Decode(&cfg); err != nil {
		t.Error(err)
		return false
	}
	request := revealRequest("test", "config/api_key", "credential/access_token")
	answers, err := w.Host.Reveal(context.Background(), request)
	if err != nil {
		t.Error(err)
		return false
	}
	for _, a := range answers {
		same := a.Revision == inst.Revision
		if same != (a.Value.RevealString() == "secret of "+cfg.URL) {
			t.Errorf("%s of revision %d came with %s of revision %d",
				a.Value.RevealString(), a.Revision, cfg.URL, inst.Revision)
		}
	}
	return answers[0].Revision == inst.Revision
}
