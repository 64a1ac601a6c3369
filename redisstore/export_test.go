package redisstore

import (
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Access for tests outside of the package.

// BucketOf returns the number of a tenant's bucket, as its hash tag ends.
func BucketOf(tenant string, buckets int) string {
	return fmt.Sprintf("%02d", keyspace{"", buckets}.of(tenant).number)
}

// MemberID returns the id of the record that an index member names.
func MemberID(member string) string {
	e, _ := parseMember(member)
	return e.key.ID
}

// SetRetryFor sets [Options.RetryFor] of an open store. A short one would fail Open on a slow
// machine.
func (s *Store) SetRetryFor(d time.Duration) { s.opts.RetryFor = d }

// NeededCommands are the commands without which Open rejects a server.
var NeededCommands = neededCommands

// SetClient replaces the client of an open store, as if no server had ever answered it.
func (s *Store) SetClient(c redis.UniversalClient) {
	s.client.UniversalClient = c
	s.answered.Store(false)
}

// EditProbe replaces text in the source of the probe.
func (s *Store) EditProbe(old, by string) {
	s.probe = script{source: strings.ReplaceAll(s.probe.source, old, by)}
}
