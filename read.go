package installation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/go-installation/installation/internal/record"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// Get returns an installation, masked. It opens no secret and writes nothing.
//
// If the record is there but cannot be opened, Get returns what is known of it in plain together with the error: [ErrSealed],
// [ErrUnknownKey], [ErrKeyUnavailable] or [ErrShredded]. Other errors: [ErrNotFound] if there is none or none that the actor may know
// of, [ErrInvalid] for an id that cannot be one, those of the store.
func (s *Service) Get(ctx context.Context, id string) (*Installation, error) {
	if err := s.admit(anID(id)); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	st, err := s.load(ctx, id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", id, err)
	case !st.exists():
		return nil, fmt.Errorf("get %s: %w", id, ErrNotFound)
	}
	defer st.wipe()
	i := s.show(ctx, st, s.now())
	if err := s.allow(i); err != nil {
		return nil, fmt.Errorf("get %s: %w", id, err)
	}
	if st.closed != nil {
		return i, fmt.Errorf("get %s: %w", id, st.closed)
	}
	return i, nil
}

// List returns one page of the tenant's installations that the actor may see and that the filters name, oldest first. Those that cannot
// be opened are listed with Err set. Filters that no index serves are applied to the rows of the page, which is then shorter.
//
// Errors: [ErrInvalid], [ErrForbidden] without an actor, those of the store.
func (s *Service) List(ctx context.Context, req ListRequest) (*List, error) {
	if err := s.admit(req.check); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	req, ok := s.own(req)
	if !ok {
		return &List{}, nil
	}
	limit := cmp.Or(req.Limit, defaultPage)
	q := Query{Tenant: s.tenant, Term: s.term(req), After: req.After, Skip: req.Skip, Limit: limit, Reverse: req.Reverse}
	if req.Skip > 0 && !s.served(req) {
		return s.skip(ctx, q, req)
	}
	rows, next, err := s.page(ctx, q, req)
	if err != nil {
		return nil, err
	}
	return &List{Installations: rows, Next: next}, nil
}

// defaultPage is the Limit of a list that names none.
const defaultPage = 100

// page reads one page of the store and returns the rows that req names.
func (s *Service) page(ctx context.Context, q Query, req ListRequest) ([]*Installation, string, error) {
	page, err := s.store.List(ctx, q)
	if err != nil {
		return nil, "", cursorFault(err)
	}
	now := s.now()
	rows := make([]*Installation, 0, len(page.Records))
	var shared *asked
	for _, r := range page.Records {
		st := s.open(ctx, Key{s.tenant, r.Key.ID}, r)
		st.asked = shared
		if i := s.show(ctx, st, now); s.can(ActionSee, i) && req.matches(i) {
			rows = append(rows, i)
		}
		shared = st.asked
		st.wipe()
	}
	return rows, page.Next, ctx.Err() // a row that stayed closed because the context ended is no damaged row
}

// maxScan bounds the rows read to skip those that no index can count.
const maxScan = 10_000

// skip reads past req.Skip matching rows, which no index can count, and returns what is left of the page that has the next one.
func (s *Service) skip(ctx context.Context, q Query, req ListRequest) (*List, error) {
	left := q.Skip
	q.Skip = 0
	for scanned := 0; scanned < maxScan; scanned += q.Limit {
		rows, next, err := s.page(ctx, q, req)
		switch {
		case err != nil:
			return nil, err
		case left < len(rows) || next == "":
			return &List{Installations: rows[min(left, len(rows)):], Next: next}, nil
		}
		left -= len(rows)
		q.After = next
	}
	return nil, invalid("skip", validate.RuleTooMany, "narrow the filter or go on from a cursor: no index serves this one")
}

// All returns every installation that req names, page by page, as the actor may see it; Skip and Limit are those of a page. The
// iteration ends at the first error, which comes with a nil installation.
func (s *Service) All(ctx context.Context, req ListRequest) iter.Seq2[*Installation, error] {
	return func(yield func(*Installation, error) bool) {
		req := req // an iteration starts where it was asked to, each time
		for {
			list, err := s.List(ctx, req)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, i := range list.Installations {
				if !yield(i, nil) {
					return
				}
			}
			if req.After = list.Next; req.After == "" {
				return
			}
			req.Skip = 0
		}
	}
}

