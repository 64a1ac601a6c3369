package installation

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
)

// answer is what an outcome holds: the first answer to a request, sealed as it was committed, and what tells that request from another
// one with the same key.
type answer struct {
	ID          string      `cbor:"1,keyasint"`
	Generation  int64       `cbor:"2,keyasint"`
	Revision    int64       `cbor:"3,keyasint"`
	DataKey     uint32      `cbor:"4,keyasint,omitempty"` // generation of the data key; 0 = none was at hand
	Fingerprint []byte      `cbor:"5,keyasint,omitempty"` // of the request, under the data key
	Removed     bool        `cbor:"6,keyasint,omitempty"`
	Created     bool        `cbor:"7,keyasint,omitempty"`
	Changed     bool        `cbor:"8,keyasint,omitempty"`
	Life        lifecycleV1 `cbor:"9,keyasint"`
	Manifest    []byte      `cbor:"10,keyasint,omitempty"` // sealed
	Code        []byte      `cbor:"11,keyasint,omitempty"` // sealed
	Method      string      `cbor:"12,keyasint"`
	Requested   string      `cbor:"13,keyasint,omitempty"` // id in the request; "" = minted
}

// answerVersion is the first byte of Outcome.Data.
const answerVersion = 1

// placeCode is where an invitation code is sealed, in an outcome only.
func placeCode(id string) crypto.Place {
	return crypto.Place{Record: id, Kind: "invitation", Pointer: "/code"}
}

// digest names an idempotency key within a tenant. Each user of each actor has keys of their own, so that none can probe another's.
func (s *Service) digest(key string) Digest {
	named := []string{"idem1", string(s.actor.Kind), s.actor.ID, key}
	if user := s.actor.User.ID; user != "" {
		named = append(named, user)
	}
	return sha256.Sum256(encode(named))
}

// newOutcome records the answer to m for its idempotency key.
func (s *Service) newOutcome(m mutation, st *state, done *step, c Change) (*Outcome, error) {
	a := answer{Method: m.method, Requested: m.requested(), ID: st.key.ID, Generation: st.generation(), Revision: st.revision(), Life: st.life.wire()}
	if c.Record != nil {
		a.Generation, a.Revision = c.Record.Generation, c.Record.Revision
	}
	if st.form != nil {
		a.Manifest = st.form.manifest
	}
	if done != nil {
		a.Removed, a.Created, a.Changed = done.effect == effectTombstone, done.created, true
	}
	if k := st.dataKey; k != nil {
		print, err := m.fingerprint(k)
		if err != nil {
			return nil, err
		}
		a.DataKey, a.Fingerprint = k.Generation(), print[:]
		if done != nil && !done.code.IsZero() {
			if a.Code, err = sealText(k, placeCode(a.ID), done.code); err != nil {
				return nil, err
			}
		}
	}
	return &Outcome{
		Digest: s.digest(m.guard.IdempotencyKey),
		Until:  moment(c.Now.Add(s.opts.IdempotencyTTL)),
		Data:   append([]byte{answerVersion}, encode(a)...),
	}, nil
}

// fingerprint tells the request from another one, to whoever has the data key.
func (m mutation) fingerprint(k *crypto.DataKey) ([sha256.Size]byte, error) {
	plain := canonical(m.method, m.request)
	defer clear(plain) // it has the secrets of the request in it
	return k.Fingerprint(plain)
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

// replay gives the first answer again. The request is compared in full under the data key of the record as long as that exists, and by what
// it does to which installation for ever.
func (s *Service) replay(ctx context.Context, m mutation, o *Outcome) (*Result, error) {
	if len(o.Data) == 0 || o.Data[0] != answerVersion {
		return nil, ErrSealed
	}
	var a answer
	if err := decode(o.Data[1:], &a); err != nil {
		return nil, err
	}
	if a.Method != m.method || a.Requested != m.requested() {
		return nil, ErrIdempotencyMismatch
	}
	st, err := s.load(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	defer st.wipe()
	res := &Result{Created: a.Created, Changed: a.Changed, Replayed: true}
	if a.Removed || !st.exists() {
		res.Installation = removed(st.key, a.Revision, a.Generation)
		return res, nil
	}
	now := s.now()
	k := st.dataKey
	if k == nil || k.Generation() != a.DataKey || st.generation() != a.Generation {
		res.Installation = s.showOr(ctx, st, now, a) // the first answer can no longer be opened
		return res, nil
	}
	print, err := m.fingerprint(k)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(print[:], a.Fingerprint) != 1 {
		return nil, ErrIdempotencyMismatch
	}
	if err := st.recall(a); err != nil {
		return nil, err
	}
	if len(a.Code) > 0 {
		if res.Code, err = openText(k, placeCode(a.ID), a.Code); err != nil {
			return nil, err
		}
		res.AcceptURL = acceptURL(s.accept, st.key, res.Code)
	}
	res.Installation = s.showOr(ctx, st, now, a)
	return res, nil
}

// showOr is show for an answer: of what is not the actor's, or not any more, there is only to say that the request was carried out.
func (s *Service) showOr(ctx context.Context, st *state, now time.Time, a answer) *Installation {
	if i := s.show(ctx, st, now); s.can(ActionSee, i) {
		return i
	}
	return removed(st.key, a.Revision, a.Generation)
}

// recall puts the state back to what an answer was given for.
func (st *state) recall(a answer) error {
	m, err := openAlone(st.key.ID, a.Manifest, st.dataKey)
	if err != nil {
		return err
	}
	st.life = a.Life.domain()
	if m.inst.ID != st.key.ID || st.life.generation != a.Generation || m.inst.Revision > a.Revision || !st.life.follows(m.life) {
		return ErrSealed
	}
	m.adopt(st.key, st.life, a.Revision)
	st.inst, st.rule = m.inst, m.rule
	return nil
}

// sealText seals a string as JSON text.
func sealText(k *crypto.DataKey, at crypto.Place, s crypto.Secret) ([]byte, error) {
	text := jsonString(s)
	defer clear(text)
	return k.Seal(nil, at, text)
}

// openText opens what sealText sealed.
func openText(k *crypto.DataKey, at crypto.Place, sealed []byte) (crypto.Secret, error) {
	text, err := k.Open(nil, at, sealed)
	if err != nil {
		return crypto.Secret{}, err
	}
	defer clear(text)
	return secretOf(text), nil
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
			return binary.BigEndian.AppendUint64(append(b, 't'), uint64(stampOf(x)))
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
