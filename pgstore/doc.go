// Package pgstore is an [installation.Store] on PostgreSQL 15 and later, for hosts that keep
// everything there. [Migrate] makes the tables, and [Open] returns a store that uses the pool of
// the host. The host closes the pool.
//
// # Guarantees
//
// A commit is one call of a function of the server, and one transaction. A nil error means that the
// commit is atomic and visible on the primary. With the defaults of PostgreSQL (fsync and
// synchronous_commit are on), it is also on disk. A failover to a standby that replicates
// asynchronously may lose the newest commits, outcomes and events.
//
// Get is one SELECT by key. A page of a list is one statement. Its cost does not depend on how far
// the page is from the start, unless Query.Skip is set.
//
// # Rights
//
// Migrate needs a user that may create the schema, or that owns it. Open needs less. For the schema
// "installation" and a user "app" these are all rights:
//
//	GRANT USAGE ON SCHEMA installation TO app;
//	GRANT SELECT, UPDATE ON installation.meta, installation.log TO app;
//	GRANT SELECT, INSERT, DELETE ON installation.lists, installation.claims TO app;
//	GRANT SELECT, INSERT, UPDATE ON installation.trims TO app;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON installation.records TO app;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON installation.outcomes TO app;
//	GRANT SELECT, INSERT, DELETE ON installation.fresh, installation.events TO app;
//	GRANT SELECT ON SEQUENCE installation.fresh_serial_seq TO app;
//
// By default every user may execute new functions. If an administrator has changed that, grant
// EXECUTE ON ALL FUNCTIONS IN SCHEMA installation too. Open names the rights that are missing. Run
// the statements again after a release that raises [Version].
//
// # PgBouncer
//
// The store sets nothing in a session, so it works in transaction mode. Set [Options].ExecMode to
// [pgx.QueryExecModeExec] there: PgBouncer before 1.21 does not know prepared statements.
//
// # Isolation
//
// Commits need the isolation level READ COMMITTED, which is the default of PostgreSQL. If
// default_transaction_isolation is another one, every commit fails and says so. A commit waits for
// other transactions that have written the same record, claim or idempotency key and are still
// open.
//
// # Events
//
// [Store.Events] is the one read that writes: it gives new events their place in the log. It needs
// the primary; a standby that serves only reads cannot do it, and Open rejects a standby. Events of
// a transaction that is still open get a later place. So no event appears behind a cursor, and a
// long transaction delays only its own events. Every 256 events a commit trims the log to
// Options.MaxEvents. There is no LISTEN and NOTIFY, because a NOTIFY locks the whole database at
// commit: poll.
//
// # Restores
//
// If the data went back to an older state, every call that reads or writes data fails with
// [installation.ErrRestored] until an operator accepts the restore; see [installation.Namespacer].
// A process notices it by an older epoch, another ID, or a log of events that ends before an event
// that the process has seen. Each commit checks this before it writes. Other calls check it once
// per [Options].FailoverLoss, and after a failed try. A read on a new connection checks it before
// it returns its answer. A process does not notice:
//
//   - A restore while it did not run. [Open] fails if Options.Expect names another ID or a later
//     epoch.
//   - A restore that lost only events of the last FailoverLoss, or fewer than 33 events: the
//     counter of the server can be up to 32 ahead after a crash.
//   - A restore after which others wrote more events than were lost.
//
// To restore a backup:
//
//  1. Stop all processes, and restore the database. Nothing undoes step 2.
//  2. Open a store with Expect.ID and without Expect.MinEpoch. Call
//     [installation.Service.AcceptRestore], even if no process has noticed the restore.
//  3. Set Expect.MinEpoch of every process to the epoch that it returned.
//  4. Call [installation.Service.VoidInvitations], and [installation.Service.Resend] for each
//     invitation that it lists.
//
// AcceptRestore waits for every open transaction in which the store has written. Meanwhile it
// delays new commits by up to a tenth of a second at a time. A transaction that stays open blocks
// AcceptRestore and nothing else.
//
// # In the host's transaction
//
// [Store.InTx] returns the store in a transaction of pgx, and [Store.InSQLTx] in one of
// database/sql with the driver of pgx. With [installation.Service.On], rows of the host and
// installations commit together or not at all. The store then differs in these ways:
//
//   - Isolation. The transaction must be READ COMMITTED. Every method refuses any other level and
//     names it: under REPEATABLE READ and SERIALIZABLE reads return old rows.
//   - Refusals. Each commit runs in a savepoint. If it fails, because of a conflict, a taken claim
//     or an error of the server, it leaves no lock, and the transaction goes on. Reads have no
//     savepoint: after an error of the server in a read, roll the transaction back.
//   - Retries. Each commit is tried once. The service still reads and commits again after a
//     conflict. No error is [installation.ErrUnknownOutcome]: if the connection is lost, the server
//     rolls back. If the answer to the COMMIT of the host is lost, only the host can find out. It
//     can run the whole transaction again if its own rows allow that and its requests have
//     idempotency keys.
//   - Deadlocks. Transactions that write several installations can wait for each other. The server
//     then fails one of them; run all of it again. Writing in the order of the IDs avoids that.
//   - Contexts. pgx closes the connection if a context ends during a call. That ends the
//     transaction of the host. Without a deadline a commit waits as long as lock_timeout and
//     statement_timeout of the server allow; Options.RetryFor has no effect.
//   - Locks. Until the host ends the transaction, AcceptRestore waits, and so does everyone who
//     writes the same records, claims or idempotency keys. Nobody else waits, and reads never do.
//     While the transaction is open, call only the service from On: a write without On can wait for
//     the transaction, and the server does not notice that.
//   - Events. They get their place in the log after the host has committed, so a follower gets them
//     later than those of shorter transactions, and misses none.
//   - Codes. An invitation code is void until the host commits. Send it afterwards.
//   - Caches. The service neither uses nor fills a cache of keys there.
//   - Room. A commit forgets nothing and trims no log. [installation.Service.Sweep] does it, and so
//     do commits outside of such transactions.
//   - Refused methods. The service refuses Open, Reveal, Sweep, Events, Rewrap, AcceptRestore,
//     Check, CanRetire, VoidInvitations and lists of all tenants; see [installation.Service.On]. A
//     [Tx] has no Events, Health, Scan, Put and Trim, and its AcceptRestore is unsupported.
//
// More than 64 commits in one transaction slow the server down, because each uses a
// subtransaction. Through PgBouncer set Options.ExecMode here too.
//
// # Room
//
// PostgreSQL keeps old row versions until VACUUM removes them; leave autovacuum on. One of eight
// commits, at random, forgets up to 16 expired outcomes and 16 expired tombstones. [Store.Trim]
// forgets the rest.
package pgstore
