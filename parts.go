package installation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// applyParts puts the given parts into the state and seals their secrets. It returns the names of what changed, sorted: a part sent back as it
// was read changes nothing. The error lists everything that is wrong with all parts.
func (s *Service) applyParts(st *state, p Parts, now time.Time) ([]string, error) {
	i, before := st.inst, *st.inst
	var l validate.List
	set(p.Name, &i.Name)
	set(p.Health, &i.Health)
	set(p.Account, &i.Account)
	set(p.Consent, &i.Consent)
	setPointer(p.BillingPlan, &i.BillingPlan)
	setPointer(p.Notification, &i.Notification)
	set(p.Extension, &i.Extension)
	l.Required("extension.id", i.Extension.ID != "")
	if st.life.status == StatusInstalled {
		l.Required("account.id", i.Account.ID != "")
	}
	s.checkOwners(&l, st, before)
	var changed []string
	differs := func(name string, was, is any) {
		if !bytes.Equal(encode(was), encode(is)) {
			changed = append(changed, name)
		}
	}
	differs("account", accountToV1(before.Account), accountToV1(i.Account))
	differs("billingPlan", billingPlanToV1(before.BillingPlan), billingPlanToV1(i.BillingPlan))
	differs("consent", consentToV1(before.Consent), consentToV1(i.Consent))
	differs("extension", extensionV1(before.Extension), extensionV1(i.Extension))
	differs("health", before.Health, i.Health)
	differs("name", before.Name, i.Name)
	differs("notification", (*notificationV1)(before.Notification), (*notificationV1)(i.Notification))
	for _, apply := range []func() ([]string, error){
		func() ([]string, error) { return s.applyConfiguration(st, p.Configuration, now) },
		func() ([]string, error) { return s.applyConnection(st, p.Connection) },
		func() ([]string, error) { return s.applyExtra(st, p.Extra) },
	} {
		names, err := apply()
		if err := l.Merge(err); err != nil {
			return nil, err
		}
		changed = append(changed, names...)
	}
	return unite(changed, nil), l.Err()
}

// checkOwners refuses to hand an installation over to someone else: the extension is fixed, and who sees it because of its vendor or
// account is changed by the host and the platform alone.
func (s *Service) checkOwners(l *validate.List, st *state, before Installation) {
	fixed := func(path, was, is string) {
		if was != "" && was != is {
			l.Add(path, validate.RuleImmutable, "cannot change")
		}
	}
	fixed("extension.id", before.Extension.ID, st.inst.Extension.ID)
	if s.actor.Kind == Host || s.actor.Kind == Platform || !st.exists() {
		return
	}
	fixed("extension.owner", before.Extension.Owner, st.inst.Extension.Owner)
	if st.record.Generation == st.inst.Generation && st.life.status == st.form.life.status {
		fixed("account.id", before.Account.ID, st.inst.Account.ID)
	}
}

// set puts a given part in place; removed is the zero value.
func set[T any](part Optional[T], to *T) {
	if !part.IsZero() {
		*to, _ = part.Get()
	}
}

// setPointer is set for a part that can be absent.
func setPointer[T any](part Optional[T], to **T) {
	if part.IsZero() {
		return
	}
	*to = nil
	if v, ok := part.Get(); ok {
		*to = &v
	}
}

// applyConfiguration replaces or removes the configuration. A mask in it keeps the secret that is stored at its place.
func (s *Service) applyConfiguration(st *state, part Optional[Configuration], now time.Time) ([]string, error) {
	if part.IsZero() {
		return nil, nil
	}
	next, ok := part.Get()
	if !ok {
		was := st.inst.Configuration
		st.inst.Configuration = nil
		st.dropSecrets(RefConfig)
		return changedIf(was != nil, "configuration"), nil
	}
	if next.Document.IsZero() {
		return nil, invalid("configuration", validate.RuleRequired, "needs a document")
	}
	document, changed, err := s.replace(st, RefConfig, "configuration", next.Document)
	if err != nil {
		return nil, err
	}
	return s.adoptConfiguration(st, next, document, changed, now), nil
}

