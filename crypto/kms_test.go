package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// service is a key service in memory.
type service struct {
	calls atomic.Int64
	fail  atomic.Pointer[error] // what both methods return, if not nil
	hang  atomic.Bool           // wait for the end of the context
}

func (s *service) down(err error) { s.fail.Store(&err) }
func (s *service) up()            { s.fail.Store(nil) }

func (s *service) begin(ctx context.Context) error {
	s.calls.Add(1)
	if s.hang.Load() {
		<-ctx.Done()
		return fmt.Errorf("canary: %w", ctx.Err())
	}
	if err := s.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *service) WrapKey(ctx context.Context, key []byte, at EncryptionContext) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return must(newGCM(knownKEK)).Seal(nil, nil, key, at.Bytes()), nil
}

func (s *service) UnwrapKey(ctx context.Context, blob []byte, at EncryptionContext) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	key, err := must(newGCM(knownKEK)).Open(nil, nil, blob, at.Bytes())
	if err != nil {
		return nil, fmt.Errorf("canary: %w", ErrSealed)
	}
	return key, nil
}

func newService(t *testing.T, opts *KMSOptions) (*service, *KMSKey) {
	t.Helper()
	if opts == nil {
		opts = &KMSOptions{}
	}
	opts.Suite = testSuite()
	s := &service{}
	return s, must(NewKMS("kms1", s, opts))
}

