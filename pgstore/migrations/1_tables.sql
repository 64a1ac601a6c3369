-- Tables of version 1. Strings are bytes, and times are microseconds since 1970.
-- The placeholder in double braces is the quoted name of the schema.

-- meta has one row: what the namespace is.
CREATE TABLE {{schema}}.meta (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	version integer NOT NULL, -- the number of the last migration
	id      text NOT NULL,
	epoch   bigint NOT NULL,
	era     text NOT NULL
);

-- records has records and tombstones.
CREATE TABLE {{schema}}.records (
	tenant   bytea NOT NULL,
	id       bytea NOT NULL,
	revision bigint NOT NULL,
	deleted  boolean NOT NULL,
	created  bigint NOT NULL,
	deadline bigint,           -- NULL = never
	ops      bytea NOT NULL,   -- remembered changes, 25 bytes each: token, revision, with a record
	lists    bytea[] NOT NULL, -- its entries in the table lists
	claims   bytea[] NOT NULL, -- its entries in the table claims
	record   bytea NOT NULL,   -- what installation.Record.MarshalBinary returns
	PRIMARY KEY (tenant, id)
);
-- A record is sealed, so it cannot be compressed.
ALTER TABLE {{schema}}.records ALTER COLUMN record SET STORAGE EXTERNAL;
CREATE INDEX records_forget ON {{schema}}.records (deadline) WHERE deleted;

-- lists has the members of all lists in their order. The first byte of a list is its kind: 't' and
-- a tenant, NUL and a term; 'g' and a global term; 'd' and a tenant: its deadlines; 'D': all
-- deadlines.
CREATE TABLE {{schema}}.lists (
	list   bytea NOT NULL,
	at     bigint NOT NULL, -- when the record was created, or its deadline
	id     bytea NOT NULL,
	tenant bytea NOT NULL,
	PRIMARY KEY (list, at, id, tenant)
);

CREATE TABLE {{schema}}.claims (
	tenant bytea NOT NULL,
	claim  bytea NOT NULL,
	id     bytea NOT NULL, -- the record that holds the claim
	PRIMARY KEY (tenant, claim)
);

CREATE TABLE {{schema}}.outcomes (
	tenant  bytea NOT NULL,
	digest  bytea NOT NULL,
	until   bigint NOT NULL,
	outcome bytea NOT NULL, -- what installation.Outcome.MarshalBinary returns
	PRIMARY KEY (tenant, digest)
);
ALTER TABLE {{schema}}.outcomes ALTER COLUMN outcome SET STORAGE EXTERNAL;
CREATE INDEX outcomes_forget ON {{schema}}.outcomes (until);

-- fresh has the events that no reader has seen yet. It is small, so any plan for it is fast.
CREATE TABLE {{schema}}.fresh (
	serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant bytea NOT NULL,
	event  bytea NOT NULL -- what installation.Event.MarshalBinary returns
);

-- events is the change log. Readers move events to it.
CREATE TABLE {{schema}}.events (
	place  bigint PRIMARY KEY,
	tenant bytea NOT NULL,
	event  bytea NOT NULL
);
CREATE INDEX events_tenant ON {{schema}}.events (tenant, place);

-- log has one row: the last place that was given, and the last that was trimmed.
CREATE TABLE {{schema}}.log (
	one      boolean PRIMARY KEY DEFAULT true CHECK (one),
	numbered bigint NOT NULL DEFAULT 0,
	trimmed  bigint NOT NULL DEFAULT 0
);
INSERT INTO {{schema}}.log DEFAULT VALUES;

-- trims has the last trimmed place of each tenant that lost events.
CREATE TABLE {{schema}}.trims (
	tenant bytea PRIMARY KEY,
	place  bigint NOT NULL
);
