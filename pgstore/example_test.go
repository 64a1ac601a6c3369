package pgstore_test

import (
	"context"
	"log"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/pgstore"
)

func ExampleOpen() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@db.example/app")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	// Usually a deployment step runs Migrate, as a user with more rights.
	if err := pgstore.Migrate(ctx, pool, nil); err != nil {
		log.Fatal(err)
	}
	store, err := pgstore.Open(ctx, pool, &pgstore.Options{
		Expect: pgstore.Expect{ID: "THE-ID-OF-THE-NAMESPACE"},
	})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.KeyringFromFile("/run/secrets/keys")
	if err != nil {
		log.Fatal(err)
	}
	svc, err := installation.New(store, keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = svc
}
