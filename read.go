package installation

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/invite"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/paging"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/schemasource"
	"github.com/go-installation/installation/validate"
)

// Get returns an installation, masked. It opens no secret and writes nothing.
//
// If the record exists and cannot be opened, Get returns what the store keeps in plain, together
// with the error: [ErrSealed], [ErrUnknownKey], [ErrKeyUnavailable] or [ErrShredded]. Other errors:
// [ErrNotFound] if nothing is stored under the ID or the actor has no right to see the
// installation, [ErrInvalid] for a malformed ID, and those of the store.
func (s *Service) Get(ctx context.Context, id string) (*Installation, error) {
	if err := s.admit(checkID(id)); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	snap, err := s.load(ctx, id)
	if err == nil && !snap.exists {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", id, err)
	}
	defer snap.wipe()
	inst := s.show(ctx, snap, s.now())
	if err := s.allow(inst); err != nil {
		return nil, fmt.Errorf("get %s: %w", id, err)
	}
	if snap.err != nil {
		return inst, fmt.Errorf("get %s: %w", id, snap.err)
	}
	return inst, nil
}

// List returns one page of the tenant's installations that match the filters and that the actor may
// see, oldest first. Installations that cannot be opened are listed with Err set. A filter that no
// index serves removes installations from the page, so the page can be shorter than Limit.
//
// With AllTenants, List covers all tenants, whatever the tenant of the service is. The order is
// then one of the store's choosing. It is stable: installations that come or go do not move others
// across a cursor. Each has its Tenant set, and those of one tenant need not be in a row. No index
// serves a filter across tenants, so a call reads up to Limit records even if few match.
//
// Errors: [ErrInvalid], [ErrForbidden] without an actor and for AllTenants by anyone except the
// host, and those of the store.
func (s *Service) List(ctx context.Context, req ListRequest) (*List, error) {
	list, err := s.list(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	return list, nil
}

// defaultPage is the limit of a list if the request sets none.
const defaultPage = 100

func (s *Service) list(ctx context.Context, req ListRequest) (*List, error) {
	if err := s.admitList(req); err != nil {
		return nil, err
	}
	req, ok := s.ownRows(req)
	if !ok {
		return &List{}, nil
	}
	q := s.queryFor(req)
	q.After, q.Skip, q.Reverse = req.After, req.Skip, req.Reverse
	q.Limit = cmp.Or(req.Limit, defaultPage)
	if req.Skip > 0 && !s.indexed(req) {
		return s.skipRows(ctx, q, req)
	}
	rows, next, err := s.page(ctx, q, req)
	return &List{Installations: rows, Next: next}, err
}

// admitList is admit for a list. Only the host may list across tenants.
func (s *Service) admitList(req ListRequest) error {
	if req.AllTenants {
		return s.admitMaintenance(req.check)
	}
	return s.admit(req.check)
}

// page reads one page of the store and returns the rows that match req.
func (s *Service) page(
	ctx context.Context, q Query, req ListRequest,
) (rows []*Installation, next string, err error) {
	page, err := s.store.List(ctx, q)
	if err != nil {
		return nil, "", invalidCursor(err)
	}
	now := s.now()
	rows = make([]*Installation, 0, len(page.Records))
	var shared *schemaLookup
	for _, r := range page.Records {
		key := Key{s.tenant, r.Key.ID}
		if req.AllTenants {
			key = r.Key
		}
		snap := s.open(ctx, key, r)
		snap.schema = shared
		inst := s.show(ctx, snap, now)
		if s.can(ActionSee, inst) && req.matches(inst) {
			rows = append(rows, inst)
		}
		shared = snap.schema
		snap.wipe()
	}
	// A row that did not open because the context ended is no damaged row.
	return rows, page.Next, ctx.Err()
}

// maxScan is how many rows one call reads at most if no index can count them.
const maxScan = 10_000

// skipRows reads past req.Skip matching rows that no index can count. It returns the rest of the
// page that contains the next row.
func (s *Service) skipRows(ctx context.Context, q Query, req ListRequest) (*List, error) {
	left := q.Skip
	q.Skip = 0
	for scanned := 0; scanned < maxScan; scanned += q.Limit {
		rows, next, err := s.page(ctx, q, req)
		if err != nil {
			return nil, err
		}
		if left < len(rows) || next == "" {
			return &List{Installations: rows[min(left, len(rows)):], Next: next}, nil
		}
		left -= len(rows)
		q.After = next
	}
	return nil, invalid("skip", validate.RuleTooMany,
		"no index serves this filter: narrow it, or continue from a cursor")
}

// All returns every installation that matches req and that the actor may see, page by page. Skip
// and Limit apply to a page. The iteration ends at the first error, which comes with nil.
func (s *Service) All(ctx context.Context, req ListRequest) iter.Seq2[*Installation, error] {
	return paging.All(req.After, func(after string) ([]*Installation, string, error) {
		req := req // of this page
		if after != req.After {
			req.After, req.Skip = after, 0
		}
		list, err := s.List(ctx, req)
		if err != nil {
			return nil, "", err
		}
		return list.Installations, list.Next, nil
	})
}

// Count returns how many installations match req. It ignores After, Skip, Limit and Reverse. It
// opens no installation if an index serves the filter.
//
// Errors: those of [Service.List].
func (s *Service) Count(ctx context.Context, req ListRequest) (n int64, err error) {
	defer inMethod("count", &err)
	req.After, req.Skip, req.Limit = "", 0, MaxPage
	if err := s.admitList(req); err != nil {
		return 0, err
	}
	own, ok := s.ownRows(req)
	if !ok {
		return 0, nil
	}
	if s.indexed(own) {
		return s.countRecords(ctx, s.queryFor(own))
	}
	for more := true; more; more = req.After != "" {
		list, err := s.list(ctx, req)
		if err != nil {
			return 0, err
		}
		n += int64(len(list.Installations))
		req.After = list.Next
	}
	return n, nil
}

// queryFor returns the query of the list that termFor chooses, or of all records of all tenants.
func (s *Service) queryFor(req ListRequest) Query {
	if !req.ExpiresBefore.IsZero() && s.opts.Refresh != nil && s.actor.ownsAll() {
		return Query{
			Tenant: s.tenant, AllTenants: req.AllTenants, DueBefore: storedTime(req.ExpiresBefore),
		}
	}
	if req.AllTenants {
		return Query{AllTenants: true, Term: record.TermEverywhere}
	}
	return Query{Tenant: s.tenant, Term: s.termFor(req)}
}

// termFor returns the narrowest index term for a list that contains only rows of the actor. A
// cursor reveals a position among all rows of the term, so the term must not have rows of others.
func (s *Service) termFor(req ListRequest) string {
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
	case req.Failed:
		return record.TermFailed
	case req.Owner != "":
		return record.TermOwner + req.Owner
	case req.Provider != "":
		return record.TermProvider + req.Provider
	case !req.ExpiresBefore.IsZero():
		return record.TermPhase + StatusInstalled.phase()
	case req.phase() != "":
		return record.TermPhase + req.phase()
	default:
		return record.TermAll
	}
}

