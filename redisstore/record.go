package redisstore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// Fields of a record's hash.
const (
	fieldRevision   = "r" // decimal
	fieldGeneration = "g" // decimal
	fieldCreated    = "c" // decimal microseconds since 1970; a tombstone has none
	fieldDeadline   = "t" // likewise, "" for none
	fieldMembers    = "x" // what the index says of the record; see pack
	fieldBody       = "b" // as it is
	fieldMarks      = "o" // the marks of the last changes, oldest first; only scripts and Verify read it
)

// recordFields are what a record is read from.
var recordFields = []string{fieldRevision, fieldGeneration, fieldCreated, fieldDeadline, fieldMembers, fieldBody}

// decodeRecord returns the record at k from the values of recordFields, or nil if none of them is there. Values are strings,
// nil where a field is missing: a record has all of them, a tombstone three, and anything else is damaged.
func decodeRecord(k installation.Key, values []any) (*installation.Record, error) {
	if !slices.ContainsFunc(values, func(v any) bool { return v != nil }) {
		return nil, nil
	}
	d := decoder{}
	r := &installation.Record{
		Key: k, Revision: d.number(d.text(values[0])), Generation: d.number(d.text(values[1])), Deadline: d.time(d.text(values[3])),
	}
	d.broken = d.broken || r.Revision < 1
	created, live := values[2].(string)
	if !live {
		r.Deleted = true
		d.broken = d.broken || values[4] != nil || values[5] != nil
		return r, d.error()
	}
	r.Created = d.time(created)
	r.Index, r.Claims = d.members(d.text(values[4]), k)
	r.Body = installation.BodyFromBytes(d.text(values[5]))
	return r, d.error()
}

// decoder reads stored forms and remembers whether one of them was not what it should be.
type decoder struct{ broken bool }

func (d *decoder) error() error {
	if d.broken {
		return errDamaged
	}
	return nil
}

// errDamaged is for what cannot be read.
var errDamaged = unavailable("a key of the namespace holds something that this package did not write")

func (d *decoder) text(v any) string {
	s, ok := v.(string)
	d.broken = d.broken || !ok
	return s
}

// number reads a number in the one form in which it is written: scripts compare the text.
func (d *decoder) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	d.broken = d.broken || err != nil || strconv.FormatInt(n, 10) != s
	return n
}

// time reads a time, "" being the zero one.
func (d *decoder) time(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	return time.UnixMicro(d.number(s)).UTC()
}

// members reads the terms and claims of the record at k.
func (d *decoder) members(packed string, k installation.Key) (terms, claims []string) {
	list, ok := unpack(packed)
	d.broken = d.broken || !ok
	for _, m := range list {
		e, ok := parseMember(m)
		switch d.broken = d.broken || !ok || e.key != k; e.scope {
		case scopeTerm, scopeGlobal:
			terms = append(terms, e.name)
		case scopeClaim:
			claims = append(claims, e.name)
		}
	}
	return terms, claims
}

// microseconds is the reverse of decoder.time.
func microseconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// checkNUL refuses strings with NUL, which end a string in a member.
func checkNUL(strs ...string) error {
	for _, s := range strs {
		if strings.Contains(s, nul) {
			return fmt.Errorf("%w: a key, term or claim contains NUL", installation.ErrInvalid)
		}
	}
	return nil
}

// markBytes is how long the mark of a change is in a record: its token and the revision it led to.
const markBytes = 16 + 8

func mark(op [16]byte, revision int64) string {
	return string(binary.BigEndian.AppendUint64(op[:], uint64(revision)))
}

// Outcomes are kept as the time up to which they count, in a form that scripts can compare, followed by their data.

// digits is how long such a time is.
const digits = 20

// inDigits returns t as digits which sort like the times they stand for, in any locale.
func inDigits(t time.Time) string { return fmt.Sprintf("%0*d", digits, uint64(t.UnixMicro())^1<<63) }

func outcomeValue(o *installation.Outcome) string { return inDigits(o.Until) + string(o.Data) }

func decodeOutcome(d installation.Digest, value string) (*installation.Outcome, error) {
	if len(value) < digits {
		return nil, errDamaged
	}
	n, err := strconv.ParseUint(value[:digits], 10, 64)
	if err != nil {
		return nil, errDamaged
	}
	return &installation.Outcome{
		Digest: d,
		Until:  time.UnixMicro(int64(n ^ 1<<63)).UTC(),
		Data:   []byte(value[digits:]),
	}, nil
}
