package installation

import (
	"context"
	"errors"
	"fmt"
	"github.com/go-installation/installation/internal/record"
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
	record *Record      // as stored; nil = nothing stored
	body   *record.Body // nil for none, a tombstone, or one that cannot be read

	life     lifecycle
	was      lifecycle     // as stored
	inst     *Installation // masked; nil if there is none or it stays closed
	closed   error         // why a stored one stays closed
	dataKey  *crypto.DataKey
	wrapped  crypto.Wrapped
	rule     string // that the stored documents were masked by
	asked    *asked // which schema holds, once that was needed
	table    []record.Entry
	values   map[Ref]secret
	manifest []byte // plain; of what was sealed last
	number   int64  // the last one given to a credential
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
	if st.closed = st.unseal(ctx, s.keys); st.body == nil {
		st.life = lifecycle{status: st.unread(), generation: r.Generation}
	}
	return st
}

func (st *state) unseal(ctx context.Context, keys crypto.KeyWrapper) error {
	body, life, err := decodeBody(st.record.Body)
	if err != nil {
		return err
	}
	st.body, st.life, st.was = body, life, life
	if body.Manifest == nil {
		return missingManifest(body, life)
	}
	k, err := keys.Unwrap(ctx, body.Key, crypto.Binding{Tenant: st.key.Tenant, Record: st.key.ID})
	if err != nil {
		return err
	}
	var m *manifest
	if err = ErrSealed; st.record.Key == st.key {
		m, err = verify(st.record, body, life, k)
	}
	if err != nil {
		k.Destroy()
		return err
	}
	st.inst, st.dataKey, st.wrapped, st.rule = m.inst, k, body.Key, m.Rule
	st.codeHash, st.redeemer, st.number = m.CodeHash, m.Redeemer, m.CredentialNumber
	st.table = m.Table
	return nil
}

// missingManifest is the error for a body without a manifest: it was purged without a key, or
// something was taken from it.
func missingManifest(b *record.Body, life lifecycle) error {
	if life.purged && b.Key.KeyID == "" && len(b.Key.Bytes) == 0 && len(b.Values) == 0 {
		return ErrShredded
	}
	return ErrSealed
}

// wipe destroys the data key, after which nothing can be opened or sealed. What was opened stays.
func (st *state) wipe() {
	st.dataKey.Destroy()
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
	if phase := Phase(record.TermValue(st.record.Index, record.TermPhase)); phase != PhasePending {
		return Status(phase)
	}
	return StatusInvited
}

