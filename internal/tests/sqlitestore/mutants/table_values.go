package main

const (
	termOfQuery = "args = append(args, []byte(q.Term))"
	termOfRow   = "[]byte(term), tenant, r"
	keyOfGet    = "[]byte(key.Tenant), []byte(key.ID)))"
	keyOfRow    = "tenant, id := []byte(r.Key.Tenant), []byte(r.Key.ID)"
	claimOfRow  = "tenant, []byte(claim), id)"
	claimOfFind = "[]byte(key.Tenant), []byte(claim), []byte(key.ID)), &holder)"
	created     = "r.Created.UnixMicro()"
	deadline    = "r.Deadline.UnixMicro()"
	dueBefore   = "q.DueBefore.UnixMicro()"
)

// keyed replaces the key of a record on its way into the database, wherever it is used.
func keyed(kind, name, tenant, id string) mutant {
	return mutant{kind: kind, name: name, edits: []edit{
		{"commit.go", `"database/sql"
	"fmt"
`, `"database/sql"
	"fmt"
	"strings"
`},
		{"commit.go", keyOfGet, "[]byte(" + tenant + "), []byte(" + id + ")))\n" +
			"}\n\nfunc unused() string {\n	return strings.ToLower(\"\")"},
		{"commit.go", keyOfRow, "key := r.Key\n	tenant, id := []byte(" + tenant + "), []byte(" +
			id + ")"},
	}}
}

// termed replaces a term on its way into the database.
func termed(kind, name, stored, asked string) mutant {
	return mutant{kind: kind, name: name, edits: []edit{
		{"commit.go", `"database/sql"
	"fmt"
`, `"database/sql"
	"fmt"
	"strings"
`},
		{"commit.go", termOfRow, "[]byte(" + stored + "), tenant, r"},
		{"commit.go", insertTerm, `strings.TrimSpace("") + "INSERT OR IGNORE INTO terms VALUES`},
		{"read.go", termOfQuery, "args = append(args, []byte(" + asked + "))"},
	}}
}

// claimed replaces a claim on its way into the database.
func claimed(kind, name, claim string) mutant {
	return mutant{kind: kind, name: name, edits: []edit{
		{"commit.go", `"database/sql"
	"fmt"
`, `"database/sql"
	"fmt"
	"strings"
`},
		{"commit.go", claimOfRow, "tenant, []byte(" + claim + "), id)"},
		{"commit.go", insertOwn, `strings.TrimSpace("") + "INSERT OR REPLACE INTO claims VALUES`},
		{"commit.go", claimOfFind, "[]byte(key.Tenant), []byte(" + claim +
			"), []byte(key.ID)), &holder)"},
	}}
}

