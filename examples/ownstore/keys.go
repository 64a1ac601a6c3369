package ownstore

import (
	"encoding/binary"
	"time"

	"github.com/go-installation/installation"
)

// Each kind of key begins with its own letter. In a key, a string ends with NUL unless it is the
// last part. No string contains NUL, so two different keys are never joined to the same bytes. A
// number has eight bytes that sort like the number.

const nul = "\x00"

func recordKey(k installation.Key) string { return "r" + k.Tenant + nul + k.ID }

func outcomeKey(tenant string, d installation.Digest) string {
	return "o" + tenant + nul + string(d[:])
}

func claimKey(tenant, claim string) string { return "c" + tenant + nul + claim }

func eventKey(n int64) string { return "e" + sortable(n) }

// sortable returns the eight bytes of n. It flips the sign bit, so that negative numbers come
// first.
func sortable(n int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63))
}

func timeOf(t time.Time) string { return sortable(t.UnixMicro()) }

// indexKeys returns the keys of r in lists, and of its claims. A tombstone has none.
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

// prefixOf returns the prefix of all keys in the list that q names.
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

// endOf returns the upper bound of the keys that q selects, "" if it selects all with its prefix.
func endOf(q installation.Query) string {
	if q.Term != "" {
		return ""
	}
	return prefixOf(q) + timeOf(q.DueBefore.Add(time.Microsecond))
}
