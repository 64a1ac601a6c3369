package main

const (
	eachEvent   = "	for _, e := range c.Events {\n"
	encodeIt    = "		encoded, err := e.MarshalBinary()\n"
	eventID     = "		e.ID = page.Next\n"
	startAt     = "	page.Next = q.After\n"
	seqAfter    = `"seq > ?"`
	oneTenant   = `where+" AND tenant = ?"`
	checkEvents = "	if err := q.Validate(); err != nil {\n		return page, err\n	}\n" +
		"	var after int64\n"
	endCommit = "Receipt{Revision: row.Record.Revision}, appendEvents(ctx, tx, c)"
)

// payload loses something of each event.
func payload(name, statement string) mutant {
	return in("commit.go", "payload of events", name, encodeIt, "		"+statement+"\n"+encodeIt)
}

// eventMutants break the change log.
var eventMutants = []mutant{
	in("read.go", "events", "newest first", " ORDER BY seq LIMIT", " ORDER BY seq DESC LIMIT"),
	in("read.go", "events", "in the order of their bytes", " ORDER BY seq LIMIT",
		" ORDER BY event LIMIT"),
	in("read.go", "events", "of all tenants in the order of tenants", " ORDER BY seq LIMIT",
		" ORDER BY tenant, seq LIMIT"),
	in("read.go", "events", "the last event comes again", seqAfter, `"seq >= ?"`),
	in("read.go", "events", "cursors are compared as text", seqAfter,
		`"cast(seq AS TEXT) > cast(? AS TEXT)"`),
	in("read.go", "events", "the tenant is ignored", "	if !q.AllTenants {\n		where",
		"	if false {\n		where"),
	in("read.go", "events", "the tenant counts with AllTenants", "	if !q.AllTenants {\n"+
		"		where",
		"	if !q.AllTenants || q.Tenant != \"\" {\n		where"),
	in("read.go", "events", "tenants without case", oneTenant,
		`where+" AND lower(tenant) = lower(?)"`),
	in("read.go", "events", "tenants with LIKE", oneTenant, `where+" AND tenant LIKE ?"`),
	in("read.go", "events", "tenants with GLOB", oneTenant, `where+" AND tenant GLOB ?"`),
	in("read.go", "events", "tenants as text without spaces", oneTenant,
		`where+" AND trim(tenant) = trim(?)"`),
	in("commit.go", "events", "tenants are cut at 64 bytes",
		"			[]byte(e.Key.Tenant), encoded",
		"			[]byte(e.Key.Tenant[:min(64, len(e.Key.Tenant))]), encoded"),
	in("read.go", "events", "no ID", eventID, ""),
	in("read.go", "events", "the ID is the number on the page", eventID,
		"		e.ID = strconv.Itoa(len(page.Events))\n"),
	in("read.go", "events", "the ID is record and revision", eventID,
		"		e.ID = e.Key.Tenant + e.Key.ID + strconv.FormatInt(e.Revision, 10)\n"),
	in("read.go", "events", "no cursor at the end", startAt, ""),
	in("read.go", "events", "the end goes back to the start", startAt, "	page.Next = \"0\"\n"),
	in("read.go", "events", "the limit is not checked", checkEvents, "	var after int64\n"),
	in("read.go", "events", "a limit of 0 is allowed", checkEvents,
		"	if err := q.Validate(); err != nil && q.Limit != 0 {\n		return page, err\n	}\n"+
			"	var after int64\n"),
	in("read.go", "events", "a bad cursor is unavailable",
		"		if after, err = strconv.ParseInt(q.After, 10, 64); err != nil {\n"+
			`			return page, fmt.Errorf("%w: the cursor is not from a page", `+
			`installation.ErrInvalid)`,
		"		if after, err = strconv.ParseInt(q.After, 10, 64); err != nil {\n"+
			`			return page, fmt.Errorf("%w: the cursor", installation.ErrUnavailable)`),
	same("read.go", "events", "the cursor is an offset", "where, args := \"seq > ?\"",
		"where, args := \"seq > (SELECT coalesce(min(seq), 0) - 1 FROM events) + ?\"",
		"the numbers begin at 1 and the store discards nothing"),
	in("commit.go", "events", "only the first is kept", eachEvent,
		"	for _, e := range c.Events[:min(1, len(c.Events))] {\n"),
	in("commit.go", "events", "fifteen are kept", eachEvent,
		"	for _, e := range c.Events[:min(15, len(c.Events))] {\n"),
	in("commit.go", "events", "the last is first", eachEvent, `	for i := range c.Events {
		e := c.Events[len(c.Events)-1-i]
`),
	in("commit.go", "events", "none without a record", eachEvent, `	if c.Record == nil {
		return nil
	}
`+eachEvent),
	in("commit.go", "events", "none of tombstones", eachEvent,
		`	if c.Record != nil && c.Record.Deleted {
		return nil
	}
`+eachEvent),
	in("commit.go", "events", "a replay writes them again", returnReplay,
		"		return receipt, appendEvents(ctx, tx, c)\n"),
	in("commit.go", "events", "a used outcome writes them",
		"			return installation.Receipt{Outcome: used.Outcome}, nil\n",
		"			return installation.Receipt{Outcome: used.Outcome}, appendEvents(ctx, "+
			"tx, c)\n"),
	{kind: "events", name: "numbers are drawn before the transaction", edits: []edit{
		{"commit.go", "	err = s.write(ctx, func(tx *sql.Tx) error {\n		receipt",
			`	first := drawn.Add(int64(len(c.Events))) - int64(len(c.Events))
	err = s.write(ctx, func(tx *sql.Tx) error {
		c.Now = c.Now.Add(0)
		ctx := context.WithValue(ctx, "first", first)
		receipt`},
		{"commit.go", "INSERT INTO events (tenant, event) VALUES (?, ?)\",\n",
			"INSERT INTO events (seq, tenant, event) VALUES (?, ?, ?)\",\n" +
				"			ctx.Value(\"first\").(int64)+int64(i)+1,\n"},
		{"commit.go", eachEvent, "	for i, e := range c.Events {\n"},
		{"commit.go", "// appendEvents", "var drawn atomic.Int64\n\n// appendEvents"},
		{"commit.go", "	\"time\"\n", "	\"sync/atomic\"\n	\"time\"\n"},
	}},
	in("commit.go", "events", "numbers are the revision",
		"INSERT INTO events (tenant, event) VALUES (?, ?)\",\n",
		"INSERT OR REPLACE INTO events (seq, tenant, event) VALUES (?, ?, ?)\",\n"+
			"			e.Revision,\n"),
	in("commit.go", "events", "old ones go silently", eachEvent, `	if err := exec(ctx, tx,
		"DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - 10"); err != nil {
		return err
	}
`+eachEvent),
	in("commit.go", "events", "those of a removed record go", eachEvent,
		`	if c.Record != nil && c.Record.Deleted {
		if err := exec(ctx, tx, "DELETE FROM events WHERE tenant = ?",
			[]byte(c.Key.Tenant)); err != nil {
			return err
		}
	}
`+eachEvent),
	in("commit.go", "events", "the tenant is that of nobody",
		"			[]byte(e.Key.Tenant), encoded",
		"			[]byte(\"\"), encoded"),
	same("store.go", "events", "numbers are used again", "INTEGER PRIMARY KEY AUTOINCREMENT",
		"INTEGER PRIMARY KEY", "the store discards nothing, so no number becomes free"),

	payload("no type", `e.Type = ""`),
	payload("no ID of the record", `e.Key.ID = ""`),
	payload("no revision", `e.Revision = 0`),
	payload("the revision is a float", `e.Revision = int64(float64(e.Revision))`),
	payload("the revision is that of the record",
		"if c.Record != nil {\n			e.Revision = c.Record.Revision\n		}"),
	payload("no generation", `e.Generation = 0`),
	payload("time in milliseconds", `e.Time = e.Time.Truncate(1e6)`),
	payload("time of the change", `e.Time = c.Now`),
	payload("no extension", `e.Extension = ""`),
	payload("no account", `e.Account = ""`),
	payload("no kind of actor", `e.Actor.Kind = ""`),
	payload("no flag of the actor", `e.Actor.ReadOnly = false`),
	payload("no name of the user", `e.Actor.User.Name = ""`),
	payload("no icon of the user", `e.Actor.User.Icon = ""`),
	payload("no reason", `e.Reason = ""`),
	payload("no names", `e.Changed = nil`),
	payload("one name", `e.Changed = e.Changed[:min(1, len(e.Changed))]`),
	payload("no count of names", `e.Omitted = 0`),
}
