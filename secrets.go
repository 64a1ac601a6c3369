package installation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// documentWrite is the result of writing a document.
type documentWrite struct {
	document Document // masked
	changed  []string // names, for the event
}

// replaceDocument puts a whole document in the place of the stored one.
func (s *Service) replaceDocument(
	ctx context.Context, d *draft, kind, path string, given Document,
) (documentWrite, error) {
	tree, err := masked.Parse(path, given.content())
	if err != nil {
		return documentWrite{}, err
	}
	if err := checkObject(path, tree); err != nil {
		return documentWrite{}, err
	}
	w, err := s.writeDocument(ctx, d, kind, path, func(w masked.Write) (masked.Result, error) {
		return w.Replace(ctx, tree)
	})
	if err == nil && d.inst.documents()[kind].IsZero() {
		w.changed = []string{path} // it is new as a whole
	}
	return w, err
}

// removeDocument removes the stored document with its secrets.
func (s *Service) removeDocument(
	ctx context.Context, d *draft, kind, path string,
) (w documentWrite, err error) {
	stored, err := d.storedDocument(kind)
	if err != nil || stored.Doc == nil {
		return w, err
	}
	r, err := masked.Write{Path: path, Stored: stored, Rule: s.rule}.Replace(ctx, nil)
	if err != nil {
		return w, err
	}
	d.noteRedirect(path, r)
	d.dropSecrets(kind)
	w.changed = []string{path}
	return w, nil
}

// editDocument applies edits to the stored document, or to an empty object if none is stored.
func (s *Service) editDocument(
	ctx context.Context, d *draft, kind, path string, edits []masked.Op,
) (documentWrite, error) {
	return s.writeDocument(ctx, d, kind, path, func(w masked.Write) (masked.Result, error) {
		if w.Stored.Doc == nil {
			w.Stored.Doc = jsontree.NewObject()
		}
		return w.Apply(ctx, edits)
	})
}

// writeDocument computes the new document with edit, validates it against its schema, and seals its
// new secrets.
func (s *Service) writeDocument(
	ctx context.Context, d *draft, kind, path string,
	edit func(masked.Write) (masked.Result, error),
) (w documentWrite, err error) {
	rule, sch, err := s.ruleFor(ctx, &d.snapshot, kind)
	if err != nil {
		return w, err
	}
	stored, err := d.storedDocument(kind)
	if err != nil {
		return w, err
	}
	r, err := edit(masked.Write{
		Path: path, Stored: stored, Rule: rule,
		AllowDestination: d.allowed != "", HasSchema: kind == kindConfig,
	})
	if errors.Is(err, masked.ErrStored) {
		err = ErrSealed // the stored document contradicts its secrets: no fault of the request
	}
	if kind != kindConfig {
		d.noteRedirect(path, r)
	}
	if err != nil {
		return w, complexity(sch, path, err)
	}
	if err := checkObject(path, r.Doc); err != nil {
		return w, err
	}
	if err := d.checkSchema(ctx, path, sch, kind, stored.Doc, r); err != nil {
		return w, err
	}
	if w.document, w.changed, err = d.sealDocument(kind, r); err != nil {
		return w, err
	}
	d.redirected = d.redirected || r.Allowed
	return w, nil
}

func checkObject(path string, tree *jsontree.Node) error {
	if tree == nil || tree.Kind() != jsontree.Object {
		return invalid(path, validate.RuleFormat, "must be a JSON object")
	}
	return nil
}

// sealDocument seals, moves and drops the secrets of one kind as r says. It returns the masked
// document, byte for byte the old one if nothing changed, and the names of what changed.
func (d *draft) sealDocument(kind string, r masked.Result) (Document, []string, error) {
	old := d.inst.documents()[kind]
	if !old.IsZero() && len(r.Changed) == 0 && len(r.Seal) == 0 {
		return old, nil, nil
	}
	kept := make(map[Ref]secret, len(r.Keep))
	fresh := make(map[Ref][]byte, len(r.Seal)) // JSON text
	for _, m := range r.Keep {
		from, to := refOf(kind, m.From), refOf(kind, m.To)
		if from == to {
			kept[from] = d.sealedSecrets()[from]
			continue
		}
		text, err := d.unseal(from) // sealing binds the place, so a moved secret is sealed again
		if err != nil {
			return Document{}, nil, ErrSealed
		}
		fresh[to], d.shifted = text, true
	}
	for _, p := range r.Seal {
		fresh[refOf(kind, p.Pointer)] = p.Value.Append(nil)
	}
	d.dropSecrets(kind)
	maps.Copy(d.sealedSecrets(), kept)
	for ref, text := range fresh {
		if err := d.seal(ref, text); err != nil {
			return Document{}, nil, err
		}
		clear(text)
	}
	changed := make([]string, len(r.Changed))
	for i, pointer := range r.Changed {
		changed[i] = kind + pointer
	}
	return maskedDocument(r.Doc.Append(nil)), changed, nil
}

