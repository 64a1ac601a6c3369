-- commit_1 applies a change, or puts a row. It checks the cases in the order that Store.Commit
-- documents, and returns a status. It never raises an error for a case: that would abort the
-- transaction of a host.
--
-- Each statement sees what others have committed before it. The function locks the stored record.
-- Where nothing is stored, nothing can be locked. So the record is inserted last, and if another
-- transaction has inserted it meanwhile, the function takes back what it wrote and begins again
-- with the first case.
--
-- Statements name whole keys, one at a time, and follow indexes even where a table is small: a
-- session keeps the plans that it made then. So each of these plans reads one row by its key.
--
-- Transactions wait for each other in one order: the record, its outcome, its claims in their
-- order, and a new record. After that a function waits for nothing. So two of them never wait in a
-- circle.
CREATE FUNCTION {{schema}}.commit_1(
	p_namespace text, p_seen bigint, -- the namespace and its lowest epoch that the caller expects
	p_reached bigint, -- the lowest number that the last event must have
	p_put bytea,    -- NULL: a change, with the following four; else a row that remembers these ops
	p_op bytea, p_now bigint, p_epoch bigint, p_if bigint,
	p_tenant bytea, p_id bytea,
	p_record bytea, -- NULL keeps the record
	p_revision bigint, p_deleted boolean, p_created bigint, p_deadline bigint,
	p_lists bytea[], p_claims bytea[], -- sorted
	p_digest bytea, p_until bigint, p_outcome bytea, -- NULL: none
	p_events bytea[],
	p_forget integer, -- how many expired tombstones and outcomes to delete
	OUT o_status text,
	OUT o_number bigint, -- revision, or the epoch of the namespace
	OUT o_data bytea,    -- ops, outcome or holder
	OUT o_text text,     -- ID and era of the namespace
	OUT o_serial bigint  -- of the last event
) LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_fine    boolean; -- the data did not go back to an older state
	v_old     record;
	v_found   boolean;
	v_claim   bytea;
	v_taken   bytea[];
	v_outcome boolean;
	v_event   bytea;
	v_void    text; -- a call in an assignment costs less than PERFORM, which runs a query
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		o_status := 'isolation';
		o_text := current_setting('transaction_isolation');
		RETURN;
	END IF;
	-- The epoch stays the same until this transaction ends.
	v_void := pg_advisory_xact_lock_shared({{epoch_lock}});
	-- The function reads the sequence, because a query of it would count as a costly scan.
	SELECT m.epoch, m.id || ' ' || m.era, m.id = p_namespace AND m.epoch >= p_seen AND p_reached <=
			coalesce(pg_sequence_last_value('{{schema}}.fresh_serial_seq'::regclass), 0)
		INTO STRICT o_number, o_text, v_fine FROM {{schema}}.meta m WHERE m.one;
	IF NOT v_fine THEN
		o_status := 'restored';
		RETURN;
	END IF;
	<<again>> LOOP
		v_taken := '{}';
		v_outcome := false;
		SELECT r.revision, r.created, r.deadline, r.ops, r.lists, r.claims INTO v_old
			FROM {{schema}}.records r WHERE r.tenant = p_tenant AND r.id = p_id FOR UPDATE;
		v_found := FOUND;

		IF p_put IS NULL THEN
			IF v_found AND position(p_op IN v_old.ops) > 0 THEN
				FOR i IN 0 .. length(v_old.ops) / 25 - 1 LOOP
					IF substring(v_old.ops FROM i * 25 + 1 FOR 16) = p_op THEN
						o_status := 'remembered';
						o_number := v_old.revision;
						o_data := v_old.ops;
						RETURN;
					END IF;
				END LOOP;
			END IF;
			IF o_number <> p_epoch THEN
				o_status := 'epoch';
				o_data := CASE WHEN v_found THEN v_old.ops END;
				RETURN;
			END IF;
		END IF;
		IF p_digest IS NOT NULL THEN
			SELECT o.outcome INTO o_data FROM {{schema}}.outcomes o
				WHERE o.tenant = p_tenant AND o.digest = p_digest AND o.until > p_now;
			IF FOUND THEN
				-- Without a lock, the record may have been inserted before the outcome was read.
				CONTINUE again WHEN NOT v_found AND EXISTS (SELECT FROM {{schema}}.records r
					WHERE r.tenant = p_tenant AND r.id = p_id);
				o_status := 'outcome';
				RETURN;
			END IF;
		END IF;
		IF p_put IS NOT NULL THEN
			IF v_found AND v_old.revision >= p_revision THEN
				o_status := 'kept';
				RETURN;
			END IF;
		ELSIF v_found AND v_old.revision <> p_if OR NOT v_found AND (p_if <> 0 OR p_record IS NULL)
		THEN
			o_status := 'conflict';
			o_number := CASE WHEN v_found THEN v_old.revision ELSE 0 END;
			o_data := CASE WHEN v_found THEN v_old.ops END;
			RETURN;
		END IF;

		-- Look before writing, so that an answer without a race writes nothing.
		IF p_record IS NOT NULL AND (NOT v_found OR p_claims <> v_old.claims) THEN
			FOREACH v_claim IN ARRAY p_claims LOOP
				SELECT c.id INTO o_data FROM {{schema}}.claims c
					WHERE c.tenant = p_tenant AND c.claim = v_claim;
				IF FOUND AND o_data <> p_id THEN
					CONTINUE again WHEN NOT v_found AND EXISTS (SELECT FROM {{schema}}.records r
						WHERE r.tenant = p_tenant AND r.id = p_id);
					o_status := 'exists';
					RETURN;
				END IF;
			END LOOP;
		END IF;

		IF p_digest IS NOT NULL THEN
			INSERT INTO {{schema}}.outcomes AS o (tenant, digest, until, outcome)
				VALUES (p_tenant, p_digest, p_until, p_outcome)
				ON CONFLICT (tenant, digest) DO UPDATE
				SET until = EXCLUDED.until, outcome = EXCLUDED.outcome WHERE o.until <= p_now;
			CONTINUE again WHEN NOT FOUND; -- another change has used the key meanwhile
			v_outcome := true;
		END IF;
		IF p_record IS NOT NULL THEN
			FOREACH v_claim IN ARRAY p_claims LOOP
				CONTINUE WHEN v_found AND v_claim = ANY (v_old.claims);
				INSERT INTO {{schema}}.claims (tenant, claim, id)
					VALUES (p_tenant, v_claim, p_id) ON CONFLICT (tenant, claim) DO NOTHING;
				IF NOT FOUND THEN
					-- Damaged tables: the record has the claim and does not know it. Or another
					-- change creates the record, and the INSERT below will notice.
					CONTINUE WHEN EXISTS (SELECT FROM {{schema}}.claims c WHERE c.tenant = p_tenant
						AND c.claim = v_claim AND c.id = p_id);
					-- Another record has taken it meanwhile.
					v_void := {{schema}}.undo_1(p_tenant, v_taken,
						CASE WHEN v_outcome THEN p_digest END);
					CONTINUE again;
				END IF;
				v_taken := v_taken || v_claim;
			END LOOP;
			IF v_found THEN
				UPDATE {{schema}}.records r SET revision = p_revision, deleted = p_deleted,
					created = p_created, deadline = p_deadline, lists = p_lists,
					claims = p_claims, record = p_record,
					ops = coalesce(p_put, {{schema}}.remember_1(v_old.ops, p_op, p_revision, true))
					WHERE r.tenant = p_tenant AND r.id = p_id;
			ELSE
				INSERT INTO {{schema}}.records (tenant, id, revision, deleted, created, deadline,
						lists, claims, record, ops)
					VALUES (p_tenant, p_id, p_revision, p_deleted, p_created, p_deadline,
						p_lists, p_claims, p_record,
						coalesce(p_put, {{schema}}.remember_1('', p_op, p_revision, true)))
					ON CONFLICT (tenant, id) DO NOTHING;
				IF NOT FOUND THEN -- another change has created the record meanwhile
					v_void := {{schema}}.undo_1(p_tenant, v_taken,
						CASE WHEN v_outcome THEN p_digest END);
					CONTINUE again;
				END IF;
			END IF;
			IF v_found THEN
				IF p_claims <> v_old.claims THEN
					FOREACH v_claim IN ARRAY v_old.claims LOOP
						CONTINUE WHEN v_claim = ANY (p_claims);
						DELETE FROM {{schema}}.claims c
							WHERE c.tenant = p_tenant AND c.claim = v_claim;
					END LOOP;
				END IF;
				v_void := {{schema}}.relist_1(p_tenant, p_id,
					v_old.lists, v_old.created, v_old.deadline, p_lists, p_created, p_deadline);
			ELSE
				INSERT INTO {{schema}}.lists (list, at, id, tenant)
					SELECT n.list, CASE WHEN get_byte(n.list, 0) IN (68, 100) -- 'D' and 'd'
						THEN p_deadline ELSE p_created END, p_id, p_tenant
					FROM unnest(p_lists) AS n (list);
			END IF;
			o_number := p_revision;
		ELSE
			UPDATE {{schema}}.records r
				SET ops = {{schema}}.remember_1(v_old.ops, p_op, v_old.revision, false)
				WHERE r.tenant = p_tenant AND r.id = p_id;
			o_number := v_old.revision;
		END IF;
		EXIT;
	END LOOP;

	FOREACH v_event IN ARRAY p_events LOOP
		INSERT INTO {{schema}}.fresh (tenant, event) VALUES (p_tenant, v_event)
			RETURNING serial INTO o_serial;
	END LOOP;
	IF p_forget > 0 THEN
		v_void := {{schema}}.forget_1(p_tenant, p_id, p_now, p_forget);
	END IF;
	o_status := 'applied';
