// Package boltstore is an [installation.Store] in one file, for one process. It is based on bbolt
// and needs no server.
//
//	store, err := boltstore.Open("installations.db", nil)
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//
// Use it for a host that runs as one process and keeps its data on a local disk. For several
// processes, use another store. The package is for Linux, macOS and the BSDs. Tests run on Linux.
//
// # Guarantees
//
// A nil error from Commit means that the whole change is in the file and that every later read sees
// it. The file was synced, so the change survives the end of the process and a loss of power, if
// the disk keeps what it has confirmed. With [Options.NoSync], a crash of the machine can lose it.
//
// If a commit fails, the store opens the file again and looks whether the commit was written. So
// the other errors of Commit tell three cases apart:
//
//   - [installation.ErrUnavailable]: nothing was written, for example because the disk is full. The
//     store goes on as soon as there is room.
//   - [installation.ErrUnknownOutcome]: the commit failed, and the file cannot be opened again.
//     Each later call tries to open it.
//   - A rejection, such as a conflict.
//
// After a sync that failed, the cache of the operating system can have a state that the disk does
// not have. So Open writes the newest state again before it returns.
//
// Commits run one after another, and each waits for the disk. Reads run beside commits, with one
// exception: a commit that has to make the file larger waits for the reads that run, and new reads
// wait for that commit. That takes long only while [Store.Copy] or [Store.Verify] runs.
//
// # One process
//
// Open locks the file. If another process, or another Store of this process, has the file open,
// Open fails at once and says so. Locks are unreliable on network file systems: use a local disk.
//
// Open creates a file that does not exist. The new file is complete as soon as it has its name, and
// only its owner can read it. A crash can leave a file with the suffix ".new" in the folder, which
// can be removed. Open never begins a new namespace in an existing file: it refuses an empty file,
// a file of another program, and a file of a later release.
//
// Leave the file in its place while it is open. If it is moved, removed or replaced, each commit
// fails with [installation.ErrUnavailable], and so does [Store.Health]. Reads and [Store.Copy]
// still use the file that was opened. Put that file back, and commits work again.
//
// Set [Options.Expect] wherever the file exists already. Open then creates no file.
//
// # Damage
//
// A damaged file never reads as if records were missing, as far as this can be noticed:
//
//   - Each value has a checksum that covers its key.
//   - This package reads and checks the pages itself before it answers that something is missing,
//     and for lists. bbolt does not check what it finds in a page.
//   - A panic of bbolt, or a memory fault on a page that cannot be read, is an error that matches
//     [installation.ErrUnavailable] and names the file. Other records can still be read, and a list
//     contains a damaged record with its Key only.
//   - Open refuses a file that was cut, or that has a damaged list of free pages or a damaged meta
//     page. A file has two meta pages. bbolt would go on with one of them, and could lose the
//     newest commit without an error.
//
// [Store.Verify] and [VerifyFile] check everything and change nothing. Run VerifyFile after
// trouble with the disk: a damaged list of free pages can name a page that is in use, and the next
// commit would overwrite that page. If there is a problem, restore a copy. [Store.Scan] returns
// what can still be read, up to the first damage.
//
// The store does not notice a page, or a whole file, that was replaced by an older version of
// itself. It does not notice a change by someone who also computes the checksums either. If someone
// truncates an open file to zero bytes, or overwrites its meta pages, while calls run, some of
// these calls may never return. [Store.Close] then does not return either.
//
// # Copies and restores
//
// [Store.Copy] writes a copy while the store is in use. Do not copy the file with other tools while
// a process has it open. A copy of a file has the same namespace.
//
// A restored copy has an older state. The service could then give out a revision a second time, for
// other content. The store cannot notice that, because no process ran during the restore.
// So an operator has to accept each restore; see [installation.Namespacer]. To restore a copy:
//
//  1. Stop the process.
//  2. Run [VerifyFile] on the copy, and put it in place of the file. Nothing undoes step 3.
//  3. Open it with Expect.ID and without Expect.MinEpoch. Call
//     [installation.Service.AcceptRestore]. After an error, call it again.
//  4. Set Expect.MinEpoch to the epoch that AcceptRestore returned. Open then refuses copies from
//     before.
//  5. Call [installation.Service.VoidInvitations], and [installation.Service.Resend] for each
//     invitation that it lists. The old codes do not work any more.
//
// All cursors of events are then [installation.ErrTrimmed], so their readers begin again. Requests
// with an idempotency key that was first used after the copy run again. A refresh token in the copy
// may be spent; the provider then rejects it.
//
// # Limits
//
// The tenant of a key has at most [installation.MaxTenant] bytes. Commit rejects longer ones,
// keys that bbolt cannot store, and rows of more than 8 MiB, with [installation.ErrInvalid]. bbolt
// never makes the file smaller: it uses free pages again. To get a smaller file, write all rows of
// Scan into a new store with Put.
//
// A commit forgets up to 16 tombstones and 16 outcomes that have expired at Change.Now.
// [installation.Service.Sweep] forgets the others. Across tenants, records are in the order
// (Created, Tenant, ID), due records in the order (Deadline, Tenant, ID), and events in the order
// of their commits.
//
// # Stored format
//
// Later releases read the files of earlier ones. The file has these buckets. Keys are tuples, whose
// strings end with NUL and whose numbers are big-endian. Each value begins with its CRC-32C.
//
//	meta      "meta"                       JSON: layout, ID, epoch, era
//	records   tenant, ID                   the row of a record or tombstone
//	lists     t, tenant, term, created, ID empty; also g for global terms, d and a for deadlines,
//	                                       x for tombstones
//	claims    tenant, claim                ID of the holder
//	outcomes  tenant, digest               the row of an outcome
//	expiry    until, tenant, digest        empty
//	events    number                       an event
//	logs      tenant, number               empty; number 0 has the last trimmed event
//
// The first and the last key of each bucket are fixed, so that every other key has neighbours.
package boltstore