func TestKMS(t *testing.T) {
	_, keys := newService(t, nil)
	k := must(NewDataKey(7, keys.Suite()))
	w, err := keys.Wrap(t.Context(), k, knownBinding)
	if err != nil || w.KeyID != "kms1" || keys.Primary() != "kms1" || !slices.Equal(keys.KeyIDs(), []string{"kms1"}) {
		t.Fatalf("got %v, %v from %v", w, err, keys)
	}
	if again := must(ParseWrapped(w.Text())); again.KeyID != w.KeyID || !bytes.Equal(again.Bytes, w.Bytes) {
		t.Errorf("the text form changes it: %v", again)
	}
	got, err := keys.Unwrap(t.Context(), w, knownBinding)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(must(got.Reveal()), must(k.Reveal())) || got.Generation() != 7 || got.Suite() != keys.Suite() {
		t.Error("another key came back")
	}
	for name, b := range map[string]Binding{
		"tenant":  {"ACC-1234-1235", knownBinding.Record},
		"record":  {knownBinding.Tenant, "EXI-1234-1234-0002"},
		"shifted": {knownBinding.Tenant + "E", knownBinding.Record[1:]},
	} {
		k, err := keys.Unwrap(t.Context(), w, b)
		if wantErr(t, err, ErrSealed, "canary"); k != nil {
			t.Errorf("%s: got %v", name, k)
		}
	}
	for name, m := range mutations(w.Bytes) {
		k, err := keys.Unwrap(t.Context(), Wrapped{KeyID: "kms1", Bytes: m}, knownBinding)
		if k != nil || !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
}

// The form of what a service wrapped. It never changes.
func TestKnownAnswerKMS(t *testing.T) {
	k := must(DataKeyFromBytes(count(0, 32), 1, testSuite()))
	keys := must(NewKMS("kms1", fixed("opaque"), &KMSOptions{Suite: testSuite()}))
	w := must(keys.Wrap(t.Context(), k, knownBinding))
	if got, want := w.Text(), "isk1.kms1.AYAAAAABAAZvcGFxdWU"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	at := EncryptionContext{"kms1", 1, knownBinding}
	if got, want := at.Bytes(), unhex("00000005"+"0000000469736b31"+"00000006018000000001"+"000000046b6d7331"+
		"0000000d4143432d313233342d31323334"+"000000124558492d313233342d313233342d30303031"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	want := map[string]string{"format": "isk1", "key": "kms1", "generation": "1", "tenant": "ACC-1234-1234", "record": "EXI-1234-1234-0001"}
	if got := at.Map(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	at.Tenant = ""
	if _, there := at.Map()["tenant"]; there {
		t.Error("an empty tenant is given to the service")
	}
}

// fixed is a service that returns the same bytes for every question.
type fixed string

func (f fixed) WrapKey(context.Context, []byte, EncryptionContext) ([]byte, error) {
	return []byte(f), nil
}

func (f fixed) UnwrapKey(context.Context, []byte, EncryptionContext) ([]byte, error) {
	return []byte(f), nil
}

// plain is a service that does not encrypt.
type plain struct{ fixed }

func (plain) WrapKey(_ context.Context, key []byte, _ EncryptionContext) ([]byte, error) {
	return append([]byte("x"), key...), nil
}

// TestKMSRefuses: what a service returns is not believed.
func TestKMSRefuses(t *testing.T) {
	k := must(NewDataKey(1, testSuite()))
	for name, kms := range map[string]KMS{"nothing": fixed(""), "too long": fixed(strings.Repeat("x", maxBlob+1)), "the key itself": plain{}} {
		keys := must(NewKMS("kms1", kms, &KMSOptions{Suite: testSuite()}))
		if w, err := keys.Wrap(t.Context(), k, knownBinding); !errors.Is(err, ErrKeyring) || w.Bytes != nil {
			t.Errorf("%s: got %v, %v", name, w, err)
		}
	}
	keys := must(NewKMS("kms1", fixed("canary"), &KMSOptions{Suite: testSuite()}))
	w := must(keys.Wrap(t.Context(), k, knownBinding))
	_, err := keys.Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrSealed, "canary") // 6 bytes are no key

	_, err = keys.Unwrap(t.Context(), Wrapped{KeyID: "kms2", Bytes: w.Bytes}, knownBinding)
	wantErr(t, err, ErrUnknownKey)
	_, err = keys.Unwrap(t.Context(), Wrapped{KeyID: "kms 1", Bytes: w.Bytes}, knownBinding)
	wantErr(t, err, ErrSealed)
	ring := must(knownRing().Wrap(t.Context(), k, knownBinding))
	eager := must(NewKMS("kms1", fixed(strings.Repeat("k", keySize)), &KMSOptions{Suite: testSuite()}))
	_, err = eager.Unwrap(t.Context(), Wrapped{KeyID: "kms1", Bytes: ring.Bytes}, knownBinding)
	wantErr(t, err, ErrSealed) // made by a keyring
	_, err = knownRing().Unwrap(t.Context(), Wrapped{KeyID: "k1", Bytes: w.Bytes}, knownBinding)
	wantErr(t, err, ErrSealed) // and the other way round
	if errors.Is(err, ErrVersion) {
		t.Error("a form that is known is refused as unknown")
	}
	for name, m := range map[string][]byte{
		"empty blob": append(serviceHeader(1), 0, 0), "no length": serviceHeader(1),
		"too short": append(serviceHeader(1), 0, 3, 'a', 'b'), "too long": append(serviceHeader(1), 0, 1, 'a', 'b'),
	} {
		if _, err := ParseWrapped(Wrapped{KeyID: "kms1", Bytes: m}.Text()); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got error %v", name, err)
		}
	}

	for name, f := range map[string]func() (*KMSKey, error){
		"bad id":           func() (*KMSKey, error) { return NewKMS("kms 1", fixed("x"), nil) },
		"no service":       func() (*KMSKey, error) { return NewKMS("kms1", nil, nil) },
		"negative timeout": func() (*KMSKey, error) { return NewKMS("kms1", fixed("x"), &KMSOptions{Timeout: -1}) },
	} {
		if k, err := f(); k != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	if _, err := NewKMS("kms1", fixed("x"), &KMSOptions{Suite: suiteService}); !errors.Is(err, ErrSuite) {
		t.Errorf("unknown suite: got %v", err)
	}
}

// TestKMSDown: a service that fails is an error that may pass, names the key alone, and its text goes to the operator only.
func TestKMSDown(t *testing.T) {
	var told []string
	s, keys := newService(t, &KMSOptions{OnError: func(id string, err error) { told = append(told, id+" "+err.Error()) }})
	k := must(NewDataKey(1, testSuite()))
	w := must(keys.Wrap(t.Context(), k, knownBinding))
	foreign := errors.New("403 for canary-token")
	s.down(foreign)
	_, e1 := keys.Unwrap(t.Context(), w, knownBinding)
	_, e2 := keys.Wrap(t.Context(), k, knownBinding)
	for _, err := range []error{e1, e2} {
		wantErr(t, err, ErrKeyUnavailable, "canary", "403")
		if errors.Is(err, foreign) || errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "kms1") {
			t.Errorf("got %v", err)
		}
	}
	if want := []string{"kms1 403 for canary-token", "kms1 403 for canary-token"}; !slices.Equal(told, want) {
		t.Errorf("the operator was told %q, want %q", told, want)
	}
	s.down(ErrSealed)
	_, err := keys.Wrap(t.Context(), k, knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	s.up()
	if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
		t.Errorf("up again: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := s.calls.Load()
	_, e1 = keys.Unwrap(ctx, w, knownBinding)
	_, e2 = keys.Wrap(ctx, k, knownBinding)
	wantErr(t, e1, context.Canceled)
	wantErr(t, e2, context.Canceled)
	if s.calls.Load() != calls {
		t.Error("the service was called under a context that is over")
	}
	k.Destroy()
	_, err = keys.Wrap(t.Context(), k, knownBinding)
	wantErr(t, err, ErrDestroyed)
}

// TestKMSHangs: a service that does not answer holds up one call, and then none until it may have recovered. It runs in a bubble of synctest:
// to sleep moves the clock there, takes no time, and orders nothing that something else should.
func TestKMSHangs(t *testing.T) {
	var told atomic.Int64
	s, keys := newService(t, &KMSOptions{Timeout: time.Minute, OnError: func(string, error) { told.Add(1) }})
	w := must(keys.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	synctest.Test(t, func(t *testing.T) {
		s.hang.Store(true)
		start := time.Now()
		for range 1000 {
			_, err := keys.Unwrap(t.Context(), w, knownBinding)
			wantErr(t, err, ErrKeyUnavailable, "canary")
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("the limit of the key service is taken for that of the caller")
			}
		}
		if took := time.Since(start); took != time.Minute || s.calls.Load() != 2 {
			t.Errorf("1000 calls took %v and asked %d times, want one minute for one", took, s.calls.Load()-1)
		}
		s.hang.Store(false)
		time.Sleep(time.Minute)
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Errorf("after the rest: %v", err)
		}

		// A caller who does not wait for half of the limit says nothing of the service, however many there are.
		giveUp := func(after time.Duration) {
			t.Helper()
			s.hang.Store(true)
			defer s.hang.Store(false)
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			_, err := keys.Unwrap(ctx, w, knownBinding)
			wantErr(t, err, context.DeadlineExceeded, "canary")
		}
		for range 10 {
			giveUp(30*time.Second - 1)
		}
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil || told.Load() != 1 {
			t.Errorf("after callers in a hurry: %v; the operator was told %d times, want 1", err, told.Load())
		}
		// One who does is believed: the service is left alone for as long as it was waited for.
		giveUp(30 * time.Second)
		if told.Load() != 2 {
			t.Errorf("the operator was told %d times, want 2", told.Load())
		}
		for _, after := range []time.Duration{0, 30*time.Second - 1} {
			time.Sleep(after)
			_, err := keys.Unwrap(t.Context(), w, knownBinding)
			wantErr(t, err, ErrKeyUnavailable)
		}
		time.Sleep(time.Nanosecond)
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Errorf("after the rest: %v", err)
		}
		// A shorter rest does not end a longer one.
		var wg sync.WaitGroup
		s.hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second)
		defer cancel()
		for _, ctx := range []context.Context{t.Context(), ctx} {
			wg.Go(func() { _, _ = keys.Unwrap(ctx, w, knownBinding) })
			time.Sleep(30 * time.Second)
		}
		wg.Wait()
		s.hang.Store(false)
		time.Sleep(58 * time.Second) // 59 after the first, 58 after the second
		_, err := keys.Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrKeyUnavailable)
		time.Sleep(2 * time.Second)
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Errorf("after both rests: %v", err)
		}
	})
}

