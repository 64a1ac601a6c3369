package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// What is stored is the same in every row: an installation with an owner, an account and a configuration of ten values, four of
// them sensitive, whose sealed body has about 2 KiB. The other side stores as many bytes.

const (
	tenant    = "project-4400"
	extension = "EXT-4400-2000"
	vendor    = "ACC-1000-2000"
	bodySize  = 2 << 10
)

// value is what the other side stores.
var value = strings.Repeat("x", bodySize)

// document is a configuration; n varies one plain value.
func document(n int64) installation.Document {
	return configuration(n, "made-up-client-secret-0123456789", "made-up-token-0123456789-0123456", "made-up-webhook-0123456789-01234", "made-up-password-0123456789-0123")
}

// masked is document as it was read, with one value changed.
func masked(n int64) installation.Document {
	return configuration(n, crypto.Mask, crypto.Mask, crypto.Mask, crypto.Mask)
}

func configuration(n int64, client, token, webhook, database string) installation.Document {
	return installation.JSON(fmt.Sprintf(`{
		"base_url": "https://api.northwind.example/v2", "workspace": "northwind-bikes", "region": "eu-%d", "interval": 900,
		"fields": ["sku", "stock", "price", "weight", "colour", "frame size"], "notes": "%s",
		"client_secret": "%s", "api_token": "%s", "webhook_secret": "%s", "db_password": "%s"
	}`, n, strings.Repeat("Orders are exported every night. ", 12), client, token, webhook, database))
}

// parts are what an installation is made of; n makes its account one of its own.
func parts(n int64) installation.Parts {
	return installation.Parts{
		Name:          installation.Value("Northwind Bikes"),
		Extension:     installation.Value(installation.Extension{ID: extension, Name: "Order export", Owner: vendor}),
		Account:       installation.Value(installation.Account{ID: accountID(n), Name: "Northwind Bikes", URL: "https://northwind.example"}),
		Configuration: installation.Value(installation.Configuration{Document: document(n)}),
	}
}

func accountID(n int64) string { return fmt.Sprintf("ACC-%04d-%04d", n/10_000, n%10_000) }

// numbers counts everything that needs a number of its own.
var numbers atomic.Int64

func newKey(tb testing.TB, id string) crypto.Key {
	tb.Helper()
	key, err := crypto.NewKey(id, fmt.Appendf(nil, "%-32s", "made up, and called "+id))
	check(tb, err)
	return key
}

func newRing(tb testing.TB, id string) *crypto.Keyring {
	tb.Helper()
	ring, err := crypto.NewKeyring(newKey(tb, id))
	check(tb, err)
	return ring
}

func newCache(tb testing.TB, keys crypto.KeyWrapper) *crypto.Cache {
	tb.Helper()
	cache, err := crypto.NewCache(keys, nil)
	check(tb, err)
	return cache
}

// Changes are what a service hands to a store.

// creation is the change that creates a record with index terms, a claim, an outcome and an event.
func creation(tenant string, n int64, body installation.Body) installation.Change {
	now := time.Now().UTC().Truncate(time.Microsecond)
	key := keyOf(tenant, n)
	account := accountID(n)
	c := installation.Change{Op: token(), Now: now, Key: key, Record: &installation.Record{
		Key: key, Revision: 1, Generation: 1, Created: now, Body: body,
		Index: []string{
			"@all", "@kek=key-2026-01", "acc=" + account, "all", "ext+acc=13:" + extension + account, "ext=" + extension, "own=" + vendor,
			"phase=installed",
		},
		Claims: []string{"live=13:" + extension + account},
	}}
	c.Idempotency = &installation.Outcome{Digest: digest(n), Until: now.Add(24 * time.Hour), Data: make([]byte, 64)}
	c.Events = []installation.Event{event(c, installation.EventCreated)}
	return c
}

// update is the change of a record whose place in the index stays.
func update(r *installation.Record) installation.Change {
	next := *r
	next.Revision++
	c := installation.Change{Op: token(), Now: time.Now(), Key: r.Key, If: r.Revision, Record: &next}
	c.Events = []installation.Event{event(c, installation.EventUpdated)}
	return c
}

// keyOf is a key with an id as long as those that the service mints.
func keyOf(tenant string, n int64) installation.Key {
	return installation.Key{Tenant: tenant, ID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n)}
}

func event(c installation.Change, t installation.EventType) installation.Event {
	return installation.Event{
		Type: t, Key: c.Key, Revision: c.Record.Revision, Generation: 1, Time: c.Now, Extension: extension, Account: vendor,
		Actor: installation.Actor{Kind: installation.Host}, Changed: []string{"configuration"},
	}
}

func token() (op [16]byte) {
	for i, n := 0, numbers.Add(1); n > 0; i, n = i+1, n>>8 {
		op[i] = byte(n)
	}
	return op
}

func digest(n int64) (d installation.Digest) {
	copy(d[:], fmt.Sprintf("%032d", n))
	return d
}

// storedManifest returns how long the sealed manifest in a body is.
func storedManifest(tb testing.TB, body installation.Body) int {
	tb.Helper()
	var parts struct {
		Manifest []byte `cbor:"4,keyasint"`
	}
	check(tb, cbor.Unmarshal(body.Bytes()[1:], &parts))
	if len(parts.Manifest) == 0 {
		tb.Fatal("a body without a manifest")
	}
	return len(parts.Manifest)
}

// check ends the preparation on an error.
func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// bothKeys returns a keyring of the keys k1 and k2 with one of them primary.
func bothKeys(tb testing.TB, primary string) *crypto.Keyring {
	tb.Helper()
	other := "k1"
	if primary == other {
		other = "k2"
	}
	ring, err := crypto.NewKeyring(newKey(tb, primary), newKey(tb, other))
	check(tb, err)
	return ring
}