// applyOperations edits the configuration in place; where there is none, an empty one.
func (s *Service) applyOperations(st *state, ops []Operation, now time.Time) ([]string, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	edits, err := edits(ops)
	if err != nil {
		return nil, err
	}
	stored, err := st.stored(RefConfig)
	if err != nil {
		return nil, err
	}
	var next Configuration
	if c := st.inst.Configuration; c != nil {
		next = *c
	} else {
		stored.Doc = jsontree.NewObject()
	}
	r, err := masked.Apply("configuration", stored, edits, s.rule)
	if err != nil {
		return nil, storedFault(err)
	}
	if err := demandObject("configuration", r.Doc); err != nil {
		return nil, err
	}
	document, changed, err := s.adopt(st, RefConfig, next.Document, r)
	if err != nil {
		return nil, err
	}
	return s.adoptConfiguration(st, next, document, changed, now), nil
}

// adoptConfiguration puts a written configuration in place, with an id for the revision where the document changed. A revision id that
// was sent back as it was read counts as not given then.
func (s *Service) adoptConfiguration(st *state, next Configuration, document Document, changed []string, now time.Time) []string {
	old := st.inst.Configuration
	if old == nil {
		old, changed = &Configuration{}, append(changed, "configuration")
	}
	renamed := next.ID != "" && next.ID != old.ID || next.RevisionID != "" && next.RevisionID != old.RevisionID
	if len(changed) == 0 && !renamed {
		old.Document = document
		return nil
	}
	if next.RevisionID == old.RevisionID {
		next.RevisionID, next.Created, next.CreatedBy = "", time.Time{}, ""
	}
	st.inst.Configuration = &Configuration{
		ID:         cmp.Or(next.ID, old.ID, newID()),
		RevisionID: cmp.Or(next.RevisionID, newID()),
		Created:    cmp.Or(moment(next.Created), now),
		CreatedBy:  cmp.Or(next.CreatedBy, s.actor.User.ID, s.actor.ID, string(s.actor.Kind)),
		Document:   document,
	}
	return append(changed, changedIf(renamed, "configuration")...)
}

// applyConnection replaces or removes the connection. A masked credential keeps the one that is stored.
func (s *Service) applyConnection(st *state, part Optional[Connection]) ([]string, error) {
	if part.IsZero() {
		return nil, nil
	}
	before := st.inst.Connection
	next, ok := part.Get()
	if !ok {
		st.inst.Connection = nil
		st.dropSecrets(RefConnection)
		st.dropSecrets(RefCredential)
		return changedIf(before != nil, "connection"), nil
	}
	var l validate.List
	changed, err := st.applyCredentials(&l, &next)
	if err != nil {
		return nil, err
	}
	document, names, err := s.applyDocument(st, RefConnection, "connection.metadata", next.Metadata)
	if err := l.Merge(err); err != nil {
		return nil, err
	}
	next.Metadata = document
	st.inst.Connection = &next
	changed = append(changed, names...)
	differs := !bytes.Equal(encode(connectionToV1(before)), encode(connectionToV1(&next)))
	return append(changed, changedIf(differs, "connection")...), l.Err()
}

// applyCredentials seals the credentials given in a connection and leaves it masked.
func (st *state) applyCredentials(l *validate.List, next *Connection) (changed []string, err error) {
	for _, c := range next.credentials() {
		ref := Ref{RefCredential, c.pointer}
		path := "connection" + c.pointer
		_, stored := st.secrets()[ref]
		switch {
		case c.value.IsMasked() && stored:
		case c.value.IsMasked():
			l.Add(path, validate.RuleMaskWithoutStoredValue, "a mask keeps what is stored, and nothing is")
		case c.value.IsZero() && !stored:
		case c.value.IsZero():
			delete(st.secrets(), ref)
			changed = append(changed, ref.String())
		case !checkSecret(l, path, *c.value):
		default:
			text := jsonString(*c.value)
			if err := st.seal(ref, text); err != nil {
				return nil, err
			}
			clear(text)
			*c.value = crypto.Masked()
			changed = append(changed, ref.String())
		}
	}
	return changed, nil
}

