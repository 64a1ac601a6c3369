-- list_1 returns a page of a list after a position, or before it if p_reverse is true. The settings
-- make the server follow the index of the list, also when its statistics are out of date: it would
-- otherwise read and sort a whole list that grew fast. The inner LIMIT makes it read each record by
-- its key. A member without a record is NULL, so that the caller notices damage.
CREATE FUNCTION {{schema}}.list_1(
	p_list bytea, p_last bigint, p_reverse boolean,
	p_at bigint, p_id bytea, p_tenant bytea, p_limit integer, p_skip integer
) RETURNS TABLE (o_record bytea, o_at bigint, o_id bytea, o_tenant bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off AS $$
BEGIN
	IF p_reverse THEN
		RETURN QUERY SELECT r.record, m.at, m.id, m.tenant FROM (
			SELECT l.at, l.id, l.tenant FROM {{schema}}.lists l
			WHERE l.list = p_list AND (l.at, l.id, l.tenant) < (p_at, p_id, p_tenant)
			ORDER BY l.at DESC, l.id DESC, l.tenant DESC LIMIT p_limit OFFSET p_skip
		) AS m LEFT JOIN LATERAL (
			SELECT s.record FROM {{schema}}.records s
			WHERE s.tenant = m.tenant AND s.id = m.id LIMIT 1
		) AS r ON true ORDER BY m.at DESC, m.id DESC, m.tenant DESC;
	ELSE
		RETURN QUERY SELECT r.record, m.at, m.id, m.tenant FROM (
			SELECT l.at, l.id, l.tenant FROM {{schema}}.lists l
			WHERE l.list = p_list AND l.at <= p_last
			AND (l.at, l.id, l.tenant) > (p_at, p_id, p_tenant)
			ORDER BY l.at, l.id, l.tenant LIMIT p_limit OFFSET p_skip
		) AS m LEFT JOIN LATERAL (
			SELECT s.record FROM {{schema}}.records s
			WHERE s.tenant = m.tenant AND s.id = m.id LIMIT 1
		) AS r ON true ORDER BY m.at, m.id, m.tenant;
	END IF;
END
$$;
