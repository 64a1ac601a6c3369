package base

import (
	"errors"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// Memory is go-memdb with one index, and the cipher on what a call has to open or seal.
type Memory struct {
	db                       *memdb.MemDB
	ids                      *ids
	cipher                   *Cipher
	manifest, secret         []byte
	writtenText, writtenBody []byte
}

type row struct{ ID, Body string }

// NewMemory returns a table of n rows, and of 1,024 more that the calls are about.
func NewMemory(n int) (*Memory, error) {
	byID := &memdb.StringFieldIndex{Field: "ID"}
	id := &memdb.IndexSchema{Name: "id", Unique: true, Indexer: byID}
	db, err := memdb.NewMemDB(&memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		"rows": {Name: "rows", Indexes: map[string]*memdb.IndexSchema{"id": id}},
	}})
	if err != nil {
		return nil, err
	}
	c, err := NewCipher()
	if err != nil {
		return nil, err
	}
	m := &Memory{
		db: db, ids: newIDs(stored), cipher: c,
		manifest: c.Sealed(ManifestSize), secret: c.Sealed(SecretSize),
		writtenText: make([]byte, ManifestSize), writtenBody: make([]byte, BodySize),
	}
	txn := db.Txn(true)
	defer txn.Abort()
	for _, id := range slices.Concat(newIDs(n).list, m.ids.list) {
		if err := txn.Insert("rows", &row{id, body}); err != nil {
			return nil, err
		}
	}
	txn.Commit()
	return m, nil
}

// First looks up a row.
func (m *Memory) First() error {
	found, err := m.db.Txn(false).First("rows", "id", m.ids.id())
	if err == nil && found == nil {
		err = errors.New("no row")
	}
	return err
}

// Read looks up a row and opens a manifest.
func (m *Memory) Read() error { return errors.Join(m.First(), m.cipher.Open(m.manifest)) }

// ReadAlone is Read for several goroutines.
func (m *Memory) ReadAlone() error {
	return errors.Join(m.First(), m.cipher.OpenAlone(m.manifest))
}

// Insert inserts a new row.
func (m *Memory) Insert() error { return m.insert(newID()) }

// Replace replaces a row.
func (m *Memory) Replace() error { return m.insert(m.ids.id()) }

func (m *Memory) insert(id string) error {
	txn := m.db.Txn(true)
	defer txn.Abort()
	if err := txn.Insert("rows", &row{id, body}); err != nil {
		return err
	}
	txn.Commit()
	return nil
}

// Create seals a body and inserts a new row.
func (m *Memory) Create() error {
	m.cipher.Seal(m.writtenBody)
	return m.Insert()
}

// Update looks up a row, opens and seals a manifest, and replaces the row.
func (m *Memory) Update() error {
	if err := m.Read(); err != nil {
		return err
	}
	m.cipher.Seal(m.writtenText)
	return m.Replace()
}

// Reveal looks up a row, opens a manifest and a value, and replaces a row.
func (m *Memory) Reveal() error {
	return errors.Join(m.Read(), m.cipher.Open(m.secret), m.Replace())
}

// Page walks over a page of rows and opens as many manifests.
func (m *Memory) Page() error {
	it, err := m.db.Txn(false).LowerBound("rows", "id", "")
	if err != nil {
		return err
	}
	for range PageSize {
		if it.Next() == nil {
			return errors.New("no more rows")
		}
	}
	for range PageSize {
		if err := m.cipher.Open(m.manifest); err != nil {
			return err
		}
	}
	return nil
}
