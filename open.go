package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/validate"
)

// RevealRequest is the request of [Service.Reveal].
type RevealRequest struct {
	ID     string
	Refs   []Ref  // which secrets, 1 to 256; see Installation.Sealed
	Reason string // for the event; required
}

// Revealed is one answer of [Service.Reveal].
type Revealed struct {
	Ref   Ref
	Value crypto.Secret // the string itself if the stored JSON is a string, else its JSON text
	Err   error         // ErrNotFound if no secret is stored there, ErrSealed if it does not open
}

func (req RevealRequest) check(l *validate.List) {
	l.Required("reason", req.Reason != "")
	l.Text("reason", req.Reason, validate.MaxMessage)
	l.Required("refs", len(req.Refs) > 0)
	l.Count("refs", len(req.Refs), maxReveal)
	for i, ref := range req.Refs {
		validate.Enum(l, fmt.Sprintf("refs[%d].kind", i), ref.Kind(),
			kindConfig, kindCredential, kindConnection, kindExtra)
		checkPointer(l, fmt.Sprintf("refs[%d].pointer", i), ref.Pointer())
	}
}

// maxReveal is the largest number of secrets that one Reveal can name.
const maxReveal = 256

// Reveal returns plain secrets of an installation. No other method returns them. Reveal needs a
// right of its own, a reason, and the [Ref] of each secret. Before it returns a value, it commits
// an event with the Refs of the revealed secrets.
//
// The answers are in the order of the request. Each has its own error, so that one damaged secret
// does not hide the others: [ErrNotFound], or [ErrSealed].
//
// Errors: [ErrInvalid], [ErrNotFound], [ErrForbidden], [ErrShredded], and those of keys and of the
// store.
func (s *Service) Reveal(ctx context.Context, req RevealRequest) ([]Revealed, error) {
	if err := s.outsideTransaction(); err != nil {
		return nil, fmt.Errorf("reveal %s: %w", req.ID, err)
	}
	var answers []Revealed
	_, err := s.write(ctx, write{
		method: "reveal", id: req.ID, guard: Guard{Present: true},
		check: req.check, actions: []Action{ActionReveal},
		apply: func(_ context.Context, d *draft) error {
			purgeDue := !d.now.Before(d.lifecycle.purgeAt)
			if d.lifecycle.status == StatusUninstalled && purgeDue {
				return ErrShredded // Sweep has not purged it yet
			}
			answers = make([]Revealed, len(req.Refs))
			for i, ref := range req.Refs {
				answers[i] = d.reveal(ref)
				if answers[i].Err == nil {
					d.addChanged(string(ref))
				}
			}
			d.reason, d.effect = req.Reason, effectEvent
			d.events = append(d.events, event.Revealed)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (d *draft) reveal(ref Ref) Revealed {
	text, err := d.unseal(ref)
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			err = ErrSealed
		}
		return Revealed{Ref: ref, Err: err}
	}
	defer clear(text)
	var value string
	if json.Unmarshal(text, &value) != nil { // it is no string
		return Revealed{Ref: ref, Value: crypto.SecretFromBytes(text)}
	}
	return Revealed{Ref: ref, Value: crypto.NewSecret(value)}
}
