package crypto

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFIPS does everything that a program with suite 2 does, in a process that allows only
// approved algorithms.
func TestFIPS(t *testing.T) {
	if os.Getenv(inChild) == "" {
		runInFIPSMode(t)
		return
	}
	key := must(GenerateKey("k1"))
	path := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(path, []byte(key.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	ring := must(must(KeyringFromFile(path)).WithSuite(SuiteAES256GCM))
	data := must(NewDataKey(1, ring.Suite()))
	wrapped := must(ring.Wrap(t.Context(), data, knownBinding))
	again := must(ring.Unwrap(t.Context(), wrapped, knownBinding))
	sealed := must(data.Seal(nil, knownPlace, knownValue))
	if got := must(again.Open(nil, knownPlace, sealed)); !bytes.Equal(got, knownValue) {
		t.Errorf("got %q", got)
	}
	must(again.OpenBinary(nil, knownPlace, must(data.SealBinary(nil, knownPlace, nil))))
	must(data.Fingerprint([]byte("x")))
	if !NewSecret("x").Equal(NewSecret("x")) {
		t.Error("equal secrets differ")
	}
}

// TestFIPSRejectsXChaCha: the suite is rejected by name, and not as damage.
func TestFIPSRejectsXChaCha(t *testing.T) {
	if os.Getenv(inChild) == "" {
		runInFIPSMode(t)
		return
	}
	data := must(NewDataKey(1, SuiteAES256GCM))
	ring := must(NewKeyring(must(NewKey("k1", knownKEK))))
	var errs []error
	add := func(_ any, err error) { errs = append(errs, err) }
	add(NewDataKey(1, SuiteXChaCha20Poly1305))
	add(DataKeyFromBytes(count(0, dataKeySize), 1, SuiteXChaCha20Poly1305))
	add(ring.WithSuite(SuiteXChaCha20Poly1305))
	add(NewKMS("kms1", fixed("x"), nil))
	add(ring.Wrap(t.Context(), data, knownBinding))
	for _, g := range goldens("wrapped") {
		if g.Suite == SuiteXChaCha20Poly1305 || g.WrapSuite == SuiteXChaCha20Poly1305 {
			add(ring.Unwrap(t.Context(), Wrapped{KeyID: g.KeyID, Bytes: g.Out}, g.binding()))
		}
	}
	for i, err := range errs {
		wantErr(t, err, ErrSuite, ErrSealed.Error())
		if err == nil || !strings.Contains(err.Error(), SuiteAES256GCM.String()) {
			t.Errorf("%d: got error %v, want one that tells what to use", i, err)
		}
	}
	_, err := must(DataKeyFromBytes(count(0, dataKeySize), 1, SuiteAES256GCM)).
		Open(nil, goldens("text")[0].Place, goldens("text")[0].Out)
	wantErr(t, err, ErrSealed) // no key that exists here could open it
}

// TestMoveToFIPS: a host gives each record a new data key of suite 2 in a process without the
// restriction. After that a process with the restriction opens everything.
func TestMoveToFIPS(t *testing.T) {
	const name = "CRYPTO_TEST_MOVED"
	if os.Getenv(inChild) != "" {
		parts := strings.Split(os.Getenv(name), ",")
		ring := must(must(NewKeyring(must(NewKey("k1", knownKEK)))).WithSuite(SuiteAES256GCM))
		w := Wrapped{KeyID: "k1", Bytes: must(encoding.DecodeString(parts[0]))}
		k := must(ring.Unwrap(t.Context(), w, knownBinding))
		got := must(k.Open(nil, knownPlace, must(encoding.DecodeString(parts[1]))))
		if !bytes.Equal(got, knownValue) {
			t.Errorf("got %q", got)
		}
		return
	}
	needsXChaCha(t)
	before := must(NewKeyring(must(NewKey("k1", knownKEK))))
	k := must(NewDataKey(1, before.Suite()))
	w := must(before.Wrap(t.Context(), k, knownBinding))
	sealed := must(k.Seal(nil, knownPlace, knownValue))

	ring := must(before.WithSuite(SuiteAES256GCM))
	value := must(must(ring.Unwrap(t.Context(), w, knownBinding)).Open(nil, knownPlace, sealed))
	k = must(NewDataKey(2, ring.Suite()))
	w = must(ring.Wrap(t.Context(), k, knownBinding))
	sealed = must(k.Seal(nil, knownPlace, value))

	moved := encoding.EncodeToString(w.Bytes) + "," + encoding.EncodeToString(sealed)
	runInFIPSMode(t, name+"="+moved)
}

// runInFIPSMode runs the calling test in a process that allows only approved algorithms.
func runInFIPSMode(t *testing.T, env ...string) {
	t.Helper()
	output, err := child(t, t.Name(), append(env, "GODEBUG=fips140=only")...)
	for _, missing := range []string{"fips140: ", "FIPS 140-3 mode not supported"} {
		if strings.Contains(output, missing) {
			t.Skip("the toolchain has no FIPS 140-3 mode here")
		}
	}
	if err != nil || !strings.Contains(output, "--- PASS") {
		t.Errorf("%v\n%s", err, output)
	}
}
