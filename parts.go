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

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

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
func (s *Service) applyExtra(ctx context.Context, st *state, part Optional[Document], credentials map[Ref][]byte) ([]string, error) {
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
