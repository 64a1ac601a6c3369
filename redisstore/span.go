package redisstore

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// span is a stretch of an index: the members that start with prefix and lie between the bounds lo and hi, which are in the
// form of ZRANGE BYLEX. As every member in it starts with prefix, no cursor can lead out of the list that was asked for.
type span struct {
	prefix, lo, hi string
	reverse        bool

	first, last string // the bounds without a cursor
}

// spanOf returns the stretch that q names in each of its buckets, from the beginning.
func spanOf(q installation.Query) (span, error) {
	if err := checkNUL(q.Tenant, q.Term); err != nil {
		return span{}, err
	}
	var sp span
	switch {
	case (q.Term == "") == q.DueBefore.IsZero():
		return span{}, fmt.Errorf("%w: want a term or a time", installation.ErrInvalid)
	case q.AllTenants && q.Term != "" && !installation.GlobalTerm(q.Term):
		return span{}, fmt.Errorf("%w: the term is not a global one", installation.ErrInvalid)
	case q.AllTenants && q.Term != "":
		sp = listOf(globalPrefix(q.Term))
	case q.AllTenants:
		sp = until(scopeAnyDue, q.DueBefore)
	case q.Term != "":
		sp = listOf(termPrefix(q.Tenant, q.Term))
	default:
		sp = until(duePrefix(q.Tenant), q.DueBefore)
	}
	sp.reverse = q.Reverse && q.Term != ""
	return sp.whole(), nil
}

// listOf is every member that starts with prefix, which ends in NUL: nothing lies between NUL and the byte after it.
func listOf(prefix string) span {
	return span{prefix: prefix, first: "[" + prefix, last: "(" + prefix[:len(prefix)-1] + "\x01"}
}

// until is every member that starts with prefix and a time that is not after t.
func until(prefix string, t time.Time) span {
	return span{prefix: prefix, first: "[" + prefix, last: "(" + prefix + sortable(t.Add(time.Microsecond))}
}

func (sp span) whole() span {
	sp.lo, sp.hi = sp.first, sp.last
	return sp
}

// behind is what follows a position in the direction of the list.
func (sp span) behind(position string) span {
	sp = sp.whole()
	if sp.reverse {
		sp.hi = "(" + sp.prefix + position
	} else {
		sp.lo = "(" + sp.prefix + position
	}
	return sp
}

// inOrder reports whether members, as a server gave them, are of the span and in its order. They are if all scores in the index
// are 0; a server goes by the scores first, and with others it gives what was not asked for.
func (sp span) inOrder(names []string) bool {
	lo, hi := sp.lo[1:], sp.hi[1:] // neither is in the list, but for the one that a list without a cursor starts with
	for i, name := range names {
		between := strings.HasPrefix(name, sp.prefix) && name < hi && (name > lo || sp.lo == sp.first)
		if !between || i > 0 && (name == names[i-1] || (name < names[i-1]) != sp.reverse) {
			return false
		}
	}
	return true
}

// position is the place of a member in the list.
func (sp span) position(member string) string { return member[len(sp.prefix):] }

// cursor is the text form of a position in a list: the number of the bucket in one byte, and the place there.
func cursor(b bucket, position string) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{byte(b.number)}, position...))
}

// from returns the buckets from that of a cursor on, and the position in the first of them.
func from(buckets []bucket, cursor string) ([]bucket, string, error) {
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
