package crypto

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// KeySet joins key wrappers of any kind. It wraps with the first wrapper, and unwraps with the
// wrapper that has the key. Use it to move from a [Keyring] to a key service and back, or between
// services. It never changes. It prints as the IDs of its keys.
type KeySet struct {
	primary KeyWrapper
	byID    map[string]KeyWrapper
}

var _ KeyWrapper = (*KeySet)(nil)

// NewKeySet returns a set that wraps with the primary key of primary and unwraps with all keys.
// It rejects two keys with one ID, a wrapper without keys, and a wrapper whose primary key is
// not among its keys. The errors match [ErrKeyring].
func NewKeySet(primary KeyWrapper, others ...KeyWrapper) (*KeySet, error) {
	s := &KeySet{primary: primary, byID: make(map[string]KeyWrapper)}
	for _, w := range slices.Concat([]KeyWrapper{primary}, others) {
		if err := checkWrapper(w); err != nil {
			return nil, err
		}
		for _, id := range w.KeyIDs() {
			if _, ok := s.byID[id]; ok {
				return nil, fmt.Errorf("%w: two keys are named %s", ErrKeyring, id)
			}
			s.byID[id] = w
		}
	}
	return s, nil
}

// Primary implements [KeyWrapper].
func (s *KeySet) Primary() string { return s.primary.Primary() }

// KeyIDs implements [KeyWrapper].
func (s *KeySet) KeyIDs() []string { return slices.Sorted(maps.Keys(s.byID)) }

// Suite implements [KeyWrapper]. It is the suite of the first wrapper.
func (s *KeySet) Suite() Suite { return s.primary.Suite() }

// Wrap implements [KeyWrapper].
func (s *KeySet) Wrap(ctx context.Context, k *DataKey, b Binding) (Wrapped, error) {
	return s.primary.Wrap(ctx, k, b)
}

// Unwrap implements [KeyWrapper].
func (s *KeySet) Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validKeyID(w.KeyID) {
		return nil, ErrSealed
	}
	keys, ok := s.byID[w.KeyID]
	if !ok {
		return nil, &UnknownKeyError{KeyID: w.KeyID}
	}
	return keys.Unwrap(ctx, w, b)
}

// Uncached returns the set without the caches of its members; see the function [Uncached].
func (s *KeySet) Uncached() KeyWrapper {
	c := &KeySet{primary: Uncached(s.primary), byID: make(map[string]KeyWrapper, len(s.byID))}
	for id, w := range s.byID {
		c.byID[id] = Uncached(w)
	}
	return c
}

// String lists the IDs of the keys, the primary first.
func (s *KeySet) String() string { return "keys " + listKeys(s) }

// checkWrapper rejects a key wrapper that is nil, has no keys, or does not list its primary
// key.
func checkWrapper(w KeyWrapper) error {
	if isNil(w) || w.Primary() == "" {
		return errNoKeys
	}
	if !slices.Contains(w.KeyIDs(), w.Primary()) {
		return fmt.Errorf("%w: the primary key is not among the keys", ErrKeyring)
	}
	return nil
}

// isNil reports whether v is nil or holds a nil pointer. A nil pointer would otherwise fail at the
// first use.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// Uncached returns the result of w's method Uncached, or w if w has no such method. Use it to test
// the key itself, because a cache would hide a failure. A decorator of your own around a cache
// should have the method Uncached too.
func Uncached(w KeyWrapper) KeyWrapper {
	if c, ok := w.(interface{ Uncached() KeyWrapper }); ok {
		return c.Uncached()
	}
	return w
}
