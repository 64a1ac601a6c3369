package installation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// RekeyRequest is the request of [Service.Rekey].
type RekeyRequest struct {
	Guard
	ID     string
	Reason string // for the event
}

// Rekey gives an installation a new data key, and seals every secret and the rest of the record under it in one commit. It is for a data
// key, or a key-encryption key, that someone may have seen, where [Service.Rewrap] is not enough: it takes away what the old
// data key could open, but for backups and, until their time is up, the answers kept for idempotency keys. It is also the way to another
// cipher suite: everything is sealed with that of the keys. Nothing else changes, and neither do the claims, whatever Options.Claims would
// say by now; the revision grows by one and an event tells of it.
//
// Answers that are kept for the idempotency keys of earlier requests were sealed under the old data key: those requests, if sent
// again, are answered with the present state and not compared. An Invite that is sent again gets no code, since that was in the first
// answer alone; the code that was given out still opens.
//
// It is for the host. Errors: [ErrNotFound], [ErrForbidden], [ErrSealed] if a secret does not open, as a damaged one is not dropped
// silently, or if the primary key opens none of the records tried which are stored under its id; [crypto.ErrSuite] if this process may not use the suite of one; [ErrShredded], those of keys, guards and the store.
func (s *Service) Rekey(ctx context.Context, req RekeyRequest) (*Result, error) {
	req.Present = true
	m := mutation{method: "rekey", request: req, guard: req.Guard, id: req.ID, actions: []Action{ActionMaintain}}
	m.check = func(l *validate.List) { l.Text("reason", req.Reason, validate.MaxMessage) }
	m.apply = func(ctx context.Context, st *state, _ time.Time) (*step, error) {
		plain := make(map[Ref][]byte)
		defer func() {
			for _, text := range plain {
				clear(text)
			}
		}()
		for _, ref := range slices.SortedFunc(maps.Keys(st.secrets()), compareRefs) {
			text, err := st.unsealValue(ref)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", ref, err)
			}
			plain[ref] = text
		}
		if st.wrapped.KeyID != s.keys.Primary() { // else the record has just shown that it is the right one
			if err := s.tryToWrap(ctx, crypto.Uncached(s.keys)); err != nil {
				return nil, err
			}
		}
		if err := s.newDataKey(ctx, st); err != nil {
			return nil, err
		}
		for ref, text := range plain {
			if err := st.seal(ref, text); err != nil {
				return nil, err
			}
		}
		st.sameClaims = true
		return &step{events: []EventType{EventRekeyed}, reason: req.Reason}, nil
	}
	return s.mutate(ctx, m)
}
