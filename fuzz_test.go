package installation

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
)

// Seeds are made here rather than kept as files, so that they follow the stored forms. A target without any does not start.
func fuzzSeeds(f *testing.F, n int) {
	f.Helper()
	if n == 0 {
		f.Fatal("no seeds")
	}
}

var fuzzTime = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)

func fuzzEntry() *AuditEntry {
	return &AuditEntry{At: fuzzTime, Kind: Vendor, By: Reference{"USR-1", "Ann", "icon"}, Of: Reference{ID: "ACC-1"}}
}

func fuzzForms() []*form {
	key := crypto.Wrapped{KeyID: "k1", Bytes: bytes.Repeat([]byte{1}, 110)}
	values := []sealedValue{{Ref{RefConfig, "/a"}, []byte("sealed")}, {Ref{RefConfig, "/b"}, []byte("sealed")}, {Ref{RefCredential, PointerAPIKey}, []byte("sealed")}}
	return []*form{
		{life: lifecycle{status: StatusInstalled, generation: 1}, key: key, manifest: []byte("manifest"), values: values},
		{life: lifecycle{status: StatusInvited, generation: 3}, key: key, manifest: []byte("manifest")},
		{life: lifecycle{status: StatusExpired, generation: 1 << 40, expired: fuzzEntry()}, key: key, manifest: []byte("m"), values: values[:1]},
		{life: lifecycle{status: StatusUninstalled, generation: 1, uninstalled: fuzzEntry(), purgeAt: fuzzTime}, key: key, manifest: []byte("m")},
		{life: lifecycle{status: StatusUninstalled, generation: 2, uninstalled: fuzzEntry(), purged: true}},
		{life: lifecycle{status: "from the future", generation: 1}},
	}
}

// FuzzBody: any bytes are a body or ErrSealed, and what is a body is the same after it was written again.
func FuzzBody(f *testing.F) {
	for _, b := range fuzzForms() {
		f.Add(b.encode())
		if back, err := decodeForm(b.encode()); err != nil || !reflect.DeepEqual(b, back) {
			f.Fatalf("got %+v, %v, want %+v", back, err, b)
		}
	}
	for _, raw := range []string{
		"", "\x00", "\x01", "\x02", "\x01\xa0", "\x01\xbf\xff", "\x01\xa1\x01\xa0", "\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x01\xa2\x01\xa0\x01\xa0", "\x01\xa1\x01\xa2\x01\x61\xff\x02\x01", "\x01\xa1\x01\xa2\x01\x61a\x02\x20",
	} {
		f.Add([]byte(raw))
	}
	fuzzSeeds(f, len(fuzzForms()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		given := bytes.Clone(raw)
		body, err := BodyFromBytes(raw).open()
		if !bytes.Equal(raw, given) {
			t.Fatal("the bytes were changed")
		}
		if err != nil {
			if !errors.Is(err, ErrSealed) || body != nil {
				t.Fatalf("got %v, %v, want ErrSealed", body, err)
			}
			return
		}
		if raw[0] != bodyVersion || body.life.generation < 1 || body.life.status == "" {
			t.Fatalf("got %+v out of %x", body.life, raw)
		}
		once := body.encode()
		again, err := decodeForm(once)
		if err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
		if twice := again.encode(); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%x\n%x", once, twice)
		}
		if !body.life.purgeAt.Equal(again.life.purgeAt) || len(body.values) != len(again.values) {
			t.Fatalf("%+v came back as %+v", body, again)
		}
		for i, v := range body.values {
			if w := again.values[i]; v.ref != w.ref || !bytes.Equal(v.sealed, w.sealed) {
				t.Fatalf("%v came back as %v", v.ref, w.ref)
			}
		}
		// A state made of it does not panic either: nothing here is authenticated yet.
		r := &Record{Key: Key{"t", "i"}, Revision: 1, Generation: 1, Index: []string{"all", "phase=installed"}, Body: BodyFromBytes(raw)}
		st := &state{key: r.Key, record: r}
		st.closed = st.unseal(t.Context(), fuzzRing)
		if st.closed == nil || !errors.Is(st.closed, ErrSealed) && !errors.Is(st.closed, ErrUnknownKey) && !errors.Is(st.closed, ErrShredded) {
			t.Fatalf("a body that nobody sealed opens as %v, error %v", st.inst, st.closed)
		}
		st.partial(fuzzTime)
	})
}

