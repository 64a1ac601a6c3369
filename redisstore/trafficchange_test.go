package redisstore_test

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// Kinds of changes in [traffic].
const (
	createOne     = "create"
	createKeyed   = "create with a key"
	updateOne     = "update"
	updateKeyed   = "update with a key"
	deleteOne     = "delete"
	createAgain   = "re-creation"
	changeTerm    = "change of the only term"
	invite        = "invitation"
	acceptInvited = "invitation accepted"
	usedKey       = "key used before" // nothing may be written
)

var kinds = []string{
	createOne, createKeyed, updateOne, updateKeyed, deleteOne, createAgain, changeTerm, invite,
	acceptInvited, usedKey,
}

const groups = 3 // terms of which a record has one

// pendingTerm is the term of an invitation that nobody has accepted.
const pendingTerm = "phase=pending"

// trafficTerms are the terms of one tenant that records can have.
func trafficTerms() []string {
	terms := []string{"all", pendingTerm, "phase=installed"}
	for n := range groups {
		terms = append(terms, fmt.Sprintf("group=%d", n), fmt.Sprintf("only=%d", n))
	}
	return terms
}

// chooseKind returns the kind of the next change to a row. keysUsed says whether the tenant has
// used idempotency keys.
func chooseKind(
	random *mathrand.Rand, r *row, stored *installation.Record, keysUsed bool,
) string {
	n := random.IntN(100)
	switch {
	case stored == nil && n < 40:
		return createKeyed
	case stored == nil && n < 60 && !r.lone:
		return invite
	case stored == nil:
		return createOne
	case stored.Deleted:
		return createAgain
	case n < 22:
		return deleteOne
	case r.lone:
		return changeTerm
	case slices.Contains(stored.Index, pendingTerm) && n < 80:
		return acceptInvited
	case n < 28 && keysUsed:
		return usedKey
	case n < 60:
		return updateKeyed
	default:
		return updateOne
	}
}

// build returns a change of a kind to a row.
func (a *area) build(
	random *mathrand.Rand, kind string, r *row, stored *installation.Record, operation string,
) installation.Change {
	now := time.Now().Truncate(time.Microsecond)
	next := installation.Record{Key: r.key, Generation: 1, Created: now}
	expected := int64(0)
	if stored != nil {
		expected = stored.Revision
		next.Generation, next.Created = stored.Generation, stored.Created
	}
	if kind == createAgain {
		next.Generation, next.Created = next.Generation+1, now
	}
	next.Revision = expected + 1
	if kind == deleteOne {
		next.Deleted, next.Created, next.Deadline = true, time.Time{}, now.Add(time.Hour)
	} else {
		r.describe(random, &next, kind == invite, stored)
		next.Body = installation.BodyFromBytes(operation + strings.Repeat(".", 200))
	}
	c := create(r.key, operation)
	c.Now, c.If, c.Record = now, expected, &next
	c.Events[0].Revision, c.Events[0].Generation = next.Revision, next.Generation
	if kind == createKeyed || kind == updateKeyed || kind == usedKey {
		c.Idempotency = &installation.Outcome{
			Digest: a.digest(random, kind == usedKey), Until: now.Add(time.Hour),
			Data: []byte(operation),
		}
	}
	return c
}

// digest returns an idempotency key that was used before, or a new one.
func (a *area) digest(random *mathrand.Rand, used bool) (d installation.Digest) {
	if !used {
		_, _ = rand.Read(d[:]) // never fails
		return d
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used[random.IntN(len(a.used))]
}

// describe gives a record its terms, its claim and its deadline.
func (r *row) describe(
	random *mathrand.Rand, next *installation.Record, invited bool,
	stored *installation.Record,
) {
	group := random.IntN(groups)
	if r.lone {
		next.Index = []string{fmt.Sprintf("only=%d", group)}
		if stored != nil && slices.Equal(next.Index, stored.Index) {
			next.Index = []string{fmt.Sprintf("only=%d", (group+1)%groups)}
		}
		return
	}
	phase := "phase=installed"
	if invited {
		phase = pendingTerm
		next.Deadline = next.Created.Add(time.Duration(1+random.IntN(100)) * time.Hour)
	}
	next.Index = []string{"@all", "all", fmt.Sprintf("group=%d", group), phase}
	next.Claims = []string{r.claim}
}
