-- reached_1 returns the serial number of the last event that was written. Reading the counter costs
-- the same however many events there are. A crash of the server can set it up to 32 ahead.
CREATE FUNCTION {{schema}}.reached_1() RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN q.is_called THEN q.last_value ELSE 0 END FROM {{schema}}.fresh_serial_seq q
$$;

-- number_1 moves events that it can see to the log, in the order of their serial numbers. It moves
-- 10,000 at most, so a statement stays short after a time without readers. It returns true if more
-- may be left. An event of a transaction that is still open gets a later place: so no event ever
-- appears before a place that was given out. The lock is a statement of its own, so that the next
-- statement sees what the last holder of the lock has committed.
CREATE FUNCTION {{schema}}.number_1() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_last  bigint;
	v_count bigint;
BEGIN
	IF NOT EXISTS (SELECT FROM {{schema}}.fresh) THEN
		RETURN false;
	END IF;
	PERFORM pg_advisory_xact_lock({{events_lock}});
	SELECT l.numbered INTO STRICT v_last FROM {{schema}}.log l;
	WITH f AS (DELETE FROM {{schema}}.fresh d WHERE d.serial <= (SELECT max(b.serial) FROM (
			SELECT n.serial FROM {{schema}}.fresh n ORDER BY n.serial LIMIT 10000) AS b)
		RETURNING d.serial, d.tenant, d.event)
	INSERT INTO {{schema}}.events (place, tenant, event)
		SELECT v_last + row_number() OVER (ORDER BY f.serial), f.tenant, f.event FROM f;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	UPDATE {{schema}}.log SET numbered = v_last + v_count;
	RETURN v_count = 10000;
END
$$;

-- events_1 returns a page of the log after a place, of one tenant or, with NULL, of all. A row with
-- the place -1 means that events after p_after were trimmed, or that p_after was never given out. A
-- row with the place -2 means that the page may lack events without a place: call again.
CREATE FUNCTION {{schema}}.events_1(p_tenant bytea, p_after bigint, p_limit integer)
RETURNS TABLE (o_place bigint, o_event bytea)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_more boolean := {{schema}}.number_1();
BEGIN
	IF v_more THEN
		RETURN QUERY SELECT -2::bigint, NULL::bytea;
	END IF;
	IF p_tenant IS NULL THEN
		RETURN QUERY SELECT e.place, e.event FROM {{schema}}.events e
			WHERE e.place > p_after ORDER BY e.place LIMIT p_limit;
	ELSE
		RETURN QUERY SELECT e.place, e.event FROM {{schema}}.events e
			WHERE e.tenant = p_tenant AND e.place > p_after ORDER BY e.place LIMIT p_limit;
	END IF;
	-- Look after reading: a trim may have removed events before they were read.
	RETURN QUERY SELECT -1::bigint, NULL::bytea FROM {{schema}}.log l
		WHERE p_after > 0 AND (p_after > l.numbered OR p_after < CASE WHEN p_tenant IS NULL
			THEN l.trimmed
			ELSE (SELECT t.place FROM {{schema}}.trims t WHERE t.tenant = p_tenant) END);
END
$$;

-- trim_1 numbers events and deletes all but the last p_keep. It deletes only numbered ones, and
-- 10,000 at most. It returns true if more may be left.
CREATE FUNCTION {{schema}}.trim_1(p_keep bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_more boolean := {{schema}}.number_1();
	v_from bigint;
	v_to   bigint;
BEGIN
	PERFORM pg_advisory_xact_lock({{events_lock}});
	SELECT l.trimmed, l.numbered - p_keep INTO v_from, v_to FROM {{schema}}.log l
		WHERE l.numbered - p_keep > l.trimmed;
	IF NOT FOUND THEN
		RETURN v_more;
	END IF;
	IF v_to - v_from > 10000 THEN
		v_to := v_from + 10000;
		v_more := true;
	END IF;
	WITH gone AS (DELETE FROM {{schema}}.events e
		WHERE e.place > v_from AND e.place <= v_to RETURNING e.tenant, e.place)
	INSERT INTO {{schema}}.trims AS t (tenant, place)
		SELECT g.tenant, max(g.place) FROM gone g GROUP BY g.tenant
		ON CONFLICT (tenant) DO UPDATE SET place = EXCLUDED.place;
	UPDATE {{schema}}.log SET trimmed = v_to;
	RETURN v_more;
END
$$;

-- accept_1 begins a new epoch. It waits for every open transaction that has called commit_1. While
-- it waits, new ones wait behind it, so it soon gives up and the caller tries again.
CREATE FUNCTION {{schema}}.accept_1(
	p_now bigint, p_seen bigint, p_era text,
	OUT o_id text, OUT o_epoch bigint, OUT o_era text
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
	PERFORM pg_advisory_xact_lock({{epoch_lock}});
	UPDATE {{schema}}.meta m SET epoch = greatest(p_now, m.epoch + 1, p_seen + 1), era = p_era
		RETURNING m.id, m.epoch, m.era INTO STRICT o_id, o_epoch, o_era;
END
$$;
