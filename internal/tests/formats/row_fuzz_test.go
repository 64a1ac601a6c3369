package formats

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// rowSeeds have every field of a row, and the zero values that a store may be given.
func rowSeeds() []installation.Row {
	stored := &installation.Record{
		Key: installation.Key{Tenant: "\xff", ID: "ü\x01"}, Revision: 1 << 52, Generation: 1 << 51,
		Created: everyTime, Deadline: everyTime, Index: []string{"", "@all", "\xfe"},
		Claims: []string{"a"}, Body: installation.BodyFromBytes("\x00body"),
	}
	grave := &installation.Record{Key: fixture.KeyAt("i"), Revision: 9, Deleted: true}
	ops := []installation.Op{{Revision: 1}, {Token: [16]byte{15: 1}, Revision: 9, WithRecord: true}}
	return []installation.Row{
		{},
		{Record: stored, Ops: ops},
		{Record: grave, Ops: ops[:1]},
		{Record: &installation.Record{}},
		{Tenant: "\xff", Outcome: &installation.Outcome{
			Digest: installation.Digest{31: 1}, Until: everyTime, Data: []byte("\x00data"),
		}},
		{Outcome: &installation.Outcome{}},
	}
}

// TestRowsComeBack encodes and decodes rows, records and outcomes.
func TestRowsComeBack(t *testing.T) {
	for _, want := range rowSeeds() {
		var row installation.Row
		comesBack(t, want, &row)
		if want.Record != nil {
			var r installation.Record
			comesBack(t, *want.Record, &r)
		}
		if want.Outcome != nil {
			var o installation.Outcome
			comesBack(t, *want.Outcome, &o)
		}
	}
}

// TestRecordOfRow reads the record of a row alone.
func TestRecordOfRow(t *testing.T) {
	for _, row := range rowSeeds() {
		b, err := row.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		got := installation.Record{Revision: 77}
		err = got.UnmarshalRow(b)
		for i := range b {
			b[i] = 0xee
		}
		if row.Record == nil || row.Record.Key == (installation.Key{}) {
			if !errors.Is(err, installation.ErrSealed) || got.Revision != 77 {
				t.Errorf("a row without a record: got %+v, error %v, want ErrSealed", got, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, *row.Record) {
			t.Errorf("got %+v, error %v, want %+v", got, err, *row.Record)
		}
	}
}

type encoder interface{ MarshalBinary() ([]byte, error) }

type decoder interface{ UnmarshalBinary(b []byte) error }

// comesBack fails the test unless into becomes want. It then destroys the bytes: the value may not
// depend on them.
func comesBack(t *testing.T, want encoder, into decoder) {
	t.Helper()
	b, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	err = into.UnmarshalBinary(b)
	for i := range b {
		b[i] = 0xee
	}
	got := reflect.ValueOf(into).Elem().Interface()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v, want %+v", got, err, want)
	}
}

// FuzzRow proves that any input is a row with one encoding, or ErrSealed. A row contains a record
// and an outcome, so it covers these too.
func FuzzRow(f *testing.F) {
	for _, r := range rowSeeds() {
		b, err := r.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x02\x1a\x00"))             // an outcome without a digest
	f.Add([]byte("\x02\x1a\x03\x0a\x01\x61")) // a digest of one byte
	f.Fuzz(func(t *testing.T, raw []byte) {
		row := installation.Row{Tenant: "kept"}
		if err := row.UnmarshalBinary(raw); err != nil {
			if !errors.Is(err, installation.ErrSealed) {
				t.Fatalf("got error %v, want ErrSealed", err)
			}
			if row.Tenant != "kept" || row.Record != nil || row.Outcome != nil {
				t.Fatal("rejected bytes changed the row")
			}
			return
		}
		if once, _ := row.MarshalBinary(); !bytes.Equal(once, raw) {
			t.Fatalf("accepted %x, which is written as %x", raw, once)
		}
	})
}
