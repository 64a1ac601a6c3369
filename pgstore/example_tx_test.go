package pgstore_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/pgstore"
)

// An order of the host and an installation commit together, or not at all. This example has no
// output, because it needs a server; the module examples/orders is a whole program.
func ExampleStore_InTx() {
	place := func(
		ctx context.Context, pool *pgxpool.Pool, store *pgstore.Store, host *installation.Service,
	) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO orders (number) VALUES ($1)", 1001)
			if err != nil {
				return err
			}
			_, err = host.On(store.InTx(tx)).Upsert(ctx, installation.UpsertRequest{
				ID: "order-1001",
				Parts: installation.Parts{
					Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
					Account:   installation.Value(installation.Account{ID: "ACC-1"}),
				},
			})
			return err
		})
	}
	fmt.Printf("call %T\n", place)
}