// reseal seals what today's rules find sensitive in documents that were stored under other rules.
// Every write that seals calls reseal. A document that does not fit today's rule, for example
// because it would have too many secrets, must not stop the write. Such a document stays as it is,
// and the record keeps the ID of the old rule. The configuration also stays as it is if its schema
// cannot be used. Reads then mask by today's rules.
func (s *Service) reseal(ctx context.Context, d *draft) error {
	next, err := s.currentRules(ctx, &d.snapshot)
	old := parseRuleIDs(d.rule)
	if next == old {
		return nil
	}
	if err != nil {
		next.config = old.config
	}
	for kind := range d.inst.documents() {
		rule, _, err := s.ruleFor(ctx, &d.snapshot, kind)
		if err != nil {
			next.config = old.config
			continue
		}
		stored, err := d.storedDocument(kind)
		if err != nil {
			return err
		}
		if stored.Doc == nil {
			continue
		}
		r, err := masked.Write{Stored: stored, Rule: rule}.Apply(ctx, nil)
		if errors.Is(err, masked.ErrStored) {
			return ErrSealed
		}
		if err != nil {
			next.all = old.all
			if kind == kindConfig {
				next.config = old.config
			}
			continue
		}
		document, _, err := d.sealDocument(kind, r)
		if err != nil {
			return err
		}
		d.inst.setDocument(kind, document)
	}
	d.rule = next.String()
	return nil
}

// dropSecrets removes the secrets of one kind from the draft.
func (d *draft) dropSecrets(kind string) {
	for ref := range d.sealedSecrets() {
		if ref.Kind() == kind {
			delete(d.secrets, ref)
		}
	}
}

// documents returns the masked documents that the installation has, by kind.
func (i *Installation) documents() map[string]Document {
	docs := map[string]Document{kindExtra: i.Extra}
	if i.Configuration != nil {
		docs[kindConfig] = i.Configuration.Document
	}
	if i.Connection != nil {
		docs[kindConnection] = i.Connection.Metadata
	}
	return docs
}

// setDocument replaces the document of one kind. It copies the Configuration or Connection that
// contains the document, and changes the copy.
func (i *Installation) setDocument(kind string, document Document) {
	switch kind {
	case kindExtra:
		i.Extra = document
	case kindConfig:
		i.Configuration = new(*i.Configuration)
		i.Configuration.Document = document
	case kindConnection:
		i.Connection = new(*i.Connection)
		i.Connection.Metadata = document
	}
}

// storedDocument returns the document of one kind in the form that package masked works on.
func (d *draft) storedDocument(kind string) (masked.Stored, error) {
	doc := d.inst.documents()[kind]
	if doc.IsZero() {
		return masked.Stored{}, nil
	}
	tree, err := jsontree.Parse([]byte(doc.masked), jsontree.Limits{})
	if err != nil {
		return masked.Stored{}, ErrSealed
	}
	refs := slices.Collect(maps.Keys(d.sealedSecrets()))
	return masked.Stored{Doc: tree, Sealed: pointersOf(refs, kind)}, nil
}

// pointersOf returns the pointers of the secrets of one kind.
func pointersOf(refs []Ref, kind string) []string {
	var pointers []string
	for _, ref := range refs {
		if ref.Kind() == kind {
			pointers = append(pointers, ref.Pointer())
		}
	}
	return pointers
}

