package redisstore

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// span is a range of an index: the members that start with prefix, between the bounds lo and hi in
// the form of ZRANGE BYLEX. Cursors do not contain the prefix, so no cursor can lead out of the
// list.
type span struct {
	prefix, lo, hi string
	reverse        bool

	first, last string // the bounds without a cursor
}

// spanOf returns the span that q, which is valid, selects in each of its buckets, from the start.
func spanOf(q installation.Query) (span, error) {
	if err := checkNUL(q.Tenant, q.Term); err != nil {
		return span{}, err
	}
	var sp span
	switch {
	case q.AllTenants && q.Term != "":
		sp = prefixSpan(globalPrefix(q.Term))
	case q.AllTenants:
		sp = dueSpan(scopeAnyDue, q.DueBefore)
	case q.Term != "":
		sp = prefixSpan(termPrefix(q.Tenant, q.Term))
	default:
		sp = dueSpan(duePrefix(q.Tenant), q.DueBefore)
	}
	sp.reverse = q.Reverse && q.Term != ""
	return sp.fromStart(), nil
}

// prefixSpan returns the span of every member with a prefix that ends in NUL. No other member sorts
// between this prefix and the same text with the next byte in place of NUL.
func prefixSpan(prefix string) span {
	return span{prefix: prefix, first: "[" + prefix, last: "(" + prefix[:len(prefix)-1] + "\x01"}
}

// dueSpan returns the span of every member with the prefix and a time that is not after t.
func dueSpan(prefix string, t time.Time) span {
	next := t.Add(time.Microsecond)
	switch {
	case fits(next):
	case t.After(time.Unix(0, 0)):
		next = time.UnixMicro(math.MaxInt64)
	default:
		next = time.UnixMicro(math.MinInt64)
	}
	last := "(" + prefix + sortableTime(next)
	return span{prefix: prefix, first: "[" + prefix, last: last}
}

func (sp span) fromStart() span {
	sp.lo, sp.hi = sp.first, sp.last
	return sp
}

// after returns the part of the span after a position, in the direction of the list.
func (sp span) after(position string) span {
	sp = sp.fromStart()
	if sp.reverse {
		sp.hi = "(" + sp.prefix + position
	} else {
		sp.lo = "(" + sp.prefix + position
	}
	return sp
}

// inOrder reports whether members from a server belong to the span and are in its order. A
// server sorts by score first, so a member with a score other than 0 leads to wrong answers.
func (sp span) inOrder(names []string) bool {
	lo, hi := sp.lo[1:], sp.hi[1:] // both are exclusive, except lo without a cursor
	for i, name := range names {
		inSpan := strings.HasPrefix(name, sp.prefix) && name < hi &&
			(name > lo || sp.lo == sp.first)
		if !inSpan || i > 0 && (name == names[i-1] || (name < names[i-1]) != sp.reverse) {
			return false
		}
	}
	return true
}

// position returns the position of a member in the list: the member without the prefix.
func (sp span) position(member string) string { return member[len(sp.prefix):] }

// formatCursor encodes a position in a list: the number of the bucket in one byte, then the
// position in it.
func formatCursor(b bucket, position string) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{byte(b.number)}, position...))
}

// parseCursor returns the buckets that are still to be read, from the bucket of the cursor on, and
// the position in the first of them.
func parseCursor(buckets []bucket, cursor string) ([]bucket, string, error) {
	at, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil && len(at) > 0 {
		for i, b := range buckets {
			if b.number == int(at[0]) {
				return buckets[i:], string(at[1:]), nil
			}
		}
	}
	return nil, "", fmt.Errorf("%w: not a cursor of this list", installation.ErrInvalid)
}
