package crypto

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const (
	line1 = "k1:gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8"
	line2 = "k2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

func TestParseKeyring(t *testing.T) {
	for name, text := range map[string]string{
		"comma":            line2 + "," + line1,
		"lines":            line2 + "\n" + line1 + "\n",
		"CRLF":             line2 + "\r\n" + line1 + "\r\n",
		"both":             line2 + ",\n" + line1,
		"spaces and blank": "\n\n  " + line2 + " ,\t" + line1 + ",\n\n",
	} {
		r, err := ParseKeyring([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, want := r.KeyIDs(), []string{"k1", "k2"}
		if !slices.Equal(got, want) || r.Primary() != "k2" {
			t.Errorf("%s: got %v, primary %s", name, got, r.Primary())
		}
		if _, err := r.Unwrap(t.Context(), knownWrapped(), knownBinding); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// badKeyrings are invalid. Each contains the word canary or the known key, and no error may show
// either.
var badKeyrings = map[string]string{
	"no id":             "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8",
	"swapped":           "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8:k1",
	"no key":            "canary:",
	"password":          "canary:canary-canary",
	"bad id":            "canary canary:gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8",
	"short key":         "k1:gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydng",
	"long key":          line1 + "8",
	"padding":           line1 + "=",
	"standard alphabet": "k1:+/GCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8",
	"loose bits":        strings.TrimSuffix(line1, "8") + "9",
	"hex":               "k1:808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	"zeros":             "k1:" + strings.Repeat("A", 43),
	"duplicate":         line1 + "," + line1,
	"second is bad":     line2 + "," + line1 + "!",
	"separator missing": line1 + " " + line2,
	"comment":           "# canary\n" + line1,
	"too long":          strings.Repeat(line1+"\n", 2000),
}

func TestParseKeyringRejects(t *testing.T) {
	for name, text := range badKeyrings {
		r, err := ParseKeyring([]byte(text))
		if r != nil {
			t.Errorf("%s: got %v", name, r)
		}
		wantErr(t, err, ErrKeyring, "canary", "gIGCg4", "8081", "AAAA", "/GCg")
	}
	for _, text := range []string{"", " ", "\n,\n"} {
		if r, err := ParseKeyring([]byte(text)); r != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%q: got %v, %v", text, r, err)
		}
	}
	_, err := ParseKeyring([]byte(line2 + ",\n\n" + line1 + "!"))
	if err == nil || !strings.Contains(err.Error(), "key number 2") {
		t.Errorf("got error %v, want one that names the second key", err)
	}
}

func TestKeyringFromEnv(t *testing.T) {
	const name = "INSTALLATION_TEST_KEYRING"
	t.Setenv(name, line2+","+line1)
	if r, err := KeyringFromEnv(name); err != nil || r.Primary() != "k2" {
		t.Errorf("got %v, %v", r, err)
	}
	for what, text := range badKeyrings {
		t.Setenv(name, text)
		r, err := KeyringFromEnv(name)
		if r != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, %v", what, r, err)
		}
		wantErr(t, err, ErrKeyring, "canary", "gIGCg4")
	}
	t.Setenv(name, "")
	_, err := KeyringFromEnv(name)
	for _, want := range []string{name, "GenerateKey"} {
		if wantErr(t, err, ErrKeyring); !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one with %s", err, want)
		}
	}
	os.Unsetenv(name)
	if r, err := KeyringFromEnv(name); r != nil || !errors.Is(err, ErrKeyring) {
		t.Errorf("not set: got %v, %v", r, err)
	}
}

func TestKeyringFromFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keyring")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(line2 + "\n" + line1 + "\n")
	if r, err := KeyringFromFile(path); err != nil || r.Primary() != "k2" {
		t.Errorf("got %v, %v", r, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err == nil {
		if r, err := KeyringFromFile(link); err != nil || r.Primary() != "k2" {
			t.Errorf("link: got %v, %v", r, err)
		}
	}
	for what, text := range badKeyrings {
		write(text)
		r, err := KeyringFromFile(path)
		if r != nil || err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v", what, r, err)
		}
		wantErr(t, err, ErrKeyring, "canary", "gIGCg4")
	}
}

func TestKeyringFromFilePermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits to check")
	}
	path := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(path, []byte(line1), 0o600); err != nil {
		t.Fatal(err)
	}
	for bits := range fs.FileMode(0o777) + 1 {
		if bits&0o400 == 0 {
			continue // may be unreadable even to us
		}
		if err := os.Chmod(path, bits); err != nil {
			t.Fatal(err)
		}
		var want error
		if bits&0o077 != 0 {
			want = ErrKeyring
		}
		r, err := KeyringFromFile(path)
		if !errors.Is(err, want) || (r == nil) != (err != nil) {
			t.Errorf("mode %04o: got %v, %v", bits, r, err)
		}
	}
}

func TestKeyringFromFileRejects(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	r, err := KeyringFromFile(missing)
	if r != nil || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing: got %v, %v", r, err)
	}
	wantErr(t, err, ErrKeyring)
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file was created: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err = KeyringFromFile(dir)
	if r != nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory: got %v, %v", r, err)
	}
	wantErr(t, err, ErrKeyring)
}

// TestNoKeyringInErrors: a keyring in place of a name is in no error.
func TestNoKeyringInErrors(t *testing.T) {
	secret := line1[len("k1:"):]
	for _, name := range []string{
		line1, line2 + "," + line1, line1 + "\n", " " + line1, secret + ":k1",
		"k1=" + secret, "k1:" + secret[:41], "k1:" + secret + "=", "#x\n" + line1,
	} {
		_, file := KeyringFromFile(name)
		_, env := KeyringFromEnv(name)
		wantErr(t, file, ErrKeyring, secret[:20])
		wantErr(t, env, ErrKeyring, secret[:20])
	}
	// A long name is not a key.
	for _, prefix := range []string{"/run/secrets/", "", "C:/secrets/", "/mnt/a=b/"} {
		name := prefix + strings.Repeat("a", 64)
		_, err := KeyringFromFile(name)
		if wantErr(t, err, ErrKeyring); !strings.Contains(err.Error(), name) {
			t.Errorf("the file is not named: %v", err)
		}
	}
}

// TestKeyFileIsCheckedAfterOpening: a file that replaces a good one after the first check is
// rejected.
func TestKeyFileIsCheckedAfterOpening(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits to check")
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