// valueMutants break lengths, bytes, times and numbers.
var valueMutants = []mutant{
	keyed("lengths", "an ID is cut at 255 bytes", "key.Tenant", "key.ID[:min(len(key.ID), 255)]"),
	keyed("lengths", "a tenant is cut at 64 bytes", "key.Tenant[:min(len(key.Tenant), 64)]",
		"key.ID"),
	termed("lengths", "a term is cut at 255 bytes", "term[:min(len(term), 255)]",
		"q.Term[:min(len(q.Term), 255)]"),
	termed("lengths", "a stored term is cut at 767 bytes", "term[:min(len(term), 767)]", "q.Term"),
	claimed("lengths", "a claim is cut at 255 bytes", "claim[:min(len(claim), 255)]"),
	claimed("lengths", "a claim is cut at 1,023 bytes", "claim[:min(len(claim), 1023)]"),
	in("commit.go", "lengths", "a body is cut at 64 KiB", apply, apply+
		`	if b := row.Record.Body.Bytes(); len(b) > 1<<16 {
		r := *row.Record
		r.Body = installation.BodyFromBytes(b[:1<<16])
		row.Record = &r
	}
`),
	in("commit.go", "lengths", "a body may have a million bytes", apply, apply+
		`	if b := row.Record.Body.Bytes(); len(b) > 1_000_000 {
		return none, fmt.Errorf("%w: too long", installation.ErrInvalid)
	}
`),
	in("commit.go", "lengths", "an outcome is cut at 64 KiB", "		if err := putOutcome",
		`		o := *kept.Outcome
		o.Data = o.Data[:min(len(o.Data), 1<<16)]
		kept.Outcome = &o
		if err := putOutcome`),
	in("commit.go", "lengths", "an event may have a thousand bytes",
		"		if err := exec(ctx, tx, \"INSERT INTO events",
		"		if len(encoded) > 1000 {\n			encoded = encoded[:1000]\n		}\n"+
			"		if err := exec(ctx, tx, \"INSERT INTO events"),
	in("commit.go", "lengths", "an event is cut at 255 bytes of its reason",
		"		encoded, err := e.MarshalBinary()\n",
		"		e.Reason = e.Reason[:min(len(e.Reason), 255)]\n"+
			"		encoded, err := e.MarshalBinary()\n"),

	keyed("bytes and case", "IDs without case", "key.Tenant", "strings.ToLower(key.ID)"),
	keyed("bytes and case", "tenants without case", "strings.ToLower(key.Tenant)", "key.ID"),
	keyed("bytes and case", "IDs without spaces at the end", "key.Tenant",
		`strings.TrimRight(key.ID, " ")`),
	keyed("bytes and case", "IDs without spaces around", "key.Tenant", "strings.TrimSpace(key.ID)"),
	keyed("bytes and case", "tenants without spaces at the end",
		`strings.TrimRight(key.Tenant, " ")`, "key.ID"),
	keyed("bytes and case", "IDs without zeros in front", "key.Tenant",
		`strings.TrimLeft(key.ID, "0")`),
	keyed("bytes and case", "IDs are made UTF-8", "key.Tenant", `strings.ToValidUTF8(key.ID, "?")`),
	termed("bytes and case", "terms without case", "strings.ToLower(term)",
		"strings.ToLower(q.Term)"),
	termed("bytes and case", "terms without spaces at the end", `strings.TrimRight(term, " ")`,
		`strings.TrimRight(q.Term, " ")`),
	claimed("bytes and case", "claims without case", "strings.ToLower(claim)"),
	claimed("bytes and case", "claims without spaces at the end", `strings.TrimRight(claim, " ")`),
	claimed("bytes and case", "claims are made UTF-8", `strings.ToValidUTF8(claim, "?")`),
	in("commit.go", "bytes and case", "holders without case", "AND id <> ?\"",
		"AND lower(id) <> lower(?)\""),
	in("read.go", "bytes and case", "terms with LIKE", "WHERE term = ?", "WHERE term LIKE ?"),
	in("read.go", "bytes and case", "terms with GLOB", "WHERE term = ?", "WHERE term GLOB ?"),
	in("read.go", "bytes and case", "a term is a prefix", "WHERE term = ?",
		"WHERE substr(term, 1, length(?1)) = ?1"),
	in("read.go", "bytes and case", "a tenant is a prefix", `" AND tenant = ?"
		args`, `" AND substr(tenant, 1, length(?2)) = ?2"
		args`),
	in("read.go", "bytes and case", "lists ignore the tenant", "	if !q.AllTenants {\n"+
		"		from",
		"	if false {\n		from"),
	{kind: "bytes and case", name: "IDs are sorted as text", edits: []edit{
		{"read.go", orderBy, "%[1]s%[3]s, cast(id AS TEXT) COLLATE NOCASE%[3]s, tenant%[3]s"},
	}},
	{kind: "bytes and case", name: "tenant and ID are one column", edits: []edit{
		{"commit.go", keyOfGet, "[]byte(\"\"), []byte(key.Tenant+\"/\"+key.ID)))"},
		{"commit.go", `VALUES (?, ?, ?, ?, ?)",
		tenant, id, r.D`, `VALUES (?, ?, ?, ?, ?)",
		[]byte(""), []byte(r.Key.Tenant+"/"+r.Key.ID), r.D`},
		{"read.go", "terms JOIN records USING (tenant, id) WHERE", "terms JOIN " +
			"(SELECT id AS key, row FROM records) ON key = cast(tenant || '/' || id AS " +
			"BLOB) WHERE"},
	}},

	in("commit.go", "times", "creation in milliseconds", created, "r.Created.UnixMilli()*1000"),
	in("commit.go", "times", "creation in seconds", created, "r.Created.Unix()*1e6"),
	in("commit.go", "times", "creation without a sign", created, "max(0, r.Created.UnixMicro())"),
	in("commit.go", "times", "creation by way of nanoseconds", created,
		"r.Created.UnixNano()/1000"),
	in("commit.go", "times", "deadline in seconds", deadline, "r.Deadline.Unix()*1e6"),
	in("commit.go", "times", "deadline in milliseconds", deadline, "r.Deadline.UnixMilli()*1000"),
	in("commit.go", "times", "deadline by way of nanoseconds", deadline,
		"r.Deadline.UnixNano()/1000"),
	in("read.go", "times", "due time by way of nanoseconds", dueBefore,
		"q.DueBefore.UnixNano()/1000"),
	in("read.go", "times", "due time in seconds", dueBefore, "q.DueBefore.Unix()*1e6"),
	in("read.go", "times", "due time is rounded", dueBefore, "q.DueBefore.Round(1e9).UnixMicro()"),
	in("commit.go", "times", "no deadline is a deadline", "Valid: !r.Deadline.IsZero()",
		"Valid: true"),
	in("commit.go", "times", "times have the zone of the machine",
		"	row, err := recordAt(ctx, s.db, key)\n", `	row, err := recordAt(ctx, s.db, key)
	if row.Record != nil {
		row.Record.Created = row.Record.Created.Local()
	}
`),
	in("commit.go", "times", "records keep milliseconds", apply, apply+`	kept := *row.Record
	kept.Created = kept.Created.Truncate(time.Millisecond)
	row.Record = &kept
`),
	in("commit.go", "times", "outcomes keep seconds", "		if err := putOutcome",
		`		o := *kept.Outcome
		o.Until = o.Until.Truncate(time.Second)
		kept.Outcome = &o
		if err := putOutcome`),

	in("commit.go", "numbers", "revisions have 32 bits", apply, apply+`	kept := *row.Record
	kept.Revision = int64(int32(kept.Revision))
	row.Record = &kept
`),
	in("commit.go", "numbers", "revisions are floats of 32 bits", apply, apply+
		`	kept := *row.Record
	kept.Revision = int64(float32(kept.Revision))
	row.Record = &kept
`),
	in("commit.go", "numbers", "revisions are floats", apply, apply+`	kept := *row.Record
	kept.Revision = int64(float64(kept.Revision))
	row.Record = &kept
`),
	in("commit.go", "numbers", "generations are floats", apply, apply+`	kept := *row.Record
	kept.Generation = int64(float64(kept.Generation))
	row.Record = &kept
`),
	in("commit.go", "numbers", "the store counts revisions", apply, apply+`	if c.Record != nil {
		kept := *row.Record
		kept.Revision = c.If + 1
		row.Record = &kept
	}
`),
	in("commit.go", "numbers", "any revision is stored", checkRow,
		`	if err := row.Check(c); err != nil && (c.Record == nil || c.Record.Revision > c.If) {
		return none, err
	}
`),
	in("commit.go", "numbers", "a conflict has the revision that was asked for", checkRow,
		`	if err := row.Check(c); err != nil {
		if e, ok := err.(*installation.ConflictError); ok {
			e.Revision = c.If
		}
		return none, err
	}
`),
	in("commit.go", "numbers", "a conflict proves nothing", checkRow,
		`	if err := row.Check(c); err != nil {
		if e, ok := err.(*installation.ConflictError); ok {
			e.NotApplied = false
		}
		return none, err
	}
`),
	in("commit.go", "numbers", "a conflict proves that the change is lost", checkRow,
		`	if err := row.Check(c); err != nil {
		if e, ok := err.(*installation.ConflictError); ok {
			e.NotApplied = true
		}
		return none, err
	}
`),
}