// partial is what is known of a record that stays closed: what the store holds in plain.
func (st *state) partial(now time.Time) *Installation {
	terms := st.record.Index
	return &Installation{
		ID: st.key.ID, Tenant: st.key.Tenant, Status: st.status(now), Generation: st.generation(), Revision: st.revision(), Purged: st.life.purged,
		Extension: Extension{ID: record.TermValue(terms, record.TermExtension), Owner: record.TermValue(terms, record.TermOwner)},
		Account:   Account{ID: record.TermValue(terms, record.TermAccount)},
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
	st.closed, st.body, st.values = nil, nil, map[Ref]secret{}
	st.codeHash, st.redeemer, st.rule = nil, "", s.rule.ID()
	return s.newDataKey(ctx, st)
}

// newDataKey gives the state a fresh data key, numbered after its present one.
func (s *Service) newDataKey(ctx context.Context, st *state) error {
	k, err := crypto.NewDataKey(st.dataKey.Number()+1, s.keys.Suite())
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

// secret is one stored secret.
type secret struct {
	sealed []byte
	number int64 // of a credential: grows with each new value; 0 for other secrets
}

// secrets returns the sealed values for changing, read from the body at first use.
func (st *state) secrets() map[Ref]secret {
	if st.values == nil {
		st.values = make(map[Ref]secret, len(st.table))
		for i, v := range st.body.Values {
			st.values[parseRef(v.Ref)] = secret{v.Sealed, st.table[i].Number}
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
	var number int64
	if ref.Kind == RefCredential {
		st.number++
		number = st.number
	}
	st.secrets()[ref] = secret{sealed, number}
	return nil
}

// unsealValue returns the JSON text of the stored secret at ref.
func (st *state) unsealValue(ref Ref) ([]byte, error) {
	stored, ok := st.secrets()[ref]
	if !ok {
		return nil, ErrNotFound
	}
	return st.dataKey.Open(nil, st.place(ref), stored.sealed)
}

func (st *state) place(ref Ref) crypto.Place {
	return crypto.Place{Tenant: st.key.Tenant, Record: st.key.ID, Kind: string(ref.Kind), Pointer: ref.Pointer}
}

// build seals the state into the record that follows what is stored. The installation in it is read back from what was sealed, so
// that it shares nothing with the request.
func (s *Service) build(st *state) (_ *Record, err error) {
	i := st.inst
	i.Revision, i.Status, i.Purged = st.revision()+1, st.life.status, st.life.purged
	var claims []string
	if st.sameClaims {
		claims = st.record.Claims
	} else if claims, err = s.claims(i); err != nil {
		return nil, err
	}
	m := &manifest{inst: i, life: st.life, Manifest: &record.Manifest{
		Rule: st.rule, Claims: claims, CodeHash: st.codeHash, Redeemer: st.redeemer, CredentialNumber: st.number,
	}}
	body := &record.Body{Lifecycle: st.life.encode(), Key: st.wrapped}
	for _, ref := range slices.SortedFunc(maps.Keys(st.secrets()), compareRefs) {
		v := st.values[ref]
		body.Values = append(body.Values, record.Value{Ref: ref.String(), Sealed: v.sealed})
		m.Table = append(m.Table, record.Entry{Ref: ref.String(), Tag: string(crypto.Tag(v.sealed)), Number: v.number})
	}
	st.manifest = m.encode()
	if len(st.manifest) > record.MaxWritten {
		return nil, errTooLarge()
	}
	if body.Manifest, err = st.dataKey.SealBinary(nil, manifestPlace(st.key), st.manifest); err != nil {
		return nil, err
	}
	raw := body.Append(nil)
	if len(raw) > record.MaxWritten {
		return nil, errTooLarge()
	}
	r := &Record{
		Key: st.key, Revision: i.Revision, Generation: i.Generation, Created: i.Audit.Created.At,
		Deadline: deadline(st.life, i.Invitation), Index: termsOf(i, st.wrapped.KeyID).List(), Claims: claims, Body: Body{raw},
	}
	opened, err := verify(r, body, st.life, st.dataKey)
	if err != nil {
		return nil, err
	}
	st.inst, st.body, st.table = opened.inst, body, opened.Table
	return r, nil
}

func errTooLarge() error {
	return invalid("", validate.RuleTooLarge, fmt.Sprintf("all of it together must have at most %d bytes", record.MaxWritten))
}

// buildPlain is build for a move that needs no key: the sealed parts stay as they are.
func (st *state) buildPlain() *Record {
	r := *st.record
	r.Revision++
	r.Claims = nil
	r.Index = record.SetTerm(r.Index, record.TermPhase, string(st.life.status.phase()))
	body := *st.body
	body.Lifecycle = st.life.encode()
	if body.Manifest == nil {
		r.Index = record.SetTerm(record.SetTerm(r.Index, record.TermKey, record.KeyDestroyed), record.TermConnection, "")
	}
	var inv *Invitation
	if st.inst != nil {
		inv = st.inst.Invitation
	}
	r.Deadline = deadline(st.life, inv)
	r.Body = Body{body.Append(nil)}
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

// compareRefs orders refs as a body does: bytewise by their text.
func compareRefs(a, b Ref) int { return strings.Compare(a.String(), b.String()) }
