package installation

import (
	"slices"
	"time"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
)

// show returns the state as the actor may see it at a time. It is the one way out of the service for what is stored; nothing in it is
// shared with the store.
func (s *Service) show(st *state, now time.Time) *Installation {
	if st.inst == nil {
		return st.partial(now)
	}
	i := *st.inst
	i.Status = st.status(now)
	if i.Invitation != nil {
		inv := *i.Invitation
		inv.Status = i.Status
		i.Invitation = &inv
	}
	i.Sealed = slices.Clone(i.Sealed)
	if !s.can(ActionSeeConfiguration, &i) {
		i.Configuration = nil
		i.Sealed = slices.DeleteFunc(i.Sealed, func(r Ref) bool { return r.Kind == RefConfig })
	}
	if st.rule != s.rule.ID() {
		s.remask(&i)
	}
	return &i
}

// remask covers what today's rule finds sensitive in documents that were stored under another one. A read does not write; the next
// write seals it.
func (s *Service) remask(i *Installation) {
	if c := i.Configuration; c != nil {
		again := *c
		again.Document = s.mask(c.Document, i.Sealed, RefConfig)
		i.Configuration = &again
	}
	if c := i.Connection; c != nil {
		again := *c
		again.Metadata = s.mask(c.Metadata, i.Sealed, RefConnection)
		i.Connection = &again
	}
	i.Extra = s.mask(i.Extra, i.Sealed, RefExtra)
}

func (s *Service) mask(d Document, sealed []Ref, kind RefKind) Document {
	if d.IsZero() {
		return d
	}
	tree, err := jsontree.Parse(d.masked, jsontree.Limits{})
	if err != nil {
		return Document{} // stored by this library, so it parses; if not, nothing is shown
	}
	return maskedDocument(masked.Mask(tree, pointers(sealed, kind), s.rule).Append(nil))
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