END
$$;

-- remember_1 appends a change to the changes that a record remembers, of which it keeps seven. It
-- has no search path of its own, so that the server puts its expression in the place of a call.
CREATE FUNCTION {{schema}}.remember_1(p_ops bytea, p_op bytea, p_revision bigint, p_whole boolean)
RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT substring(p_ops FROM greatest(length(p_ops) - 7 * 25, 0) + 1) || p_op
		|| int8send(p_revision) || decode(CASE WHEN p_whole THEN '01' ELSE '00' END, 'hex')
$$;

-- undo_1 takes back claims and an outcome that this transaction has just inserted.
CREATE FUNCTION {{schema}}.undo_1(p_tenant bytea, p_claims bytea[], p_digest bytea)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_claim bytea;
BEGIN
	FOREACH v_claim IN ARRAY p_claims LOOP
		DELETE FROM {{schema}}.claims c WHERE c.tenant = p_tenant AND c.claim = v_claim;
	END LOOP;
	DELETE FROM {{schema}}.outcomes o WHERE o.tenant = p_tenant AND o.digest = p_digest;
END
$$;

-- relist_1 replaces the entries of a record in the lists. Most changes keep them all.
CREATE FUNCTION {{schema}}.relist_1(
	p_tenant bytea, p_id bytea,
	p_was bytea[], p_was_created bigint, p_was_deadline bigint,
	p_lists bytea[], p_created bigint, p_deadline bigint
) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_list bytea;
BEGIN
	IF p_was = p_lists AND p_was_created = p_created
		AND p_was_deadline IS NOT DISTINCT FROM p_deadline THEN
		RETURN;
	END IF;
	FOREACH v_list IN ARRAY p_was LOOP
		DELETE FROM {{schema}}.lists l
			WHERE l.list = v_list AND l.id = p_id AND l.tenant = p_tenant
			AND l.at = CASE WHEN get_byte(v_list, 0) IN (68, 100)
				THEN p_was_deadline ELSE p_was_created END; -- 'D' and 'd'
	END LOOP;
	INSERT INTO {{schema}}.lists (list, at, id, tenant)
		SELECT n.list, CASE WHEN get_byte(n.list, 0) IN (68, 100)
			THEN p_deadline ELSE p_created END, p_id, p_tenant FROM unnest(p_lists) AS n (list);
