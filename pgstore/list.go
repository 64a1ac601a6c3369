package pgstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
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

// positionOf returns the position of a record in the list of q.
func positionOf(q installation.Query, r *installation.Record) position {
	at := r.Created
	if q.Term == "" {
		at = r.Deadline
	}
	return position{at.UnixMicro(), []byte(r.Key.ID), []byte(r.Key.Tenant)}
}

func (p position) equal(o position) bool {
	return p.at == o.at && bytes.Equal(p.id, o.id) && bytes.Equal(p.tenant, o.tenant)
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

// selection returns the name of the list of q, and the last time that q wants of it.
func selection(q installation.Query) (list []byte, last int64) {
	switch {
	case q.Term != "":
		return termList(q.Tenant, q.Term), math.MaxInt64
	case q.AllTenants:
		return []byte{listDueOfAll}, q.DueBefore.UnixMicro()
	default:
		return dueList(q.Tenant), q.DueBefore.UnixMicro()
	}
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
	args, err := listArgs(q)
	if err != nil {
		return page, fmt.Errorf("list: %w", err)
	}
	err = s.read(ctx, func(ctx context.Context) error {
		page = installation.Page{}
		return s.db.query(ctx, s.text.list, args, func(found row) error {
			r, at := new(installation.Record), position{}
			decode := decoder(func(data []byte) error {
				if data == nil {
					return errLists
				}
				return r.UnmarshalBinary(data)
			})
			if err := found.Scan(decode, &at.at, &at.id, &at.tenant); err != nil {
				return err
			}
			page.Records = append(page.Records, r)
			// With a wrong place, the cursor would skip records or begin a circle.
			if !at.equal(positionOf(q, r)) {
				return errLists
			}
			return nil
		})
	})
	if err != nil {
		return installation.Page{}, fmt.Errorf("list: %w", err)
	}
	if len(page.Records) == q.Limit {
		page.Next = positionOf(q, page.Records[q.Limit-1]).encode()
	}
	return page, nil
}

var errLists = storecall.Unavailable("the tables lists and records disagree: somebody " +
	"has changed them, or they are damaged")

// listArgs returns the arguments of list_1 for q.
func listArgs(q installation.Query) ([]any, error) {
	list, last := selection(q)
	reverse := q.Reverse && q.Term != ""
	from := position{at: math.MinInt64, id: []byte{}, tenant: []byte{}} // before every member
	if reverse {
		from.at = math.MaxInt64
	}
	if q.After != "" {
		var err error
		if from, err = decodePosition(q.After); err != nil {
			return nil, err
		}
	}
	return []any{
		list, last, reverse, from.at, from.id, from.tenant, int64(q.Limit), int64(q.Skip),
	}, nil
}

// Count implements [installation.Counter].
func (s *Store) Count(ctx context.Context, q installation.Query) (n int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := q.Counted().Validate(); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	list, last := selection(q)
	err = s.readOne(ctx, s.text.count, []any{list, last}, &n)
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	return n, nil
}
