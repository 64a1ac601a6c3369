package installation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation/crypto"
)

// CanRetire says whether a key may be left out of the keys of every process, the fourth step of a rotation: nil means that no record needs
// it. It reads every record that the store lists across tenants, so that neither a record which is no longer listed under its key nor a
// body that cannot be read passes for "none"; a record that the store lists nowhere, it cannot see. A process that still has the key as
// its primary could put a record under it at any time: promote everywhere first.
//
// It knows of the store alone. What a backup holds under the key is lost with the key.
//
// It is for the host. Errors: [ErrForbidden], [ErrKeyInUse] for the primary and for a key that a record needs, [ErrUnknownKey] for one
// that is not at hand; that of the primary if it does not open what is stored under its id, as then nobody else opens what this process
// rewrapped; whatever keeps it from counting, be it the store or a record that cannot be read.
func (s *Service) CanRetire(ctx context.Context, keyID string) error {
	if err := s.canRetire(ctx, keyID); err != nil {
		return fmt.Errorf("retire: %w", err)
	}
	return nil
}

func (s *Service) canRetire(ctx context.Context, keyID string) error {
	if err := s.maintains(nil); err != nil {
		return err
	}
	switch ids := s.keys.KeyIDs(); {
	case !slices.Contains(ids, keyID):
		// What was given is not repeated: it may be the key itself, by mistake.
		return fmt.Errorf("%w: there are %s", ErrUnknownKey, strings.Join(ids, ", "))
	case keyID == s.keys.Primary():
		return &KeyInUseError{KeyID: keyID, Primary: true}
	}
	if err := s.tryToWrap(ctx, crypto.Uncached(s.keys)); err != nil {
		return err
	}
	inUse, err := s.countTerm(ctx, termKey+keyID)
	if err != nil {
		return err
	}
	found := int64(0)
	for r, err := range s.records(ctx, Query{AllTenants: true, Term: termEverywhere, Limit: MaxPage}) {
		if err != nil {
			return err
		}
		f, err := r.Body.open()
		if err != nil {
			return fmt.Errorf("cannot tell which key %q of tenant %q needs: %w", r.Key.ID, r.Key.Tenant, err)
		}
		if f.key.KeyID == keyID {
			found++
		}
	}
	if inUse = max(inUse, found); inUse > 0 {
		return &KeyInUseError{KeyID: keyID, Records: inUse}
	}
	return nil
}