// editsOf returns operations in the form that package masked applies.
func editsOf(ops []Operation) ([]masked.Op, error) {
	var l validate.List
	l.Count("configuration", len(ops), validate.MaxEdits)
	if err := l.Err(); err != nil {
		return nil, err
	}
	edits := make([]masked.Op, len(ops))
	for i, o := range ops {
		value, err := parseValue(&l, o)
		if err := l.Merge(err); err != nil {
			return nil, err
		}
		edits[i] = masked.Op{Kind: o.Kind(), Pointer: o.Pointer(), Value: value, Array: o.Array()}
	}
	return edits, l.Err()
}

// parseValue returns the value of an operation, or nil if the operation has none.
func parseValue(l *validate.List, o Operation) (*jsontree.Node, error) {
	path, secret := "configuration"+o.Pointer(), o.Kind() == masked.SetSecret
	switch {
	case o.Kind() == "":
		detail := "an operation is empty: make it with package patch"
		l.Add("configuration", validate.RuleRequired, detail)
	case o.Kind() == masked.Remove:
	case o.Value().IsZero():
		l.Add(path, validate.RuleRequired, "the operation needs a value")
	case !secret:
		text := o.Value().Reveal()
		defer clear(text)
		return masked.Parse(path, text)
	case o.Value().IsMasked():
		l.Add(path, validate.RuleMaskWithoutStoredValue, "a mask is not a secret")
	case checkSecret(l, path, o.Value()):
		text := jsonString(o.Value())
		defer clear(text)
		return masked.Parse(path, text)
	}
	return nil, nil
}

// noteRedirect remembers the first change of metadata or unnamed fields that can send the secrets
// of the connection elsewhere.
func (d *draft) noteRedirect(path string, r masked.Result) {
	if r.Redirects != "" {
		d.redirect = cmp.Or(d.redirect, path+r.Redirects)
	}
}

// checkDestinations rejects a write that can send kept secrets of the connection elsewhere. Besides
// the documents, the providers and the workspace decide where they go.
//
// Every other field can change alone, because it does not say where secrets go. ID, ExternalRef and
// ConsumerRef are only names. ClientID and Scheme say who logs in and how, at the same provider.
// Account.URL is for people, and no token is sent there.
func (d *draft) checkDestinations(l *validate.List) {
	was, is := cmp.Or(d.before.connection(), &Connection{}), cmp.Or(d.connection(), &Connection{})
	for _, field := range []struct{ path, was, is string }{
		{"connection.provider", was.Provider, is.Provider},
		{"connection.app.provider", was.App.provider(), is.App.provider()},
		{"connection.workspaceRef", was.WorkspaceRef, is.WorkspaceRef},
	} {
		if field.was != field.is {
			d.redirect = cmp.Or(d.redirect, field.path)
		}
	}
	if d.redirect == "" {
		return
	}
	for _, path := range d.keptSecrets() {
		d.redirected = true
		if d.allowed == "" {
			l.AddViolation(validate.Violation{
				Path: path, Related: d.redirect, Rule: validate.RuleDestination,
				Detail: masked.SentElsewhere,
			})
		}
	}
}

// recordRedirect adds an event if kept secrets can go elsewhere, because the request allowed it.
func (d *draft) recordRedirect() {
	if d.redirected {
		d.reason, d.events = d.allowed, append(d.events, event.Redirected)
	}
}

// keptSecrets returns the paths of the secrets of the connection that this write leaves as they
// were. Those in the metadata are already compared with the metadata.
func (d *draft) keptSecrets() []string {
	if d.before.body == nil {
		return nil
	}
	var credentials, metadata []string
	for _, v := range d.before.body.Values {
		ref := Ref(v.Ref)
		now, ok := d.sealedSecrets()[ref]
		switch {
		case !ok || !bytes.Equal(v.Sealed, now.sealed):
		case ref.Kind() == kindCredential:
			credentials = append(credentials, "connection"+ref.Pointer())
		case ref.Kind() == kindConnection && !strings.HasPrefix(d.redirect, metadataPath):
			metadata = append(metadata, metadataPath+ref.Pointer())
		}
	}
	return append(credentials, metadata...)
}

func (snap *snapshot) connection() *Connection {
	if snap.inst == nil {
		return nil
	}
	return snap.inst.Connection
}

// provider returns the provider of an app, "" for nil.
func (a *ProviderApp) provider() string {
	if a == nil {
		return ""
	}
	return a.Provider
}
