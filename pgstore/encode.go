package pgstore

import (
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/record"
)

// opSize is the length of a remembered change: its token, the revision, and whether it had a
// record.
const opSize = 16 + 8 + 1

func encodeOps(ops []installation.Op) []byte {
	b := make([]byte, 0, len(ops)*opSize)
	for _, op := range ops {
		b = append(b, op.Token[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(op.Revision))
		if op.WithRecord {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

func decodeOps(b []byte) ([]installation.Op, error) {
	if len(b)%opSize != 0 {
		return nil, fmt.Errorf("%w: the remembered changes of a record have %d bytes",
			installation.ErrSealed, len(b))
	}
	ops := make([]installation.Op, 0, len(b)/opSize)
	for ; len(b) > 0; b = b[opSize:] {
		op := installation.Op{
			Revision: int64(binary.BigEndian.Uint64(b[16:])), WithRecord: b[24] == 1,
		}
		copy(op.Token[:], b)
		ops = append(ops, op)
	}
	return ops, nil
}

// Kinds of lists, the first byte of their name.
const (
	listTenant   = 't' // a term of a tenant
	listGlobal   = 'g' // a global term
	listDue      = 'd' // deadlines of a tenant
	listDueOfAll = 'D' // all deadlines
)

// termList returns the name of the list of a term. A tenant has no NUL, so names never meet.
func termList(tenant, term string) []byte {
	if installation.GlobalTerm(term) {
		return []byte(string(listGlobal) + term)
	}
	return []byte(string(listTenant) + tenant + "\x00" + term)
}

func dueList(tenant string) []byte { return []byte(string(listDue) + tenant) }

// listsOf returns the names of the lists that a record is in.
func listsOf(r *installation.Record) (lists [][]byte) {
	if r.Deleted {
		return nil
	}
	for _, term := range r.Index {
		lists = append(lists, termList(r.Key.Tenant, term))
	}
	if !r.Deadline.IsZero() {
		lists = append(lists, dueList(r.Key.Tenant), []byte{listDueOfAll})
	}
	return lists
}

// bytesArray returns the text of an array of type bytea[]. Drivers differ in how they send arrays,
// and all of them send a text.
func bytesArray(values [][]byte) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"\\x`)
		b.WriteString(hex.EncodeToString(v))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

func bytesOf(texts []string) [][]byte {
	values := make([][]byte, len(texts))
	for i, s := range texts {
		values[i] = []byte(s)
	}
	return values
}

// micros returns a time in microseconds since 1970, or nil for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// encode returns the stored form of a record or an outcome, unless it is too long to be read again.
func encode(v encoding.BinaryMarshaler) ([]byte, error) {
	data, err := v.MarshalBinary()
	if err == nil && len(data) > record.MaxRead {
		err = fmt.Errorf("%w: a value has %d bytes, want at most %d", installation.ErrInvalid,
			len(data), record.MaxRead)
	}
	return data, err
}
