package oauthtest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Grant is the state of what one customer granted.
type Grant struct {
	ID        string
	Refresh   string // the refresh token that is valid
	Access    string // of the newest token; not the token itself
	Refreshes int    // how often the refresh token was rotated
	Spent     int    // how often a spent refresh token was sent
	Alive     bool
	Revoked   bool // by a call of the revocation endpoint
}

// refreshToken is one that was issued.
type refreshToken struct {
	grant *Grant
	spent bool
}

// grants are all tokens of a server.
type grants struct {
	mu       sync.Mutex
	byID     map[string]*Grant
	refresh  map[string]*refreshToken
	access   map[string]access // by its ID
	lifetime time.Duration     // of access tokens
	counters Counters
	serial   int
}

type access struct {
	grant   *Grant // nil = of client credentials
	expires time.Time
}

func newGrants() *grants {
	return &grants{
		byID: make(map[string]*Grant), refresh: make(map[string]*refreshToken),
		access: make(map[string]access), lifetime: time.Hour,
	}
}

// add makes n grants and returns them.
func (g *grants) add(n int) []Grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Grant, n)
	for i := range out {
		grant := &Grant{ID: fmt.Sprintf("grant-%d", len(g.byID)+1), Alive: true}
		g.byID[grant.ID] = grant
		g.issue(grant)
		out[i] = *grant
	}
	return out
}

// issue gives a grant a new refresh token. The mutex is held.
func (g *grants) issue(grant *Grant) {
	grant.Refresh = "rt-" + rand.Text()
	g.refresh[grant.Refresh] = &refreshToken{grant: grant}
}

// issueAccess returns the ID of a new access token. The mutex is held.
func (g *grants) issueAccess(grant *Grant) (id string, expires time.Time) {
	g.serial++
	id, expires = fmt.Sprintf("at-%d", g.serial), time.Now().Add(g.lifetime)
	g.access[id] = access{grant, expires}
	if grant != nil {
		grant.Access = id
	}
	return id, expires
}

// find returns the grant of a refresh token, or nil if the token is not valid. A spent token ends
// its grant.
func (g *grants) find(token string) *Grant {
	t := g.refresh[token]
	switch {
	case t == nil:
		return nil
	case t.spent:
		g.counters.Spent++
		t.grant.Spent++
		t.grant.Alive = false
		return nil
	case !t.grant.Alive:
		return nil
	}
	return t.grant
}

// check is find for the first look at a request.
func (g *grants) check(token string) *Grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.find(token)
}

// rotate spends a refresh token. It returns the ID of an access token and a new refresh token. If
// keep is true, the old refresh token stays valid, and there is no new one.
func (g *grants) rotate(token string, keep bool) (id, next string, expires time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	grant := g.find(token) // again: another request may have been faster
	if grant == nil {
		return "", "", time.Time{}, false
	}
	g.counters.Refreshes++
	grant.Refreshes++
	id, expires = g.issueAccess(grant)
	if keep {
		return id, "", expires, true
	}
	g.refresh[token].spent = true
	g.issue(grant)
	return id, grant.Refresh, expires, true
}

// revoke ends the grant of a refresh token, or an access token by its ID. Unknown ones are fine.
func (g *grants) revoke(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counters.Revocations++
	if t := g.refresh[token]; t != nil {
		t.grant.Alive, t.grant.Revoked = false, true
	}
	delete(g.access, token)
}

// valid reports whether an access token gives access.
func (g *grants) valid(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.access[id]
	return ok && time.Now().Before(a.expires) && (a.grant == nil || a.grant.Alive)
}

// end ends a grant, as a customer does who withdraws it.
func (g *grants) end(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	grant := g.byID[id]
	if grant != nil {
		grant.Alive = false
	}
	return grant != nil
}

// list returns all grants in the order in which they were made.
func (g *grants) list() []Grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Grant, 0, len(g.byID))
	for _, grant := range g.byID {
		out = append(out, *grant)
	}
	slices.SortFunc(out, func(a, b Grant) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return out
}
