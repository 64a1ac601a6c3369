package installation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// state is one installation as the service works on it: what was read, and, while a write is applied, what it is to become. It belongs
// to one try of one call.
type state struct {
	key    Key
	record *Record // as stored; nil = nothing stored
	form   *form   // its body; nil for none, a tombstone, or one that cannot be read

	life     lifecycle
	inst     *Installation // masked; nil if there is none or it stays closed
	closed   error         // why a stored one stays closed
	dataKey  *crypto.DataKey
	wrapped  crypto.Wrapped
	rule     string // that the stored documents were masked by
	asked    *asked // which schema holds, once that was needed
	values   map[Ref][]byte
	codeHash []byte
	redeemer string

	sameClaims bool // the claims stay as they are stored
}

// load reads the installation with an id, opened as far as it can be. Only a store that fails is an error here.
func (s *Service) load(ctx context.Context, id string) (*state, error) {
	key := Key{s.tenant, id}
	r, err := s.store.Get(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return &state{key: key}, nil
	case err != nil:
		return nil, err
	}
	return s.open(ctx, key, r), nil
}

// open opens a stored record as the one at key, so that one which was put in the place of another does not open. What cannot be opened
// stays closed, with the reason.
func (s *Service) open(ctx context.Context, key Key, r *Record) *state {
	st := &state{key: key, record: r}
	if r.Deleted {
		return st
	}
	if st.closed = st.unseal(ctx, s.keys); st.form == nil {
		st.life = lifecycle{status: st.unread(), generation: r.Generation}
	}
	return st
}

func (st *state) unseal(ctx context.Context, keys crypto.KeyWrapper) error {
	f, err := st.record.Body.open()
	if err != nil {
		return err
	}
	st.form, st.life = f, f.life
	if f.manifest == nil {
		return f.shredded()
	}
	k, err := keys.Unwrap(ctx, f.key, crypto.Binding{Tenant: st.key.Tenant, Record: st.key.ID})
	if err != nil {
		return err
	}
	var m *manifest
	if err = ErrSealed; st.record.Key == st.key {
		m, err = openManifest(st.record, f, k)
	}
	if err != nil {
		k.Destroy()
		return err
	}
	st.inst, st.dataKey, st.wrapped, st.rule = m.inst, k, f.key, m.rule
	st.codeHash, st.redeemer = m.codeHash, m.redeemer
	return nil
}

// wipe destroys the data key, after which nothing can be opened or sealed. What was opened stays.
func (st *state) wipe() {
	if st.dataKey != nil {
		st.dataKey.Destroy()
	}
}

// exists reports whether there is an installation, in whatever state.
func (st *state) exists() bool { return st.record != nil && !st.record.Deleted }

// revision returns what Change.If must be.
func (st *state) revision() int64 {
	if st.record == nil {
		return 0
	}
	return st.record.Revision
}

func (st *state) generation() int64 {
	if st.record == nil {
		return 0
	}
	return st.record.Generation
}

// status is the status at a time: an invitation past its time has expired, whether or not that was written down.
func (st *state) status(now time.Time) Status {
	var due time.Time
	switch {
	case st.inst != nil:
		due = deadline(st.life, st.inst.Invitation)
	case st.record != nil:
		due = st.record.Deadline
	}
	if st.life.status == StatusInvited && !due.IsZero() && !now.Before(due) {
		return StatusExpired
	}
	return st.life.status
}

// unread guesses the status of a record whose body cannot be read from what it is listed under.
func (st *state) unread() Status {
	if phase := Phase(termValue(st.record.Index, termPhase)); phase != PhasePending {
		return Status(phase)
	}
	return StatusInvited
}

// partial is what is known of a record that stays closed: what the store holds in plain.
func (st *state) partial(now time.Time) *Installation {
	terms := st.record.Index
	return &Installation{
		ID: st.key.ID, Tenant: st.key.Tenant, Status: st.status(now), Generation: st.generation(), Revision: st.revision(), Purged: st.life.purged,
		Extension: Extension{ID: termValue(terms, termExtension), Owner: termValue(terms, termOwner)},
		Account:   Account{ID: termValue(terms, termAccount)},
		Audit:     Audit{Expired: st.life.expired.clone(), Uninstalled: st.life.uninstalled.clone()},
		Err:       st.closed,
	}
}

// begin starts a new generation: empty but for what outlives a re-install, under a new data key. One whose key is destroyed hands on its
// age alone, since nothing vouches for the rest; one that does not open for another reason is not overwritten.
func (s *Service) begin(ctx context.Context, st *state, status Status) error {
	old := st.inst
	switch {
	case !st.exists():
		old = &Installation{}
	case errors.Is(st.closed, ErrShredded):
		old = &Installation{Audit: Audit{Created: &AuditEntry{At: st.record.Created}}}
	case st.closed != nil:
		return st.closed
	}
	st.inst = &Installation{
		ID: st.key.ID, Tenant: st.key.Tenant, Name: old.Name, Extension: old.Extension,
		Audit: Audit{Created: old.Audit.Created}, Generation: st.generation() + 1,
	}
	st.life = lifecycle{status: status, generation: st.inst.Generation}
	st.closed, st.form, st.values = nil, nil, map[Ref][]byte{}
	st.codeHash, st.redeemer, st.rule = nil, "", s.rule.ID()
	return s.newDataKey(ctx, st)
}

