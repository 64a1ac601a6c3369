package main

const callCommit = `	err = s.write(ctx, func(tx *sql.Tx) error {
		receipt, err = commit(ctx, tx, c)
		return err
	})
`

const commitHead = `	ctx context.Context, tx *sql.Tx, c installation.Change,
) (none installation.Receipt, err error) {
`

const readRow = `	row, err := recordAt(ctx, tx, c.Key)
	if err != nil {
		return none, err
	}
	if receipt`

const checkReplay = `	if receipt, ok := row.Replay(c); ok {
		return receipt, nil
	}
`

const checkEpoch = `	if c.Epoch != in.Epoch {
		return none, fmt.Errorf("%w: it is %d", installation.ErrEpoch, in.Epoch)
	}
`

const checkUsed = `	if c.Idempotency != nil {
		used, err := outcomeAt(ctx, tx, c.Key.Tenant, c.Idempotency.Digest)
		if err != nil {
			return none, err
		}
		if used.Outcome != nil && c.Now.Before(used.Outcome.Until) {
			return installation.Receipt{Outcome: used.Outcome}, nil
		}
	}
`

const checkRow = `	if err := row.Check(c); err != nil {
		return none, err
	}
`

const checkTaken = `	if err := checkClaims(ctx, tx, c.Key, c.Record); err != nil {
		return none, err
	}
`

const rollBack = `	if err := f(tx); err != nil {
		return err
	}
`

