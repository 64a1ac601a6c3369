package crypto

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// batch is the number of operations that are timed together. Batches of ours and of the
// yardstick alternate, so that other work on the machine slows both.
const batch = 256

// compare reports the time of ours, and its ratio to the time of raw.
func compare(b *testing.B, raw, ours func()) {
	var rawTime, oursTime time.Duration
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		for range batch {
			raw()
		}
		middle := time.Now()
		for range batch {
			ours()
		}
		rawTime += middle.Sub(start)
		oursTime += time.Since(middle)
		n += batch
	}
	b.ReportMetric(float64(oursTime.Nanoseconds())/float64(n), "ns/op")
	b.ReportMetric(float64(rawTime.Nanoseconds())/float64(n), "raw-ns/op")
	b.ReportMetric(float64(oursTime)/float64(rawTime), "ratio")
}

// sizes are those of a secret, a certificate and a manifest, in bytes.
var sizes = []int{32, 256, 2048}

// BenchmarkSeal compares Seal with XChaCha20-Poly1305 of golang.org/x/crypto alone: fixed
// nonce, given additional data, no padding. allocs/op counts a whole batch.
func BenchmarkSeal(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			aead, nonce := must(chacha20poly1305.NewX(count(0, 32))), count(0x40, 24)
			aad := knownPlace.additional(make([]byte, headerSize)).buf
			value := []byte(`"` + strings.Repeat("x", n-2) + `"`)
			k := must(NewDataKey(1, 0))
			rawDst, dst := make([]byte, 0, n+200), make([]byte, 0, n+200)
			compare(b,
				func() { rawDst = aead.Seal(rawDst[:0], nonce, value, aad) },
				func() { dst, _ = k.Seal(dst[:0], knownPlace, value) })
		})
	}
}

// BenchmarkOpen compares Open in the same way.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			aead, nonce := must(chacha20poly1305.NewX(count(0, 32))), count(0x40, 24)
			aad := knownPlace.additional(make([]byte, headerSize)).buf
			value := []byte(`"` + strings.Repeat("x", n-2) + `"`)
			k := must(NewDataKey(1, 0))
			rawSealed := aead.Seal(nil, nonce, value, aad)
			sealed := must(k.Seal(nil, knownPlace, value))
			rawDst, dst := make([]byte, 0, n+200), make([]byte, 0, n+200)
			compare(b,
				func() { rawDst, _ = aead.Open(rawDst[:0], nonce, rawSealed, aad) },
				func() { dst, _ = k.Open(dst[:0], knownPlace, sealed) })
			if !bytes.Equal(dst, value) {
				b.Error("not opened")
			}
		})
	}
}

// BenchmarkSuites shows the two suites side by side, without a yardstick.
func BenchmarkSuites(b *testing.B) {
	for _, suite := range cipherSuites {
		k := must(NewDataKey(1, suite))
		dst, opened := make([]byte, 0, 300), make([]byte, 0, 300)
		sealed := must(k.Seal(nil, knownPlace, knownValue))
		b.Run("seal/"+suite.String(), func(b *testing.B) {
			for b.Loop() {
				dst, _ = k.Seal(dst[:0], knownPlace, knownValue)
			}
		})
		b.Run("open/"+suite.String(), func(b *testing.B) {
			for b.Loop() {
				opened, _ = k.Open(opened[:0], knownPlace, sealed)
			}
		})
	}
}

// BenchmarkMaskedRead measures this package's part of reading one installation: unwrap its data
// key, open its manifest of 2 KiB.
func BenchmarkMaskedRead(b *testing.B) {
	for _, suite := range cipherSuites {
		b.Run(suite.String(), func(b *testing.B) {
			ctx := context.Background()
			ring := must(knownRing().WithSuite(suite))
			k := must(NewDataKey(1, suite))
			w := must(ring.Wrap(ctx, k, knownBinding))
			manifest := must(k.SealBinary(nil, knownPlace, make([]byte, 2048)))
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				k, err := ring.Unwrap(ctx, w, knownBinding)
				if err != nil {
					b.Fatal(err)
				}
				if dst, err = k.OpenBinary(dst[:0], knownPlace, manifest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrap(b *testing.B) {
	ctx, ring, k := context.Background(), knownRing(), knownKey(0)
	b.ReportAllocs()
	for b.Loop() {
		must(ring.Wrap(ctx, k, knownBinding))
	}
}

func BenchmarkUnwrap(b *testing.B) {
	ctx, ring, w := context.Background(), knownRing(), knownWrapped()
	b.ReportAllocs()
	for b.Loop() {
		must(ring.Unwrap(ctx, w, knownBinding))
	}
}

func BenchmarkFingerprint(b *testing.B) {
	k, request := knownKey(0), make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		must(k.Fingerprint(request))
	}
}
