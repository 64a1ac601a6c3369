package crypto

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestKnownAnswerDerivedKey(t *testing.T) {
	s, _ := knownKey(0).material()
	got := must(s.derive(infoEncrypt))
	want := unhex("e7c4855487006dc3e2bd309816b68c7e631c93b71ade5ad177e41d480c07a6d5")
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestFingerprint(t *testing.T) {
	k := knownKey(0)
	got := must(k.Fingerprint([]byte("upsert"), []byte("{}")))

	s, _ := k.material()
	mac := hmac.New(sha256.New, must(s.derive("isv1/fp")))
	mac.Write(unhex("00000002" + "00000006" + "757073657274" + "00000002" + "7b7d"))
	if want := mac.Sum(nil); !bytes.Equal(got[:], want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if again := must(k.Fingerprint([]byte("upsert"), []byte("{}"))); again != got {
		t.Error("two fingerprints of one request")
	}
	other := must(DataKeyFromBytes(count(1, 32), 1, testSuite()))
	for name, f := range map[string][32]byte{
		"shifted":   must(k.Fingerprint([]byte("upsert{"), []byte("}"))),
		"joined":    must(k.Fingerprint([]byte("upsert{}"))),
		"one more":  must(k.Fingerprint([]byte("upsert"), []byte("{}"), nil)),
		"other key": must(other.Fingerprint([]byte("upsert"), []byte("{}"))),
		"nothing":   must(k.Fingerprint()),
		"large":     must(k.Fingerprint(make([]byte, 2*maxScratch))),
	} {
		if f == got {
			t.Errorf("%s: same fingerprint", name)
		}
	}
}

func TestDataKey(t *testing.T) {
	k, err := NewDataKey(3, SuiteAES256GCM)
	if err != nil || k.Generation() != 3 || k.Suite() != SuiteAES256GCM {
		t.Errorf("got generation %d, %v, %v", k.Generation(), k.Suite(), err)
	}
	if !fips140.Enforced() {
		if k := must(NewDataKey(3, 0)); k.Suite() != SuiteXChaCha20Poly1305 {
			t.Errorf("default suite: got %v", k.Suite())
		}
	}
	if a, b := must(must(NewDataKey(1, testSuite())).Reveal()), must(must(NewDataKey(1, testSuite())).Reveal()); bytes.Equal(a, b) || len(a) != 32 {
		t.Error("two new keys are equal, or have a wrong length")
	}
	if _, err := NewDataKey(1, 9); !errors.Is(err, ErrSuite) {
		t.Errorf("unknown suite: got error %v", err)
	}
	if _, err := DataKeyFromBytes(count(0, 32), 1, 9); !errors.Is(err, ErrSuite) {
		t.Errorf("unknown suite: got error %v", err)
	}
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := DataKeyFromBytes(make([]byte, n), 1, testSuite()); !errors.Is(err, ErrSealed) {
			t.Errorf("%d bytes: got error %v", n, err)
		}
	}
}

func TestDataKeyCopies(t *testing.T) {
	raw := count(0, 32)
	k := must(DataKeyFromBytes(raw, 1, testSuite()))
	clear(raw)
	out := must(k.Reveal())
	clear(out)
	if got, want := must(k.Reveal()), count(0, 32); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestDestroy(t *testing.T) {
	sealed := must(knownKey(0).Seal(nil, knownPlace, knownValue))
	used := knownKey(0)
	must(used.Open(nil, knownPlace, sealed))
	must(used.Fingerprint())
	state, _ := used.material()
	raw, fingerprint := state.raw, state.fingerprint
	unused := knownKey(0)
	for name, k := range map[string]*DataKey{"used": used, "unused": unused, "zero": {}, "nil": nil} {
		k.Destroy()
		k.Destroy()
		_, e1 := k.Seal(nil, knownPlace, knownValue)
		_, e2 := k.Open(nil, knownPlace, sealed)
		_, e3 := k.SealBinary(nil, knownPlace, knownValue)
		_, e4 := k.OpenBinary(nil, knownPlace, sealed)
		_, e5 := k.Fingerprint()
		_, e6 := k.Reveal()
		for i, err := range []error{e1, e2, e3, e4, e5, e6} {
			if !errors.Is(err, ErrDestroyed) {
				t.Errorf("%s, call %d: got error %v, want %v", name, i+1, err, ErrDestroyed)
			}
		}
	}
	if !bytes.Equal(raw, make([]byte, 32)) || !bytes.Equal(fingerprint, make([]byte, 32)) {
		t.Error("the key was not wiped")
	}
	if (*DataKey)(nil).Generation() != 0 || (*DataKey)(nil).Suite() != 0 {
		t.Error("a nil key has a generation or a suite")
	}
}

// TestDataKeyConcurrent: many goroutines use one key at once while it is destroyed; each call works or says so.
func TestDataKeyConcurrent(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 100 {
					if i == 0 && n == 50 {
						k.Destroy()
					}
					value := fmt.Appendf(nil, `"%d %d"`, i, n)
					sealed, err := k.Seal(nil, knownPlace, value)
					var got []byte
					if err == nil {
						got, err = k.Open(nil, knownPlace, sealed)
					}
					if _, e := k.Fingerprint(value); e != nil {
						err = e
					}
					if err == nil && !bytes.Equal(got, value) {
						t.Errorf("got %q, want %q", got, value)
					}
					if err != nil && !errors.Is(err, ErrDestroyed) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}
