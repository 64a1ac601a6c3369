package crypto

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Keyring is a [KeyWrapper] that keeps its key-encryption keys in memory. It wraps with its
// primary key and unwraps with any key, by ID. It never changes, so it may be shared freely.
//
// To rotate, make a new key and give it to every process next to the old primary. Then make the new
// key the primary everywhere, rewrap all stored data keys, and only then remove the old key.
//
// A Keyring prints as the IDs of its keys in every form. A nil or zero Keyring has no keys, and
// its methods may be called.
type Keyring struct {
	primary string
	suite   Suite
	// keys returns the keys by ID. Code that prints by reflection cannot look into a function.
	keys func() map[string]*kek
}

var _ KeyWrapper = (*Keyring)(nil)

// NewKeyring returns a keyring that wraps with primary and unwraps with all keys. It rejects
// two keys with one ID, even equal keys, and the zero Key. Its errors match [ErrKeyring].
func NewKeyring(primary Key, others ...Key) (*Keyring, error) {
	keys := make(map[string]*kek, 1+len(others))
	for _, k := range slices.Concat([]Key{primary}, others) {
		if k.secret == nil {
			return nil, fmt.Errorf(
				"%w: a Key is empty: make it with GenerateKey, NewKey or ParseKey", ErrKeyring)
		}
		if _, ok := keys[k.id]; ok {
			return nil, fmt.Errorf("%w: two keys are named %s", ErrKeyring, k.id)
		}
		keys[k.id] = newKEK(k)
	}
	all := func() map[string]*kek { return keys }
	return &Keyring{primary: primary.id, suite: SuiteXChaCha20Poly1305, keys: all}, nil
}

// WithSuite returns a keyring with the same keys. The new keyring wraps with suite and recommends
// it for new data keys. It still unwraps keys of both suites, if this process can use them. A data
// key keeps its suite when it is rewrapped, so values change their suite only when they are sealed
// under a new data key. The error matches [ErrSuite] if this process cannot use suite.
func (r *Keyring) WithSuite(suite Suite) (*Keyring, error) {
	if r.empty() {
		return nil, errNoKeys
	}
	suite, err := suite.usable()
	if err != nil {
		return nil, err
	}
	return &Keyring{primary: r.primary, suite: suite, keys: r.keys}, nil
}

// Primary implements [KeyWrapper].
func (r *Keyring) Primary() string {
	if r.empty() {
		return ""
	}
	return r.primary
}

// KeyIDs implements [KeyWrapper].
func (r *Keyring) KeyIDs() []string {
	if r.empty() {
		return nil
	}
	return slices.Sorted(maps.Keys(r.keys()))
}

// Suite implements [KeyWrapper].
func (r *Keyring) Suite() Suite {
	if r.empty() {
		return SuiteXChaCha20Poly1305
	}
	return r.suite
}

// Wrap implements [KeyWrapper]. A keyring without keys returns an error that matches
// [ErrKeyring].
func (r *Keyring) Wrap(ctx context.Context, k *DataKey, b Binding) (Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return Wrapped{}, err
	}
	if r.empty() {
		return Wrapped{}, errNoKeys
	}
	w, err := r.keys()[r.primary].wrap(k, r.suite, b, nil)
	if err != nil {
		return Wrapped{}, err
	}
	return Wrapped{KeyID: r.primary, Bytes: w}, nil
}

// Unwrap implements [KeyWrapper]. A keyring without keys returns an error that matches
// [ErrKeyring].
func (r *Keyring) Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.empty() {
		return nil, errNoKeys
	}
	if !validKeyID(w.KeyID) {
		return nil, ErrSealed
	}
	e, ok := r.keys()[w.KeyID]
	if !ok {
		return nil, &UnknownKeyError{KeyID: w.KeyID}
	}
	return e.unwrap(w.Bytes, b)
}

// String lists the IDs of the keys, the primary first.
func (r *Keyring) String() string {
	if r.empty() {
		return "keyring without keys"
	}
	return "keyring " + listKeys(r)
}

// GoString lists the IDs of the keys, the primary first.
func (r *Keyring) GoString() string { return r.String() }

// Format lists the IDs of the keys, the primary first, for every verb and flag.
func (r *Keyring) Format(f fmt.State, _ rune) { printText(f, r.String()) }

// LogValue lists the IDs of the keys, the primary first.
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns the IDs of the keys: {"primary":"k2","keys":["k1","k2"]}.
func (r *Keyring) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Primary string   `json:"primary"`
		Keys    []string `json:"keys"`
	}{r.Primary(), r.KeyIDs()})
}

func (r *Keyring) empty() bool { return r == nil || r.keys == nil }

// errNoKeys is the error of a keyring without keys.
var errNoKeys = fmt.Errorf("%w: it has no keys", ErrKeyring)

// listKeys returns the IDs of the keys of w, the primary first.
func listKeys(w KeyWrapper) string {
	primary := w.Primary()
	ids := slices.DeleteFunc(w.KeyIDs(), func(id string) bool { return id == primary })
	return strings.Join(slices.Insert(ids, 0, primary), " ")
}
