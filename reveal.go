package installation

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
)

// MaxReveal is the largest number of secrets that one Reveal names.
const MaxReveal = 256

// Reveal returns plain secrets of an installation, and is the only way to them. It takes a right of its own, a reason, and the name of each
// secret; an event with the names of those revealed is committed before a value leaves. The answers are in the order of the request, each with its own
// error, so that one damaged secret does not hide the others: [ErrNotFound], [ErrSealed], or one that matches [crypto.ErrSuite] for a
// secret whose cipher suite this process may not use.
//
// Errors: [ErrInvalid], [ErrNotFound], [ErrForbidden], [ErrShredded], those of keys and of the store.
func (s *Service) Reveal(ctx context.Context, req RevealRequest) ([]Revealed, error) {
	var answers []Revealed
	m := mutation{method: "reveal", id: req.ID, check: req.check, guard: Guard{Present: true}, actions: []Action{ActionReveal}}
	m.apply = func(_ context.Context, st *state, now time.Time) (*step, error) {
		if st.life.status == StatusUninstalled && !now.Before(st.life.purgeAt) {
			return nil, ErrShredded // due to be purged, and as good as that
		}
		answers = make([]Revealed, len(req.Refs))
		var names []string
		for i, ref := range req.Refs {
			answers[i] = st.reveal(ref)
			if answers[i].Err == nil {
				names = append(names, ref.String())
			}
		}
		slices.Sort(names)
		return &step{events: []EventType{EventRevealed}, changed: names, reason: req.Reason, effect: effectNone}, nil
	}
	if _, err := s.mutate(ctx, m); err != nil {
		return nil, err
	}
	return answers, nil
}

// String returns the name of a secret as it stands in events: "config/adobe_secret".
func (r Ref) String() string { return string(r.Kind) + r.Pointer }

func (st *state) reveal(ref Ref) Revealed {
	text, err := st.unsealValue(ref)
	if err != nil {
		if !errors.Is(err, ErrNotFound) && !errors.Is(err, crypto.ErrSuite) {
			err = ErrSealed
		}
		return Revealed{Ref: ref, Err: err}
	}
	defer clear(text)
	return Revealed{Ref: ref, Value: secretOf(text)}
}

// secretOf returns what JSON text says: the string itself, or the text of anything else.
func secretOf(text []byte) crypto.Secret {
	var s string
	if json.Unmarshal(text, &s) != nil {
		return crypto.SecretFromBytes(text)
	}
	return crypto.NewSecret(s)
}

// jsonString returns a secret string as JSON text, to be cleared by the caller.
func jsonString(s crypto.Secret) []byte {
	text, _ := json.Marshal(s.RevealString()) // a string always marshals
	return text
}
