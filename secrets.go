package installation

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/internal/schemasource"
	"github.com/go-installation/installation/validate"
)

// documentWrite is the result of writing a document.
type documentWrite struct {
	document Document // masked
	changed  []string // names, for the event
	dropped  []string // secrets that were removed, and those that were replaced
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
	w.changed, w.dropped = []string{path}, d.vault().RemoveKind(kind)
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

// applyOperations edits the configuration, the metadata and the credentials.
func (s *Service) applyOperations(ctx context.Context, d *draft, ops []Operation) error {
	var l validate.List
	edits, err := operation.Edits(ops, operation.Configuration, "configuration")
	if err == nil && len(edits) > 0 {
		err = s.editConfiguration(ctx, d, edits)
	}
	if err := l.Merge(err); err != nil {
		return err
	}
	metadata, err := operation.Edits(ops, operation.Metadata, metadataPath)
	if err := l.Merge(err); err != nil {
		return err
	}
	credentials := operation.Of(ops, operation.Credentials)
	if len(metadata)+len(credentials) > 0 && d.inst.Connection == nil {
		l.Add("connection", validate.RuleRequired, "no connection is stored that an operation "+
			"could change: give the connection as a whole")
		return l.Err()
	}
	if len(metadata) > 0 {
		if err := l.Merge(s.editMetadata(ctx, d, metadata)); err != nil {
			return err
		}
	}
	if err := d.editCredentials(&l, credentials); err != nil {
		return err
	}
	return l.Err()
}

// editMetadata edits the metadata of the stored connection in place.
func (s *Service) editMetadata(ctx context.Context, d *draft, edits []masked.Op) error {
	w, err := s.editDocument(ctx, d, kindConnection, metadataPath, edits)
	if err != nil {
		return err
	}
	if d.inst.Connection.Metadata.IsZero() {
		w.changed = []string{metadataPath} // it is new as a whole
	}
	d.addChanged(w.changed...)
	d.inst.setDocument(kindConnection, w.document)
	return nil
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
		return w, schemasource.Complexity(sch, path, err)
	}
	if err := checkObject(path, r.Doc); err != nil {
		return w, err
	}
	open := func(pointer string) (*jsontree.Node, error) {
		return d.vault().Parse(kind + pointer)
	}
	if err := schemasource.Check(ctx, path, sch, stored.Doc, r, open); err != nil {
		return w, err
	}
	if w, err = d.sealDocument(kind, r); err != nil {
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

// sealDocument seals, moves and drops the secrets of one kind as r says. The masked document that
// it returns is byte for byte the old one if nothing changed.
func (d *draft) sealDocument(kind string, r masked.Result) (w documentWrite, err error) {
	old := d.inst.documents()[kind]
	if !old.IsZero() && len(r.Changed) == 0 && len(r.Seal) == 0 {
		return documentWrite{document: old}, nil
	}
	removed, moved, err := d.vault().Replace(kind, r)
	if err != nil {
		return w, err
	}
	w.dropped = removed // droppedSecrets leaves out what is stored again
	d.shifted = d.shifted || moved
	for _, pointer := range r.Changed {
		w.changed = append(w.changed, kind+pointer)
	}
	w.document = maskedDocument(r.Doc.Append(nil))
	return w, nil
}

// reseal seals what today's rules find sensitive in documents that were stored under other rules.
// Every write that seals calls reseal. A document that does not fit today's rule, for example
// because it would have too many secrets, must not stop the write. Such a document stays as it is,
// and the record keeps the ID of the old rule. The configuration also stays as it is if its schema
// cannot be used. Reads then mask by today's rules.
func (s *Service) reseal(ctx context.Context, d *draft) error {
	next, err := s.currentRules(ctx, &d.snapshot)
	old := schemasource.ParseRuleIDs(d.rule)
	if next == old {
		return nil
	}
	if err != nil {
		next.Config = old.Config
	}
	for kind := range d.inst.documents() {
		rule, _, err := s.ruleFor(ctx, &d.snapshot, kind)
		if err != nil {
			next.Config = old.Config
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
			next.All = old.All
			if kind == kindConfig {
				next.Config = old.Config
			}
			continue
		}
		w, err := d.sealDocument(kind, r)
		if err != nil {
			return err
		}
		d.inst.setDocument(kind, w.document)
	}
	d.rule = next.String()
	return nil
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
	return masked.Stored{Doc: tree, Sealed: d.vault().Pointers(kind)}, nil
}

// noteRedirect remembers the first change of metadata or unnamed fields that can send the secrets
// of the connection elsewhere.
func (d *draft) noteRedirect(path string, r masked.Result) {
	if r.Redirects != "" {
		d.redirect = cmp.Or(d.redirect, path+r.Redirects)
	}
}

// checkMove rejects a write that gives an installation to another account and keeps a secret that
// was given for the account before.
func (d *draft) checkMove(allowed bool) error {
	if allowed || d.created || d.before.inst == nil {
		return nil
	}
	was := d.before.inst.Account.ID
	if was == "" || was == d.inst.Account.ID || !d.keepsSecrets() {
		return nil
	}
	return invalid("account.id", validate.RuleDestination, "would move stored secrets to another "+
		"account: remove them or give them again in this write, or set MoveSecrets")
}

// keepsSecrets reports whether this write keeps a stored secret, at its place or at another one.
func (d *draft) keepsSecrets() bool {
	return d.shifted || slices.ContainsFunc(d.before.body.Values, d.vault().Keeps)
}

// schemaLookup is what Options.Schema returned for an extension. The rows of a list share it.
type schemaLookup struct {
	tenant    string
	extension Extension
	schemasource.Source
}

// schemaSource returns the source of the configuration's schema. It asks Options.Schema once for
// each extension of a snapshot.
func (s *Service) schemaSource(ctx context.Context, snap *snapshot) *schemasource.Source {
	ext := snap.inst.Extension
	if s.opts.Schema == nil || ext.ID == "" {
		return &schemasource.Source{}
	}
	tenant := snap.key.Tenant
	if l := snap.schema; l == nil || l.tenant != tenant || l.extension != ext {
		source := schemasource.New(s.opts.Schema(ctx, tenant, ext))
		snap.schema = &schemaLookup{tenant: tenant, extension: ext, Source: source}
	}
	return &snap.schema.Source
}

// currentRules returns the IDs of today's rules for the documents that the installation has. On an
// error, only the field All is set.
func (s *Service) currentRules(
	ctx context.Context, snap *snapshot,
) (schemasource.RuleIDs, error) {
	rules := schemasource.RuleIDs{All: s.rule.ID()}
	if snap.inst.Configuration == nil {
		return rules, nil
	}
	source := s.schemaSource(ctx, snap)
	if source.Err == nil && source.Revision != "" {
		rules.Config = classify.SchemaRule{Name: source.Revision}.ID()
	}
	return rules, source.Err
}

// ruleFor returns the rule for documents of one kind. For a configuration with a schema it also
// returns the schema, which serves one call of the service only.
//
// It fails if the schema is unavailable. It also fails if the document was stored under another
// rule and is too complex for the schema: a value that the schema does not reach would count as not
// secret.
func (s *Service) ruleFor(
	ctx context.Context, snap *snapshot, kind string,
) (masked.Rule, *schema.Schema, error) {
	if kind != kindConfig {
		return s.rule, nil, nil
	}
	source := s.schemaSource(ctx, snap)
	sch, err := source.Schema(ctx, s.schemas, snap.key.Tenant, snap.inst.Extension.ID)
	switch {
	case err != nil:
		return nil, nil, err
	case sch == nil:
		return s.rule, nil, nil
	}
	rule := classify.SchemaRule{Name: source.Revision, Schema: sch.Session()}
	c := snap.inst.Configuration
	if c != nil && schemasource.ParseRuleIDs(snap.rule).Config != rule.ID() {
		tree, err := jsontree.Parse([]byte(c.Document.masked), jsontree.Limits{})
		if err == nil && !sch.Fits(tree) {
			return nil, nil, &validate.SchemaError{
				Revision: source.Revision, Fault: validate.SchemaTooComplex,
			}
		}
	}
	return rule, rule.Schema, nil
}
