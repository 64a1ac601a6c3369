package installation

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Upsert creates an installation, or changes the parts given of an existing one and leaves the rest. One that is uninstalled or
// expired it installs again, as a new generation that starts empty: only id, name, extension and the time of creation stay. An
// invited one it edits and leaves invited.
//
// To change one that is there and never to install, use [Service.Patch]: what ended since it was read would be installed again.
//
// A request that changes nothing writes nothing. Errors: [ErrInvalid], [ErrForbidden], [ErrNotFound] (the id is another actor's),
// [ErrExists] (another live installation has the extension and account), [ErrConflict] and [ErrStale] from the guard,
// [ErrIdempotencyMismatch], those of keys and of the store.
func (s *Service) Upsert(ctx context.Context, req UpsertRequest) (*Result, error) {
	m := mutation{method: "upsert", request: req, check: req.check, guard: req.Guard, id: cmp.Or(req.ID, newID()), minted: req.ID == ""}
	m.actions, m.reach = req.actions(ActionUpsert), reachKeyless
	m.apply = func(ctx context.Context, st *state, now time.Time) (*step, error) {
		done, event := &step{}, EventUpdated
		switch status := st.status(now); {
		case !st.exists():
			event, done.created = EventCreated, true
		case status == StatusUninstalled, status == StatusExpired:
			event, done.created = EventInstalled, true
		}
		if done.created {
			if err := s.begin(ctx, st, StatusInstalled); err != nil {
				return nil, err
			}
		} else if st.closed != nil {
			return nil, st.closed
		}
		var err error
		if done.changed, err = s.applyParts(ctx, st, req.Parts, now); err != nil {
			return nil, err
		}
		if done.created {
			st.inst.Audit.Installed = s.audit(st, now)
		} else if len(done.changed) == 0 {
			return nil, nil
		}
		done.events = []EventType{event}
		return done, nil
	}
	return s.mutate(ctx, m)
}

// Patch changes the parts given of an existing installation and applies operations to its configuration, all in one commit. It refuses
// one that is uninstalled or expired with [ErrConflict].
//
// Errors: those of [Service.Upsert], and [ErrNotFound] if there is none.
func (s *Service) Patch(ctx context.Context, req PatchRequest) (*Result, error) {
	req.Present = true
	m := mutation{method: "patch", request: req, check: req.check, guard: req.Guard, id: req.ID, actions: req.actions(ActionUpsert)}
	if len(req.Operations) > 0 && !slices.Contains(m.actions, ActionConfigure) {
		m.actions = append(m.actions, ActionConfigure)
	}
	m.apply = func(ctx context.Context, st *state, now time.Time) (*step, error) {
		if status := st.status(now); status == StatusUninstalled || status == StatusExpired {
			return nil, &ConflictError{Key: st.key, Revision: st.revision(), From: status, To: StatusInstalled}
		}
		changed, err := s.applyParts(ctx, st, req.Parts, now)
		if err != nil {
			return nil, err
		}
		more, err := s.applyOperations(ctx, st, req.Operations, now)
		if err != nil {
			return nil, err
		}
		if changed = unite(changed, more); len(changed) == 0 {
			return nil, nil
		}
		return &step{events: []EventType{EventUpdated}, changed: changed}, nil
	}
	return s.mutate(ctx, m)
}

// unite merges names, sorted, each once.
func unite(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// actions adds to an action what writing these parts needs beside.
func (p Parts) actions(do Action) []Action {
	if p.Configuration.IsZero() {
		return []Action{do}
	}
	return []Action{do, ActionConfigure}
}
