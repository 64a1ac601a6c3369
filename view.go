package installation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
)

// show returns the state's installation as the actor may see it at a time, and ends the use of the state: what it returns is the caller's. It
// is the one way out of the service for what is stored; nothing in it is shared with the store.
func (s *Service) show(ctx context.Context, st *state, now time.Time) *Installation {
	if st.inst == nil {
		return st.partial(now)
	}
	i := st.inst
	i.Status = st.status(now)
	if i.Invitation != nil {
		i.Invitation.Status = i.Status
	}
	if !s.can(ActionSeeConfiguration, i) {
		i.Configuration = nil
		i.Sealed = slices.DeleteFunc(i.Sealed, func(r Ref) bool { return r.Kind == RefConfig })
	}
	s.remask(ctx, st, i)
	return i
}

// remask covers what today's rules find sensitive in documents that were stored under others. A read does not write; the next write
// seals it. A configuration whose schema cannot be used is covered as a whole.
func (s *Service) remask(ctx context.Context, st *state, i *Installation) {
	if c := i.Configuration; c != nil {
		id, err := s.ruleID(ctx, st)
		if err == nil && id == st.rule {
			return
		}
		rule, _, err := s.configRule(ctx, st)
		if err != nil {
			rule = masked.HideAll{}
		}
		again := *c
		again.Document, again.Err = mask(c.Document, i.Sealed, RefConfig, rule), err
		i.Configuration = &again
	} else if all, _, _ := strings.Cut(st.rule, " "); all == s.rule.ID() {
		return
	}
	if c := i.Connection; c != nil {
		again := *c
		again.Metadata = mask(c.Metadata, i.Sealed, RefConnection, s.rule)
		i.Connection = &again
	}
	i.Extra = mask(i.Extra, i.Sealed, RefExtra, s.rule)
}

func mask(d Document, sealed []Ref, kind RefKind, rule masked.Rule) Document {
	if d.IsZero() {
		return d
	}
	tree, err := jsontree.Parse(d.masked, jsontree.Limits{})
	if err != nil {
		return Document{} // stored by this library, so it parses; if not, nothing is shown
	}
	return maskedDocument(masked.Mask(tree, pointers(sealed, kind), rule).Append(nil))
}

// pointers returns the pointers of one kind.
func pointers(refs []Ref, kind RefKind) []string {
	var out []string
	for _, r := range refs {
		if r.Kind == kind {
			out = append(out, r.Pointer)
		}
	}
	return out
}
