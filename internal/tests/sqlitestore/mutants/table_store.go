package main

const (
	raise     = "in.Epoch, in.Era = max(now.UnixMicro(), in.Epoch+1), rand.Text()"
	keepEpoch = `exec(ctx, tx, "UPDATE meta SET epoch = ?, era = ?", in.Epoch, in.Era)`
	getRow    = "	row, err := recordAt(ctx, s.db, key)\n"
	scanRow   = `	case errors.Is(err, sql.ErrNoRows):
		return false, nil
`
	checkList = "	if err := q.Validate(); err != nil {\n		return page, err\n	}\n" +
		"	at, from"
	ended      = "	if ctx.Err() != nil {\n		return ctx.Err()\n	}\n"
	writeEnded = "	if err := ctx.Err(); err != nil {\n		return err\n	}\n	tx, err"
	pageOf     = "	rows, err := s.db.QueryContext(ctx, fmt.Sprintf("
	pageErr    = `	if err := rows.Err(); err != nil {
		return installation.Page{}, unavailable(ctx, err)
	}
`
)

// storeMutants break the namespace, errors, contexts, ownership and concurrency.
var storeMutants = []mutant{
	in("store.go", "namespace", "the epoch can go back", raise,
		"in.Epoch, in.Era = now.UnixMicro(), rand.Text()"),
	in("store.go", "namespace", "the epoch can stay", raise,
		"in.Epoch, in.Era = max(now.UnixMicro(), in.Epoch), rand.Text()"),
	in("store.go", "namespace", "the epoch is counted", raise,
		"in.Epoch, in.Era = in.Epoch+1, rand.Text()"),
	in("store.go", "namespace", "the epoch is in milliseconds", raise,
		"in.Epoch, in.Era = max(now.UnixMilli(), in.Epoch+1), rand.Text()"),
	in("store.go", "namespace", "the clock of the machine decides", raise,
		"in.Epoch, in.Era = max(time.Now().UnixMicro(), in.Epoch+1), rand.Text()"),
	in("store.go", "namespace", "the era stays", raise,
		"in.Epoch = max(now.UnixMicro(), in.Epoch+1)"),
	in("store.go", "namespace", "the era is the epoch", raise,
		"in.Epoch, in.Era = max(now.UnixMicro(), in.Epoch+1), \"era\""),
	in("store.go", "namespace", "the new era is not stored", keepEpoch,
		`exec(ctx, tx, "UPDATE meta SET epoch = ?", in.Epoch)`),
	in("store.go", "namespace", "the new epoch is not stored", keepEpoch,
		`exec(ctx, tx, "UPDATE meta SET era = ?", in.Era)`),
	in("store.go", "namespace", "a new ID", keepEpoch,
		`exec(ctx, tx, "UPDATE meta SET id = ?2, epoch = ?1, era = ?2", in.Epoch, in.Era)`),
	in("store.go", "namespace", "no ID", "VALUES (1, ?, 0, '')",
		"VALUES (1, substr(?, 99), 0, '')"),
	in("store.go", "namespace", "begins with epoch 1", "VALUES (1, ?, 0, '')",
		"VALUES (1, ?, 1, '')"),
	in("store.go", "namespace", "acceptance drops events", "		"+raise,
		"		if err := exec(ctx, tx, \"DELETE FROM events\"); err != nil {\n"+
			"			return err\n		}\n		"+raise),
	in("store.go", "namespace", "acceptance drops outcomes", "		"+raise,
		"		if err := exec(ctx, tx, \"DELETE FROM outcomes\"); err != nil {\n"+
			"			return err\n		}\n		"+raise),
	in("commit.go", "namespace", "the epoch is not compared", "c.Epoch != in.Epoch", "false"),
	in("commit.go", "namespace", "a later epoch is accepted", "c.Epoch != in.Epoch",
		"c.Epoch < in.Epoch"),
	in("commit.go", "namespace", "an earlier epoch is accepted", "c.Epoch != in.Epoch",
		"c.Epoch > in.Epoch"),
	in("commit.go", "namespace", "epoch 0 is accepted", "c.Epoch != in.Epoch",
		"c.Epoch != 0 && c.Epoch != in.Epoch"),
	in("commit.go", "namespace", "not compared without a record", "c.Epoch != in.Epoch",
		"c.Record != nil && c.Epoch != in.Epoch"),
	in("commit.go", "namespace", "not compared for tombstones", "c.Epoch != in.Epoch",
		"c.Epoch != in.Epoch && !(c.Record != nil && c.Record.Deleted)"),
	in("commit.go", "namespace", "another epoch is a conflict",
		`fmt.Errorf("%w: it is %d", installation.ErrEpoch, in.Epoch)`,
		"&installation.ConflictError{Key: c.Key}"),

	in("store.go", "errors", "a failure is nothing", scanRow+"	default:\n", scanRow+
		"	case ctx.Err() == nil:\n		return false, nil\n	default:\n"),
	in("store.go", "errors", "a failure is not found",
		`"%w: sqlite: %v", installation.ErrUnavailable, err)`,
		`"%w: sqlite: %v", installation.ErrNotFound, err)`),
	in("store.go", "errors", "a failure has no sentinel",
		`"%w: sqlite: %v", installation.ErrUnavailable, err)`,
		`"sqlite: %w", err)`),
	in("store.go", "errors", "a failure is unknown",
		`"%w: sqlite: %v", installation.ErrUnavailable, err)`,
		`"%w: sqlite: %v", installation.ErrUnknownOutcome, err)`),
	in("store.go", "errors", "a failure of a write is a conflict", "	if err != nil {\n"+
		"		return unavailable(ctx, err)\n	}\n	defer",
		"	if err != nil {\n		return &installation.ConflictError{}\n	}\n	defer"),
	in("read.go", "errors", "a failure is an empty page", `	if err != nil {
		return page, unavailable(ctx, err)
	}
	defer func() { _ = rows.Close() }() // Err has the errors
	return pageOf`, `	if err != nil {
		return page, nil
	}
	defer func() { _ = rows.Close() }() // Err has the errors
	return pageOf`),
	in("read.go", "errors", "a failure is an empty log", `	if err != nil {
		return page, unavailable(ctx, err)
	}
	defer func() { _ = rows.Close() }() // Err has the errors
	page`, `	if err != nil {
		return page, nil
	}
	defer func() { _ = rows.Close() }() // Err has the errors
	page`),
	missed("read.go", "errors", "a failure within a page ends it", pageErr, "",
		"no case can make a call fail half-way"),
	in("commit.go", "errors", "no record is no error",
		`		err = fmt.Errorf("%w: no record", installation.ErrNotFound)`,
		"		return nil, nil"),
	in("commit.go", "errors", "no outcome is no error",
		`		err = fmt.Errorf("%w: no outcome", installation.ErrNotFound)`,
		"		return nil, nil"),
	in("commit.go", "errors", "no record has no sentinel",
		`fmt.Errorf("%w: no record", installation.ErrNotFound)`,
		`fmt.Errorf("no record")`),
	in("commit.go", "errors", "no record is an empty record",
		`		err = fmt.Errorf("%w: no record", installation.ErrNotFound)`,
		`		row.Record = &installation.Record{Key: key}
		err = fmt.Errorf("%w: no record", installation.ErrNotFound)`),
	in("store.go", "errors", "Health does not ask the database",
		"	if _, err := s.Namespace(ctx); err != nil {\n		return nil, err\n	}\n	var",
		"	return nil, ctx.Err()\n	var"),
	in("store.go", "errors", "a finding has no detail",
		`Detail: "a loss of power can undo the last commits"`, `Detail: ""`),

	in("store.go", "contexts", "one that ends meanwhile is unavailable", ended, ""),
	in("commit.go", "contexts", "a write ignores it", callCommit,
		`	ctx = context.WithoutCancel(ctx)
`+callCommit),
	in("store.go", "contexts", "AcceptRestore ignores it",
		"	err = s.write(ctx, func(tx *sql.Tx) error {\n		if in",
		"	ctx = context.WithoutCancel(ctx)\n	err = s.write(ctx, func(tx *sql.Tx) error {\n"+
			"		if in"),
	same("commit.go", "contexts", "Get does not look again", getRow,
		"	row, err := recordAt(context.WithoutCancel(ctx), s.db, key)\n",
		"a read may go on when its context ends meanwhile"),
	{kind: "contexts", name: "Get looks nowhere", edits: []edit{{"commit.go",
		"	if err := ctx.Err(); err != nil {\n		return nil, err\n	}\n" + getRow,
		"	row, err := recordAt(context.WithoutCancel(ctx), s.db, key)\n"}}},
	{kind: "contexts", name: "List looks nowhere", edits: []edit{
		{"read.go", "	if err := ctx.Err(); err != nil {\n		return page, err\n	}\n" +
			checkList,
			"	ctx = context.WithoutCancel(ctx)\n" + checkList},
	}},
	{kind: "contexts", name: "Count looks nowhere", edits: []edit{
		{"read.go", "	if err := ctx.Err(); err != nil {\n		return 0, err\n	}\n",
			"	ctx = context.WithoutCancel(ctx)\n"},
	}},
	{kind: "contexts", name: "Events looks nowhere", edits: []edit{
		{"read.go", "	if err := ctx.Err(); err != nil {\n		return page, err\n	}\n" +
			checkEvents,
			"	ctx = context.WithoutCancel(ctx)\n" + checkEvents},
	}},
	{kind: "contexts", name: "Namespace looks nowhere", edits: []edit{
		{"store.go", "		return installation.Namespace{}, err\n	}\n" +
			"	return namespace(ctx, s.db)",
			"		ctx = context.WithoutCancel(ctx)\n	}\n	return namespace(ctx, s.db)"},
	}},
	in("store.go", "contexts", "one that ends meanwhile is known by its text only", ended,
		"	if ctx.Err() != nil {\n		return fmt.Errorf(\"%v\", ctx.Err())\n	}\n"),

	{kind: "ownership", name: "Get returns a shared record", edits: []edit{
		{"commit.go", getRow, `	if r, ok := got.Load(key); ok {
		if now, err := recordAt(ctx, s.db, key); err == nil && now.Record != nil &&
			now.Record.Revision == r.(*installation.Record).Revision {
			return r.(*installation.Record), nil
		}
	}
` + getRow + "	got.Store(key, row.Record)\n"},
		{"commit.go", "// Outcome implements", "var got sync.Map\n\n// Outcome implements"},
		{"commit.go", "	if err == nil && row.Record == nil {", "	if row.Record == nil {\n" +
			"		got.Delete(key)\n	}\n	if err == nil && row.Record == nil {"},
		{"commit.go", "	\"time\"\n", "	\"sync\"\n	\"time\"\n"},
	}},
	in("commit.go", "ownership", "events get an ID", eachEvent,
		"	for i, e := range c.Events {\n		c.Events[i].ID = \"given\"\n"),
	in("commit.go", "ownership", "terms are dropped from the change", "	r := row.Record\n",
		"	r := row.Record\n	defer func() { clear(r.Index) }()\n"),
	in("commit.go", "ownership", "the revision of the change is raised", apply, apply+
		"	if c.Record != nil {\n		c.Record.Generation++\n	}\n"),
	in("commit.go", "ownership", "the outcome of the change is cut", "		if err := putOutcome",
		"		c.Idempotency.Until = c.Idempotency.Until.Truncate(time.Hour)\n"+
			"		if err := putOutcome"),

	in("store.go", "concurrency", "writers do not wait", "busy_timeout(60000)", "busy_timeout(0)"),
	in("store.go", "concurrency", "a busy database is a conflict", "busy_timeout(60000)",
		"busy_timeout(1)"),
	{kind: "concurrency", name: "a map without a lock", race: true, edits: []edit{
		{"commit.go", getRow, getRow + "	seen[key]++\n"},
		{"commit.go", "// Outcome implements", "var seen = make(map[installation.Key]int)\n\n" +
			"// Outcome implements"},
	}},
	in("store.go", "concurrency", "a connection is never given back",
		"	defer func() { _ = tx.Rollback() }() // fails after Commit, and has nothing to "+
			"do then\n", ""),
}
