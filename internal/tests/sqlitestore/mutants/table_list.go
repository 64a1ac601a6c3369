package main

import "strings"

const (
	compare     = `" AND (%s, id, tenant) %s (?, ?, ?)", at, after)`
	compareArgs = "args = append(args, p.at, []byte(p.id), []byte(p.tenant))"
	orderBy     = "%[1]s%[3]s, id%[3]s, tenant%[3]s"
	limits      = "append(args, q.Limit, q.Skip)..."
	nextOf      = "len(page.Records) == limit"
	flip        = `	if q.Reverse && q.Term != "" {
`
	countOf = `"SELECT count(*) FROM "+from, args...)`
)

// listMutants break pages, cursors, the order, Reverse, Skip and Count.
var listMutants = []mutant{
	in("read.go", "pages and cursors", "the last record comes again", compare,
		`" AND (%s, id, tenant) %s= (?, ?, ?)", at, after)`),
	{kind: "pages and cursors", name: "the cursor is only the time", edits: []edit{
		{"read.go", compare, `" AND %s %s ?", at, after)`},
		{"read.go", compareArgs, "args = append(args, p.at)"},
	}},
	{kind: "pages and cursors", name: "the cursor has no tenant", edits: []edit{
		{"read.go", compare, `" AND (%s, id) %s (?, ?)", at, after)`},
		{"read.go", compareArgs, "args = append(args, p.at, []byte(p.id))"},
	}},
	in("read.go", "pages and cursors", "both parts of the cursor must be greater", compare,
		`" AND %s %[2]s= ? AND id %[2]s ? AND tenant IS NOT NULL AND ? IS NOT NULL", at, after)`),
	in("read.go", "pages and cursors", "the cursor is in milliseconds", compareArgs,
		"args = append(args, p.at/1000*1000, []byte(p.id), []byte(p.tenant))"),
	in("read.go", "pages and cursors", "Skip is ignored after a cursor", limits,
		"append(args, q.Limit, q.Skip*max(0, 1-len(q.After)))..."),
	in("read.go", "pages and cursors", "Skip skips one too few", limits,
		"append(args, q.Limit, max(0, q.Skip-1))..."),
	in("read.go", "pages and cursors", "Skip is in pages", limits,
		"append(args, q.Limit, q.Skip*q.Limit)..."),
	in("read.go", "pages and cursors", "a page has one record too many", limits,
		"append(args, q.Limit+1, q.Skip)..."),
	in("read.go", "pages and cursors", "the limit is cut to 500 records", limits,
		"append(args, min(q.Limit, 500), q.Skip)..."),
	in("read.go", "pages and cursors", "the limit is cut to 50 records", limits,
		"append(args, min(q.Limit, 50), q.Skip)..."),
	in("read.go", "pages and cursors", "a full page ends the list", nextOf,
		"len(page.Records) > limit"),
	in("read.go", "pages and cursors", "a list never ends", nextOf, "limit > 0"),
	same("read.go", "pages and cursors", "a page that is not full has a next one", nextOf,
		"len(page.Records) > 0", "a page may have a next one that is empty"),
	in("read.go", "pages and cursors", "a bad cursor is unavailable",
		`	if err != nil || len(parts) != 3 {
		return p, fmt.Errorf("%w: the cursor is not from a page", installation.ErrInvalid)`,
		`	if err != nil || len(parts) != 3 {
		return p, fmt.Errorf("%w: the cursor is not from a page", installation.ErrUnavailable)`),
	same("read.go", "pages and cursors", "a bad cursor starts anywhere",
		`	if err != nil || len(parts) != 3 {
		return p, fmt.Errorf("%w: the cursor is not from a page", installation.ErrInvalid)`,
		`	if err != nil || len(parts) != 3 {
		return p, nil`, "a store may do so"),
	in("read.go", "pages and cursors", "the cursor chooses the tenant", compareArgs,
		compareArgs+"\n		if !q.AllTenants {\n			args[1] = []byte(p.tenant)\n"+
			"		}"),
	{kind: "pages and cursors", name: "the parts of a cursor are joined by a bar", edits: []edit{
		{"read.go", `"%d\x00%s\x00%s"`, `"%d|%s|%s"`},
		{"read.go", `string(b), "\x00")`, `string(b), "|")`},
	}},
	{kind: "pages and cursors", name: "the parts of a cursor are joined by a colon", edits: []edit{
		{"read.go", `"%d\x00%s\x00%s"`, `"%d:%s:%s"`},
		{"read.go", `string(b), "\x00")`, `string(b), ":")`},
	}},
	in("read.go", "pages and cursors", "a cursor is cut to 255 bytes",
		`fmt.Appendf(nil, "%d\x00%s\x00%s", p.at, p.id, p.tenant))`,
		`fmt.Appendf(nil, "%d\x00%.230s\x00%s", p.at, p.id, p.tenant))`),
	in("read.go", "pages and cursors", "a cursor is cleaned to UTF-8",
		"p.id, p.tenant = parts[1], parts[2]",
		`p.id, p.tenant = strings.ToValidUTF8(parts[1], "?"), parts[2]`),
	in("read.go", "pages and cursors", "a cursor is trimmed",
		"p.id, p.tenant = parts[1], parts[2]",
		`p.id, p.tenant = strings.TrimSpace(parts[1]), parts[2]`),
	in("read.go", "pages and cursors", "the query is not validated", checkList, "	at, from"),
	in("read.go", "pages and cursors", "the limit is not validated", checkList,
		strings.Replace(checkList, "q.Validate", "q.Counted().Validate", 1)),

	in("read.go", "order and reverse", "Reverse is ignored", flip, "	if false {\n"),
	in("read.go", "order and reverse", "Reverse is for deadlines too", flip,
		"	if q.Reverse {\n"),
	in("read.go", "order and reverse", "Reverse is lost after a cursor", flip,
		`	if q.Reverse && q.Term != "" && q.After == "" {
`),
	in("read.go", "order and reverse", "Reverse compares the wrong way",
		`after, direction = "<", " DESC"`, `direction = " DESC"`),
	in("read.go", "order and reverse", "Reverse is for the time only", orderBy,
		"%[1]s%[3]s, id, tenant"),
	in("read.go", "order and reverse", "Reverse ignores tenants", flip,
		`	if q.Reverse && q.Term != "" && !q.AllTenants {
`),
	in("read.go", "order and reverse", "there is no order", " ORDER BY "+orderBy, ""),
	in("read.go", "order and reverse", "the order is by ID", orderBy, "id%[3]s, tenant%[3]s"),
	same("read.go", "order and reverse", "the order is by time only", orderBy, "%[1]s%[3]s",
		"SQLite reads an index that has the rest of the order"),
	in("read.go", "order and reverse", "the order is by tenant first", orderBy,
		"tenant%[3]s, %[1]s%[3]s, id%[3]s"),
	in("read.go", "order and reverse", "deadlines are in the order of creation",
		`at, from = "deadline"`, `at, from = "rowid"`),
	in("read.go", "order and reverse", "records due now are not due", "deadline <= ?",
		"deadline < ?"),

	in("read.go", "counts", "the tenant is ignored", "	_, from, args := selection(q)\n",
		"	q.AllTenants = true\n	_, from, args := selection(q)\n"),
	in("read.go", "counts", "the query is not validated",
		"	if err := q.Counted().Validate(); err != nil {\n		return 0, err\n	}\n", ""),
	in("read.go", "counts", "the whole query is validated", "q.Counted().Validate()",
		"q.Validate()"),
	in("read.go", "counts", "it stops at 1,000", countOf,
		`"SELECT min(count(*), 1000) FROM "+from, args...)`),
	in("read.go", "counts", "it counts IDs", countOf,
		`"SELECT count(DISTINCT records.id) FROM "+from, args...)`),
	in("read.go", "counts", "it counts tombstones", countOf,
		`"SELECT count(*) FROM "+strings.Replace(from, "deleted = 0 AND ", "", 1), args...)`),
	in("read.go", "counts", "it counts with LIKE", countOf,
		`"SELECT count(*) FROM "+strings.Replace(from, "term =", "term LIKE", 1), args...)`),
	in("read.go", "counts", "it counts with GLOB", countOf,
		`"SELECT count(*) FROM "+strings.Replace(from, "term =", "term GLOB", 1), args...)`),
	in("read.go", "counts", "it counts with the cursor", countOf,
		`"SELECT max(0, count(*)-?) FROM "+from, append([]any{q.Skip}, args...)...)`),
}
