package crypto

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// KeySet joins key wrappers of any kind into one: it wraps with the first and unwraps with whichever has the key. It is the way from a
// [Keyring] to a key service and back, or from one service to another. It never changes. It prints as the ids of its keys.
type KeySet struct {
	primary KeyWrapper
	others  []KeyWrapper
	byID    map[string]KeyWrapper
}

var _ KeyWrapper = (*KeySet)(nil)

// NewKeySet returns a set that wraps with the primary key of primary, and unwraps with all keys of all. Two keys with one id are refused,
// and so is a wrapper without keys, or whose primary key is not among its keys; the errors match [ErrKeyring].
func NewKeySet(primary KeyWrapper, others ...KeyWrapper) (*KeySet, error) {
	s := &KeySet{primary: primary, others: slices.Clone(others), byID: make(map[string]KeyWrapper)}
	for _, w := range s.members() {
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

// Suite implements [KeyWrapper]. It is that of the first wrapper, for the data keys of all.
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
	k, err := keys.Unwrap(ctx, w, b)
	if err != nil {
		return nil, err
	}
	return k.withSuite(s.Suite()), nil
}

// Uncached returns the set without the caches of its members; see the function [Uncached].
func (s *KeySet) Uncached() KeyWrapper {
	c := &KeySet{primary: Uncached(s.primary), byID: make(map[string]KeyWrapper, len(s.byID))}
	for _, w := range s.others {
		c.others = append(c.others, Uncached(w))
	}
	for _, w := range c.members() {
		for _, id := range w.KeyIDs() {
			c.byID[id] = w
		}
	}
	return c
}

// String lists the ids of the keys, the primary first.
func (s *KeySet) String() string {
	ids := slices.DeleteFunc(s.KeyIDs(), func(id string) bool { return id == s.Primary() })
	return "keys " + strings.Join(slices.Insert(ids, 0, s.Primary()), " ")
}

func (s *KeySet) members() []KeyWrapper { return slices.Concat([]KeyWrapper{s.primary}, s.others) }

// checkWrapper refuses a key wrapper without keys, which a nil pointer is too, and one that does not count its primary key among them.
func checkWrapper(w KeyWrapper) error {
	if isNil(w) || w.Primary() == "" {
		return errNoKeys
	}
	if !slices.Contains(w.KeyIDs(), w.Primary()) {
		return fmt.Errorf("%w: the primary key is not among the keys", ErrKeyring)
	}
	return nil
}

// isNil also sees a nil pointer in an interface, which would otherwise fail at the first use.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// Uncached returns w without a cache, where it has one: what its method Uncached returns. Who wants to know whether a key works must ask the
// key itself. A decorator of your own around a cache should have the method too.
func Uncached(w KeyWrapper) KeyWrapper {
	if c, ok := w.(interface{ Uncached() KeyWrapper }); ok {
		return c.Uncached()
	}
	return w
}
