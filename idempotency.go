package installation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
)

// An outcome lives longer than the record that it is about, and must not be believed without proof.
// So each process makes one outcome key, has it wrapped once, and puts the wrapped key into each
// outcome that it seals. Nothing has to be shared between processes or rotated.

// outcomeKey is the key of this process for sealing outcomes. It is made when first needed.
type outcomeKey struct {
	wrapper crypto.KeyWrapper

	mu      sync.Mutex
	key     *crypto.DataKey // its number is the day on which it was made
	wrapped crypto.Wrapped
}

// get returns the key, and the wrapped form of it that an outcome carries. Each day has a new key,
// which bounds how many outcomes one key seals.
func (o *outcomeKey) get(
	ctx context.Context, now time.Time,
) (*crypto.DataKey, crypto.Wrapped, error) {
	day := uint32(now.Unix()/86400) + 1
	o.mu.Lock()
	key, wrapped := o.key, o.wrapped
	o.mu.Unlock()
	if key.Number() == day {
		return key, wrapped, nil
	}
	k, err := crypto.NewDataKey(day, o.wrapper.Suite())
	if err != nil {
		return nil, crypto.Wrapped{}, err
	}
	w, err := o.wrapper.Wrap(ctx, k, outcomeBinding)
	if err != nil {
		k.Destroy()
		return nil, crypto.Wrapped{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.key.Number() == day { // another request was first
		k.Destroy()
		return o.key, o.wrapped, nil
	}
	o.key, o.wrapped = k, w
	return k, w, nil
}

// outcomeBinding is what an outcome key is wrapped for. No record has an empty ID, so the wrapped
// key of a record does not open here, nor this one there.
var outcomeBinding = crypto.Binding{}

// unwrap returns the key in the wrapped form, which another process may have made. The caller calls
// done after use.
func (o *outcomeKey) unwrap(
	ctx context.Context, w crypto.Wrapped,
) (k *crypto.DataKey, done func(), err error) {
	o.mu.Lock()
	own := o.key != nil && w.KeyID == o.wrapped.KeyID && bytes.Equal(w.Bytes, o.wrapped.Bytes)
	k = o.key
	o.mu.Unlock()
	if own {
		return k, func() {}, nil
	}
	k, err = o.wrapper.Unwrap(ctx, w, outcomeBinding)
	return k, k.Destroy, err
}

// outcomePlace is where an outcome is sealed for.
func outcomePlace(tenant string, digest Digest, until time.Time) crypto.Place {
	micros := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMicro()))
	return crypto.Place{
		Tenant: tenant, Kind: "outcome", Pointer: string(digest[:]), Extra: string(micros),
	}
}

// answerPlace is where a part of an answer is sealed for, under the data key of its record: the
// "answer" itself or the invitation "code".
func answerPlace(kind string, key Key, digest Digest) crypto.Place {
	return crypto.Place{
		Tenant: key.Tenant, Record: key.ID, Kind: kind, Pointer: string(digest[:]),
	}
}

// digest returns the name under which the store keeps the outcome of an idempotency key. Each user
// of each actor has keys of their own, so that none can probe another's.
func (s *Service) digest(key string) Digest {
	parts := []string{"idem2", string(s.actor.Kind), s.actor.ID, s.actor.User.ID, key}
	return sha256.Sum256(canonicalStrings(parts...))
}

// fingerprint tells the request from any other one, for whoever has the outcome key.
func (m mutation) fingerprint(k *crypto.DataKey) ([sha256.Size]byte, error) {
	plain := canonical(m.method, m.request)
	defer clear(plain) // it contains the secrets of the request
	return k.Fingerprint([]byte(m.requested()), plain)
}

