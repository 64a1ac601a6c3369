package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-installation/installation"
)

// position is a place in a list: all lists are in the order (at, id, tenant). The value of at is
// the time of creation or the deadline.
type position struct {
	at         int64
	id, tenant string
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
		p.id, p.tenant = parts[1], parts[2]
		p.at, err = strconv.ParseInt(parts[0], 10, 64)
	}
	if err != nil || len(parts) != 3 {
		return p, fmt.Errorf("%w: the cursor is not from a page", installation.ErrInvalid)
	}
	return p, nil
}

// selection returns the column of the order, and the FROM and WHERE of the records that q names.
func selection(q installation.Query) (at, from string, args []any) {
	if q.Term != "" {
		at, from = "created", "terms JOIN records USING (tenant, id) WHERE term = ?"
		args = append(args, []byte(q.Term))
	} else {
		at, from = "deadline", "records WHERE deleted = 0 AND deadline <= ?"
		args = append(args, q.DueBefore.UnixMicro())
	}
	if !q.AllTenants {
		from += " AND tenant = ?"
		args = append(args, []byte(q.Tenant))
	}
	return at, from, args
}

// List implements [installation.Store].
func (s *Store) List(
	ctx context.Context, q installation.Query,
) (page installation.Page, err error) {
	if err := ctx.Err(); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, err
	}
	at, from, args := selection(q)
	after, direction := ">", ""
	if q.Reverse && q.Term != "" {
		after, direction = "<", " DESC"
	}
	if q.After != "" {
		p, err := decodePosition(q.After)
		if err != nil {
			return page, err
		}
		from += fmt.Sprintf(" AND (%s, id, tenant) %s (?, ?, ?)", at, after)
		args = append(args, p.at, []byte(p.id), []byte(p.tenant))
	}
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf(
		"SELECT %s, id, tenant, row FROM %s ORDER BY %[1]s%[3]s, id%[3]s, tenant%[3]s"+
			" LIMIT ? OFFSET ?", at, from, direction), append(args, q.Limit, q.Skip)...)
	if err != nil {
		return page, unavailable(ctx, err)
	}
	defer func() { _ = rows.Close() }() // Err has the errors
	return pageOf(ctx, rows, q.Limit)
}

// pageOf reads a page. Only a full page has a next one.
func pageOf(ctx context.Context, rows *sql.Rows, limit int) (page installation.Page, _ error) {
	var last position
	for rows.Next() {
		var encoded []byte
		var row installation.Row
		if err := rows.Scan(&last.at, &last.id, &last.tenant, &encoded); err != nil {
			return installation.Page{}, unavailable(ctx, err)
		}
		if err := row.UnmarshalBinary(encoded); err != nil {
			return installation.Page{}, err
		}
		page.Records = append(page.Records, row.Record)
	}
	if err := rows.Err(); err != nil {
		return installation.Page{}, unavailable(ctx, err)
	}
	if len(page.Records) == limit {
		page.Next = last.encode()
	}
	return page, nil
}

// Count implements [installation.Counter].
func (s *Store) Count(ctx context.Context, q installation.Query) (n int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := q.Counted().Validate(); err != nil {
		return 0, err
	}
	_, from, args := selection(q)
	_, err = scan(ctx, s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+from, args...), &n)
	return n, err
}

// Events implements [installation.EventReader]. All tenants together are in the order of commits.
func (s *Store) Events(
	ctx context.Context, q installation.EventQuery,
) (page installation.EventPage, err error) {
	if err := ctx.Err(); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, err
	}
	var after int64
	if q.After != "" {
		if after, err = strconv.ParseInt(q.After, 10, 64); err != nil {
			return page, fmt.Errorf("%w: the cursor is not from a page", installation.ErrInvalid)
		}
	}
	where, args := "seq > ?", []any{after}
	if !q.AllTenants {
		where, args = where+" AND tenant = ?", append(args, []byte(q.Tenant))
	}
	rows, err := s.db.QueryContext(ctx, "SELECT seq, event FROM events WHERE "+where+
		" ORDER BY seq LIMIT ?", append(args, q.Limit)...)
	if err != nil {
		return page, unavailable(ctx, err)
	}
	defer func() { _ = rows.Close() }() // Err has the errors
	page.Next = q.After
	for rows.Next() {
		var encoded []byte
		var e installation.Event
		if err := rows.Scan(&page.Next, &encoded); err != nil {
			return installation.EventPage{}, unavailable(ctx, err)
		}
		if err := e.UnmarshalBinary(encoded); err != nil {
			return installation.EventPage{}, err
		}
		e.ID = page.Next
		page.Events = append(page.Events, e)
	}
	if err := rows.Err(); err != nil {
		return installation.EventPage{}, unavailable(ctx, err)
	}
	return page, nil
}
