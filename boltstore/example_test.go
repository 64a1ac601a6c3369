package boltstore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/crypto"
)

// Example keeps an installation in a file. It is there after the file was closed and opened again.
func Example() {
	folder, err := os.MkdirTemp("", "boltstore")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "installations.db")
	key, err := crypto.GenerateKey("k1") // in production, read it with crypto.KeyringFromFile
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for range 2 {
		store, err := boltstore.Open(path, nil)
		if err != nil {
			log.Fatal(err)
		}
		svc, err := installation.New(store, keys, nil)
		if err != nil {
			log.Fatal(err)
		}
		host := svc.As(installation.Actor{Kind: installation.Host})
		res, err := host.Upsert(ctx, installation.UpsertRequest{
			ID: "icfg_1", Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
				Account:   installation.Value(installation.Account{ID: "ACC-1"}),
			},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("created:", res.Created)
		if err := store.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// created: true
	// created: false
}