// newOutcome seals the answer to m for its idempotency key.
func (s *Service) newOutcome(ctx context.Context, m mutation, st *state, done *step, c Change) (*Outcome, error) {
	k, wrapped, err := s.outcomes.get(ctx, c.Now)
	if err != nil {
		return nil, err
	}
	print, err := m.fingerprint(k)
	if err != nil {
		return nil, err
	}
	a := record.Answer{
		ID: st.key.ID, Generation: st.generation(), Revision: st.revision(),
		Fingerprint: print[:], Verdict: verdictOf(c, done),
	}
	if c.Record != nil {
		a.Generation, a.Revision = c.Record.Generation, c.Record.Revision
	}
	o := &Outcome{
		Digest: s.digest(m.guard.IdempotencyKey),
		Until:  moment(c.Now.Add(s.opts.IdempotencyTTL)),
	}
	if a.Verdict != record.Removed {
		if err := st.keepContent(&a, o.Digest, done); err != nil {
			return nil, err
		}
	}
	plain := a.Append(nil)
	sealed, err := k.SealBinary(nil, outcomePlace(s.tenant, o.Digest, o.Until), plain)
	if err != nil {
		return nil, err
	}
	o.Data = (&record.Outcome{Key: wrapped, Sealed: sealed}).Append(nil)
	return o, nil
}

// verdictOf says what a request did.
func verdictOf(c Change, done *step) record.Verdict {
	switch {
	case done == nil || done.effect == effectNone:
		return record.Unchanged
	case done.effect == effectTombstone:
		return record.Removed
	case done.created:
		return record.Created
	default:
		return record.Changed
	}
}

// keepContent seals the manifest and the invitation code of the answer under the data key of the
// record. So they can no longer be opened once the record is deleted, purged or rekeyed.
func (st *state) keepContent(a *record.Answer, digest Digest, done *step) (err error) {
	k := st.dataKey
	if k == nil || st.body == nil || st.body.Manifest == nil {
		return nil
	}
	plain := st.manifest
	if plain == nil { // this write did not seal it
		if plain, err = k.OpenBinary(nil, manifestPlace(st.key), st.body.Manifest); err != nil {
			return err
		}
	}
	a.DataKey, a.Lifecycle = k.Number(), st.life.encode()
	a.Content, err = k.SealBinary(nil, answerPlace("answer", st.key, digest), plain)
	if err == nil && done != nil && !done.code.IsZero() {
		code := done.code.Reveal()
		defer clear(code)
		a.Code, err = k.SealBinary(nil, answerPlace("code", st.key, digest), code)
	}
	return err
}

// outcome looks for the first answer to m. It returns ErrNotFound if there is none, or none any more.
func (s *Service) outcome(ctx context.Context, m mutation) (*Outcome, error) {
	o, err := s.store.Outcome(ctx, s.tenant, s.digest(m.guard.IdempotencyKey))
	switch {
	case err != nil:
		return nil, err
	case !s.now().Before(o.Until):
		return nil, ErrNotFound
	}
	return o, nil
}

