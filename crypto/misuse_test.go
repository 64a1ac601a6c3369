package crypto

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A key past its time is not used, wherever it stands in the order: the clock may have been set back.
func TestCacheTTLWhereClockIsSetBack(t *testing.T) {
	now := time.Unix(100_000, 0)
	s, c, keys := newCache(t, 2, &CacheOptions{TTL: time.Minute, Now: func() time.Time { return now }})
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	future := c.raw(t, 0)
	now = time.Unix(1000, 0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wiped(t, "another one from the future", future)
	s.calls.Store(0)
	now = time.Unix(1059, 0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "within its time", 0)
	now = time.Unix(1060, 0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "past its time", 1)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "remembered anew", 0)
	now = time.Unix(1060-1, 0)
	held := c.raw(t, c.order.Len()-1)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "from the future", 1)
	wiped(t, "from the future", held)
}

// The same where the clock is set back while a key is asked for, so that it stands behind one that expires later.
func TestCacheTTLWhereClockIsSetBackMeanwhile(t *testing.T) {
	now := time.Unix(1000, 0)
	s, c, keys := newCache(t, 2, &CacheOptions{TTL: time.Minute, Now: func() time.Time { return now }})
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	sound := c.keys
	c.keys = &handing{KeyWrapper: sound, then: func() { now = time.Unix(990, 0) }}
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	c.keys, now = sound, time.Unix(1055, 0)
	s.calls.Store(0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "past its time", 1)
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	wantCalls(t, s, "within its time", 0)
}

// A clock that is set back does not keep a key service alone for longer than it was to be.
func TestKMSWhereClockIsSetBack(t *testing.T) {
	now := time.Unix(100_000, 0)
	s, keys := newService(t, &KMSOptions{Timeout: time.Millisecond, Now: func() time.Time { return now }})
	w := must(keys.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	s.hang.Store(true)
	_, err := keys.Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	s.hang.Store(false)
	_, err = keys.Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	now = time.Unix(1000, 0)
	if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
		t.Error(err)
	}
	s.hang.Store(true)
	for range 2 {
		_, err = keys.Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrKeyUnavailable)
	}
	if calls := s.calls.Load(); calls != 4 { // wrapped, hung, opened, hung
		t.Errorf("%d calls, want 4: it hangs again, and is left alone again", calls)
	}
}

// A service that is a nil pointer is found when the key is made, and not at the first request.
func TestNilKMS(t *testing.T) {
	_, err := NewKMS("kms1", (*service)(nil), nil)
	wantErr(t, err, ErrKeyring)
}

// What is remembered for one tenant or record opens for no other: the cache asks, and the answer is that it does not open.
func TestCacheIsPerBinding(t *testing.T) {
	s, c, keys := newCache(t, 1, nil)
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	s.calls.Store(0)
	for name, other := range map[string]Binding{
		"another tenant": {Tenant: knownBinding.Tenant + "x", Record: knownBinding.Record},
		"no tenant":      {Record: knownBinding.Record},
		"another record": {Tenant: knownBinding.Tenant, Record: knownBinding.Record + "x"},
		"exchanged":      {Tenant: knownBinding.Record, Record: knownBinding.Tenant},
	} {
		if k, err := c.Unwrap(t.Context(), keys[0], other); !errors.Is(err, ErrSealed) || k != nil {
			t.Errorf("%s: %v, %v", name, k, err)
		}
		wantCalls(t, s, name, 1)
	}
}

// idless is a key wrapper that does not count its primary key among its keys.
type idless struct{ KeyWrapper }

func (idless) KeyIDs() []string { return []string{"other"} }

// What could wrap and not unwrap, or neither, is refused.
func TestWrapperWithoutPrimary(t *testing.T) {
	ring := must(NewKeyring(must(GenerateKey("k1"))))
	for name, w := range map[string]KeyWrapper{
		"nothing": nil, "primary not listed": idless{ring}, "nil keyring": (*Keyring)(nil), "nil key service": (*KMSKey)(nil),
		"nil key set": (*KeySet)(nil), "nil cache": (*Cache)(nil),
	} {
		_, err := NewKeySet(w)
		wantErr(t, err, ErrKeyring)
		_, err = NewKeySet(must(NewKeyring(must(GenerateKey("k2")))), w)
		wantErr(t, err, ErrKeyring)
		_, err = NewCache(w, nil)
		wantErr(t, err, ErrKeyring)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// A keyring that is given where a name belongs is in no error.
func TestKeyringInPlaceOfName(t *testing.T) {
	secret := line1[len("k1:"):]
	for _, name := range []string{
		line1, line2 + "," + line1, line1 + "\n", " " + line1, secret + ":k1", "k1=" + secret, "k1:" + secret[:41], "k1:" + secret + "=", "#x\n" + line1,
	} {
		_, file := KeyringFromFile(name)
		_, env := KeyringFromEnv(name)
		wantErr(t, file, ErrKeyring, secret[:20])
		wantErr(t, env, ErrKeyring, secret[:20])
	}
	// A long name is not a key.
	for _, name := range []string{
		"/run/secrets/" + strings.Repeat("a", 64), strings.Repeat("a", 64), "C:/secrets/" + strings.Repeat("a", 64), "/mnt/a=b/" + strings.Repeat("a", 64),
	} {
		_, err := KeyringFromFile(name)
		if wantErr(t, err, ErrKeyring); !strings.Contains(err.Error(), name) {
			t.Errorf("the file is not named: %v", err)
		}
	}
}
