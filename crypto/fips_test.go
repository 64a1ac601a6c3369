package crypto

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFIPS runs everything that a program with suite 2 does, in a process that admits approved algorithms only.
func TestFIPS(t *testing.T) {
	if os.Getenv(inChild) == "" {
		output, err := child(t, t.Name(), "GODEBUG=fips140=only")
		if strings.Contains(output, "fips140: ") || strings.Contains(output, "FIPS 140-3 mode not supported") {
			t.Skip("the toolchain has no FIPS 140-3 mode here")
		}
		if err != nil || !strings.Contains(output, "--- PASS") {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}

	key, err := GenerateKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(path, []byte(key.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, err := KeyringFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := plain.WithSuite(SuiteAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	data, err := NewDataKey(1, ring.Suite())
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := ring.Wrap(t.Context(), data, knownBinding)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ring.Unwrap(t.Context(), wrapped, knownBinding)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := data.Seal(nil, knownPlace, knownValue)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(nil, knownPlace, sealed); err != nil || !bytes.Equal(got, knownValue) {
		t.Errorf("got %q, %v", got, err)
	}
	if sealed, err = data.SealBinary(nil, knownPlace, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := again.OpenBinary(nil, knownPlace, sealed); err != nil {
		t.Error(err)
	}
	if _, err := data.Fingerprint([]byte("x")); err != nil {
		t.Error(err)
	}
	if !NewSecret("x").Equal(NewSecret("x")) {
		t.Error("equal secrets differ")
	}

	// The other suite is refused for what it is, and not as damage.
	_, e1 := NewDataKey(1, SuiteXChaCha20Poly1305)
	_, e2 := ring.WithSuite(SuiteXChaCha20Poly1305)
	_, e3 := plain.Wrap(t.Context(), data, knownBinding)
	known := must(NewKeyring(must(NewKey("k1", knownKEK))))
	_, e4 := known.Unwrap(t.Context(), must(ParseWrapped(knownWrapped)), knownBinding)
	_, e5 := must(DataKeyFromBytes(count(0, 32), 1, SuiteAES256GCM)).Open(nil, knownPlace, must(ParseText(knownText)))
	for i, err := range []error{e1, e2, e3, e4, e5} {
		if !errors.Is(err, ErrSuite) || errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), SuiteAES256GCM.String()) {
			t.Errorf("%d: got error %v, want %v and what to use", i, err, ErrSuite)
		}
	}
}
