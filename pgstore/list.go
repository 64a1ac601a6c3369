package pgstore

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-installation/installation"
)

// position is a place in a list. Lists are in the order (at, id, tenant).
type position struct {
	at         int64
	id, tenant []byte
}

// encode separates the parts with NUL, which occurs in no ID and no tenant.
func (p position) encode() string {
	return base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, "%d\x00%s\x00%s", p.at, p.id, p.tenant))
}

func decodePosition(s string) (p position, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.Split(string(b), "\x00")
	if err == nil && len(parts) == 3 {
		p.id, p.tenant = []byte(parts[1]), []byte(parts[2])
		p.at, err = strconv.ParseInt(parts[0], 10, 64)
	}
	if err != nil || len(parts) != 3 {
		return p, fmt.Errorf("%w: the cursor is not from a page", installation.ErrInvalid)
	}
	return p, nil
}

// selection returns the list of q and a condition on its members.
func selection(q installation.Query) (where string, args []any) {
	where = "l.list = $1::bytea"
	switch {
	case q.Term != "":
		return where, []any{termList(q.Tenant, q.Term)}
	case q.AllTenants:
		args = []any{[]byte{listDueOfAll}}
	default:
		args = []any{dueList(q.Tenant)}
	}
	return where + " AND l.at <= $2::bigint", append(args, q.DueBefore.UnixMicro())
}

// List implements [installation.Store]. A page is one round trip.
func (s *Store) List(
	ctx context.Context, q installation.Query,
) (page installation.Page, err error) {
	if err := ctx.Err(); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, fmt.Errorf("list: %w", err)
	}
	sql, args, err := s.listStatement(q)
	if err != nil {
		return page, fmt.Errorf("list: %w", err)
	}
	var last position
	err = s.read(ctx, func(ctx context.Context) error {
		page = installation.Page{}
		return s.db.query(ctx, sql, args, func(found row) error {
			var data []byte
			if err := found.Scan(&last.at, &last.id, &last.tenant, &data); err != nil {
				return err
			}
			r := new(installation.Record)
			page.Records = append(page.Records, r)
			return r.UnmarshalBinary(data)
		})
	})
	if err != nil {
		return installation.Page{}, fmt.Errorf("list: %w", err)
	}
	if len(page.Records) == q.Limit {
		page.Next = last.encode()
	}
	return page, nil
}

// listStatement returns the statement for a page. The inner LIMIT makes the server read each record
// by its key, whatever it thinks about the size of the tables.
func (s *Store) listStatement(q installation.Query) (sql string, args []any, err error) {
	where, args := selection(q)
	after, direction := ">", ""
	if q.Reverse && q.Term != "" {
		after, direction = "<", " DESC"
	}
	next := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	if q.After != "" {
		p, err := decodePosition(q.After)
		if err != nil {
			return "", nil, err
		}
		where += fmt.Sprintf(" AND (l.at, l.id, l.tenant) %s (%s::bigint, %s::bytea, %s::bytea)",
			after, next(p.at), next(p.id), next(p.tenant))
	}
	order := fmt.Sprintf("at%[1]s, id%[1]s, tenant%[1]s", direction)
	return fill(s.opts.Schema, fmt.Sprintf(`SELECT m.at, m.id, m.tenant, r.record FROM (
		SELECT l.at, l.id, l.tenant FROM {{schema}}.lists l WHERE %s ORDER BY %s
		LIMIT %s::bigint OFFSET %s::bigint
	) AS m CROSS JOIN LATERAL (
		SELECT record FROM {{schema}}.records r WHERE r.tenant = m.tenant AND r.id = m.id LIMIT 1
	) AS r ORDER BY %[2]s`, where, order, next(int64(q.Limit)), next(int64(q.Skip)))), args, nil
}

// Count implements [installation.Counter].
func (s *Store) Count(ctx context.Context, q installation.Query) (n int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := q.Counted().Validate(); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	where, args := selection(q)
	err = s.readOne(ctx, fill(s.opts.Schema,
		"SELECT count(*) FROM {{schema}}.lists l WHERE "+where), args, &n)
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	return n, nil
}