// newDataKey gives the state a fresh data key, of the generation after its present one.
func (s *Service) newDataKey(ctx context.Context, st *state) error {
	generation := uint32(1)
	if st.dataKey != nil {
		generation = st.dataKey.Generation() + 1
	}
	k, err := crypto.NewDataKey(generation, s.keys.Suite())
	if err != nil {
		return err
	}
	w, err := s.keys.Wrap(ctx, k, crypto.Binding{Tenant: st.key.Tenant, Record: st.key.ID})
	if err != nil {
		k.Destroy()
		return err
	}
	st.wipe()
	st.dataKey, st.wrapped = k, w
	return nil
}

// secrets returns the sealed values for changing, read from the form at first use.
func (st *state) secrets() map[Ref][]byte {
	if st.values == nil {
		st.values = make(map[Ref][]byte)
		for _, v := range st.form.values {
			st.values[v.ref] = v.sealed
		}
	}
	return st.values
}

// seal puts JSON text at ref as a secret.
func (st *state) seal(ref Ref, json []byte) error {
	sealed, err := st.dataKey.Seal(nil, st.place(ref), json)
	if err != nil {
		return err
	}
	st.secrets()[ref] = sealed
	return nil
}

// unsealValue returns the JSON text of the stored secret at ref.
func (st *state) unsealValue(ref Ref) ([]byte, error) {
	sealed, ok := st.secrets()[ref]
	if !ok {
		return nil, ErrNotFound
	}
	return st.dataKey.Open(nil, st.place(ref), sealed)
}

func (st *state) place(ref Ref) crypto.Place {
	return crypto.Place{Record: st.key.ID, Kind: string(ref.Kind), Pointer: ref.Pointer}
}

// build seals the state into the record that follows what is stored. The installation in it is read back from what was sealed, so
// that it shares nothing with the request.
func (s *Service) build(st *state) (_ *Record, err error) {
	i := st.inst
	i.Revision, i.Status, i.Purged = st.revision()+1, st.life.status, st.life.purged
	values := make([]sealedValue, 0, len(st.secrets()))
	for _, ref := range slices.SortedFunc(maps.Keys(st.secrets()), compareRefs) {
		values = append(values, sealedValue{ref, st.values[ref]})
	}
	var claims []string
	if st.sameClaims {
		claims = st.record.Claims
	} else if claims, err = s.claims(i); err != nil {
		return nil, err
	}
	m := &manifest{inst: i, life: st.life, table: tableOf(values), rule: st.rule, claims: claims, codeHash: st.codeHash, redeemer: st.redeemer}
	plain := m.encode()
	if len(plain) > maxWritten {
		return nil, errTooLarge()
	}
	sealed, err := st.dataKey.SealBinary(nil, crypto.Place{Record: i.ID, Kind: kindManifest}, plain)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		values = nil
	}
	st.form = &form{life: st.life, key: st.wrapped, manifest: sealed, values: values}
	if st.form.size() > maxWritten {
		return nil, errTooLarge()
	}
	r := &Record{
		Key: st.key, Revision: i.Revision, Generation: i.Generation, Created: i.Audit.Created.At,
		Deadline: deadline(st.life, i.Invitation), Index: indexTerms(i, st.wrapped.KeyID), Claims: m.claims, Body: Body{form: st.form},
	}
	opened, err := openManifest(r, st.form, st.dataKey)
	if err != nil {
		return nil, err
	}
	st.inst = opened.inst
	return r, nil
}

func errTooLarge() error {
	return invalid("", validate.RuleTooLarge, fmt.Sprintf("all of it together must have at most %d bytes", maxWritten))
}

// buildPlain is build for a move that needs no key: the sealed parts stay as they are.
func (st *state) buildPlain() *Record {
	r := *st.record
	r.Revision++
	r.Claims = nil
	r.Index = setTerm(r.Index, termPhase, string(st.life.status.phase()))
	f := *st.form
	f.life = st.life
	if f.manifest == nil {
		r.Index = setTerm(setTerm(r.Index, termKey, keyGone), termConnection, "")
	}
	var inv *Invitation
	if st.inst != nil {
		inv = st.inst.Invitation
	}
	r.Deadline = deadline(st.life, inv)
	r.Body = Body{form: &f}
	return &r
}

// maxClaims bounds what Options.Claims returns.
const maxClaims = 16

// claims asks Options.Claims, in the form a store keeps: sorted, each once. Only what is installed claims anything: an invitation would go on
// claiming after it ran out.
func (s *Service) claims(inst *Installation) ([]string, error) {
	if inst.Status != StatusInstalled {
		return nil, nil
	}
	seen := *inst
	claims := slices.Clone(s.opts.Claims(&seen))
	for _, c := range claims {
		if c == "" || len(c) > 4*validate.MaxID || strings.ContainsRune(c, 0) {
			return nil, fmt.Errorf("installation: Options.Claims returned a claim that is empty, longer than %d bytes, or has a NUL in it", 4*validate.MaxID)
		}
	}
	if len(claims) > maxClaims {
		return nil, fmt.Errorf("installation: Options.Claims returned more than %d claims", maxClaims)
	}
	slices.Sort(claims)
	if claims = slices.Compact(claims); len(claims) == 0 {
		return nil, nil
	}
	return claims, nil
}