// secretive is a client that a printer by reflection would show.
type secretive struct{ fixed }

func TestKMSHidesClient(t *testing.T) {
	keys := must(NewKMS("kms1", secretive{"canary"}, &KMSOptions{Suite: testSuite()}))
	set := must(NewKeySet(must(NewCache(keys, nil)), knownRing()))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		for _, v := range []any{keys, set, struct{ k any }{keys}, struct{ k *KMSKey }{keys}} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "canary") {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
	if got := fmt.Sprint(set); got != "keys kms1 k1 k2" {
		t.Errorf("got %q", got)
	}
}

func TestKeySet(t *testing.T) {
	_, kms := newService(t, nil)
	ring := knownRing()
	before, after := must(NewKeySet(ring, kms)), must(NewKeySet(kms, ring))
	k := must(NewDataKey(3, testSuite()))
	for _, pair := range [][2]*KeySet{{before, after}, {after, before}} {
		w, err := pair[0].Wrap(t.Context(), k, knownBinding)
		if err != nil || w.KeyID != pair[0].Primary() {
			t.Fatalf("got %v, %v", w, err)
		}
		got, err := pair[1].Unwrap(t.Context(), w, knownBinding)
		if err != nil || !bytes.Equal(must(got.Reveal()), must(k.Reveal())) || got.Generation() != 3 {
			t.Errorf("got %v, %v", got, err)
		}
		w.KeyID = "k9"
		_, err = pair[1].Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrUnknownKey)
		w.KeyID = "k 9"
		_, err = pair[1].Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrSealed)
	}
	if got, want := after.KeyIDs(), []string{"k1", "k2", "kms1"}; !slices.Equal(got, want) || after.Primary() != "kms1" {
		t.Errorf("got %v, primary %s; want %v", got, after.Primary(), want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := after.Unwrap(ctx, Wrapped{}, knownBinding)
	wantErr(t, err, context.Canceled)
	for name, members := range map[string][]KeyWrapper{
		"none": {nil}, "empty keyring": {kms, &Keyring{}}, "nil keyring": {(*Keyring)(nil)}, "one id twice": {kms, ring, ring},
	} {
		if s, err := NewKeySet(members[0], members[1:]...); s != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
	}
}

// TestKeySetSuite: the data keys of all members seal with the suite of the first.
func TestKeySetSuite(t *testing.T) {
	first := must(knownRing().WithSuite(SuiteAES256GCM))
	second := must(NewKeyring(must(NewKey("k3", count(0x30, 32)))))
	if testSuite() == SuiteAES256GCM {
		second = must(second.WithSuite(SuiteAES256GCM))
	}
	w := must(second.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	if k := must(must(NewKeySet(first, second)).Unwrap(t.Context(), w, knownBinding)); k.Suite() != SuiteAES256GCM {
		t.Errorf("got %v", k.Suite())
	}
}