// Count returns how many installations req names; After, Skip, Limit and Reverse are ignored. Where an index serves the filter and the
// store can count, it reads none of them.
//
// Errors: those of [Service.List].
func (s *Service) Count(ctx context.Context, req ListRequest) (int64, error) {
	req.After, req.Skip, req.Limit = "", 0, 0
	if err := s.admit(req.check); err != nil {
		return 0, err
	}
	req, ok := s.own(req)
	if !ok {
		return 0, nil
	}
	if counter, ok := s.store.(Counter); ok && s.served(req) {
		return counter.Count(ctx, Query{Tenant: s.tenant, Term: s.term(req)})
	}
	var n int64
	req.Limit = MaxPage
	for _, err := range s.All(ctx, req) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// term picks the index term that serves a list best, the narrowest within the actor's own rows: a cursor shows where a list stands, so it
// must not stand among rows of others.
func (s *Service) term(req ListRequest) string {
	switch {
	case s.actor.Kind == Vendor:
		return record.TermOwner + req.Owner
	case req.Extension != "" && req.Account != "":
		return record.PairTerm(req.Extension, req.Account)
	case s.actor.Kind == ExtensionActor:
		return record.TermExtension + req.Extension
	case s.actor.Kind == Customer:
		return record.TermAccount + req.Account
	case req.Connection != "":
		return record.TermConnection + req.Connection
	case req.Account != "":
		return record.TermAccount + req.Account
	case req.Extension != "":
		return record.TermExtension + req.Extension
	case req.Owner != "":
		return record.TermOwner + req.Owner
	case req.phase() != "":
		return record.TermPhase + string(req.phase())
	default:
		return record.TermAll
	}
}

// own adds the filter of the actor's own rows. ok is false if req asks for others.
func (s *Service) own(req ListRequest) (_ ListRequest, ok bool) {
	var filter *string
	switch s.actor.Kind {
	case ExtensionActor:
		filter = &req.Extension
	case Vendor:
		filter = &req.Owner
	case Customer:
		filter = &req.Account
	default:
		return req, true
	}
	*filter = cmp.Or(*filter, s.actor.ID)
	return req, *filter == s.actor.ID && s.actor.ID != ""
}

// phase returns the one phase that all wanted states are in, "" if there is none.
func (req ListRequest) phase() Phase {
	if len(req.Status) == 0 {
		return ""
	}
	p := req.Status[0].phase()
	for _, st := range req.Status[1:] {
		if st.phase() != p {
			return ""
		}
	}
	return p
}

// served reports whether the index term alone says which rows req names.
func (s *Service) served(req ListRequest) bool {
	if s.actor.Kind != Host && s.actor.Kind != Platform {
		return false
	}
	filters := 0
	for _, f := range []string{req.Extension + req.Account, req.Owner, req.Connection, string(req.phase())} {
		if f != "" {
			filters++
		}
	}
	whole := len(req.Status) == 0 || req.phase() == PhaseInstalled || req.phase() == PhaseUninstalled ||
		slices.Contains(req.Status, StatusInvited) && slices.Contains(req.Status, StatusExpired)
	return filters <= 1 && whole
}

// matches reports whether a row is one that req names.
func (req ListRequest) matches(i *Installation) bool {
	var connection string
	if i.Connection != nil {
		connection = i.Connection.ID
	}
	if i.Err != nil {
		connection = req.Connection // the index put it there; more is not known
	}
	is := func(want, have string) bool { return want == "" || want == have }
	return is(req.Extension, i.Extension.ID) && is(req.Account, i.Account.ID) && is(req.Owner, i.Extension.Owner) &&
		is(req.Connection, connection) && (len(req.Status) == 0 || slices.Contains(req.Status, i.Status))
}

// Events returns entries of the change log of the tenant, oldest first, after the given cursor ("" = from the oldest kept). It is for
// the host.
//
// Errors: [ErrForbidden], [ErrUnsupported] if the store cannot read its log, [ErrTrimmed] if entries after the cursor are gone, those
// of the store.
func (s *Service) Events(ctx context.Context, after string, limit int) (EventPage, error) {
	if err := s.maintains(upTo("limit", limit, MaxPage)); err != nil {
		return EventPage{}, fmt.Errorf("events: %w", err)
	}
	reader, ok := s.store.(EventReader)
	if !ok {
		return EventPage{}, ErrUnsupported
	}
	page, err := reader.Events(ctx, EventQuery{Tenant: s.tenant, After: after, Limit: cmp.Or(limit, defaultPage)})
	return page, cursorFault(err)
}

// cursorFault gives a store's refusal of a cursor the form of a violation: a cursor is all that a store can find wrong with a query.
func cursorFault(err error) error {
	if errors.Is(err, ErrInvalid) {
		return invalid("after", validate.RuleFormat, "is not a cursor of this list")
	}
	return err
}

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
	tree, err := jsontree.Parse([]byte(d.masked), jsontree.Limits{})
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