// applyExtra replaces or removes the unnamed fields.
func (s *Service) applyExtra(st *state, part Optional[Document]) ([]string, error) {
	if part.IsZero() {
		return nil, nil
	}
	given, _ := part.Get()
	document, changed, err := s.applyDocument(st, RefExtra, "extra", given)
	if err != nil {
		return nil, err
	}
	if err := demandUnnamed(document); err != nil {
		return nil, err
	}
	st.inst.Extra = document
	return changed, nil
}

// named are the parts of an installation as a wire form would name them.
var named = []string{
	"account", "audit", "billingPlan", "configuration", "connection", "consent", "extension", "extra", "generation", "health", "id",
	"invitation", "name", "notification", "revision", "status", "tenant",
}

// demandUnnamed refuses unnamed fields that stand in for named ones.
func demandUnnamed(extra Document) error {
	var l validate.List
	var members map[string]json.RawMessage
	if !extra.IsZero() {
		if err := extra.Decode(&members); err != nil {
			return err
		}
	}
	for _, name := range named {
		if _, ok := members[name]; ok {
			l.Add("extra/"+name, validate.RuleExclusive, "is the name of a part of the installation")
		}
	}
	return l.Err()
}

// applyDocument is replace for a document that may be left out.
func (s *Service) applyDocument(st *state, kind RefKind, path string, given Document) (Document, []string, error) {
	if given.IsZero() {
		was := st.document(kind)
		st.dropSecrets(kind)
		return Document{}, changedIf(!was.IsZero(), path), nil
	}
	return s.replace(st, kind, path, given)
}

// replace puts a whole document in the place of the stored one and returns it masked.
func (s *Service) replace(st *state, kind RefKind, path string, given Document) (Document, []string, error) {
	tree, err := masked.Parse(path, given.content())
	if err != nil {
		return Document{}, nil, err
	}
	if err := demandObject(path, tree); err != nil {
		return Document{}, nil, err
	}
	stored, err := st.stored(kind)
	if err != nil {
		return Document{}, nil, err
	}
	r, err := masked.Replace(path, stored, tree, s.rule)
	if err != nil {
		return Document{}, nil, storedFault(err)
	}
	document, changed, err := s.adopt(st, kind, st.document(kind), r)
	if stored.Doc == nil {
		changed = []string{path}
	}
	return document, changed, err
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
	kept := make(map[Ref][]byte, len(r.Keep))
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
	changed := convert(r.Changed, func(pointer string) string { return Ref{kind, pointer}.String() })
	return maskedDocument(r.Doc.Append(nil)), changed, nil
}

// refresh seals what today's rule finds sensitive in documents that were stored under another one. It goes with a write of something else.
func (s *Service) refresh(st *state) error {
	if st.rule == s.rule.ID() {
		return nil
	}
	for _, d := range st.documents() {
		stored, err := st.stored(d.kind)
		if err != nil {
			return err
		}
		if stored.Doc == nil {
			continue
		}
		r, err := masked.Apply("", stored, nil, s.rule)
		if err != nil {
			return ErrSealed
		}
		if *d.document, _, err = s.adopt(st, d.kind, *d.document, r); err != nil {
			return err
		}
	}
	st.rule = s.rule.ID()
	return nil
}

// changedIf names a part if it changed.
func changedIf(changed bool, name string) []string {
	if !changed {
		return nil
	}
	return []string{name}
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
	tree, err := jsontree.Parse(d.masked, jsontree.Limits{})
	if err != nil {
		return masked.Stored{}, ErrSealed
	}
	return masked.Stored{Doc: tree, Sealed: pointers(slices.Collect(maps.Keys(st.secrets())), kind)}, nil
}