END
$$;

-- forget_1 deletes some expired outcomes and tombstones. It passes over what another transaction
-- has locked, so it waits for nobody. It keeps the record that the caller has just written. It
-- returns how many rows it has deleted.
CREATE FUNCTION {{schema}}.forget_1(p_tenant bytea, p_id bytea, p_now bigint, p_limit integer)
RETURNS bigint LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v record;
	v_count bigint := 0;
BEGIN
	FOR v IN SELECT o.tenant, o.digest FROM {{schema}}.outcomes o WHERE o.until <= p_now
		ORDER BY o.until LIMIT p_limit FOR UPDATE SKIP LOCKED
	LOOP
		DELETE FROM {{schema}}.outcomes o WHERE o.tenant = v.tenant AND o.digest = v.digest;
		v_count := v_count + 1;
	END LOOP;
	FOR v IN SELECT r.tenant, r.id FROM {{schema}}.records r WHERE r.deleted
		AND r.deadline <= p_now AND (r.tenant, r.id) <> (p_tenant, p_id)
		ORDER BY r.deadline LIMIT p_limit FOR UPDATE SKIP LOCKED
	LOOP
		DELETE FROM {{schema}}.records r WHERE r.tenant = v.tenant AND r.id = v.id;
		v_count := v_count + 1;
	END LOOP;
	RETURN v_count;
END
$$;
