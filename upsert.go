package installation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/validate"
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

// applyParts puts the given parts into the state and seals their secrets. It returns the names of what changed, sorted: a part sent back as it
// was read changes nothing. The error lists everything that is wrong with all parts.
func (s *Service) applyParts(ctx context.Context, st *state, p Parts, now time.Time) ([]string, error) {
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
	compare := func(name string, different bool) {
		if different {
			changed = append(changed, name)
		}
	}
	compare("account", differs(&before.Account, &i.Account, codeAccount))
	compare("billingPlan", differs(before.BillingPlan, i.BillingPlan, codeBillingPlan))
	compare("consent", differs(&before.Consent, &i.Consent, codeConsent))
	compare("extension", before.Extension != i.Extension)
	compare("health", before.Health != i.Health)
	compare("name", before.Name != i.Name)
	compare("notification", differs(before.Notification, i.Notification, codeNotification))
	credentials := st.sealedCredentials()
	for _, apply := range []func() ([]string, error){
		func() ([]string, error) { return s.applyConfiguration(ctx, st, p.Configuration, now) },
		func() ([]string, error) { return s.applyConnection(ctx, st, p.Connection) },
		func() ([]string, error) { return s.applyExtra(ctx, st, p.Extra, credentials) },
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
	if st.record.Generation == st.inst.Generation && st.life.status == st.was.status {
		fixed("account.id", before.Account.ID, st.inst.Account.ID)
	}
}

// differs reports whether two values have different stored forms.
func differs[T any](was, is *T, fields func(*record.Coder, *T)) bool {
	if was == nil || is == nil {
		return was != is
	}
	return !bytes.Equal(record.Append(nil, was, fields), record.Append(nil, is, fields))
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
func (s *Service) applyConfiguration(ctx context.Context, st *state, part Optional[Configuration], now time.Time) ([]string, error) {
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
	document, written, err := s.replace(ctx, st, RefConfig, "configuration", next.Document)
	if err != nil {
		return nil, err
	}
	return s.adoptConfiguration(st, next, document, written.changed, now), nil
}

// applyOperations edits the configuration in place; where there is none, an empty one.
func (s *Service) applyOperations(ctx context.Context, st *state, ops []Operation, now time.Time) ([]string, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	edits, err := edits(ops)
	if err != nil {
		return nil, err
	}
	rule, sch, err := s.configRule(ctx, st)
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
	r, err := masked.Apply("configuration", stored, edits, rule)
	if err != nil {
		return nil, complexity(sch, "configuration", storedFault(err))
	}
	if err := demandObject("configuration", r.Doc); err != nil {
		return nil, err
	}
	if err := st.checkSchema(ctx, "configuration", sch, RefConfig, r); err != nil {
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

// applyExtra replaces or removes the unnamed fields. An address among them may be that of the provider, so one that changes needs the
// credentials of the connection given again, which were sealed as given here before the write.
func (s *Service) applyExtra(ctx context.Context, st *state, part Optional[Document], credentials map[Ref]secret) ([]string, error) {
	if part.IsZero() {
		return nil, nil
	}
	given, _ := part.Get()
	document, written, err := s.applyDocument(ctx, st, RefExtra, "extra", given)
	if err != nil {
		return nil, err
	}
	var l validate.List
	if err := demandUnnamed(&l, document); err != nil {
		return nil, err
	}
	refuseKept(&l, st.keptCredentials(credentials), written.redirected)
	st.inst.Extra = document
	return written.changed, l.Err()
}

// named are the parts of an installation as a wire form would name them.
var named = []string{
	"account", "audit", "billingPlan", "configuration", "connection", "consent", "extension", "extra", "generation", "health", "id",
	"invitation", "name", "notification", "revision", "status", "tenant",
}

// demandUnnamed refuses unnamed fields that stand in for named ones, which readers like encoding/json know in any letter case.
func demandUnnamed(l *validate.List, extra Document) error {
	var members map[string]json.RawMessage
	if !extra.IsZero() {
		if err := extra.Decode(&members); err != nil {
			return err
		}
	}
	for _, member := range slices.Sorted(maps.Keys(members)) {
		if slices.ContainsFunc(named, func(name string) bool { return strings.EqualFold(name, member) }) {
			l.Add("extra/"+member, validate.RuleExclusive, "is the name of a part of the installation")
		}
	}
	return nil
}

// changedIf names a part if it changed.
func changedIf(changed bool, name string) []string {
	if !changed {
		return nil
	}
	return []string{name}
}

// applyConnection replaces or removes the connection. A masked credential keeps the one that is stored.
func (s *Service) applyConnection(ctx context.Context, st *state, part Optional[Connection]) ([]string, error) {
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
	changed, kept, err := st.applyCredentials(&l, &next)
	if err != nil {
		return nil, err
	}
	document, written, err := s.applyDocument(ctx, st, RefConnection, "connection.metadata", next.Metadata)
	if err := l.Merge(err); err != nil {
		return nil, err
	}
	next.Metadata = document
	st.inst.Connection = &next
	guardConnection(&l, before, kept, &next, written)
	changed = append(changed, written.changed...)
	changed = append(changed, changedIf(differs(before, &next, codeConnection), "connection")...)
	return changed, l.Err()
}

// applyCredentials seals the credentials given in a connection and leaves it masked. It returns the names of what changed and the
// paths of what was kept.
func (st *state) applyCredentials(l *validate.List, next *Connection) (changed, kept []string, err error) {
	for _, c := range next.credentials() {
		ref := Ref{RefCredential, c.pointer}
		path := "connection" + c.pointer
		_, stored := st.secrets()[ref]
		switch {
		case c.value.IsMasked() && stored:
			kept = append(kept, path)
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
				return nil, nil, err
			}
			clear(text)
			*c.value = crypto.Masked()
			changed = append(changed, ref.String())
		}
	}
	return changed, kept, nil
}

// guardConnection is the destination rule for a connection: its provider, that of its app, its workspace and the addresses in its metadata
// say where the credentials go. One that changes any of them must bring the credentials along, and one that changes a provider or the
// workspace also the secrets in the metadata; among themselves these are looked after where a document is written.
//
// Everything else of a connection may change alone, as nothing is sent there: ID, ExternalRef and ConsumerRef are names for the provider and
// the host to tell things apart, ClientID and Scheme say as whom and how, and are of use only at the same provider. Neither is a token sent
// to the URL of the account, which is for people.
func guardConnection(l *validate.List, before *Connection, kept []string, next *Connection, metadata written) {
	if before == nil {
		return
	}
	var changed []string
	for _, field := range []struct{ path, was, is string }{
		{"connection.provider", before.Provider, next.Provider},
		{"connection.app.provider", before.App.provider(), next.App.provider()},
		{"connection.workspaceRef", before.WorkspaceRef, next.WorkspaceRef},
	} {
		if field.was != field.is {
			changed = append(changed, field.path)
		}
	}
	if len(changed) > 0 {
		kept = append(kept, metadata.kept...)
	}
	refuseKept(l, kept, append(changed, metadata.redirected...))
}

// refuseKept reports each secret that is kept though a destination changed.
func refuseKept(l *validate.List, kept, changed []string) {
	if len(changed) == 0 {
		return
	}
	for _, path := range kept {
		l.AddViolation(validate.Violation{
			Path: path, Related: changed[0], Rule: validate.RuleDestination,
			Detail: "goes to a destination that this write changes: give it again",
		})
	}
}

// provider returns the provider of an app, "" if there is none.
func (a *ProviderApp) provider() string {
	if a == nil {
		return ""
	}
	return a.Provider
}

// sealedCredentials returns the credentials as they are sealed.
func (st *state) sealedCredentials() map[Ref]secret {
	sealed := make(map[Ref]secret)
	for ref, value := range st.secrets() {
		if ref.Kind == RefCredential {
			sealed[ref] = value
		}
	}
	return sealed
}

// keptCredentials returns the paths of the credentials that a write left as they were.
func (st *state) keptCredentials(before map[Ref]secret) []string {
	var kept []string
	for ref, value := range st.sealedCredentials() {
		if was, ok := before[ref]; ok && bytes.Equal(was.sealed, value.sealed) {
			kept = append(kept, "connection"+ref.Pointer)
		}
	}
	slices.Sort(kept)
	return kept
}
