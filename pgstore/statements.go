package pgstore

import "fmt"

// statements are the SQL texts of a store, with the name of its schema.
type statements struct {
	version, rights, namespace, accept string
	get, outcome, list, count          string
	commit, putOutcome                 string
	events, trim, forget               string
	scanRecords, scanOutcomes          string
}

func newStatements(schema string) statements {
	t := statements{
		version:   sqlVersion,
		namespace: "SELECT id, epoch, era, {{schema}}.reached_1() FROM {{schema}}.meta",
		rights: `SELECT p.privilege || ' on ' || p.name FROM unnest(
			string_to_array($1::text, ','), string_to_array($2::text, ',')) AS p (name, privilege)
			WHERE NOT has_table_privilege('{{schema}}.' || p.name, p.privilege)
			UNION ALL SELECT 'EXECUTE on ' || f.proname FROM pg_catalog.pg_proc f
			JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
			WHERE n.nspname = $3::text AND NOT has_function_privilege(f.oid, 'EXECUTE')`,
		accept: "SELECT o_id, o_epoch, o_era" +
			" FROM {{schema}}.accept_1($1::bigint, $2::bigint, $3::text)",
		get: "SELECT record FROM {{schema}}.records" +
			" WHERE tenant = $1::bytea AND id = $2::bytea",
		outcome: "SELECT outcome FROM {{schema}}.outcomes" +
			" WHERE tenant = $1::bytea AND digest = $2::bytea",
		commit: `SELECT o_status, coalesce(o_number, 0), o_data, coalesce(o_text, ''),
			coalesce(o_serial, 0)
			FROM {{schema}}.commit_1($1::text, $2::bigint, $3::bigint, $4::bytea, $5::bytea,
			$6::bigint, $7::bigint, $8::bigint, $9::bytea, $10::bytea, $11::bytea, $12::bigint,
			$13::boolean, $14::bigint, $15::bigint, $16::text::bytea[], $17::text::bytea[],
			$18::bytea, $19::bigint, $20::bytea, $21::text::bytea[], $22::bigint::integer)`,
		putOutcome: `INSERT INTO {{schema}}.outcomes AS o (tenant, digest, until, outcome)
			VALUES ($1::bytea, $2::bytea, $3::bigint, $4::bytea)
			ON CONFLICT (tenant, digest) DO UPDATE
			SET until = EXCLUDED.until, outcome = EXCLUDED.outcome
			WHERE o.until < EXCLUDED.until RETURNING true`,
		list: `SELECT o_record, o_at, o_id, o_tenant
			FROM {{schema}}.list_1($1::bytea, $2::bigint, $3::boolean, $4::bigint,
			$5::bytea, $6::bytea, $7::bigint::integer, $8::bigint::integer)`,
		count: "SELECT count(*) FROM {{schema}}.lists l" +
			" WHERE l.list = $1::bytea AND l.at <= $2::bigint",
		events: "SELECT o_place, o_event" +
			" FROM {{schema}}.events_1($1::bytea, $2::bigint, $3::bigint::integer)",
		forget:       "SELECT {{schema}}.forget_1('', '', $1::bigint, $2::bigint::integer)",
		trim:         "SELECT {{schema}}.trim_1($1::bigint)",
		scanRecords:  scanSQL("records", "id", "record", "record, ops, tenant, id"),
		scanOutcomes: scanSQL("outcomes", "digest", "outcome", "outcome, tenant, digest"),
	}
	for _, s := range []*string{
		&t.version, &t.namespace, &t.rights, &t.accept, &t.get, &t.outcome, &t.list, &t.count,
		&t.commit,
		&t.putOutcome, &t.events, &t.trim, &t.forget, &t.scanRecords, &t.scanOutcomes,
	} {
		*s = fill(schema, *s)
	}
	return t
}

// scanSQL returns a statement that reads columns of the rows after a key, in the order of the keys.
// It returns at most $3 rows, and none after the values of the rows before have $4 bytes.
func scanSQL(table, key, value, columns string) string {
	return fmt.Sprintf(`SELECT %[4]s FROM (
			SELECT *, sum(size) OVER (ORDER BY tenant, %[2]s) - size AS before FROM (
				SELECT %[4]s, octet_length(%[3]s) AS size FROM {{schema}}.%[1]s
				WHERE (tenant, %[2]s) > ($1::bytea, $2::bytea)
				ORDER BY tenant, %[2]s LIMIT $3::bigint) AS r) AS s
		WHERE before < $4::bigint ORDER BY tenant, %[2]s`, table, key, value, columns)
}
