package redisstore

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// This file encodes and decodes the values of keys and fields. The header of commit.lua describes
// the string of a record.

// Kinds of a record's string, and marks of its op entries. An op entry is what the record remembers
// of a change.
const (
	kindRecord    = "r"
	kindTombstone = "t"
	kindNone      = "n" // of a change whose Record is nil
)

const (
	numberBytes = 8
	headBytes   = 1 + 2*numberBytes // kind, revision, generation
	restBytes   = 2*numberBytes + 4 // created, deadline, length of the names
	opBytes     = 16                // an op token
	entryBytes  = opBytes + numberBytes + 1
	noDeadline  = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

// number encodes a revision or a generation.
func number(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n))) }

func kindOf(r *installation.Record) string {
	switch {
	case r == nil:
		return kindNone
	case r.Deleted:
		return kindTombstone
	default:
		return kindRecord
	}
}

// headOf returns the string of a record up to the end of its op entries, "" for no record. The
// revision alone does not tell whether a record has changed: once a tombstone has expired, a new
// record can have the same one. A damaged record can have a shorter head.
func headOf(value string) string {
	end := headBytes
	if len(value) > headBytes {
		end += 1 + int(value[headBytes])*entryBytes
	}
	return value[:min(len(value), end)]
}

// encodeRest encodes what follows the op entries in the string of a record.
func encodeRest(r *installation.Record) string {
	created, deadline := noDeadline, noDeadline
	if !r.Deadline.IsZero() {
		deadline = sortableTime(r.Deadline)
	}
	if r.Deleted {
		return created + deadline + "\x00\x00\x00\x00"
	}
	names, body := packNames(r), r.Body.Bytes()
	b := make([]byte, 0, restBytes+len(names)+len(body))
	b = append(b, sortableTime(r.Created)...)
	b = append(b, deadline...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
	b = append(b, names...)
	return string(append(b, body...))
}

// encodeEntries encodes what a record remembers of its last changes.
func encodeEntries(ops []installation.Op) string {
	var b []byte
	for _, op := range ops {
		mark := kindNone
		if op.WithRecord {
			mark = kindRecord
		}
		b = append(append(b, op.Token[:]...), number(op.Revision)...)
		b = append(b, mark...)
	}
	return string(b)
}

// decodeRecord returns the record at k and what it remembers of its last changes. The string ""
// stands for no record, and decodeRecord then returns nil.
func decodeRecord(
	k installation.Key, stored string,
) (*installation.Record, []installation.Op, error) {
	if stored == "" {
		return nil, nil, nil
	}
	if len(stored) <= headBytes {
		return nil, nil, errDamaged
	}
	r := &installation.Record{Key: k, Deleted: stored[:1] == kindTombstone}
	r.Revision = decodeNumber(stored[1:])
	r.Generation = decodeNumber(stored[1+numberBytes:])
	count := int(stored[headBytes])
	rest := stored[headBytes+1:]
	if count < 1 || count > installation.RememberedOps || len(rest) < count*entryBytes+restBytes {
		return nil, nil, errDamaged
	}
	entries, ok := decodeEntries(rest[:count*entryBytes])
	rest = rest[count*entryBytes:]
	if !ok || r.Revision < 1 || r.Generation < 0 || !r.Deleted && stored[:1] != kindRecord {
		return nil, nil, errDamaged
	}
	if deadline := rest[numberBytes : 2*numberBytes]; deadline != noDeadline {
		r.Deadline = decodeTime(deadline)
	}
	names := int(binary.BigEndian.Uint32([]byte(rest[2*numberBytes : restBytes])))
	created, rest := rest[:numberBytes], rest[restBytes:]
	switch {
	case r.Deleted && rest == "" && names == 0 && created == noDeadline:
		return r, entries, nil
	case r.Deleted:
		return nil, nil, errDamaged
	case names > len(rest) || !unpackNames(r, rest[:names]):
		return nil, nil, errDamaged
	}
	r.Created = decodeTime(created)
	r.Body = installation.BodyFromBytes(rest[names:])
	return r, entries, nil
}

func decodeNumber(s string) int64 {
	return int64(binary.BigEndian.Uint64([]byte(s[:numberBytes])))
}

func decodeEntries(packed string) ([]installation.Op, bool) {
	var list []installation.Op
	for ; len(packed) >= entryBytes; packed = packed[entryBytes:] {
		mark := packed[entryBytes-1 : entryBytes]
		if mark != kindRecord && mark != kindNone {
			return nil, false
		}
		list = append(list, installation.Op{
			Token:      [opBytes]byte([]byte(packed[:opBytes])),
			Revision:   decodeNumber(packed[opBytes:]),
			WithRecord: mark == kindRecord,
		})
	}
	return list, packed == ""
}

// errDamaged is the error for stored data that cannot be read.
var errDamaged = storecall.Unavailable("a key of the namespace is damaged, or this package " +
	"did not write it")

// checkNUL rejects texts that contain NUL, which ends a text in an index member.
func checkNUL(texts ...string) error {
	for _, s := range texts {
		if strings.Contains(s, nul) {
			return fmt.Errorf("%w: a key, term or claim contains NUL", installation.ErrInvalid)
		}
	}
	return nil
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