// replay returns the first answer again.
func (s *Service) replay(ctx context.Context, m mutation, o *Outcome) (*Result, error) {
	a, err := s.openOutcome(ctx, m, o)
	if err != nil {
		return nil, err
	}
	st, err := s.load(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	defer st.wipe()
	res := &Result{
		Created: a.Verdict == record.Created, Replayed: true,
		Changed: a.Verdict != record.Unchanged,
	}
	if a.Verdict == record.Removed || !st.exists() {
		res.Installation = removed(st.key, a.Revision, a.Generation)
		return res, nil
	}
	code, err := st.recall(a, s.digest(m.guard.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	res.Installation = s.show(ctx, st, s.now())
	if !s.can(ActionSee, res.Installation) {
		// It is not the actor's, or no longer. The request was carried out; that is all to say.
		res.Installation = removed(st.key, a.Revision, a.Generation)
		return res, nil
	}
	if s.can(ActionInvite, res.Installation) {
		res.Code, res.AcceptURL = code, acceptURL(s.accept, st.key, code)
	}
	return res, nil
}

// openOutcome opens an outcome and compares its request with w. What cannot be authenticated is
// never reported as success.
func (s *Service) openOutcome(ctx context.Context, m mutation, o *Outcome) (*record.Answer, error) {
	stored, err := record.DecodeOutcome(o.Data)
	if err != nil {
		return nil, err
	}
	k, done, err := s.outcomes.unwrap(ctx, stored.Key)
	if err != nil {
		return nil, err
	}
	defer done()
	digest := s.digest(m.guard.IdempotencyKey) // not o.Digest: the store is not believed
	plain, err := k.OpenBinary(nil, outcomePlace(s.tenant, digest, o.Until), stored.Sealed)
	if err != nil {
		return nil, err
	}
	a, err := record.DecodeAnswer(plain)
	if err != nil {
		return nil, err
	}
	print, err := m.fingerprint(k)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(print[:], a.Fingerprint) != 1 {
		return nil, ErrIdempotencyMismatch
	}
	return a, nil
}

// recall puts the state back to that of an answer and returns the answer's code. It leaves the
// present state if the answer can no longer be opened, because the record has another data key
// since.
func (st *state) recall(a *record.Answer, digest Digest) (code crypto.Secret, err error) {
	k := st.dataKey
	if len(a.Content) == 0 || k == nil || k.Number() != a.DataKey ||
		st.generation() != a.Generation {
		return code, nil
	}
	m, err := openManifest(k, answerPlace("answer", st.key, digest), a.Content)
	if err != nil {
		return code, err
	}
	if st.life, err = decodeLifecycle(a.Lifecycle); err != nil {
		return code, err
	}
	m.adopt(st.key, st.life, a.Revision)
	st.inst, st.rule = m.inst, m.Rule
	if len(a.Code) == 0 {
		return code, nil
	}
	text, err := k.OpenBinary(nil, answerPlace("code", st.key, digest), a.Code)
	if err != nil {
		return code, err
	}
	defer clear(text)
	return crypto.SecretFromBytes(text), nil
}

// canonical writes a request as bytes, secrets included, for its fingerprint: two requests that say the same give the same bytes, two
// that differ in anything do not. Fields that are zero are left out, so that a field added to a later version changes no fingerprint.
// The bytes are for a keyed hash only and must never be stored or shown.
func canonical(method string, request any) []byte {
	return appendCanonical(appendBytes(nil, []byte(method)), reflect.ValueOf(request))
}

// contenter is a type whose content is not in exported fields.
type contenter interface{ content() any }

func appendCanonical(b []byte, v reflect.Value) []byte {
	if !v.IsValid() {
		return append(b, 0)
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			return binary.BigEndian.AppendUint64(append(b, 't'), uint64(moment(x).UnixMicro()))
		case crypto.Secret:
			if x.IsMasked() {
				return append(b, 'm')
			}
			return appendBytes(append(b, 's'), x.Reveal())
		case Document:
			return appendBytes(append(b, 'd'), x.content())
		case contenter:
			return appendCanonical(append(b, 'c'), reflect.ValueOf(x.content()))
		}
	}
	switch v.Kind() {
	case reflect.String:
		return appendBytes(append(b, '"'), []byte(v.String()))
	case reflect.Bool:
		if v.Bool() {
			return append(b, '+')
		}
		return append(b, '-')
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.BigEndian.AppendUint64(append(b, 'u'), v.Uint())
	case reflect.Float32, reflect.Float64:
		return binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v.Float()))
	case reflect.Pointer, reflect.Interface:
		return appendCanonical(append(b, '*'), v.Elem())
	case reflect.Slice, reflect.Array:
		b = binary.BigEndian.AppendUint64(append(b, '['), uint64(v.Len()))
		for i := range v.Len() {
			b = appendCanonical(b, v.Index(i))
		}
		return b
	case reflect.Map:
		b = binary.BigEndian.AppendUint64(append(b, '{'), uint64(v.Len()))
		entries := make(map[string]reflect.Value, v.Len())
		for k, e := range v.Seq2() {
			entries[k.String()] = e
		}
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			b = appendCanonical(appendBytes(b, []byte(k)), entries[k])
		}
		return b
	case reflect.Struct:
		b = append(b, '(')
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
				b = appendCanonical(appendBytes(b, []byte(f.Name)), v.Field(i))
			}
		}
		return append(b, ')')
	default:
		panic("installation: a request holds a " + v.Kind().String())
	}
}

func appendBytes(b, s []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}

// canonicalStrings writes strings so that no two lists of them give the same bytes.
func canonicalStrings(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = appendBytes(b, []byte(p))
	}
	return b
}
