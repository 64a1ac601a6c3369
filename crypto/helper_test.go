package crypto

import (
	"bytes"
	"cmp"
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The key-encryption key, place, value and binding of most tests.
var (
	knownKEK     = count(0x80, keySize)
	knownBinding = Binding{Tenant: "ACC-1234-1234", Record: "EXI-1234-1234-0001"}
	knownValue   = []byte(`"s3cr3t"`)
	knownPlace   = Place{
		Tenant: "ACC-1234-1234", Record: "EXI-1234-1234-0001", Kind: "config",
		Pointer: "/adobe_secret", Extra: "more",
	}
)

// knownKey returns the data key of most tests.
func knownKey(suite Suite) *DataKey {
	return must(DataKeyFromBytes(count(0, dataKeySize), 1, cmp.Or(suite, testSuite())))
}

// knownRing returns a keyring with the known key and another one.
func knownRing() *Keyring {
	k1, k2 := must(NewKey("k1", knownKEK)), must(NewKey("k2", count(0x90, keySize)))
	return must(must(NewKeyring(k1, k2)).WithSuite(testSuite()))
}

// knownWrapped returns the known data key as the known ring wraps it.
func knownWrapped() Wrapped {
	return must(knownRing().Wrap(context.Background(), knownKey(0), knownBinding))
}

// count returns n bytes that count up from first.
func count(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// must is for the preparation of a test, where no error is expected.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// wantErr fails the test unless err matches target and contains none of the other texts.
func wantErr(t *testing.T, err, target error, never ...string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got error %v, want one that matches %v", err, target)
	}
	for _, s := range never {
		if err != nil && strings.Contains(err.Error(), s) {
			t.Errorf("error %q contains %q", err, s)
		}
	}
}

// mutations yields damaged forms of b: each bit flipped, each shorter length, a few longer
// ones.
func mutations(b []byte) func(yield func(name string, m []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for i := range len(b) * 8 {
			m := bytes.Clone(b)
			m[i/8] ^= 1 << (i % 8)
			if !yield(fmt.Sprintf("bit %d", i), m) {
				return
			}
		}
		for n := range len(b) {
			if !yield(fmt.Sprintf("length %d", n), bytes.Clone(b[:n])) {
				return
			}
		}
		for _, more := range []string{"\x00", "A", strings.Repeat("\x00", blockSize)} {
			if !yield(fmt.Sprintf("and %q", more), append(bytes.Clone(b), more...)) {
				return
			}
		}
	}
}

// bothSuites runs f once for each suite.
func bothSuites(t *testing.T, f func(t *testing.T, suite Suite)) {
	for _, suite := range cipherSuites {
		t.Run(suite.String(), func(t *testing.T) {
			if suite == SuiteXChaCha20Poly1305 {
				needsXChaCha(t)
			}
			f(t, suite)
		})
	}
}

// otherSuite returns the other suite.
func otherSuite(s Suite) Suite { return SuiteXChaCha20Poly1305 + SuiteAES256GCM - s }

// canUse reports whether this process can use a suite.
func canUse(s Suite) bool { return s == SuiteAES256GCM || !fips140.Enforced() }

// testSuite is a suite that this process can use: the default if possible.
func testSuite() Suite {
	if !canUse(SuiteXChaCha20Poly1305) {
		return SuiteAES256GCM
	}
	return SuiteXChaCha20Poly1305
}

// needsXChaCha skips a test of XChaCha20-Poly1305 in FIPS 140 mode. TestFIPS covers the
// rejection.
func needsXChaCha(t testing.TB) {
	t.Helper()
	if !canUse(SuiteXChaCha20Poly1305) {
		t.Skip("XChaCha20-Poly1305 is unavailable in FIPS 140 mode")
	}
}

// inChild tells a test that it runs in the process that child started.
const inChild = "CRYPTO_TEST_CHILD"

// child runs the test of this name in a new process with more environment, and returns its
// output.
func child(t *testing.T, name string, env ...string) (output string, err error) {
	t.Helper()
	path := must(os.Executable())
	cmd := exec.CommandContext(t.Context(), path, "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), append(env, inChild+"=1")...)
	b, err := cmd.CombinedOutput()
	return string(b), err
}