// commitMutants break the transaction and the order of the checks.
var commitMutants = []mutant{
	in("store.go", "transaction", "begins deferred", "_txlock=immediate", "_txlock=deferred"),
	{kind: "transaction", name: "events in a second transaction", edits: []edit{
		{"commit.go", callCommit, callCommit +
			`	if err == nil && !receipt.Replayed && receipt.Outcome == nil {
		err = s.write(ctx, func(tx *sql.Tx) error { return appendEvents(ctx, tx, c) })
	}
`},
		{"commit.go", "appendEvents(ctx, tx, c)\n}\n\n// checkClaims", "nil\n}\n\n// checkClaims"},
	}},
	{kind: "transaction", name: "outcome in a second transaction", edits: []edit{
		{"commit.go", callCommit, callCommit +
			`	if err == nil && !receipt.Replayed && receipt.Outcome == nil && ` +
			`c.Idempotency != nil {
		err = s.write(ctx, func(tx *sql.Tx) error {
			return putOutcome(ctx, tx, installation.Row{Outcome: c.Idempotency, Tenant: ` +
			`c.Key.Tenant})
		})
	}
`},
		{"commit.go", "err := putOutcome(ctx, tx, kept); err != nil",
			"err != nil || kept.Outcome == nil"},
	}},
	{kind: "transaction", name: "the record is read before it", edits: []edit{
		{"commit.go", callCommit, `	row, err := recordAt(ctx, s.db, c.Key)
	if err != nil {
		return receipt, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		receipt, err = commit(ctx, tx, c, row)
		return err
	})
`},
		{"commit.go", commitHead,
			`	ctx context.Context, tx *sql.Tx, c installation.Change, row installation.Row,
) (none installation.Receipt, err error) {
`},
		{"commit.go", readRow, "	if receipt"},
	}},
	{kind: "transaction", name: "the outcome is read before it", edits: []edit{
		{"commit.go", callCommit, `	var used installation.Row
	if c.Idempotency != nil {
		if used, err = outcomeAt(ctx, s.db, c.Key.Tenant, c.Idempotency.Digest); err != nil {
			return receipt, err
		}
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		receipt, err = commit(ctx, tx, c, used)
		return err
	})
`},
		{"commit.go", commitHead,
			`	ctx context.Context, tx *sql.Tx, c installation.Change, used installation.Row,
) (none installation.Receipt, err error) {
`},
		{"commit.go", `		used, err := outcomeAt(ctx, tx, c.Key.Tenant, c.Idempotency.Digest)
		if err != nil {
			return none, err
		}
`, ""},
	}},
	{kind: "transaction", name: "claims are checked before it", edits: []edit{
		{"commit.go", callCommit, `	err = s.write(ctx, func(tx *sql.Tx) error {
		return checkClaims(ctx, tx, c.Key, c.Record)
	})
	taken := err
	err = s.write(ctx, func(tx *sql.Tx) error {
		receipt, err = commit(ctx, tx, c, taken)
		return err
	})
`},
		{"commit.go", commitHead,
			`	ctx context.Context, tx *sql.Tx, c installation.Change, taken error,
) (none installation.Receipt, err error) {
`},
		{"commit.go", checkTaken, "	if taken != nil {\n		return none, taken\n	}\n"},
		{"commit.go", `"INSERT INTO claims VALUES`, `"INSERT OR REPLACE INTO claims VALUES`},
	}},
	{kind: "transaction", name: "a rejected change is kept", edits: []edit{
		{"store.go", rollBack, `	if err := f(tx); err != nil {
		_ = tx.Commit()
		return err
	}
`},
		{"commit.go", checkTaken, ""},
		{"commit.go", "	if c.Idempotency != nil {\n		kept", checkTaken +
			"	if c.Idempotency != nil {\n		kept"},
		{"commit.go", `"INSERT INTO claims VALUES`, `"INSERT OR IGNORE INTO claims VALUES`},
	}},
	{kind: "transaction", name: "the outcome of a conflict is kept", edits: []edit{
		{"store.go", rollBack, `	if err := f(tx); err != nil {
		_ = tx.Commit()
		return err
	}
`},
		{"commit.go", checkRow, `	if c.Idempotency != nil {
		_ = putOutcome(ctx, tx, installation.Row{Outcome: c.Idempotency, Tenant: c.Key.Tenant})
	}
` + checkRow},
	}},
	{kind: "transaction", name: "AcceptRestore reads before it", edits: []edit{
		{"store.go", "	err = s.write(ctx, func(tx *sql.Tx) error {\n" +
			"		if in, err = namespace(ctx, tx); err != nil {\n			return err\n" +
			"		}\n",
			"	if in, err = s.Namespace(ctx); err != nil {\n		return in, err\n	}\n" +
				"	err = s.write(ctx, func(tx *sql.Tx) error {\n"},
	}},

	{kind: "order of checks", name: "epoch before replay", edits: []edit{
		{"commit.go", checkReplay, ""}, {"commit.go", checkEpoch, checkEpoch + checkReplay},
	}},
	{kind: "order of checks", name: "outcome before replay", edits: []edit{
		{"commit.go", checkReplay, ""}, {"commit.go", checkUsed, checkUsed + checkReplay},
	}},
	{kind: "order of checks", name: "outcome before epoch", edits: []edit{
		{"commit.go", checkEpoch, ""}, {"commit.go", checkUsed, checkUsed + checkEpoch},
	}},
	{kind: "order of checks", name: "revision before epoch", edits: []edit{
		{"commit.go", checkRow, ""}, {"commit.go", checkEpoch, checkRow + checkEpoch},
	}},
	{kind: "order of checks", name: "revision before outcome", edits: []edit{
		{"commit.go", checkRow, ""}, {"commit.go", checkUsed, checkRow + checkUsed},
	}},
	{kind: "order of checks", name: "revision before replay", edits: []edit{
		{"commit.go", checkRow, ""}, {"commit.go", checkReplay, checkRow + checkReplay},
	}},
	{kind: "order of checks", name: "claims before revision", edits: []edit{
		{"commit.go", checkTaken, ""}, {"commit.go", checkRow, checkTaken + checkRow},
	}},
	{kind: "order of checks", name: "claims before outcome", edits: []edit{
		{"commit.go", checkTaken, ""}, {"commit.go", checkUsed, checkTaken + checkUsed},
	}},
	{kind: "order of checks", name: "claims before epoch", edits: []edit{
		{"commit.go", checkTaken, ""}, {"commit.go", checkEpoch, checkTaken + checkEpoch},
	}},
}
