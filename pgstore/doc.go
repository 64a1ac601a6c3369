// Package pgstore is an [installation.Store] on PostgreSQL 15 and later, for hosts that keep
// everything there. [Migrate] makes the tables, and [Open] returns a store that uses the pool of
// the host. The host closes the pool.
//
// # Promises
//
// A commit is one call of a function of the server, and one transaction. A nil error means that the
// commit is atomic and visible on the primary. With the settings of PostgreSQL (fsync and
// synchronous_commit on) it is on disk. A failover to a standby that replicates asynchronously may
// lose the newest commits, outcomes and events.
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
//
// Every user may execute new functions, unless an administrator has changed that. Open names the
// rights that are missing. Run the statements again after a release that raises [Version].
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
// Each commit compares the ID and the epoch of the namespace with those that this process has seen.
// If the epoch is lower or the ID is another, the data went back to an older state. Writes then
// fail with [installation.ErrRestored] until [installation.Service.AcceptRestore]. Reads do not
// notice, and neither does a process that started after the restore. A restore to a time after the
// last accepted one shows nothing at all. So after each restore call AcceptRestore, and set
// Options.Expect.
//
// AcceptRestore waits for open transactions that have committed changes, and holds up new commits
// for up to a tenth of a second at a time. A transaction that stays open blocks AcceptRestore and
// nothing else.
//
// # Room
//
// PostgreSQL keeps old row versions until VACUUM removes them; leave autovacuum on. A commit
// forgets up to 16 expired outcomes and 16 expired tombstones, and [Store.Trim] forgets the rest.
package pgstore
