package crypto

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// keeper is a key service that holds on to what passes through it, against its duty.
type keeper struct{ given, returned []byte }

func (k *keeper) WrapKey(_ context.Context, key []byte, _ EncryptionContext) ([]byte, error) {
	k.given = key
	return must(newGCM(knownKEK)).Seal(nil, nil, key, nil), nil
}

func (k *keeper) UnwrapKey(_ context.Context, blob []byte, _ EncryptionContext) ([]byte, error) {
	k.returned = must(must(newGCM(knownKEK)).Open(nil, nil, blob, nil))
	return k.returned, nil
}

// The plain bytes of a data key that go to a key service and come from it are wiped after use.
func TestKMSWipes(t *testing.T) {
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

// What a cache cannot remember is wiped, and so is what was asked for while it was cleared.
func TestCacheWipesWhatItDrops(t *testing.T) {
	for name, spoil := range map[string]func(c *Cache, k *DataKey){
		"cleared":   func(c *Cache, _ *DataKey) { c.Clear() },
		"destroyed": func(_ *Cache, k *DataKey) { k.Destroy() },
	} {
		_, c, keys := newCache(t, 1, nil)
		handed := &handing{KeyWrapper: c.keys}
		handed.then = func() { spoil(c, handed.key) }
		c.keys = handed
		_, _ = c.Unwrap(t.Context(), keys[0], knownBinding)
		if _, err := handed.key.Reveal(); err == nil || len(c.entries) != 0 {
			t.Errorf("%s: the key is still there, and %d are remembered", name, len(c.entries))
		}
	}
}

// handing does something after each Unwrap.
type handing struct {
	KeyWrapper
	key  *DataKey
	then func()
}

func (h *handing) Unwrap(ctx context.Context, w Wrapped, b Binding) (k *DataKey, err error) {
	k, err = h.KeyWrapper.Unwrap(ctx, w, b)
	h.key = k
	h.then()
	return k, err
}

// What a fingerprint is taken of is not left in the buffer that the next call uses.
func TestFingerprintWipes(t *testing.T) {
	must(knownKey(0).Fingerprint([]byte(canary)))
	for range 10 {
		b := scratches.Get().(*scratch)
		if got := leaks(string(b.buf[:cap(b.buf)])); got != "" {
			t.Fatalf("a buffer still has %q", got)
		}
	}
}

// A file that takes the place of a good one between the two looks is refused: what counts is what was opened.
func TestKeyFileIsCheckedAsOpened(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits to refuse a file for")
	}
	dir := t.TempDir()
	good, open := filepath.Join(dir, "good"), filepath.Join(dir, "open")
	for path, mode := range map[string]os.FileMode{good: 0o600, open: 0o644} {
		if err := os.WriteFile(path, []byte(line1), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	before := func(string) (os.FileInfo, error) { return os.Stat(good) }
	if text, err := readKeyFile(good, before); err != nil || string(text) != line1 {
		t.Errorf("got %d bytes, %v", len(text), err)
	}
	for _, path := range []string{open, dir} {
		text, err := readKeyFile(path, before)
		if wantErr(t, err, ErrKeyring); text != nil {
			t.Errorf("%s was read", path)
		}
	}
}
