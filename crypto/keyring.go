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

// Keyring is a set of key-encryption keys, one of them primary: it wraps with the primary and unwraps with any, by id. It is
// a [KeyWrapper] that keeps its keys in memory. It never changes, so it may be shared freely.
//
// To rotate, make a new key, give it to every process beside the old primary, then make it the primary everywhere, then wrap
// the stored keys anew, and only then leave the old one out.
//
// It prints as the ids of its keys however it is printed. The methods of a nil or zero Keyring may be called: it has no keys.
type Keyring struct {
	primary string
	suite   Suite
	keys    map[string]Key
}

var _ KeyWrapper = (*Keyring)(nil)

// NewKeyring returns a keyring that wraps with primary and unwraps with all of the keys. Two keys with one id are refused,
// even equal ones, and so is the zero Key; the errors match [ErrKeyring].
func NewKeyring(primary Key, others ...Key) (*Keyring, error) {
	r := &Keyring{primary: primary.id, suite: SuiteXChaCha20Poly1305, keys: make(map[string]Key, 1+len(others))}
	for _, k := range slices.Concat([]Key{primary}, others) {
		if k.secret == nil {
			return nil, fmt.Errorf("%w: a Key that no constructor made", ErrKeyring)
		}
		if _, ok := r.keys[k.id]; ok {
			return nil, fmt.Errorf("%w: two keys are named %s", ErrKeyring, k.id)
		}
		r.keys[k.id] = k
	}
	return r, nil
}

// WithSuite returns a keyring with the same keys that wraps with suite, and whose data keys seal with it. What is there
// already stays readable: the suite of a wrapped key and of each value is read from itself. So values keep the suite they were
// sealed with, also when their data key is wrapped anew, and a process that may not use it does not open them: they have to be sealed
// again first, by one that may. It returns an error that matches [ErrSuite] if suite cannot be used in this process.
func (r *Keyring) WithSuite(suite Suite) (*Keyring, error) {
	if r.empty() {
		return nil, errNoKeys
	}
	suite, err := suite.orDefault()
	if err != nil {
		return nil, err
	}
	c := *r
	c.suite = suite
	return &c, nil
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
	return slices.Sorted(maps.Keys(r.keys))
}

// Suite implements [KeyWrapper].
func (r *Keyring) Suite() Suite {
	if r.empty() {
		return SuiteXChaCha20Poly1305
	}
	return r.suite
}

// Wrap implements [KeyWrapper]. A keyring without keys returns an error that matches [ErrKeyring].
func (r *Keyring) Wrap(ctx context.Context, k *DataKey, b Binding) (Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return Wrapped{}, err
	}
	if r.empty() {
		return Wrapped{}, errNoKeys
	}
	data, err := k.Reveal()
	if err != nil {
		return Wrapped{}, err
	}
	defer clear(data)
	kek := r.keys[r.primary].secret()
	w, err := wrap(kek[:], data, k.Generation(), r.suite, r.primary, b, nil)
	if err != nil {
		return Wrapped{}, err
	}
	return Wrapped{KeyID: r.primary, Bytes: w}, nil
}

// Unwrap implements [KeyWrapper]. The data key seals new values with the suite of the keyring, whichever suite it was itself
// wrapped with. A keyring without keys returns an error that matches [ErrKeyring].
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
	key, ok := r.keys[w.KeyID]
	if !ok {
		return nil, &UnknownKeyError{KeyID: w.KeyID}
	}
	data, generation, err := unwrap(key.secret()[:], w.Bytes, w.KeyID, b)
	if err != nil {
		return nil, err
	}
	return takeDataKey(data, generation, r.suite), nil
}

// String lists the ids of the keys, the primary first.
func (r *Keyring) String() string {
	if r.empty() {
		return "keyring without keys"
	}
	ids := slices.DeleteFunc(r.KeyIDs(), func(id string) bool { return id == r.primary })
	return "keyring " + strings.Join(slices.Insert(ids, 0, r.primary), " ")
}

// GoString lists the ids of the keys, the primary first.
func (r *Keyring) GoString() string { return r.String() }

// Format lists the ids of the keys, the primary first, for every verb and flag.
func (r *Keyring) Format(f fmt.State, _ rune) { printText(f, r.String()) }

// LogValue lists the ids of the keys, the primary first.
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns the ids of the keys: {"primary":"k2","keys":["k1","k2"]}.
func (r *Keyring) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Primary string   `json:"primary"`
		Keys    []string `json:"keys"`
	}{r.Primary(), r.KeyIDs()})
}

func (r *Keyring) empty() bool { return r == nil || len(r.keys) == 0 }

// errNoKeys is what a keyring without keys answers.
var errNoKeys = fmt.Errorf("%w: it has no keys", ErrKeyring)
