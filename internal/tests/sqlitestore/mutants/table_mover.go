package main

// moverMutants break Scan and Put.
var moverMutants = []mutant{
	in("move.go", mover, "Put writes over the same revision",
		"row.Record.Revision <= old", "row.Record.Revision < old"),
	in("move.go", mover, "Put writes over everything",
		"old.Record != nil && row.Record.Revision <= old.Record.Revision",
		"old.Record != nil && false"),
	in("move.go", mover, "Put writes over an outcome that is kept as long",
		"!row.Outcome.Until.After(old.Outcome.Until)",
		"row.Outcome.Until.Before(old.Outcome.Until)"),
	in("move.go", mover, "Put writes over every outcome",
		"old.Outcome != nil && !row.Outcome.Until.After(old.Outcome.Until)",
		"old.Outcome != nil && false"),
	in("move.go", mover, "Put writes over no outcome",
		" && !row.Outcome.Until.After(old.Outcome.Until)", ""),
	in("move.go", mover, "Put takes claims away",
		"	if err := checkClaims(ctx, tx, row.Record.Key, row.Record); err != nil {\n"+
			"		return false, err\n	}\n",
		`	for _, claim := range row.Record.Claims {
		if err := exec(ctx, tx, "DELETE FROM claims WHERE tenant = ? AND claim = ?",
			[]byte(row.Record.Key.Tenant), []byte(claim)); err != nil {
			return false, err
		}
	}
`),
	in("move.go", mover, "Put lets the database reject claims",
		"	if err := checkClaims(ctx, tx, row.Record.Key, row.Record); err != nil {\n"+
			"		return false, err\n	}\n", ""),
	in("move.go", mover, "Put forgets changes", "	return true, putRecord",
		"	row.Ops = row.Ops[len(row.Ops)-1:]\n	return true, putRecord"),
	in("move.go", mover, "Put adds a change", "	return true, putRecord",
		"	row.Ops = append(row.Ops[:len(row.Ops):len(row.Ops)], "+
			"installation.Op{Revision: row.Record.Revision})\n	return true, putRecord"),
	in("move.go", mover, "Put counts the revision", "	return true, putRecord",
		`	r := *row.Record
	r.Revision = 1
	if old.Record != nil {
		r.Revision = old.Record.Revision + 1
	}
	row.Record = &r
	return true, putRecord`),
	in("move.go", mover, "Put writes no tombstones", "	return true, putRecord",
		"	if row.Record.Deleted {\n		return false, nil\n	}\n"+
			"	return true, putRecord"),
	in("move.go", mover, "Put loses the tenant of an outcome", "	return true, putOutcome",
		"	row.Tenant = \"\"\n	return true, putOutcome"),
	in("move.go", mover, "Put does not validate",
		"	if err := row.Validate(); err != nil {\n		return false, err\n	}\n", ""),
	in("move.go", mover, "Put always reports true", "return written && err == nil, err",
		"return err == nil, err"),
	in("move.go", mover, "Put ignores the context",
		"	if err := ctx.Err(); err != nil {\n		return false, err\n	}\n",
		"	ctx = context.WithoutCancel(ctx)\n"),
	in("move.go", mover, "Put of an empty store needs epoch 0",
		"		if err := prune(ctx, tx, now); err != nil {\n			return err\n		}\n",
		`		if err := prune(ctx, tx, now); err != nil {
			return err
		}
		if in, err := namespace(ctx, tx); err != nil || in.Epoch != 0 {
			return installation.ErrEpoch
		}
`),
	in("move.go", mover, "Put uses the clock of the machine", "prune(ctx, tx, now)",
		"prune(ctx, tx, time.Now().AddDate(200, 0, now.Nanosecond()))"),
	in("move.go", mover, "Scan leaves out outcomes", " UNION ALL SELECT row FROM outcomes", ""),
	in("move.go", mover, "Scan leaves out tombstones", "SELECT row FROM records UNION",
		"SELECT row FROM records WHERE deleted = 0 UNION"),
	in("move.go", mover, "Scan leaves out records without terms", "SELECT row FROM records UNION",
		"SELECT DISTINCT row FROM records JOIN terms USING (tenant, id) UNION"),
	in("move.go", mover, "Scan stops at a thousand rows",
		"SELECT row FROM outcomes\"", "SELECT row FROM outcomes LIMIT 1000\""),
	in("move.go", mover, "Scan forgets changes", "			if !yield(row, nil) {",
		"			row.Ops = row.Ops[max(0, len(row.Ops)-1):]\n"+
			"			if !yield(row, nil) {"),
	missed("move.go", mover, "Scan returns a row with its error",
		"				yield(installation.Row{}, err)\n				return\n			}\n"+
			"			if !yield",
		"				yield(row, err)\n				return\n			}\n"+
			"			if !yield",
		"no case can damage a stored row"),
	in("move.go", mover, "Scan ends quietly on a failure",
		"			yield(installation.Row{}, unavailable(ctx, err))\n			return\n"+
			"		}\n		defer",
		"			return\n		}\n		defer"),
	in("move.go", mover, "Scan ignores the context",
		"		if err := ctx.Err(); err != nil {\n			yield(installation.Row{}, err)\n"+
			"			return\n		}\n",
		"		ctx := context.WithoutCancel(ctx)\n"),
}