// ownRows adds the filter for the actor's own rows. It returns false if req asks for rows of
// others.
func (s *Service) ownRows(req ListRequest) (_ ListRequest, ok bool) {
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

// phasePending is the phase of the states invited and expired. They share an index term, because an
// invitation expires without a write.
const phasePending = "pending"

// phase returns the value of the index term for installations in this state.
func (s Status) phase() string {
	if s == StatusInvited || s == StatusExpired {
		return phasePending
	}
	return string(s)
}

// indexed reports whether one index term alone selects the rows of req.
func (s *Service) indexed(req ListRequest) bool {
	if !s.actor.ownsAll() {
		return false
	}
	if !req.ExpiresBefore.IsZero() {
		return false
	}
	filters := []string{
		req.Extension + req.Account, req.Owner, req.Connection, req.Provider, req.phase(),
	}
	if req.Failed {
		filters = append(filters, record.TermFailed)
	}
	given := slices.DeleteFunc(filters, func(f string) bool { return f == "" })
	if req.AllTenants {
		return len(given) == 0 && len(req.Status) == 0
	}
	wholePhase := len(req.Status) == 0 || req.phase() != "" && req.phase() != phasePending ||
		slices.Contains(req.Status, StatusInvited) && slices.Contains(req.Status, StatusExpired)
	return len(given) <= 1 && wholePhase
}

// Events returns entries of the tenant's change log, oldest first, after the given cursor
// ("" = from the oldest that is kept). It is for the host.
//
// Errors: [ErrForbidden], [ErrUnsupported] if the store cannot read its log, [ErrTrimmed] if
// entries after the cursor are gone or a restore was accepted since, and those of the store.
func (s *Service) Events(ctx context.Context, after string, limit int) (page EventPage, err error) {
	defer inMethod("events", &err)
	if err := s.admitMaintenance(checkLimit("limit", limit, MaxPage)); err != nil {
		return EventPage{}, err
	}
	in, err := s.namespace(ctx)
	if err != nil {
		return EventPage{}, err
	}
	if after, err = in.eventPosition(after); err != nil {
		return EventPage{}, err
	}
	q := EventQuery{Tenant: s.tenant, After: after, Limit: cmp.Or(limit, defaultPage)}
	page, err = s.store.Events(ctx, q)
	page.Next = in.eventCursor(page.Next)
	return page, invalidCursor(err)
}

// show returns the installation of a snapshot as the actor may see it at a time. Every stored
// installation that the service returns comes from show. The result belongs to the caller, and the
// snapshot must not be used afterwards.
func (s *Service) show(ctx context.Context, snap *snapshot, now time.Time) *Installation {
	if snap.inst == nil {
		return snap.partial(now)
	}
	inst := snap.inst
	inst.Status = snap.statusAt(now)
	if inst.Invitation != nil {
		inst.Invitation.Status = inst.Status
		inst.Invitation.URL = invite.Page(s.base, snap.key.Tenant, snap.key.ID)
	}
	s.hideConfiguration(inst, inst)
	s.remask(ctx, snap, inst)
	return inst
}

// remask masks the values that today's rules find sensitive, in documents that were stored under
// other rules. The next write seals these values, since a read does not write. A configuration
// whose schema cannot be used is masked as a whole.
func (s *Service) remask(ctx context.Context, snap *snapshot, inst *Installation) {
	current, err := s.currentRules(ctx, snap)
	stored := schemasource.ParseRuleIDs(snap.rule)
	if c := inst.Configuration; c != nil && (err != nil || current != stored) {
		rule, _, err := s.ruleFor(ctx, snap, kindConfig)
		if err != nil {
			rule = classify.HideAll{}
		}
		inst.setDocument(kindConfig, mask(c.Document, inst.Sealed, kindConfig, rule))
		inst.Configuration.Err = err
	}
	if stored.All == current.All {
		return
	}
	for kind, doc := range inst.documents() {
		if kind != kindConfig {
			inst.setDocument(kind, mask(doc, inst.Sealed, kind, s.rule))
		}
	}
}

// mask masks a stored document by another rule than the one it was stored under.
func mask(doc Document, sealed []Ref, kind string, rule masked.Rule) Document {
	if doc.IsZero() {
		return doc
	}
	tree, err := jsontree.Parse([]byte(doc.masked), jsontree.Limits{})
	if err != nil {
		return Document{} // this library stored it, so it parses; if not, nothing is shown
	}
	var pointers []string
	for _, ref := range sealed {
		if ref.Kind() == kind {
			pointers = append(pointers, ref.Pointer())
		}
	}
	return maskedDocument(masked.Mask(tree, pointers, rule).Append(nil))
}

// eventCursor returns the cursor of a store with the era in front. The cursor of another era can
// name an event that is not in the log any more, or another event.
func (in Namespace) eventCursor(stored string) string {
	if stored == "" {
		return ""
	}
	return in.Era + ":" + stored
}

// eventPosition returns the cursor of the store in a cursor of this era.
func (in Namespace) eventPosition(cursor string) (string, error) {
	era, stored, ok := strings.Cut(cursor, ":")
	switch {
	case cursor == "":
		return "", nil
	case !ok:
		return "", invalidCursor(ErrInvalid)
	case era != in.Era:
		return "", ErrTrimmed
	}
	return stored, nil
}
