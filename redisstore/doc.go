// Package redisstore is an [installation.Store] on Redis: one server, Sentinel, or a cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
//	defer client.Close()
//	store, err := redisstore.Open(ctx, client, nil)
//
// Each commit is one script on one server. The script writes a record, its index members, its
// claims, the outcome of the request and the events of the change together or not at all. Get is
// one GET; if it finds nothing, a second round trip confirms that. Any number of processes can
// share a store's data.
//
// # Buckets
//
// All data of a store is in one namespace: [Options.Namespace]. A namespace is split into buckets.
// The hash of a tenant's name selects the tenant's bucket, and a cluster spreads the buckets over
// its primaries. The number of buckets is fixed when the namespace is created: 16 on a cluster,
// else 1; see [Options.Buckets].
//
// A bucket has one string for each record and three fixed keys, which exist from Open on:
//
//   - the index, a sorted set. Its members are the entries of all lists, the claims, the times when
//     outcomes expire, and the meta. The meta is a text that identifies the namespace: it has the
//     random ID, the number of buckets, the epoch and the era. A bucket without its meta has lost
//     its data.
//   - the events, a stream.
//   - the fields, a hash with the outcomes and with the ID of each tenant's last event.
//
// All data of a tenant is in one bucket, so claims and idempotency keys are exact and lists need no
// merging. Lists and events across tenants read the buckets one after the other.
//
// The limit is a tenant that outgrows a server: a tenant cannot be split. Lists do not slow down as
// a tenant grows, except for Query.Skip, whose time grows with the number of skipped records.
//
// # Guarantees
//
// A nil error from Commit means that the whole change was applied and that every later read sees
// it. Which failures the change survives depends on the servers:
//
//   - With the append-only file on, a commit survives a crash of the server process. With
//     appendfsync always it also survives a crash of the machine. Without the file, a crash loses
//     everything since the last snapshot.
//   - Replication is asynchronous, so a failover to a replica can lose the newest commits. Their
//     op tokens ([installation.Change].Op) and outcomes are then lost too. Without these, a
//     repeated request is not recognized and runs again.
//   - With [Options.RequireReplicas], a nil error also means that this many replicas have the
//     change. If fewer replicas confirm the change in time, the error is
//     [installation.ErrNotReplicated]: the change was applied and is visible, but is not
//     confirmed. Redis does not vote: a failover to a replica without the change loses it.
//     Require all replicas to rule that out.
//
// Other errors of Commit tell three cases apart:
//
//   - [installation.ErrUnavailable]: nothing was written.
//   - [installation.ErrUnknownOutcome]: the change was sent, the answer was lost, and no retry
//     could settle whether the change was applied. An error text that no Redis server is known to
//     send counts as a lost answer, because a proxy may have sent it after the server had applied
//     the change.
//   - A rejection, such as a conflict: no try of the same commit was applied.
//
// Callers can retry in all three cases: in the last two with an idempotency key, or after reading
// the record.
//
// A change whose Record is nil keeps the revision, so only its op token shows that it was applied.
// If its answer is lost and the record may have forgotten the token, the error is
// [installation.ErrUnknownOutcome].
//
// The store reports "not found" only while the bucket has its meta. Scripts check the meta, and
// readers check it when they find nothing. After a FLUSHALL or the loss of a server's data, an open
// store is unavailable, not empty. Open rejects a namespace that has lost some of its buckets. A
// namespace of which nothing is left looks like a new one, unless [Options.Expect] names it.
//
// A server that has become a replica while the client still uses it does not cause "not found" or a
// conflict either: the store waits until the client finds the primary. A record that such a server
// still has can be old.
//
// Damaged data is not "not found" either. If a record cannot be read, Get and Commit return
// [installation.ErrUnavailable], and a list contains the record with its Key only.
//
// [Store.Verify] checks all that is stored and names each problem: damaged records, outcomes and
// events; events that were lost; keys that are missing, unknown or set to expire; and index members
// that disagree with the records. It can repair the index and the fixed keys, also while other
// processes commit. If a bucket has lost its fields, the outcomes are lost, and Verify restores the
// IDs of the last events from the stream.
//
// # Backups and restores
//
// A restored backup has an older state. The service could then give out a revision a second time,
// for other content. So the store stops when it notices a restore, and an operator accepts the
// restore; see [installation.Namespacer].
//
// A process remembers events that it has seen. An event is settled once the process has looked for
// it again and found it, at least [Options.FailoverLoss] after it first saw the event. If a settled
// event is gone, or if the epoch went back, the data went back to an older state. Once a process
// has noticed that, every call returns an error that matches [installation.ErrRestored] and
// [installation.ErrUnavailable]. Only Health, Verify and AcceptRestore go on. A commit looks for
// the epoch and the settled event of its bucket before it writes. All calls also compare all
// buckets with what the process remembers: after a new connection, after a try that got no answer,
// and once per [Options.CheckInterval] or FailoverLoss, whichever is shorter. A process does not
// notice:
//
//   - A restore while it did not run. [Open] fails if [Options.Expect] names another ID or a later
//     epoch. A backup with that ID and epoch opens like any other data.
//   - A restore that removed no settled event and no epoch. Some changes have no event, such as
//     those of [installation.Service.Rewrap].
//   - A restore after which others wrote more than MaxEvents events. The settled event then counts
//     as trimmed.
//   - A failover that loses less than FailoverLoss. The process goes on, and Health returns the
//     warning "history".
//
// An event that [Options.MaxEvents] has trimmed does not count as gone. An event that someone has
// deleted by hand counts as gone. A failover can lose the epoch of an acceptance: processes that
// have seen it then stop, and the restore has to be accepted again.
//
// To restore a backup:
//
//  1. Stop all processes. If some have to run on, start no new ones: a new process does not notice
//     the restore, and writes.
//  2. Restore the servers, and check that this is the data to keep. Nothing undoes step 3.
//  3. Open a store with Expect.ID. Leave out Expect.MinEpoch: with it, Open rejects a backup that
//     is older than the last accepted restore. Call [installation.Service.AcceptRestore], even if
//     no process has noticed the restore. After an error, call it again. Processes that ran on then
//     answer again.
//  4. Set Expect.MinEpoch of every process to the epoch that AcceptRestore returned. Open then
//     rejects the data of every earlier epoch.
//  5. Call [installation.Service.VoidInvitations], and [installation.Service.Resend] for each
//     invitation that it lists. The old codes do not work any more.
//
// All cursors of events are then [installation.ErrTrimmed], so their readers begin again. Requests
// with an idempotency key that was first used after the backup run again. A refresh token in the
// backup may be spent; the provider then rejects it.
//
// Set Expect.ID everywhere once the namespace exists. [Store.Namespace] returns the ID.
//
// # Retries and deadlines
//
// go-redis resends a command whose reply was lost. A write that runs twice would report a false
// conflict. So this package turns these retries off for its scripts and retries itself: the op
// token of the change makes that safe. It retries until the deadline of the context or, without a
// deadline, for [Options.RetryFor]. A failover usually takes ten seconds; allow for that. On
// connection errors the store makes a cluster client look for the new primary at once. By itself
// the client looks once a minute.
//
// If the deadline ends the first attempts of go-redis to connect, go-redis does not tell why they
// failed. The error of the store then says only that the time was up. If no server has ever
// answered the store, it adds that TLS may be the cause. With a later deadline the error names the
// cause, such as a certificate that is not trusted.
//
// A go-redis client applies the context's deadline to replies only if its option
// ContextTimeoutEnabled is set. Otherwise a call can overrun its context by the client's
// ReadTimeout.
//
// # Servers
//
// The server has to be Redis 7.0 or later, or a compatible server such as Valkey. The tests run on
// Redis 7.0.15. The conformance suite and the tests of slots that move also run on Redis 8.0.2 and
// on Valkey 7.2.14, 8.1.1 and 9.1.2, on one server and on a cluster. Open rejects servers that
// report a version before 7, and servers that have renamed a command; the error names the version
// or the command. Configure:
//
//   - maxmemory-policy noeviction. Open rejects an allkeys policy with a memory limit, because
//     records then vanish without an error. Without a limit, Health reports a warning. A volatile
//     policy can evict tombstones too early.
//   - appendonly yes, unless losing the newest changes is acceptable.
//   - Replicas for data that has to survive a machine, and min-replicas-to-write to limit what an
//     isolated primary accepts.
//
// Reads go to primaries only. Open rejects a cluster client that reads from replicas, a client that
// caches, and a server that reports itself as a replica.
//
// All keys of a bucket are in one slot of a cluster. While this slot is being moved to another
// server, a commit works if the fixed keys of the bucket and the record that it changes are on the
// same server. A new record counts as one on the server that receives the slot. The store retries
// other commits; if the time runs out, the error names the slot. Valkey 8.1 has lost index members
// when a slot moved on a few milliseconds after it had arrived: leave two seconds between moves of
// a slot.
//
// A managed service has to allow EVAL, EVALSHA and SCRIPT LOAD, or Open fails. Scripts declare all
// their keys, and all keys of a script are in one slot. Where INFO is forbidden, Health reports
// "unknown"; without WAIT, RequireReplicas cannot be used. Services often set volatile-lru: change
// it.
//
// A user needs these rights, here for the namespace "installation":
//
//	~{installation:*
//	+eval +evalsha +script|load +get +set +hget +hmget +hset +hdel +hlen +hscan +wait
//	+zadd +zrem +zrange +zcard +zlexcount +zscore +zmscore +zscan +xadd +xlen +xrange
//	+xrevrange +pttl +persist
//	+hello +info +scan +command +cluster|slots +cluster|nodes +asking
//
// If the user loses a right later, commits that need it fail and write nothing: their script checks
// the rights of its writes before the first write. That takes about 3 % of the time of a script.
//
// One more right is optional:
//
//	+config|get
//
// With it, Open reads proto-max-bulk-len and client-query-buffer-limit, and Commit rejects a change
// whose record, outcome or event is too long for them as [installation.ErrInvalid]. The server
// would close the connection, so without this right such a change ends as
// [installation.ErrUnknownOutcome]. Commit always rejects a record, outcome or event of more than
// 64 MiB. These rights are optional too: +info (without it, Health reports "unknown", and Scan does
// not notice a server that was restarted or replaced), +pttl (without it, Health reports "unknown",
// and Verify fails), +wait (for RequireReplicas), +scan (for Scan and Verify, and for an Open that
// creates the namespace), +cluster|nodes (for Scan on a cluster), and without a cluster +command,
// +cluster|slots and +asking.
//
// # Size
//
// On Redis 7.0.15, a record with a body of 2 KiB that remembers eight op tokens takes 2,664 bytes
// of server memory. An index member takes 141 to 190 bytes. An installed record with a connection
// has ten members, which is 1,710 bytes. A tombstone takes 360 bytes. The ID of a tenant's last
// event stays for good, even if the tenant has no records left.
//
// # Stored format
//
// Later releases read the records of earlier ones. The meta of each bucket names the layout of keys
// and members. Open rejects a newer layout with an error that names the layout. If a namespace is
// lost and created again, an open store stays unavailable: open it again.
package redisstore
