package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
)

func TestFingerprint(t *testing.T) {
	k := knownKey(0)
	got := must(k.Fingerprint([]byte("upsert"), []byte("{}")))

	mac := hmac.New(sha256.New, count(keySize, keySize))
	mac.Write([]byte("\x00\x00\x00\x02" + "\x00\x00\x00\x06upsert" + "\x00\x00\x00\x02{}"))
	if want := mac.Sum(nil); !bytes.Equal(got[:], want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if again := must(k.Fingerprint([]byte("upsert"), []byte("{}"))); again != got {
		t.Error("two fingerprints of one request")
	}
	other := must(DataKeyFromBytes(count(1, dataKeySize), 1, testSuite()))
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

// TestHalvesAreIndependent: the first half of a key seals, the second makes fingerprints.
func TestHalvesAreIndependent(t *testing.T) {
	raw := count(0, dataKeySize)
	k := must(DataKeyFromBytes(raw, 1, testSuite()))
	sealed, print := must(k.Seal(nil, knownPlace, knownValue)), must(k.Fingerprint())
	for i, tc := range []struct{ opens, same bool }{{false, true}, {true, false}} {
		m := bytes.Clone(raw)
		m[i*keySize] ^= 1
		k := must(DataKeyFromBytes(m, 1, testSuite()))
		if _, err := k.Open(nil, knownPlace, sealed); (err == nil) != tc.opens {
			t.Errorf("half %d changed, opens: got %v", i+1, err)
		}
		if same := must(k.Fingerprint()) == print; same != tc.same {
			t.Errorf("half %d changed, same fingerprint: got %v", i+1, same)
		}
	}
}

// TestFingerprintClearsItsBuffer: the next call gets a buffer without the parts.
func TestFingerprintClearsItsBuffer(t *testing.T) {
	must(knownKey(0).Fingerprint([]byte(canary)))
	for range 10 {
		b := scratches.Get().(*scratch)
		if got := leaks(string(b.buf[:cap(b.buf)])); got != "" {
			t.Fatalf("a buffer still has %q", got)
		}
	}
}

func TestNewDataKey(t *testing.T) {
	k, err := NewDataKey(3, SuiteAES256GCM)
	if err != nil || k.Number() != 3 || k.Suite() != SuiteAES256GCM {
		t.Errorf("got number %d, %v, %v", k.Number(), k.Suite(), err)
	}
	if canUse(SuiteXChaCha20Poly1305) {
		if k := must(NewDataKey(3, 0)); k.Suite() != SuiteXChaCha20Poly1305 {
			t.Errorf("default suite: got %v", k.Suite())
		}
	}
	a := must(must(NewDataKey(1, testSuite())).Reveal())
	b := must(must(NewDataKey(1, testSuite())).Reveal())
	if len(a) != dataKeySize || bytes.Equal(a, b) || bytes.Equal(a[:keySize], a[keySize:]) {
		t.Error("equal bytes, or a wrong length")
	}
	_, err = NewDataKey(1, 9)
	wantErr(t, err, ErrSuite)
	highest := uint32(math.MaxUint32)
	_, err = NewDataKey(highest+1, testSuite())
	wantErr(t, err, ErrKeyring)
}

func TestDataKeyFromBytesRejects(t *testing.T) {
	_, err := DataKeyFromBytes(count(0, dataKeySize), 1, 9)
	wantErr(t, err, ErrSuite)
	_, err = DataKeyFromBytes(count(0, dataKeySize), 0, testSuite())
	wantErr(t, err, ErrSealed)
	for _, n := range []int{0, 16, 32, 63, 65} {
		_, err := DataKeyFromBytes(make([]byte, n), 1, testSuite())
		wantErr(t, err, ErrSealed)
	}
}

func TestDataKeyCopiesItsBytes(t *testing.T) {
	raw := count(0, dataKeySize)
	k := must(DataKeyFromBytes(raw, 1, testSuite()))
	clear(raw)
	clear(must(k.Reveal()))
	if got, want := must(k.Reveal()), count(0, dataKeySize); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// TestSealDerivesNoKeys: the cipher is made with the key and used every time.
func TestSealDerivesNoKeys(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := knownKey(suite)
		clear(k.state().raw)
		sealed := must(k.Seal(nil, knownPlace, knownValue))
		if _, err := knownKey(suite).Open(nil, knownPlace, sealed); err != nil {
			t.Error(err)
		}
	})
}

func TestDestroy(t *testing.T) {
	sealed := must(knownKey(0).Seal(nil, knownPlace, knownValue))
	used := knownKey(0)
	must(used.Open(nil, knownPlace, sealed))
	raw := used.state().raw
	copied := must(used.clone())
	for name, k := range map[string]*DataKey{
		"used": used, "unused": knownKey(0), "zero": {}, "nil": nil,
	} {
		k.Destroy()
		k.Destroy()
		_, e1 := k.Seal(nil, knownPlace, knownValue)
		_, e2 := k.Open(nil, knownPlace, sealed)
		_, e3 := k.SealBinary(nil, knownPlace, knownValue)
		_, e4 := k.OpenBinary(nil, knownPlace, sealed)
		_, e5 := k.Fingerprint()
		_, e6 := k.Reveal()
		_, e7 := k.clone()
		for i, err := range []error{e1, e2, e3, e4, e5, e6, e7} {
			if !errors.Is(err, ErrDestroyed) {
				t.Errorf("%s, call %d: got error %v, want %v", name, i+1, err, ErrDestroyed)
			}
		}
	}
	if !bytes.Equal(raw, make([]byte, dataKeySize)) {
		t.Error("the key was not wiped")
	}
	if _, err := copied.Open(nil, knownPlace, sealed); err != nil {
		t.Errorf("the clone was destroyed too: %v", err)
	}
	if (*DataKey)(nil).Number() != 0 || (*DataKey)(nil).Suite() != 0 {
		t.Error("a nil key has a number or a suite")
	}
}

// TestDataKeyConcurrent destroys a key while many goroutines use it. Each call works or fails
// with ErrDestroyed.
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
