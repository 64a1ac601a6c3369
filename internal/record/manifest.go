package record

import (
	"bytes"
	"slices"
	"sync"

	"github.com/go-installation/installation/crypto"
)

// Manifest is the part of a record that is sealed as one value. It holds everything except the
// secrets, which are sealed one by one, and a table of these secrets. So the reader notices if
// someone removed a secret, rolled a single field back, or edited a plain field. The caller
// describes the fields of the domain, which are called the content.
type Manifest struct {
	ID         string // of the installation
	Generation int64
	Revision   int64 // of the record when the manifest was sealed
	Epoch      int64 // of the namespace when the manifest was sealed
	Lifecycle  []byte
	Table      []Entry // strictly ascending by Ref
	Rule       string  // ID of the sensitivity rule that masked the documents

	IndexVersion byte     // the [IndexVersion] of the record's index terms
	Claims       []string // of the stored record, sorted
	CodeHash     []byte   // of the invitation code; nil = no code is valid
	CodeEra      string   // of the namespace when the code was made; "" before any restore
	Redeemer     string   // account that accepted with the code

	// CredentialNumber is the last [Entry.Number] that was given to a credential of this record.
	CredentialNumber int64
}

// Entry names one sealed value and its authentication tag.
type Entry struct {
	Ref    string
	Tag    string // 16 bytes
	Number int64  // of a credential: grows with each new value; 0 for other kinds
}

// tagSize is the length of an authentication tag.
const tagSize = 16

// Append appends the encoding of m and its content to dst.
func (m *Manifest) Append(dst []byte, content func(*Coder)) []byte {
	return Append(dst, &contents{m, content}, manifestFields)
}

// DecodeManifest decodes an opened manifest. Lifecycle, CodeHash and the bytes that content reads
// share the memory of b. The error is [crypto.ErrSealed].
func DecodeManifest(b []byte, content func(*Coder)) (*Manifest, error) {
	m := new(Manifest)
	if err := Decode(b, &contents{m, content}, manifestFields); err != nil {
		return nil, err
	}
	return m, nil
}

// OpenManifest opens and decodes a sealed manifest. The result shares no memory with sealed, but
// the bytes that content reads are valid only during the call. The errors are those of the key, and
// [crypto.ErrSealed].
func OpenManifest(
	k *crypto.DataKey, at crypto.Place, sealed []byte, content func(*Coder),
) (*Manifest, error) {
	buffer := plaintexts.Get().(*[]byte)
	defer plaintexts.Put(buffer)
	plain, err := k.OpenBinary((*buffer)[:0], at, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	if cap(plain) <= maxPlaintext {
		*buffer = plain
	}
	m, err := DecodeManifest(plain, content)
	if err != nil {
		return nil, err
	}
	m.Lifecycle, m.CodeHash = bytes.Clone(m.Lifecycle), bytes.Clone(m.CodeHash)
	return m, nil
}

// plaintexts are buffers for opened manifests.
var plaintexts = sync.Pool{New: func() any { return new([]byte) }}

// maxPlaintext is the size of the largest buffer that is kept for the next manifest.
const maxPlaintext = 16 << 10

// Lists reports whether the table has exactly the refs and tags of these values, in the same order.
func (m *Manifest) Lists(values []Value) bool {
	return slices.EqualFunc(m.Table, values, func(e Entry, v Value) bool {
		return e.Ref == v.Ref && e.Tag == string(crypto.Tag(v.Sealed))
	})
}

// contents is a manifest and the function that describes its content. Both are decoded in one pass,
// so all strings share one copy of the input.
type contents struct {
	*Manifest
	content func(*Coder)
}

func manifestFields(c *Coder, m *contents) {
	String(c, 1, &m.ID)
	Int(c, 2, &m.Generation)
	Int(c, 3, &m.Revision)
	Int(c, 4, &m.Epoch)
	Bytes(c, 5, &m.Lifecycle)
	Messages(c, 6, &m.Table, entryFields)
	String(c, 7, &m.Rule)
	Int(c, 8, &m.IndexVersion)
	Strings(c, 9, &m.Claims)
	Bytes(c, 10, &m.CodeHash)
	String(c, 11, &m.Redeemer)
	Int(c, 12, &m.CredentialNumber)
	Message(c, 13, m, contentFields)
	String(c, 14, &m.CodeEra)
	c.Require(m.ID != "" && m.Generation > 0 && m.Revision > 0)
	c.Require(len(m.Lifecycle) > 0 && m.IndexVersion > 0)
	for i := 1; i < len(m.Table); i++ {
		c.Require(m.Table[i-1].Ref < m.Table[i].Ref)
	}
}

func contentFields(c *Coder, m *contents) { m.content(c) }

func entryFields(c *Coder, e *Entry) {
	String(c, 1, &e.Ref)
	Raw(c, 2, &e.Tag)
	Int(c, 3, &e.Number)
	c.Require(e.Ref != "" && len(e.Tag) == tagSize)
}
