// Orders is a host that keeps its own rows and its installations in one PostgreSQL database. An
// order of an extension and the installation of the extension commit together, or not at all.
//
// Run it against a database in which you may create a schema and a table:
//
//	go run . -database postgres://user@127.0.0.1:5432/shop
//
// It places an order, then the same order again, as a caller does after a lost answer. Then it
// places an order for an extension that the account already has. After each it prints how many rows
// are stored. If you start it again, it finds its first order and stores nothing new.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/pgstore"
)

func main() {
	url := flag.String("database", "", "address of the database; default: $DATABASE_URL")
	flag.Parse()
	// Not the default of the flag: -help prints defaults, and the address can have a password.
	database := cmp.Or(*url, os.Getenv("DATABASE_URL"))
	if err := run(context.Background(), database, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

// order is a row of the host.
type order struct {
	number             string
	extension, account string
	cents              int64
}

// shop is the host.
type shop struct {
	pool    *pgxpool.Pool
	store   *pgstore.Store
	service *installation.Service
}

// open creates what is missing in the database. The caller closes the pool.
func open(ctx context.Context, pool *pgxpool.Pool, keys crypto.KeyWrapper) (*shop, error) {
	if _, err := pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS orders (
			number    text PRIMARY KEY,
			extension text NOT NULL,
			account   text NOT NULL,
			cents     bigint NOT NULL CHECK (cents > 0)
		)`); err != nil {
		return nil, err
	}
	if err := pgstore.Migrate(ctx, pool, nil); err != nil {
		return nil, err
	}
	store, err := pgstore.Open(ctx, pool, nil)
	if err != nil {
		return nil, err
	}
	service, err := installation.New(store, keys, nil)
	if err != nil {
		return nil, err
	}
	return &shop{pool, store, service.As(installation.Actor{Kind: installation.Host})}, nil
}

// place stores an order and installs its extension, in one transaction. If the order is already
// placed, it does nothing and succeeds, so a caller that got no answer can place it again.
func (s *shop) place(ctx context.Context, o order) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		placed, err := tx.Exec(ctx, `INSERT INTO orders (number, extension, account, cents)
			VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO NOTHING`,
			o.number, o.extension, o.account, o.cents)
		if err != nil {
			return fmt.Errorf("order %s: %w", o.number, err)
		}
		if placed.RowsAffected() == 0 {
			return nil
		}
		// The same service, in the transaction. Nobody sees the installation before the commit.
		_, err = s.service.On(s.store.InTx(tx)).Upsert(ctx, installation.UpsertRequest{
			ID: "order-" + o.number,
			Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: o.extension}),
				Account:   installation.Value(installation.Account{ID: o.account}),
			},
		})
		if err != nil {
			return fmt.Errorf("order %s: %w", o.number, err) // BeginFunc rolls the order back too
		}
		return nil
	})
}

// counts returns how many orders and installations are stored.
func (s *shop) counts(ctx context.Context) (orders, installations int64, err error) {
	if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&orders); err != nil {
		return 0, 0, err
	}
	installations, err = s.service.Count(ctx, installation.ListRequest{})
	return orders, installations, err
}

// run places orders in the database and prints what is stored after each.
func run(ctx context.Context, url string, out io.Writer) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	// This key is lost when the program ends. A real host reads its keys with
	// crypto.KeyringFromFile.
	key, err := crypto.GenerateKey("orders")
	if err != nil {
		return err
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		return err
	}
	s, err := open(ctx, pool, keys)
	if err != nil {
		return err
	}
	first := order{"1001", "EXT-1", "ACC-1", 4900}
	second := first // the account has the extension already
	second.number = "1002"
	for _, o := range []order{first, first, second} {
		switch err := s.place(ctx, o); {
		case errors.Is(err, installation.ErrExists):
			fmt.Fprintf(out, "order %s: %s is installed for %s already\n", o.number, o.extension,
				o.account)
		case err != nil:
			return err
		default:
			fmt.Fprintf(out, "order %s: placed\n", o.number)
		}
		orders, installations, err := s.counts(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  orders: %d, installations: %d\n", orders, installations)
	}
	return nil
}
