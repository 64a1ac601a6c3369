package installation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// written says what a write made of a document.
type written struct {
	changed    []string // names, for the event
	kept       []string // paths of the secrets that stayed
	redirected []string // paths of the destinations that changed
}

// applyDocument is replace for a document that may be left out.
func (s *Service) applyDocument(ctx context.Context, st *state, kind RefKind, path string, given Document) (Document, written, error) {
	if given.IsZero() {
		was := st.document(kind)
		st.dropSecrets(kind)
		return Document{}, written{changed: changedIf(!was.IsZero(), path)}, nil
	}
	return s.replace(ctx, st, kind, path, given)
}

// replace puts a whole document in the place of the stored one and returns it masked.
func (s *Service) replace(ctx context.Context, st *state, kind RefKind, path string, given Document) (Document, written, error) {
	tree, err := masked.Parse(path, given.content())
	if err != nil {
		return Document{}, written{}, err
	}
	if err := demandObject(path, tree); err != nil {
		return Document{}, written{}, err
	}
	rule, sch, err := s.ruleOf(ctx, st, kind)
	if err != nil {
		return Document{}, written{}, err
	}
	stored, err := st.stored(kind)
	if err != nil {
		return Document{}, written{}, err
	}
	r, err := masked.Replace(path, stored, tree, rule)
	if err != nil {
		return Document{}, written{}, complexity(sch, path, storedFault(err))
	}
	if err := st.checkSchema(ctx, path, sch, kind, r); err != nil {
		return Document{}, written{}, err
	}
	document, changed, err := s.adopt(st, kind, st.document(kind), r)
	if stored.Doc == nil {
		changed = []string{path}
	}
	w := written{changed: changed}
	for _, m := range r.Keep {
		w.kept = append(w.kept, path+m.To)
	}
	for _, pointer := range r.Redirected {
		w.redirected = append(w.redirected, path+pointer)
	}
	return document, w, err
}

// storedFault tells a record that does not add up from a request that is refused.
func storedFault(err error) error {
	if errors.Is(err, masked.ErrStored) {
		return ErrSealed
	}
	return err
}

func demandObject(path string, tree *jsontree.Node) error {
	if tree == nil || tree.Kind() != jsontree.Object {
		return invalid(path, validate.RuleFormat, "must be a JSON object")
	}
	return nil
}

// adopt seals and moves the secrets of one kind as a write demands. It returns the masked document, byte for byte the old one where
// nothing changed, and the names of what changed.
func (s *Service) adopt(st *state, kind RefKind, old Document, r masked.Result) (Document, []string, error) {
	if !old.IsZero() && len(r.Changed) == 0 && len(r.Seal) == 0 {
		return old, nil, nil
	}
	kept := make(map[Ref]secret, len(r.Keep))
	fresh := make(map[Ref][]byte, len(r.Seal)) // JSON text
	for _, m := range r.Keep {
		from, to := Ref{kind, m.From}, Ref{kind, m.To}
		if from == to {
			kept[from] = st.secrets()[from]
			continue
		}
		text, err := st.unsealValue(from) // the place is bound, so a moved secret is sealed anew
		if err != nil {
			return Document{}, nil, ErrSealed
		}
		fresh[to] = text
	}
	for _, p := range r.Seal {
		fresh[Ref{kind, p.Pointer}] = p.Value.Append(nil)
	}
	st.dropSecrets(kind)
	maps.Copy(st.secrets(), kept)
	for ref, text := range fresh {
		if err := st.seal(ref, text); err != nil {
			return Document{}, nil, err
		}
		clear(text)
	}
	var changed []string
	for _, pointer := range r.Changed {
		changed = append(changed, Ref{kind, pointer}.String())
	}
	return maskedDocument(r.Doc.Append(nil)), changed, nil
}

// refresh seals what today's rules find sensitive in documents that were stored under others. It goes with a write of something else, and
// never stops it: a document that does not fit today's rule, as one with more secrets under it than there may be, stays as it is and known
// as masked by its old rule, and so does the configuration where the schema cannot be used. Reads then mask by today's.
func (s *Service) refresh(ctx context.Context, st *state) error {
	now, err := s.ruleID(ctx, st)
	if st.rule == now {
		return nil
	}
	all, config := s.rule.ID(), configPart(now)
	if err != nil {
		config = configPart(st.rule)
	}
	for _, d := range st.documents() {
		rule, _, err := s.ruleOf(ctx, st, d.kind)
		if err != nil {
			config = configPart(st.rule)
			continue
		}
		stored, err := st.stored(d.kind)
		if err != nil {
			return err
		}
		if stored.Doc == nil {
			continue
		}
		r, err := masked.Apply("", stored, nil, rule)
		switch {
		case errors.Is(err, masked.ErrStored):
			return ErrSealed
		case err != nil && d.kind == RefConfig:
			all, config = allPart(st.rule), configPart(st.rule)
			continue
		case err != nil:
			all = allPart(st.rule)
			continue
		}
		if *d.document, _, err = s.adopt(st, d.kind, *d.document, r); err != nil {
			return err
		}
	}
	st.rule = joinRules(all, config)
	return nil
}

// allPart returns the id of the rule for all documents in what joinRules returned.
func allPart(id string) string {
	all, _, _ := strings.Cut(id, " ")
	return all
}

// dropSecrets forgets the secrets of one kind.
func (st *state) dropSecrets(kind RefKind) {
	for ref := range st.secrets() {
		if ref.Kind == kind {
			delete(st.values, ref)
		}
	}
}

// place in an installation where a document stands.
type documentPlace struct {
	kind     RefKind
	document *Document
}

// documents lists the documents that the installation has.
func (st *state) documents() []documentPlace {
	places := []documentPlace{{RefExtra, &st.inst.Extra}}
	if c := st.inst.Configuration; c != nil {
		places = append(places, documentPlace{RefConfig, &c.Document})
	}
	if c := st.inst.Connection; c != nil {
		places = append(places, documentPlace{RefConnection, &c.Metadata})
	}
	return places
}

// document returns the masked document of one kind.
func (st *state) document(kind RefKind) Document {
	for _, p := range st.documents() {
		if p.kind == kind {
			return *p.document
		}
	}
	return Document{}
}

// stored returns the document of one kind as package masked takes it.
func (st *state) stored(kind RefKind) (masked.Stored, error) {
	d := st.document(kind)
	if d.IsZero() {
		return masked.Stored{}, nil
	}
	tree, err := jsontree.Parse([]byte(d.masked), jsontree.Limits{})
	if err != nil {
		return masked.Stored{}, ErrSealed
	}
	return masked.Stored{Doc: tree, Sealed: pointers(slices.Collect(maps.Keys(st.secrets())), kind)}, nil
}
