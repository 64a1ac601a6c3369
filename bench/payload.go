package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
)

// Every row stores the same kind of record: an installation with an owner, an account and a
// configuration of ten values, four of them sensitive. Its sealed body has about 2 KiB.

const (
	tenant    = "project-4400"
	extension = "EXT-4400-2000"
	vendor    = "ACC-1000-2000"
)

// document is a configuration; n varies one plain value.
func document(n int64) installation.Document {
	return configuration(n, "made-up-client-secret-0123456789", "made-up-token-0123456789-0123456",
		"made-up-webhook-0123456789-01234", "made-up-password-0123456789-0123")
}

// masked is a document as a reader gets it, with masks in place of secrets; n varies one plain
// value.
func masked(n int64) installation.Document {
	return configuration(n, crypto.Mask, crypto.Mask, crypto.Mask, crypto.Mask)
}

var notes = strings.Repeat("Orders are exported every night. ", 12)

func configuration(n int64, client, token, webhook, database string) installation.Document {
	return installation.JSON(fmt.Sprintf(`{
		"base_url": "https://api.northwind.example/v2", "workspace": "northwind-bikes",
		"branch": "eu-%d", "interval": 900,
		"fields": ["sku", "stock", "price", "weight", "colour", "frame size"], "notes": "%s",
		"client_secret": "%s", "api_token": "%s", "webhook_secret": "%s", "db_password": "%s"
	}`, n, notes, client, token, webhook, database))
}

// parts returns the parts of an installation. Each n has an account of its own.
func parts(n int64) installation.Parts {
	const name, url = "Northwind Bikes", "https://northwind.example"
	ext := installation.Extension{ID: extension, Name: "Order export", Owner: vendor}
	account := installation.Account{ID: accountID(n), Name: name, URL: url}
	return installation.Parts{
		Name: installation.Value(name), Extension: installation.Value(ext),
		Account:       installation.Value(account),
		Configuration: installation.Value(installation.Configuration{Document: document(n)}),
	}
}

func accountID(n int64) string { return fmt.Sprintf("ACC-%04d-%04d", n/10_000, n%10_000) }

// numbers counts up, so that everything that needs a number gets a different one.
var numbers atomic.Int64

// newRing returns a keyring with keys of these IDs. The first is the primary key.
func newRing(tb testing.TB, ids ...string) *crypto.Keyring {
	tb.Helper()
	keys := make([]crypto.Key, len(ids))
	for i, id := range ids {
		keys[i] = must(crypto.NewKey(id, fmt.Appendf(nil, "%-32s", "made up, and called "+id)))(tb)
	}
	return must(crypto.NewKeyring(keys[0], keys[1:]...))(tb)
}

// creation returns the change that creates a record with terms, a claim, an outcome and an event.
func creation(tenant string, n int64) installation.Change {
	now := time.Now().UTC().Truncate(time.Microsecond)
	key, account := keyOf(tenant, n), accountID(n)
	c := installation.Change{Op: token(), Now: now, Key: key, Record: &installation.Record{
		Key: key, Revision: 1, Generation: 1, Created: now,
		Body: installation.BodyFromBytes(bytes.Repeat([]byte("x"), base.BodySize)),
		Index: []string{
			"@all", "@kek=key-2026-01", "acc=" + account, "all",
			"ext+acc=13:" + extension + account, "ext=" + extension, "own=" + vendor,
			"phase=installed",
		},
		Claims: []string{"live=13:" + extension + account},
	}}
	c.Idempotency = &installation.Outcome{Until: now.Add(24 * time.Hour), Data: make([]byte, 64)}
	copy(c.Idempotency.Digest[:], fmt.Sprintf("%032d", n))
	c.Events = []installation.Event{eventOf(c, event.Created)}
	return c
}

// update returns the change that writes r again with the same index terms.
func update(r *installation.Record) installation.Change {
	next := *r
	next.Revision++
	now := time.Now()
	c := installation.Change{Op: token(), Now: now, Key: r.Key, If: r.Revision, Record: &next}
	c.Events = []installation.Event{eventOf(c, event.Updated)}
	return c
}

// keyOf returns a key whose ID is as long as an ID that the service generates.
func keyOf(tenant string, n int64) installation.Key {
	return installation.Key{Tenant: tenant, ID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n)}
}

func eventOf(c installation.Change, t event.Type) installation.Event {
	return installation.Event{
		Type: t, Key: c.Key, Revision: c.Record.Revision, Generation: 1, Time: c.Now,
		Extension: extension, Account: vendor, Actor: installation.Actor{Kind: installation.Host},
		Changed: []string{"configuration"},
	}
}

func token() (op [16]byte) {
	binary.LittleEndian.PutUint64(op[:], uint64(numbers.Add(1)))
	return op
}

// check ends the preparation on an error.
func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// must returns a value, or ends the preparation on an error.
func must[T any](value T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		check(tb, err)
		return value
	}
}
