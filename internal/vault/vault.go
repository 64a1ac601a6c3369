// Package vault holds the sealed secrets of one installation while a write changes them.
package vault

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/record"
)

// Credential is the kind of the secrets that have a number.
const Credential = "credential"

// Vault holds sealed secrets by name: a kind and a JSON Pointer, such as "config/api_key". It is
// for one goroutine.
type Vault struct {
	binding crypto.Binding
	key     *crypto.DataKey
	secrets map[string]secret
	newest  int64 // number of the newest credential
	epoch   int64
}

type secret struct {
	sealed []byte
	number int64 // of a credential: grows with each new value; 0 for other secrets
}

// New returns a vault without secrets. Its secrets are bound to one record and sealed under k. The
// number of the next credential is above newest. It is also at least the epoch, so that no number
// from before a restore is given out again.
func New(binding crypto.Binding, k *crypto.DataKey, newest, epoch int64) *Vault {
	return &Vault{
		binding: binding, key: k, newest: newest, epoch: epoch, secrets: make(map[string]secret),
	}
}

// Load adds stored secrets. The table has their numbers, in the same order. The vault shares the
// memory of the values.
func (v *Vault) Load(values []record.Value, table []record.Entry) {
	for i, value := range values {
		v.secrets[value.Ref] = secret{value.Sealed, table[i].Number}
	}
}

// Place returns the place that a secret of a record is sealed for.
func Place(binding crypto.Binding, name string) crypto.Place {
	kind := kindOf(name)
	return crypto.Place{
		Tenant: binding.Tenant, Record: binding.Record, Kind: kind, Pointer: name[len(kind):],
	}
}

func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}

// Has reports whether the vault has a secret.
func (v *Vault) Has(name string) bool {
	_, ok := v.secrets[name]
	return ok
}

// HasKind reports whether the vault has a secret of one of the kinds.
func (v *Vault) HasKind(kinds ...string) bool {
	for name := range v.secrets {
		if slices.Contains(kinds, kindOf(name)) {
			return true
		}
	}
	return false
}

// Keeps reports whether the vault still has a stored secret, unchanged and at its place.
func (v *Vault) Keeps(stored record.Value) bool {
	now, ok := v.secrets[stored.Ref]
	return ok && bytes.Equal(stored.Sealed, now.sealed)
}

// Number returns the number of a stored credential, or 0 for any other name.
func (v *Vault) Number(name string) int64 { return v.secrets[name].number }

// Newest returns the number of the newest credential, which may be gone by now.
func (v *Vault) Newest() int64 { return v.newest }

// Pointers returns the pointers of the secrets of a kind, in any order.
func (v *Vault) Pointers(kind string) (pointers []string) {
	for name := range v.secrets {
		if kindOf(name) == kind {
			pointers = append(pointers, name[len(kind):])
		}
	}
	return pointers
}

// Seal puts JSON text into the vault. A credential gets a new number.
func (v *Vault) Seal(name string, json []byte) error {
	sealed, err := v.key.Seal(nil, Place(v.binding, name), json)
	if err != nil {
		return err
	}
	var number int64
	if kindOf(name) == Credential {
		v.newest = max(v.newest+1, v.epoch)
		number = v.newest
	}
	v.secrets[name] = secret{sealed, number}
	return nil
}

// Open returns the JSON text of a secret. The caller clears it. The error is [crypto.ErrSealed] if
// there is no such secret, or that of the key.
func (v *Vault) Open(name string) ([]byte, error) {
	s, ok := v.secrets[name]
	if !ok {
		return nil, crypto.ErrSealed
	}
	return v.key.Open(nil, Place(v.binding, name), s.sealed)
}

// Parse opens a secret and parses it. Every error is [crypto.ErrSealed].
func (v *Vault) Parse(name string) (*jsontree.Node, error) {
	text, err := v.Open(name)
	defer clear(text)
	if err == nil {
		if value, err := jsontree.Parse(text, jsontree.Limits{}); err == nil {
			return value, nil
		}
	}
	return nil, crypto.ErrSealed
}

// Remove removes a secret.
func (v *Vault) Remove(name string) { delete(v.secrets, name) }

// RemoveKind removes the secrets of a kind, and returns their names.
func (v *Vault) RemoveKind(kind string) (removed []string) {
	for name := range v.secrets {
		if kindOf(name) == kind {
			delete(v.secrets, name)
			removed = append(removed, name)
		}
	}
	return removed
}

// Replace seals, moves and removes the secrets of one kind as r says. It returns the names of those
// that were stored before and did not stay at their place, and whether one has moved.
func (v *Vault) Replace(kind string, r masked.Result) (removed []string, moved bool, err error) {
	kept := make(map[string]secret, len(r.Keep))
	fresh := make(Plain, len(r.Seal)) // JSON text
	defer fresh.Wipe()
	for _, m := range r.Keep {
		from, to := kind+m.From, kind+m.To
		if from == to {
			kept[from] = v.secrets[from]
			continue
		}
		text, err := v.Open(from) // sealing binds the place, so a moved secret is sealed again
		if err != nil {
			return nil, false, crypto.ErrSealed
		}
		fresh[to], moved = text, true
	}
	for _, p := range r.Seal {
		fresh[kind+p.Pointer] = p.Value.Append(nil)
	}
	removed = v.RemoveKind(kind)
	maps.Copy(v.secrets, kept)
	for name, text := range fresh {
		if err := v.Seal(name, text); err != nil {
			return nil, false, err
		}
	}
	return removed, moved, nil
}

// Use makes k the data key of what is sealed and opened from now on.
func (v *Vault) Use(k *crypto.DataKey) { v.key = k }

// Plain are opened secrets by name.
type Plain map[string][]byte

// Wipe overwrites the secrets.
func (p Plain) Wipe() {
	for _, text := range p {
		clear(text)
	}
}

// OpenAll opens all secrets, to seal them under another key. If one of them does not open, it
// returns its name with the error. The caller wipes the result even then.
func (v *Vault) OpenAll() (plain Plain, failed string, err error) {
	plain = make(Plain, len(v.secrets))
	for _, name := range v.names() {
		text, err := v.Open(name)
		if err != nil {
			return plain, name, err
		}
		plain[name] = text
	}
	return plain, "", nil
}

// SealAgain seals secrets under the present key. Credentials keep their numbers, since their values
// are the same.
func (v *Vault) SealAgain(plain Plain) error {
	for name, text := range plain {
		sealed, err := v.key.Seal(nil, Place(v.binding, name), text)
		if err != nil {
			return err
		}
		v.secrets[name] = secret{sealed, v.secrets[name].number}
	}
	return nil
}

// names returns the names of all secrets, sorted.
func (v *Vault) names() []string {
	names := make([]string, 0, len(v.secrets))
	for name := range v.secrets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Stored returns the secrets as a record stores them: the values and the table of the manifest,
// both sorted by name.
func (v *Vault) Stored() (values []record.Value, table []record.Entry) {
	values = make([]record.Value, 0, len(v.secrets))
	table = make([]record.Entry, 0, len(v.secrets))
	for _, name := range v.names() {
		s := v.secrets[name]
		tag := string(crypto.Tag(s.sealed))
		values = append(values, record.Value{Ref: name, Sealed: s.sealed})
		table = append(table, record.Entry{Ref: name, Tag: tag, Number: s.number})
	}
	return values, table
}
