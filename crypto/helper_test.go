package crypto

import (
	"bytes"
	"crypto/fips140"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

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

func unhex(s string) []byte { return must(hex.DecodeString(s)) }

// wantErr fails the test unless err matches target, and unless it carries none of the given texts.
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

// mutations yields everything that a damaged b could be: each single bit flipped, each shorter length, one byte more.
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
		for _, more := range []string{"\x00", "A", "\n", "=", strings.Repeat("\x00", blockSize)} {
			if !yield(fmt.Sprintf("and %q", more), append(bytes.Clone(b), more...)) {
				return
			}
		}
	}
}

// bothSuites runs f once for each suite.
func bothSuites(t *testing.T, f func(t *testing.T, suite Suite)) {
	for _, suite := range []Suite{SuiteXChaCha20Poly1305, SuiteAES256GCM} {
		t.Run(suite.String(), func(t *testing.T) {
			if suite == SuiteXChaCha20Poly1305 {
				needsXChaCha(t)
			}
			f(t, suite)
		})
	}
}

// testSuite is the suite for tests that need one, whichever: the default where this process may use it.
func testSuite() Suite {
	if fips140.Enforced() {
		return SuiteAES256GCM
	}
	return SuiteXChaCha20Poly1305
}

// needsXChaCha skips a test about the suite that GODEBUG=fips140=only does not admit. TestFIPS shows that it is refused then.
func needsXChaCha(t testing.TB) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("about XChaCha20-Poly1305, which this process may not use")
	}
}

// inChild tells a test that it runs in the process that child started.
const inChild = "CRYPTO_TEST_CHILD"

// child runs the test of the given name in a new process with more environment, and returns what it prints.
func child(t *testing.T, name string, env ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), must(os.Executable()), "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), append(env, inChild+"=1")...)
	b, err := cmd.CombinedOutput()
	return string(b), err
}
