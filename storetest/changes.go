package storetest

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
)

// now is Change.Now of every change unless a case says otherwise. It is far in the future, so that
// a store that also uses the clock of its server forgets nothing during the suite.
var now = time.Date(2100, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

// later is after every deadline in the suite except those of tombstones.
var later = now.Add(24 * time.Hour)

// all is an index term of every record in the suite unless a case says otherwise.
const all = "all"

// Queries of the records in the usual tenant: with the usual term, and with a deadline.
var (
	everything    = installation.Query{Tenant: "tenant", Term: all}
	everythingDue = installation.Query{Tenant: "tenant", DueBefore: later}
)

// at returns a key of the usual tenant.
func at(id string) installation.Key { return installation.Key{Tenant: "tenant", ID: id} }

// create returns the change that creates a record at key. Cases modify it.
func create(key installation.Key) installation.Change {
	return installation.Change{Op: newOp(), Now: now, Key: key, Record: &installation.Record{
		Key: key, Revision: 1, Generation: 1,
		Created: now, Index: []string{all}, Body: body("as created"),
	}}
}

// update returns the change that writes stored again. Cases modify it.
func update(stored *installation.Record) installation.Change {
	next := *stored
	next.Index, next.Claims = slices.Clone(stored.Index), slices.Clone(stored.Claims)
	next.Revision++
	c := touch(stored)
	c.Record = &next
	return c
}

// remove returns the change that replaces stored with a tombstone. The deadline of the tombstone is
// in a month.
func remove(stored *installation.Record) installation.Change {
	c := touch(stored)
	c.Record = &installation.Record{
		Key: stored.Key, Revision: stored.Revision + 1, Generation: stored.Generation,
		Deleted: true, Deadline: now.AddDate(0, 1, 0),
	}
	return c
}

// touch returns a change without a record, which keeps the stored record. Cases add an outcome or
// events.
func touch(stored *installation.Record) installation.Change {
	return installation.Change{Op: newOp(), Now: now, Key: stored.Key, If: stored.Revision}
}

// outcome returns an outcome that is kept for an hour.
func outcome(idempotencyKey, data string) *installation.Outcome {
	return &installation.Outcome{Digest: digest(idempotencyKey), Until: now.Add(time.Hour),
		Data: []byte(data)}
}

// eventOf returns an event about the record of c. The reason tells the events of a case apart.
func eventOf(c installation.Change, reason string) installation.Event {
	return installation.Event{
		Type: event.Updated, Key: c.Key, Revision: c.If + 1, Generation: 1,
		Time: now, Reason: reason,
	}
}

func newOp() (op [16]byte) {
	_, _ = rand.Read(op[:]) // never fails
	return op
}

func digest(idempotencyKey string) installation.Digest {
	return sha256.Sum256([]byte(idempotencyKey))
}

func body(s string) installation.Body { return installation.BodyFromBytes([]byte(s)) }

// odd lists strings that stores are known to confuse: separators and wildcards of backends, bytes
// that are not text, and long strings.
var odd = []string{
	"a", "0", "00", "0.0", "7", "07", "7e0", "B",
	"a:b", "a::b", "*", "?", "[a]", "{a}", "{}", "a b", " a", "a ", "a/b", "a|b", "a,b", "a=b",
	"a\\b", "a\nb", "\x01", "\x7f",
	"\xff", "\xfe", "a\xff", "\xc3\x28", "é", "e\u0301", "日本語", "😀", "'", "\"", "%00", "%s",
	"@", "-", "+", "[", "(", "%", "_", "\\", "\\x61", "\\141", "NULL",
	strings.Repeat("a", 256), strings.Repeat("é", 128), strings.Repeat("a", 255) + "b",
}
