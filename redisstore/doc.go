// Package redisstore is an [installation.Store] on Redis: one server, Sentinel, or a cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
//	defer client.Close()
//	store, err := redisstore.Open(ctx, client, nil)
//
// Each commit is one script on one server. A record, its index members, its claims, the outcome
// of the request and the events of the change are written together or not at all. Any number of
// processes may share a namespace.
//
// # Guarantees
//
// A nil error from Commit means that the whole change was applied and that every later read
// sees it. What survives a failing machine depends on the servers:
//
//   - With the append-only file on, a commit survives a crash of the server process. With
//     appendfsync always it also survives a crash of the machine. Without the file, a crash
//     loses everything since the last snapshot.
//   - Replication is asynchronous. A failover to a replica may lose the newest commits:
//     records, and with them the op tokens and outcomes that recognize a repeated request,
//     which then runs again.
//   - With [Options.RequireReplicas], a nil error also means that so many replicas have the
//     change. If they do not have it in time, the error is [installation.ErrNotReplicated]:
//     applied and visible, but not confirmed. Redis does not vote: a failover to a replica
//     without the change loses it. Require all replicas to rule that out.
//
// Errors tell three cases apart:
//
//   - [installation.ErrUnavailable]: nothing was written.
//   - [installation.ErrUnknownOutcome]: the change was sent, the answer was lost, and retries
//     did not settle it before the deadline.
//   - A rejection, such as a conflict: no earlier try of the same commit can have been applied.
//
// A change without a record is retried only while the record still remembers enough op tokens
// to recognize it. Callers may retry all three cases: the last two with an idempotency key, or
// after reading the record.
//
// A bucket reports "not found" only while its meta exists. Writers compare it, and readers check
// it when they find nothing. After a FLUSHALL or the loss of a server's data the store is
// unavailable, not empty, and Open rejects the rest. A namespace of which nothing is left looks
// like a new one. A server that has become a replica while the client still uses it does not
// report "not found" or a conflict either: the store waits until the client finds the primary.
// A record found there may be old.
//
// Damaged data is not "not found" either. Get and Commit report a record that cannot be read as
// unavailable; a list contains its key without revision and body.
//
// [Store.Verify] checks all that is stored and names each problem: damaged records, outcomes and
// events, events that were lost, keys that are missing, unknown or set to expire, and index
// members that disagree with the records. It can repair the index and the fixed keys, also while
// others commit.
//
// # Retries and deadlines
//
// go-redis resends a command whose reply was lost. A write that runs twice would report a false
// conflict, so this package turns these retries off for its scripts and retries itself: the op
// token of the change makes that safe. It retries until the deadline of the context or, without
// one, for [Options.RetryFor]. A failover usually takes ten seconds; allow for that. On
// connection errors the store makes a cluster client look for the new master at once. By itself
// the client does so once a minute.
//
// go-redis does not tell why it cannot connect if a deadline ends while it still tries. So a call
// that takes longer than 150 ms opens a connection itself and sends PING. A store does so at most
// twice a second. An error then names the cause, such as a certificate that is not trusted.
//
// A go-redis client applies the context's deadline to replies only if its option
// ContextTimeoutEnabled is set. Otherwise a call may overrun its context by the client's
// ReadTimeout.
//
// # Buckets
//
// A namespace is split into buckets. The hash of a tenant's name selects its bucket. A cluster
// spreads the buckets over its masters. Their number is fixed when the namespace is created: 16
// on a cluster, else 1; see [Options.Buckets]. All data of a tenant is in one place, so claims
// and idempotency keys are exact and lists need no merging. Lists and events across tenants
// walk the buckets one after the other.
//
// The limit is a tenant that outgrows a server: it cannot be split. Measured on two cores
// shared with the callers, one bucket took 11,500 new records of 2 KiB a second, and 100,000 of
// them filled 530 MB; a million takes about 5.5 GB. Lists do not slow down as a tenant grows,
// except for Query.Skip (about 13 ms for 50,000). Moving the slot of a bucket blocks its
// writers until all keys have arrived: 13 s for 100,000 records, one key at a time.
//
// # Servers
//
// Redis 7.0 or later, or a compatible server such as Valkey; tests run on Redis 7.0. Open rejects
// older servers, and servers that have renamed a command. Configure:
//
//   - maxmemory-policy noeviction. Open rejects an allkeys policy with a memory limit, because
//     records then vanish without an error. Without a limit, health reports a warning. A
//     volatile policy may evict outcomes and tombstones too early.
//   - appendonly yes, unless losing the newest changes is acceptable.
//   - Replicas for data that must survive a machine, and min-replicas-to-write to limit what an
//     isolated master accepts.
//
// Reads go to masters only. Open rejects a cluster client that reads from replicas, a client
// that caches, and a server that reports itself as a replica.
//
// A managed service must allow EVALSHA and SCRIPT LOAD, or Open fails. All keys are declared,
// and the keys of a call are in one slot. Where INFO is forbidden, health reports "unknown";
// without WAIT, RequireReplicas cannot be used. Services often set volatile-lru: change it.
//
// A user needs these rights, here for the namespace "installation":
//
//	~{installation:*
//	+evalsha +script|load +get +set +hget +hmget +hset +hdel +hlen +hscan +wait
//	+zadd +zrem +zrange +zcard +zlexcount +zscore +zmscore +zscan +xadd +xlen +xrange
//	+pttl +persist
//	+hello +info +scan +command +cluster|slots +asking
//
// One more right is optional:
//
//	+config|get
//
// With it, Open reads proto-max-bulk-len and client-query-buffer-limit, and Commit rejects a change
// with a longer part as [installation.ErrInvalid]. The server would close the connection, so
// without this right such a change ends as [installation.ErrUnknownOutcome]. These rights are
// optional too: +info and +pttl (Health then reports "unknown"), +wait (for RequireReplicas), +scan
// (for Verify), and without a cluster +command, +cluster|slots and +asking.
//
// # Size
//
// A record with a sealed body of 2 KiB, eight terms, a claim and one event takes about 5.7 KB
// of server memory: 3.9 KB for the record, 1.6 KB for its index members, 0.15 KB for the event.
// A tombstone takes about 200 bytes. An outcome of 300 bytes takes about 500 until it expires.
// The first event of a tenant takes another 100 to 120 bytes for good, to tell its events from
// those of others. A million tenants that come and go leave about 115 MB behind.
//
// Get is one HMGET and takes 1.0 to 1.1 times as long as that command. A commit that creates or
// updates such a record takes 2.9 times as long as a SET of 2 KiB on an idle loopback
// connection (Redis 7.0, on two cores shared with the caller).
//
// # Stored format
//
// Later releases read the records of earlier ones. The meta of each bucket names the layout of
// keys and members; Open rejects a newer layout by name. If a namespace is lost and created
// again, an open store stays unavailable: open it again.
package redisstore
