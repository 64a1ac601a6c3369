package ownstore

import (
	"encoding/binary"
	"time"

	"github.com/go-installation/installation"
)

// Every kind of key begins with another letter. A text ends with NUL, which no text contains, so no
// key of one text is the beginning of a key of another. A number has eight bytes that sort as the
// number does.

const nul = "\x00"

func recordKey(k installation.Key) string { return "r" + k.Tenant + nul + k.ID }

func outcomeKey(tenant string, d installation.Digest) string {
	return "o" + tenant + nul + string(d[:])
}

func claimKey(tenant, claim string) string { return "c" + tenant + nul + claim }

func eventKey(n int64) string { return "e" + sortable(n) }

// sortable flips the sign, so that negative numbers come first.
func sortable(n int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63))
}

func timeOf(t time.Time) string { return sortable(t.UnixMicro()) }

// indexKeys returns the keys under which a record is found, apart from its own. A tombstone has
// none.
func indexKeys(r *installation.Record) []string {
	if r == nil || r.Deleted {
		return nil
	}
	var keys []string
	tenant, id := r.Key.Tenant+nul, r.Key.ID
	for _, term := range r.Index {
		if installation.GlobalTerm(term) {
			keys = append(keys, "g"+term+nul+timeOf(r.Created)+tenant+id)
		} else {
			keys = append(keys, "t"+tenant+term+nul+timeOf(r.Created)+id)
		}
	}
	for _, claim := range r.Claims {
		keys = append(keys, claimKey(r.Key.Tenant, claim))
	}
	if !r.Deadline.IsZero() {
		keys = append(keys, "d"+tenant+timeOf(r.Deadline)+id, "a"+timeOf(r.Deadline)+tenant+id)
	}
	return keys
}

// prefixOf returns the beginning of all keys in the list that q names.
func prefixOf(q installation.Query) string {
	switch {
	case q.Term != "" && q.AllTenants:
		return "g" + q.Term + nul
	case q.Term != "":
		return "t" + q.Tenant + nul + q.Term + nul
	case q.AllTenants:
		return "a"
	default:
		return "d" + q.Tenant + nul
	}
}

// endOf returns the first key after the list, "" for the end of all keys with its prefix.
func endOf(q installation.Query) string {
	if q.Term != "" {
		return ""
	}
	return prefixOf(q) + timeOf(q.DueBefore.Add(time.Microsecond))
}