var fuzzRing = func() *crypto.Keyring {
	key, err := crypto.NewKey("k1", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	ring, err := crypto.NewKeyring(key)
	if err == nil && fips140.Enforced() {
		ring, err = ring.WithSuite(crypto.SuiteAES256GCM)
	}
	if err != nil {
		panic(err)
	}
	return ring
}()

// FuzzEvent: any bytes are an event or ErrSealed, and what is an event is the same after it was written again.
func FuzzEvent(f *testing.F) {
	seeds := []Event{
		{Type: EventCreated, Key: Key{"t", "EXI-1"}, Revision: 1, Generation: 1, Time: fuzzTime},
		{Type: "from the future", Key: Key{"", "ü\x01"}, Revision: -1, Time: time.Time{}, Actor: Actor{Host, "", Reference{"a", "b", "c"}, true}},
		{
			Type: EventRevealed, Key: Key{"t", "EXI-1"}, Extension: "EXT-1", Account: "ACC-1", Reason: "why\nnot",
			Changed: []string{"config/a", "credential/api_key"}, Actor: Actor{Kind: Vendor, ID: "ACC-1"},
		},
	}
	for _, e := range seeds {
		b, err := e.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		var back Event
		if err := back.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(e, back) {
			f.Fatalf("got %+v, %v, want %+v", back, err, e)
		}
	}
	for _, raw := range []string{"", "\x01", "\x02\xa0", "\x01\xa0", "\x01\x80", "\x01\xa1\x01\x61\xff", "\x01\xa1\x01\xf6"} {
		f.Add([]byte(raw))
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, raw []byte) {
		was := Event{ID: "kept", Type: "kept"}
		e := was
		if err := e.UnmarshalBinary(raw); err != nil {
			if !errors.Is(err, ErrSealed) {
				t.Fatalf("got error %v, want ErrSealed", err)
			}
			if e.ID != was.ID || e.Type != was.Type {
				t.Fatal("an event was changed by what is none")
			}
			return
		}
		once, _ := e.MarshalBinary()
		var again Event
		if err := again.UnmarshalBinary(once); err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
		if twice, _ := again.MarshalBinary(); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%x\n%x", once, twice)
		}
		if e.ID != "" || !e.Time.Equal(again.Time) || !slices.Equal(e.Changed, again.Changed) || e.Key != again.Key || e.Actor != again.Actor {
			t.Fatalf("%+v came back as %+v", e, again)
		}
	})
}

// fuzzStore answers with one record and one outcome, whatever it is asked.
type fuzzStore struct {
	Store
	record *Record
}

func (s fuzzStore) Get(context.Context, Key) (*Record, error) { return s.record, nil }

// FuzzOutcome: whatever a store gives for an outcome, it is an answer for this request or an error, never a panic, and never the row of
// someone else.
func FuzzOutcome(f *testing.F) {
	s, m, record, data := fuzzOutcomes(f)
	for _, b := range data {
		f.Add(b)
	}
	for _, raw := range []string{"", "\x01", "\x02", "\x01\xa0", "\x01\xa1\x09\xa2\x01\x61a\x02\x01"} {
		f.Add([]byte(raw))
	}
	fuzzSeeds(f, len(data))
	s.store = fuzzStore{record: record}
	stranger := s.As(Actor{Kind: Customer, ID: "ACC-9"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if res, err := s.replay(t.Context(), m, &Outcome{Data: raw}); err == nil && (res == nil || res.Installation == nil || !res.Replayed) {
			t.Fatalf("got %+v without an error", res)
		}
		if res, err := stranger.replay(t.Context(), m, &Outcome{Data: raw}); err == nil && (res.Name != "" || res.Account.ID != "" || res.Connection != nil) {
			t.Fatalf("a stranger is shown %+v", res.Installation)
		}
	})
}

// fuzzOutcomes returns a service, a request to it, the record and the outcomes that it led to.
func fuzzOutcomes(f *testing.F) (*Service, mutation, *Record, [][]byte) {
	opts := &Options{Now: func() time.Time { return fuzzTime }, AcceptURL: "https://portal.example/accept"}
	base, err := New(fuzzStore{}, fuzzRing, opts)
	if err != nil {
		f.Fatal(err)
	}
	s := base.In("t").As(Actor{Kind: Host})
	req := InviteRequest{ID: "EXI-1", Guard: Guard{IdempotencyKey: "k"}, Parts: Parts{
		Name: Value("name"), Extension: Value(Extension{ID: "EXT-1"}), Account: Value(Account{ID: "ACC-1"}), Connection: Value(Connection{ID: "CON-1"}),
	}}
	m := mutation{method: "invite", request: req, guard: req.Guard, id: req.ID}
	st := &state{key: Key{"t", "EXI-1"}}
	now := s.now()
	if err := s.begin(f.Context(), st, StatusInvited); err != nil {
		f.Fatal(err)
	}
	st.inst.Invitation = &Invitation{Validity: DefaultValidity}
	if _, err := s.applyParts(f.Context(), st, req.Parts, now); err != nil {
		f.Fatal(err)
	}
	done, err := s.offer(st, now, &step{events: []EventType{EventInvited}, created: true})
	if err != nil {
		f.Fatal(err)
	}
	c := Change{Now: now, Key: st.key}
	if err := s.fill(f.Context(), &c, st, m, done, now); err != nil {
		f.Fatal(err)
	}
	var data [][]byte
	for _, d := range []*step{done, nil, {events: []EventType{EventDeleted}, effect: effectTombstone}} {
		o, err := s.newOutcome(m, st, d, c)
		if err != nil {
			f.Fatal(err)
		}
		data = append(data, o.Data)
	}
	return s, m, c.Record, data
}
