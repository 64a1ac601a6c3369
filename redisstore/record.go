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
	fieldCreated    = "c" // decimal microseconds since 1970; missing in a tombstone
	fieldDeadline   = "t" // decimal microseconds since 1970, "" for none
	fieldMembers    = "x" // the index members of the record; see pack
	fieldBody       = "b" // raw bytes
	fieldOps        = "o" // op entries, oldest first; only scripts and Verify read them
)

// recordFields are the fields that decodeRecord reads.
var recordFields = []string{
	fieldRevision, fieldGeneration, fieldCreated, fieldDeadline, fieldMembers, fieldBody,
}

// decodeRecord returns the record at k from the values of recordFields, or nil if all are
// missing. Values are strings, or nil for a missing field. A record has all of them and a
// tombstone has three; anything else is damaged, such as no values for a key of another type.
func decodeRecord(k installation.Key, values []any) (*installation.Record, error) {
	if values == nil {
		return nil, errDamaged
	}
	if !slices.ContainsFunc(values, func(v any) bool { return v != nil }) {
		return nil, nil
	}
	d := decoder{}
	r := &installation.Record{
		Key: k, Revision: d.number(d.text(values[0])), Generation: d.number(d.text(values[1])),
		Deadline: d.time(d.text(values[3])),
	}
	d.damaged = d.damaged || r.Revision < 1
	created, live := values[2].(string)
	if !live {
		r.Deleted = true
		d.damaged = d.damaged || values[4] != nil || values[5] != nil
		return r, d.error()
	}
	r.Created = d.time(created)
	r.Index, r.Claims = d.members(d.text(values[4]), k)
	r.Body = installation.BodyFromBytes(d.text(values[5]))
	return r, d.error()
}

// decoder decodes stored values and remembers whether one of them was damaged.
type decoder struct{ damaged bool }

func (d *decoder) error() error {
	if d.damaged {
		return errDamaged
	}
	return nil
}

// errDamaged is the error for stored data that cannot be read.
var errDamaged = unavailable("a key of the namespace is damaged, or this package did not write it")

func (d *decoder) text(v any) string {
	s, ok := v.(string)
	d.damaged = d.damaged || !ok
	return s
}

// number accepts only the form in which numbers are written, because scripts compare the text.
func (d *decoder) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	d.damaged = d.damaged || err != nil || strconv.FormatInt(n, 10) != s
	return n
}

// time decodes a time; "" is the zero time.
func (d *decoder) time(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	return time.UnixMicro(d.number(s)).UTC()
}

// members decodes the terms and claims of the record at k.
func (d *decoder) members(packed string, k installation.Key) (terms, claims []string) {
	list, ok := unpack(packed)
	d.damaged = d.damaged || !ok
	for _, m := range list {
		e, ok := parseMember(m)
		switch d.damaged = d.damaged || !ok || e.key != k; e.scope {
		case scopeTerm, scopeGlobal:
			terms = append(terms, e.name)
		case scopeClaim:
			claims = append(claims, e.name)
		}
	}
	return terms, claims
}

// microseconds encodes a time for decoder.time.
func microseconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// checkNUL rejects texts with NUL, which ends a text in a member.
func checkNUL(texts ...string) error {
	for _, s := range texts {
		if strings.Contains(s, nul) {
			return fmt.Errorf("%w: a key, term or claim contains NUL", installation.ErrInvalid)
		}
	}
	return nil
}

// opEntryBytes is the length of an op entry: the op token of a change and the revision it led to.
const opEntryBytes = 16 + 8

func opEntry(op [16]byte, revision int64) string {
	return string(binary.BigEndian.AppendUint64(op[:], uint64(revision)))
}

// digits is the length of timeDigits.
const digits = 20

// timeDigits returns t as digits that sort by time, so that scripts can compare them.
func timeDigits(t time.Time) string {
	return fmt.Sprintf("%0*d", digits, uint64(t.UnixMicro())^1<<63)
}

// outcomeValue encodes an outcome: the digits of its end, then its data.
func outcomeValue(o *installation.Outcome) string { return timeDigits(o.Until) + string(o.Data) }

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
