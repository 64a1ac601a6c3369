package record

import (
	"sync"

	"github.com/go-installation/installation/crypto"
)

// Manifest is the sealed content of a record: everything except the secrets, and a table of them.
type Manifest struct {
	ID               string
	Revision         int64  // at which it was sealed
	Epoch            int64  // of the namespace in which it was sealed
	Lifecycle        []byte // at which it was sealed
	IndexVersion     int64  // of the rules by which the index follows from the content
	Rule             string // ID of the sensitivity rule that the documents were masked by
	Table            []Entry
	Claims           []string
	CodeHash         []byte // of the invitation code; nil once it is dead
	Redeemer         string // the account that accepted the invitation
	CredentialNumber int64  // the last one given to a credential
	Content          []byte // encoded; package installation knows its fields
}

// Entry names one secret and the tag of its sealed value.
type Entry struct {
	Ref    string
	Tag    string
	Number int64 // of a credential: grows with each new value; 0 for other secrets
}

// Append appends the encoding of m to dst.
func (m *Manifest) Append(dst []byte) []byte { return Append(dst, m, codeManifest) }

// DecodeManifest reads an encoded manifest, whose memory it shares.
func DecodeManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	return m, Decode(b, m, codeManifest)
}

func codeManifest(c *Coder, m *Manifest) {
	String(c, 1, &m.ID)
	Int(c, 2, &m.Revision)
	Int(c, 3, &m.Epoch)
	Bytes(c, 4, &m.Lifecycle)
	Int(c, 5, &m.IndexVersion)
	String(c, 6, &m.Rule)
	Messages(c, 7, &m.Table, codeEntry)
	Raws(c, 8, &m.Claims)
	Bytes(c, 9, &m.CodeHash)
	String(c, 10, &m.Redeemer)
	Int(c, 11, &m.CredentialNumber)
	Bytes(c, 12, &m.Content)
}

func codeEntry(c *Coder, e *Entry) {
	String(c, 1, &e.Ref)
	Raw(c, 2, &e.Tag)
	Int(c, 3, &e.Number)
}

// Matches reports whether a table lists exactly these values.
func Matches(table []Entry, values []Value) bool {
	if len(table) != len(values) {
		return false
	}
	for i, v := range values {
		if table[i].Ref != v.Ref || table[i].Tag != string(crypto.Tag(v.Sealed)) {
			return false
		}
	}
	return true
}

// Use opens a sealed manifest and passes it to use. The manifest shares memory that is cleared
// afterwards: use must copy the bytes that it keeps. Strings may be kept.
func Use(k *crypto.DataKey, at crypto.Place, sealed []byte, use func(*Manifest) error) error {
	buffer := buffers.Get().(*[]byte)
	plain, err := k.OpenBinary((*buffer)[:0], at, sealed)
	if err == nil {
		var m *Manifest
		if m, err = DecodeManifest(plain); err == nil {
			err = use(m)
		}
		clear(plain)
		if cap(plain) <= maxBuffer {
			*buffer = plain
		}
	}
	buffers.Put(buffer)
	return err
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxBuffer is the size of the largest buffer that is kept for the next manifest.
const maxBuffer = 16 << 10
