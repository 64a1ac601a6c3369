package installation_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// meteredStore counts commits and those that failed.
type meteredStore struct {
	installation.Decorator
	commits, failed atomic.Int64
}

// Commit implements [installation.Store]. The Decorator forwards all other methods.
func (s *meteredStore) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	s.commits.Add(1)
	receipt, err := s.Decorator.Commit(ctx, c)
	if err != nil {
		s.failed.Add(1)
	}
	return receipt, err
}

// A store with metrics. The service still reads events and counts records in the store beneath.
func ExampleDecorator() {
	ctx := context.Background()
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	store := &meteredStore{Decorator: installation.Decorator{Store: memstore.New()}}
	svc, err := installation.New(store, keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	_, err = host.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
		Account:   installation.Value(installation.Account{ID: "ACC-1"}),
	}})
	if err != nil {
		log.Fatal(err)
	}
	page, err := host.Events(ctx, "", 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.commits.Load(), store.failed.Load(), page.Events[0].Type)
	// Output: 1 0 created
}
