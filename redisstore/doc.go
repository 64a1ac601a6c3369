// Package redisstore is an [installation.Store] on Redis: one server, Sentinel, or a cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
//	defer client.Close()
//	store, err := redisstore.Open(ctx, client, nil)
//
// Each commit is one script on one server, so a record, its place in every list, its claims, the outcome of the request and
// the events of the change are written together or not at all. Any number of processes may share a namespace.
//
// # What is promised
//
// A nil error from Commit means that the change was applied as a whole and that every later read sees it. What it is worth
// when a machine fails is up to the servers:
//
//   - With the append-only file on, it survives a crash of the server process; with appendfsync always, also one of the
//     machine. Without that file, a crash takes all that was written since the last snapshot.
//   - Replication is asynchronous. A failover to a replica may lose the newest commits: records, and with them the op tokens
//     and outcomes by which a repeated request would have been recognised, so that it runs again.
//   - With [Options.RequireReplicas] a nil error says in addition that so many replicas have the change. If they do not in
//     time, the error is [installation.ErrNotReplicated]: applied and visible, but not confirmed. Redis still does not vote:
//     a failover that picks a replica without the change loses it. With as many confirmations as there are replicas, none
//     is without it.
//
// Errors tell three cases apart. [installation.ErrUnavailable]: nothing was written. [installation.ErrUnknownOutcome]: the
// change was sent and its answer lost, and neither was it learned by asking again until the context ended. A refusal, such
// as a conflict, is only reported if no earlier try of the same commit can have been applied, and a change that writes no
// record is repeated only if the record would remember the first time. All three are worth another try by the caller, the last
// two with an idempotency key or after a look at the record.
//
// "Not there" is said only by a bucket that is there: each has a key that marks it, which writers compare and which readers
// look at when they find nothing. After a FLUSHALL, and after the loss of one server's data, the store is unavailable
// and not empty, and Open refuses to go on with the rest. A namespace of which nothing at all is left looks like a new one.
// Nor does a server say it, or that another change was first, that was made a replica under a client which still asks it: the
// store waits for the client to find the primary. A record found there may be an old one.
//
// What somebody else has damaged is not "not there" either. A record that cannot be read is unavailable to Get and to Commit;
// a list has its key, without revision and body, among the others. [Store.Verify] finds it, and puts right an index that does
// not say what the records say.
//
// # Tries and deadlines
//
// go-redis repeats a command whose reply was lost. A write that runs twice is a false conflict, so this package sends its
// scripts with retries off, whatever the options of the client, and repeats them itself: the token of the change makes a
// repetition harmless. It tries until the deadline of the context or, without one, for [Options.RetryFor]. That covers a
// failover if callers allow it the time, some ten seconds as a rule. On connection errors it makes a cluster client look
// for the new master at once, which by itself it does once a minute.
//
// A go-redis client looks at deadlines while it waits for a reply only if its option ContextTimeoutEnabled is set; without
// it a call may overrun its context by the client's ReadTimeout.
//
// # Buckets
//
// A namespace is cut into buckets, and a tenant lives in one of them, chosen by the hash of its name. On a cluster the
// buckets are spread over the masters. Their number is fixed when the namespace is made: 16 on a cluster, else 1; see
// [Options.Buckets]. What is of one tenant is in one place, so claims and idempotency keys are exact and lists need no
// merging. Lists and events across tenants walk the buckets one after the other.
//
// The limit is a tenant that outgrows a server: it cannot be split. Measured on two shared cores, with the programs that
// call it on the same ones, a single bucket took 11,500 new records of 2 KiB a second, and 100,000 of them filled 530 MB;
// a million takes some 5.5 GB. Lists do not slow down as a tenant grows, except for Query.Skip, at some 13 ms for 50,000. To move
// the slot of a bucket holds up its writers until all of its keys have arrived: 13 s for 100,000 records, one key at a time.
//
// # Servers
//
// Redis 6.2 or later, or a server that speaks as it does; tests run on Redis 7.0. A server needs, in its configuration:
//
//   - maxmemory-policy noeviction. Open refuses an allkeys policy with a memory limit, under which records vanish without an
//     error; without a limit it is a warning of the health check. Under a volatile policy outcomes and tombstones may go
//     before their time.
//   - appendonly yes, unless losing the newest changes is no matter.
//   - Replicas for whatever may not be lost with one machine, and min-replicas-to-write to bound what an isolated master
//     accepts.
//
// Reads go to masters alone. Open refuses a cluster client that reads from replicas, a client that caches, and a server that
// says it is a replica.
//
// Managed services must allow EVALSHA and SCRIPT LOAD; one that does not fails at Open. All keys are declared and those of a
// call are in one slot, so services that insist on either are fine. Where INFO or WAIT are forbidden the health check says
// "unknown", and RequireReplicas cannot be used. Services often set volatile-lru: change it.
//
// A user needs these rights, here for the namespace "installation":
//
//	~{installation:*
//	+evalsha +script|load +get +set +del +exists +hget +hmget +hset +pexpire +wait
//	+zadd +zrem +zrange +zcard +zlexcount +zscore +zmscore +zscan +xadd +xlen +xrange +pttl
//	+hello +info +scan +command +cluster|slots +asking
//
// # Size
//
// A record with a sealed body of 2 KiB, eight terms, a claim and one event takes about 5.7 KB of a server's memory: 3.9 KB
// the record, 1.6 KB its members of the index, 0.15 KB the event. A tombstone takes some 200 bytes, and an outcome of 300
// bytes some 500 until its time is up. A tenant takes 100 to 120 bytes more from its first event on, for good: that is where its
// events are told apart from those of others. A million tenants that come and go leave some 115 MB behind.
//
// Get is one HMGET and takes 1.0 to 1.1 times as long as that command alone. A commit that makes or updates such a record
// takes 2.9 times as long as a SET of 2 KiB on an idle loopback connection. (Redis 7.0, on two cores shared with the caller.)
//
// # Stored forms
//
// Records written by a release are read by all later ones. The form of keys and members is named in the mark of each bucket;
// a namespace with a newer form is refused by name. A store that is open stays unavailable when its namespace was lost and made
// anew: open it again.
package redisstore
