package main

const (
	deleteTerms = `	if err := exec(ctx, tx, "DELETE FROM terms WHERE tenant = ? AND id = ?",
		tenant, id); err != nil {
		return err
	}
`
	deleteClaims = `	if err := exec(ctx, tx, "DELETE FROM claims WHERE tenant = ? AND id = ?",
		tenant, id); err != nil {
		return err
	}
`
	findHolder = `"SELECT id FROM claims WHERE tenant = ? AND claim = ? AND id <> ?"`
	insertTerm = `"INSERT INTO terms VALUES`
	insertOwn  = `"INSERT INTO claims VALUES`
)

// rowMutants break the terms and claims of records, and the uniqueness of claims.
var rowMutants = []mutant{
	{kind: "terms and claims", name: "old terms stay", edits: []edit{
		{"commit.go", deleteTerms, ""},
		{"commit.go", insertTerm, `"INSERT OR IGNORE INTO terms VALUES`},
	}},
	{kind: "terms and claims", name: "old claims stay", edits: []edit{
		{"commit.go", deleteClaims, ""},
		{"commit.go", insertOwn, `"INSERT OR IGNORE INTO claims VALUES`},
	}},
	in("commit.go", "terms and claims", "old terms stay if there are no new ones", deleteTerms,
		"	if len(r.Index) > 0 {\n"+deleteTerms+"	}\n"),
	in("commit.go", "terms and claims", "old claims stay if there are no new ones", deleteClaims,
		"	if len(r.Claims) > 0 {\n"+deleteClaims+"	}\n"),
	{kind: "terms and claims", name: "kept terms keep the old time of creation", edits: []edit{
		{"commit.go", `"DELETE FROM terms WHERE tenant = ? AND id = ?",
		tenant, id)`, `"DELETE FROM terms WHERE tenant = ? AND id = ? AND "+
			"instr(cast(? AS TEXT), '|' || cast(term AS TEXT) || '|') = 0",
		tenant, id, "|"+strings.Join(r.Index, "|")+"|")`},
		{"commit.go", insertTerm, `"INSERT INTO terms SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS " +
			"(SELECT 1 FROM terms WHERE term = ?1 AND tenant = ?2 AND id = ?4)"+"`},
		{"commit.go", " (?, ?, ?, ?)\",\n			[]byte(term)", "\",\n" +
			"			[]byte(term)"},
		{"commit.go", `	"time"`, `	"strings"
	"time"`},
	}},
	in("commit.go", "terms and claims", "terms of other tenants go too",
		`"DELETE FROM terms WHERE tenant = ? AND id = ?"`,
		`"DELETE FROM terms WHERE tenant IS NOT ? AND id = ? OR tenant = ?1 AND id = ?2"`),
	in("commit.go", "terms and claims", "claims of other tenants go too",
		`"DELETE FROM claims WHERE tenant = ? AND id = ?"`,
		`"DELETE FROM claims WHERE ? IS NOT NULL AND id = ?"`),
	in("commit.go", "terms and claims", "a change without a record drops claims",
		"	if c.Idempotency != nil {\n		kept", `	if c.Record == nil {
		if err := exec(ctx, tx, "DELETE FROM claims WHERE tenant = ? AND id = ?",
			[]byte(c.Key.Tenant), []byte(c.Key.ID)); err != nil {
			return none, err
		}
	}
	if c.Idempotency != nil {
		kept`),
	in("commit.go", "terms and claims", "a change without a record drops terms",
		"	if c.Idempotency != nil {\n		kept", `	if c.Record == nil {
		if err := exec(ctx, tx, "DELETE FROM terms WHERE tenant = ? AND id = ?",
			[]byte(c.Key.Tenant), []byte(c.Key.ID)); err != nil {
			return none, err
		}
	}
	if c.Idempotency != nil {
		kept`),
	in("commit.go", "terms and claims", "claims are written once, on creation",
		"range r.Claims {\n		if err := exec", "range r.Claims[:len(r.Claims)*"+
			"max(0, 2-len(row.Ops))] {\n		if err := exec"),
	in("commit.go", "terms and claims", "the ninth term is dropped", "range r.Index {",
		"range r.Index[:min(len(r.Index), 8)] {"),
	in("commit.go", "terms and claims", "the sixteenth claim is dropped",
		"range r.Claims {\n		if err := exec",
		"range r.Claims[:min(len(r.Claims), 15)] {\n		if err := exec"),
	in("commit.go", "terms and claims", "only the last claim is kept",
		"range r.Claims {\n		if err := exec",
		"range r.Claims[max(0, len(r.Claims)-1):] {\n		if err := exec"),
	same("commit.go", "terms and claims", "claims of a record replace those of another",
		insertOwn, `"INSERT OR REPLACE INTO claims VALUES`,
		"claims are checked before, in the same transaction"),

	in("commit.go", "uniqueness", "claims are unique across tenants", findHolder,
		`"SELECT id FROM claims WHERE ? IS NOT NULL AND claim = ? AND id <> ?"`),
	in("commit.go", "uniqueness", "a record of the same ID in another tenant is the same",
		findHolder, `"SELECT id FROM claims WHERE tenant = ? AND claim = ? AND id <> ? "+
			"AND id NOT IN (SELECT id FROM records WHERE tenant <> ?1)"`),
	in("commit.go", "uniqueness", "a record cannot keep its claims", findHolder,
		`"SELECT id FROM claims WHERE tenant = ? AND claim = ? AND ? IS NOT NULL"`),
	in("commit.go", "uniqueness", "only the first claim is checked",
		"range r.Claims {\n		var", "range r.Claims[:min(len(r.Claims), 1)] {\n		var"),
	in("commit.go", "uniqueness", "only new records are checked", checkTaken,
		"	if c.If == 0 {\n"+checkTaken+"	}\n"),
	in("commit.go", "uniqueness", "the holder is the rejected record", "Holder: string(holder)",
		"Holder: key.ID"),
	in("commit.go", "uniqueness", "the holder is the claim", "Holder: string(holder)",
		"Holder: claim"),
	in("commit.go", "uniqueness", "the key is that of the holder",
		"ExistsError{Key: key, ", "ExistsError{Key: installation.Key{Tenant: key.Tenant,\n"+
			"				ID: string(holder)}, "),
	in("commit.go", "uniqueness", "a taken claim is a conflict",
		"&installation.ExistsError{Key: key, Holder: string(holder)}",
		"&installation.ConflictError{Key: key, NotApplied: len(holder) > 0}"),
	in("commit.go", "uniqueness", "the database rejects a taken claim", checkTaken, ""),
}
