package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// service is a key service in memory.
type service struct {
	calls atomic.Int64
	fail  atomic.Pointer[error] // the error of both methods, if not nil
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

func (s *service) WrapKey(ctx context.Context, key []byte, c EncryptionContext) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return must(newGCM(knownKEK)).Seal(nil, nil, key, c.Bytes()), nil
}

func (s *service) UnwrapKey(ctx context.Context, b []byte, c EncryptionContext) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	key, err := must(newGCM(knownKEK)).Open(nil, nil, b, c.Bytes())
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

// recorder is a service that records its arguments and returns the same answers every time.
type recorder struct {
	blob, key, given []byte
	contexts         []EncryptionContext
}

func (r *recorder) WrapKey(_ context.Context, key []byte, at EncryptionContext) ([]byte, error) {
	r.given, r.contexts = bytes.Clone(key), append(r.contexts, at)
	return r.blob, nil
}

func (r *recorder) UnwrapKey(_ context.Context, _ []byte, at EncryptionContext) ([]byte, error) {
	r.contexts = append(r.contexts, at)
	return bytes.Clone(r.key), nil
}

// fixed is a service that returns the same bytes for every question.
type fixed string

func (f fixed) WrapKey(context.Context, []byte, EncryptionContext) ([]byte, error) {
	return []byte(f), nil
}

func (f fixed) UnwrapKey(context.Context, []byte, EncryptionContext) ([]byte, error) {
	return []byte(f), nil
}

// plain is a service that does not encrypt the bytes from one to the other.
type plain struct {
	fixed
	from, to int
}

func (p plain) WrapKey(_ context.Context, key []byte, _ EncryptionContext) ([]byte, error) {
	return append([]byte("x"), key[p.from:p.to]...), nil
}

func TestKMS(t *testing.T) {
	_, keys := newService(t, nil)
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(7, suite))
		w, err := keys.Wrap(t.Context(), k, knownBinding)
		if err != nil || w.KeyID != "kms1" || keys.Primary() != "kms1" {
			t.Fatalf("got %v, %v from %v", w, err, keys)
		}
		got := must(keys.Unwrap(t.Context(), w, knownBinding))
		if !bytes.Equal(must(got.Reveal()), must(k.Reveal())) {
			t.Error("another key came back")
		}
		if got.Number() != 7 || got.Suite() != suite {
			t.Errorf("got number %d, %v", got.Number(), got.Suite())
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
	})
	if got := keys.KeyIDs(); !slices.Equal(got, []string{"kms1"}) {
		t.Errorf("KeyIDs: got %v", got)
	}
}

func TestEncryptionContextMap(t *testing.T) {
	at := EncryptionContext{"kms1", SuiteAES256GCM, 3, knownBinding}
	want := map[string]string{
		"format": "isk2", "key": "kms1", "suite": "2", "number": "3",
		"tenant": "ACC-1234-1234", "record": "EXI-1234-1234-0001",
	}
	if got := at.Map(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	at.Binding = Binding{}
	delete(want, "tenant")
	delete(want, "record")
	if got := at.Map(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestKMSRejectsBadAnswers: the wrapper validates the answers of a service.
func TestKMSRejectsBadAnswers(t *testing.T) {
	k := must(NewDataKey(1, testSuite()))
	opts := &KMSOptions{Suite: testSuite()}
	for name, kms := range map[string]KMS{
		"nothing":     fixed(""),
		"too long":    fixed(strings.Repeat("x", maxBlob+1)),
		"the key":     plain{to: dataKeySize},
		"first half":  plain{to: keySize},
		"second half": plain{from: keySize, to: dataKeySize},
	} {
		w, err := must(NewKMS("kms1", kms, opts)).Wrap(t.Context(), k, knownBinding)
		if !errors.Is(err, ErrKeyring) || w.Bytes != nil {
			t.Errorf("%s: got %v, %v", name, w, err)
		}
	}
	for _, answer := range []string{"canary", strings.Repeat("canary!!", 4)} { // no 64 bytes
		keys := must(NewKMS("kms1", fixed(answer), opts))
		w := must(keys.Wrap(t.Context(), k, knownBinding))
		_, err := keys.Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrSealed, "canary")
		_, err = keys.Unwrap(t.Context(), Wrapped{KeyID: "kms2", Bytes: w.Bytes}, knownBinding)
		wantErr(t, err, ErrUnknownKey)
	}
}

func TestKMSRejectsBadForms(t *testing.T) {
	service := &recorder{key: count(0, dataKeySize)}
	keys := must(NewKMS("kms1", service, &KMSOptions{Suite: testSuite()}))
	header := EncryptionContext{Suite: testSuite(), Number: 1}.header().append(nil)
	noNumber := EncryptionContext{Suite: testSuite()}.header().append(nil)
	for name, b := range map[string][]byte{
		"no length":  header,
		"empty blob": append(bytes.Clone(header), 0, 0),
		"too short":  append(bytes.Clone(header), 0, 3, 'a', 'b'),
		"too long":   append(bytes.Clone(header), 0, 1, 'a', 'b'),
		"number 0":   append(noNumber, 0, 1, 'a'),
		"keyring":    knownWrapped().Bytes,
	} {
		k, err := keys.Unwrap(t.Context(), Wrapped{KeyID: "kms1", Bytes: b}, knownBinding)
		if k != nil || !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	w := Wrapped{KeyID: "k1", Bytes: append(bytes.Clone(header), 0, 1, 'a')}
	_, err := knownRing().Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrSealed)
}

func TestNewKMSRejects(t *testing.T) {
	for name, tc := range map[string]struct {
		id   string
		kms  KMS
		opts KMSOptions
	}{
		"bad ID":           {"kms 1", fixed("x"), KMSOptions{}},
		"no service":       {"kms1", nil, KMSOptions{}},
		"nil service":      {"kms1", (*service)(nil), KMSOptions{}},
		"negative timeout": {"kms1", fixed("x"), KMSOptions{Timeout: -1}},
	} {
		if k, err := NewKMS(tc.id, tc.kms, &tc.opts); k != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	_, err := NewKMS("kms1", fixed("x"), &KMSOptions{Suite: suiteKMS})
	wantErr(t, err, ErrSuite)
}

// keeper is a key service that keeps what passes through it, against its duty.
type keeper struct{ given, returned []byte }

func (k *keeper) WrapKey(_ context.Context, key []byte, _ EncryptionContext) ([]byte, error) {
	k.given = key
	return must(newGCM(knownKEK)).Seal(nil, nil, key, nil), nil
}

func (k *keeper) UnwrapKey(_ context.Context, blob []byte, _ EncryptionContext) ([]byte, error) {
	k.returned = must(must(newGCM(knownKEK)).Open(nil, nil, blob, nil))
	return k.returned, nil
}

// TestKMSWipesPlainKeys: the bytes that go to a service and come from it are wiped after use.
func TestKMSWipesPlainKeys(t *testing.T) {
	service := &keeper{}
	keys := must(NewKMS("kms1", service, &KMSOptions{Suite: testSuite()}))
	k := must(NewDataKey(1, testSuite()))
	w := must(keys.Wrap(t.Context(), k, knownBinding))
	wiped(t, "wrapped", service.given)
	again := must(keys.Unwrap(t.Context(), w, knownBinding))
	wiped(t, "unwrapped", service.returned)
	if !bytes.Equal(must(again.Reveal()), must(k.Reveal())) {
		t.Error("the key was wiped with its copy")
	}
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
