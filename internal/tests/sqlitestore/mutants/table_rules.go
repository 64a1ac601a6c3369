package main

const apply = "	row = row.Apply(c)\n"

const returnReplay = "		return receipt, nil\n"

// ruleMutants break expiry, tombstones, the memory of changes, receipts and outcomes.
var ruleMutants = []mutant{
	in("commit.go", "expiry", "an outcome answers at Until", "c.Now.Before(used.Outcome.Until)",
		"!c.Now.After(used.Outcome.Until)"),
	in("commit.go", "expiry", "an outcome answers for ever",
		" && c.Now.Before(used.Outcome.Until) {", " {"),
	in("commit.go", "expiry", "an outcome answers up to the second",
		"c.Now.Before(used.Outcome.Until)", "c.Now.Unix() < used.Outcome.Until.Unix()"),
	in("commit.go", "expiry", "outcomes are forgotten a minute early",
		`"DELETE FROM outcomes WHERE until <= ?"`,
		`"DELETE FROM outcomes WHERE until <= ? + 60000000"`),
	in("commit.go", "expiry", "outcomes are forgotten after half an hour",
		`"DELETE FROM outcomes WHERE until <= ?"`,
		`"DELETE FROM outcomes WHERE until <= ? + 1800000000"`),
	same("commit.go", "expiry", "outcomes are forgotten after Until, not at it",
		"outcomes WHERE until <= ?", "outcomes WHERE until < ?",
		"an expired outcome may be kept"),
	same("commit.go", "expiry", "outcomes are never forgotten", "outcomes WHERE until <= ?",
		"outcomes WHERE until <= ? / 1000000", "an expired outcome may be kept"),
	in("commit.go", "expiry", "tombstones are forgotten a minute early",
		"deleted = 1 AND deadline <= ?", "deleted = 1 AND deadline <= ? + 60000000"),
	in("commit.go", "expiry", "tombstones without a deadline are forgotten",
		"deleted = 1 AND deadline <= ?", "deleted = 1 AND coalesce(deadline, 0) <= ?"),
	in("commit.go", "expiry", "due records are forgotten like tombstones",
		"deleted = 1 AND deadline <= ?", "deadline <= ?"),
	same("commit.go", "expiry", "tombstones are never forgotten",
		"deleted = 1 AND deadline <= ?", "deleted = 2 AND deadline <= ?",
		"a tombstone may be kept"),

	in("commit.go", "tombstones", "the row is deleted",
		"	r := row.Record\n", `	r := row.Record
	if r.Deleted {
		return exec(ctx, tx, "DELETE FROM records WHERE tenant = ? AND id = ?",
			[]byte(r.Key.Tenant), []byte(r.Key.ID))
	}
`),
	in("commit.go", "tombstones", "Get hides them", "err == nil && row.Record == nil",
		"err == nil && (row.Record == nil || row.Record.Deleted)"),
	in("commit.go", "tombstones", "they count as nothing stored", checkRow,
		"	if row.Record != nil && row.Record.Deleted {\n		row.Record = nil\n	}\n"+
			checkRow),
	in("commit.go", "tombstones", "they keep their terms",
		`"DELETE FROM terms WHERE tenant = ? AND id = ?",
		tenant, id)`, `"DELETE FROM terms WHERE tenant = ? AND id = ? AND NOT ?",
		tenant, id, r.Deleted)`),
	in("commit.go", "tombstones", "they keep their claims",
		`"DELETE FROM claims WHERE tenant = ? AND id = ?",
		tenant, id)`, `"DELETE FROM claims WHERE tenant = ? AND id = ? AND NOT ?",
		tenant, id, r.Deleted)`),
	in("read.go", "tombstones", "they are due", "deleted = 0 AND deadline", "deadline"),
	in("commit.go", "tombstones", "they lose the deadline", apply, apply+
		`	if c.Record != nil && c.Record.Deleted {
		r := *c.Record
		r.Deadline = time.Time{}
		row.Record = &r
	}
`),
	in("commit.go", "tombstones", "they lose the generation", apply, apply+
		`	if c.Record != nil && c.Record.Deleted {
		r := *c.Record
		r.Generation = 0
		row.Record = &r
	}
`),
	in("commit.go", "tombstones", "they cannot be written over", checkRow, checkRow+
		`	if row.Record != nil && row.Record.Deleted {
		return none, &installation.ConflictError{Key: c.Key, Revision: row.Record.Revision}
	}
`),

	in("commit.go", "op memory", "seven are remembered", apply,
		apply+"	row.Ops = row.Ops[max(0, len(row.Ops)-7):]\n"),
	in("commit.go", "op memory", "nine are remembered", apply,
		"	old := row.Ops\n"+apply+`	if len(old) == installation.RememberedOps {
		row.Ops = append(old[:1:1], row.Ops...)
	}
`),
	in("commit.go", "op memory", "one is remembered", apply,
		apply+"	row.Ops = row.Ops[len(row.Ops)-1:]\n"),
	in("commit.go", "op memory", "the newest is dropped", apply, "	old := row.Ops\n"+apply+
		"	if len(old) == installation.RememberedOps {\n		row.Ops = old\n	}\n"),
	in("commit.go", "op memory", "a change without a record is not remembered", apply,
		"	old := row.Ops\n"+apply+"	if c.Record == nil {\n		row.Ops = old\n	}\n"),
	in("commit.go", "op memory", "a tombstone forgets", apply, apply+
		"	if row.Record.Deleted {\n		row.Ops = row.Ops[len(row.Ops)-1:]\n	}\n"),
	in("commit.go", "op memory", "a new record forgets its tombstone", apply,
		`	if row.Record != nil && row.Record.Deleted {
		row.Ops = nil
	}
`+apply),
	in("commit.go", "op memory", "every change had a record", apply,
		apply+"	row.Ops[len(row.Ops)-1].WithRecord = true\n"),
	in("commit.go", "op memory", "no change had a record", apply,
		apply+"	row.Ops[len(row.Ops)-1].WithRecord = false\n"),
	in("commit.go", "op memory", "changes led to the revision before", apply,
		apply+"	row.Ops[len(row.Ops)-1].Revision = c.If\n"),
	in("commit.go", "op memory", "tokens are compared by eight bytes", checkReplay,
		`	for _, op := range row.Ops {
		if string(op.Token[:8]) == string(c.Op[:8]) {
			return installation.Receipt{Revision: op.Revision, Replayed: true}, nil
		}
	}
`),

	in("commit.go", "receipts", "a replay is not marked", returnReplay,
		"		receipt.Replayed = false\n"+returnReplay),
	in("commit.go", "receipts", "a replay has the stored revision", returnReplay,
		"		receipt.Revision = row.Record.Revision\n"+returnReplay),
	in("commit.go", "receipts", "an outcome has a revision",
		"installation.Receipt{Outcome: used.Outcome}",
		"installation.Receipt{Outcome: used.Outcome, Revision: c.If}"),
	in("commit.go", "receipts", "an outcome counts as replayed",
		"installation.Receipt{Outcome: used.Outcome}",
		"installation.Receipt{Outcome: used.Outcome, Replayed: true}"),
	in("commit.go", "receipts", "the revision is counted",
		"Receipt{Revision: row.Record.Revision}", "Receipt{Revision: c.If + 1}"),
	in("commit.go", "receipts", "the revision is the old one",
		"Receipt{Revision: row.Record.Revision}", "Receipt{Revision: c.If}"),
	in("commit.go", "receipts", "the given outcome is returned",
		"installation.Receipt{Outcome: used.Outcome}",
		"installation.Receipt{Outcome: c.Idempotency}"),

	{kind: "outcomes", name: "eight bytes of the digest", edits: []edit{
		{"commit.go", "[]byte(tenant), d[:]))", "[]byte(tenant), d[:8]))"},
		{"commit.go", "row.Outcome.Digest[:], row", "row.Outcome.Digest[:8], row"},
	}},
	{kind: "outcomes", name: "31 bytes of the digest", edits: []edit{
		{"commit.go", "[]byte(tenant), d[:]))", "[]byte(tenant), d[:31]))"},
		{"commit.go", "row.Outcome.Digest[:], row", "row.Outcome.Digest[:31], row"},
	}},
	{kind: "outcomes", name: "the digest begins at its second byte", edits: []edit{
		{"commit.go", "[]byte(tenant), d[:]))", "[]byte(tenant), d[1:]))"},
		{"commit.go", "row.Outcome.Digest[:], row", "row.Outcome.Digest[1:], row"},
	}},
	in("commit.go", "outcomes", "the tenant is ignored",
		"WHERE tenant = ? AND digest = ?\"", "WHERE ? IS NOT NULL AND digest = ?\""),
	in("commit.go", "outcomes", "another tenant is empty", "[]byte(row.Tenant), row",
		"[]byte{}, row"),
	same("commit.go", "outcomes", "an expired one is not replaced",
		"INSERT OR REPLACE INTO outcomes", "INSERT OR IGNORE INTO outcomes",
		"expired outcomes were deleted before"),
	in("commit.go", "outcomes", "only a new record has one", "	if c.Idempotency != nil {\n"+
		"		kept",
		"	if c.Idempotency != nil && c.If == 0 {\n		kept"),
	in("commit.go", "outcomes", "a change without a record has none",
		"	if c.Idempotency != nil {\n		kept",
		"	if c.Idempotency != nil && c.Record != nil {\n		kept"),
	in("commit.go", "outcomes", "a used one is extended",
		"			return installation.Receipt{Outcome: used.Outcome}, nil\n",
		`			used.Outcome.Until = c.Idempotency.Until
			return installation.Receipt{Outcome: used.Outcome}, putOutcome(ctx, tx, used)
`),
	in("commit.go", "outcomes", "a used one is overwritten",
		"			return installation.Receipt{Outcome: used.Outcome}, nil\n",
		`			kept := installation.Row{Outcome: c.Idempotency, Tenant: c.Key.Tenant}
			return installation.Receipt{Outcome: used.Outcome}, putOutcome(ctx, tx, kept)
`),
}
