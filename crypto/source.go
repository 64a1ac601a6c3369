package crypto

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// maxKeyringText is the longest text of a keyring, in bytes: room for several hundred keys.
const maxKeyringText = 64 << 10

// ParseKeyring returns the keyring in text: keys in the form of [Key.Reveal], separated by
// commas or line breaks, the primary first.
//
//	k2:base64url,k1:base64url
//
// It ignores spaces around a key, empty lines and a comma at the end. Errors match
// [ErrKeyring], name the wrong key by its position, and do not quote text. ParseKeyring does
// not keep text, and the caller may clear it.
func ParseKeyring(text []byte) (*Keyring, error) {
	if len(text) > maxKeyringText {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeyring, maxKeyringText)
	}
	var keys []Key
	separator := func(r rune) bool { return r == ',' || r == '\n' }
	for entry := range bytes.FieldsFuncSeq(text, separator) {
		entry = bytes.TrimSpace(entry)
		if len(entry) == 0 {
			continue
		}
		k, err := ParseKey(entry)
		if err != nil {
			return nil, fmt.Errorf("key number %d: %w", len(keys)+1, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return NewKeyring(keys[0], keys[1:]...)
}

// KeyringFromEnv returns the keyring in an environment variable, in the form that
// [ParseKeyring] reads. An unset or empty variable is an error: the library never makes a key
// instead. Errors match [ErrKeyring] and name the variable, never content. If the name is
// itself a keyring, the error does not repeat it. Prefer [KeyringFromFile]: child processes and
// crash reports show the environment.
func KeyringFromEnv(name string) (*Keyring, error) {
	if looksLikeKeyring(name) {
		return nil, fmt.Errorf("%w: pass the name of an environment variable, not the keyring",
			ErrKeyring)
	}
	text := os.Getenv(name)
	if text == "" {
		return nil, fmt.Errorf("environment variable %s: %w: not set; %s", name, ErrKeyring,
			"set it to the text that Key.Reveal returns for a key from GenerateKey")
	}
	r, err := ParseKeyring([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", name, err)
	}
	return r, nil
}

// KeyringFromFile returns the keyring in a file, in the form that [ParseKeyring] reads. It
// rejects:
//
//   - a missing file: the library never makes a key instead.
//   - a file that anyone except its owner can read, write or execute. This is not checked on
//     Windows.
//   - anything but a regular file. It follows symbolic links.
//   - more than 64 KiB.
//
// Errors match [ErrKeyring], and the error of the file system if there is one. They name the
// file, never content. If the path is itself a keyring, the error does not repeat it.
func KeyringFromFile(path string) (*Keyring, error) {
	if looksLikeKeyring(path) {
		return nil, fmt.Errorf("%w: pass the path of a file, not the keyring", ErrKeyring)
	}
	text, err := readKeyFile(path, os.Stat)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	r, err := ParseKeyring(text)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", path, err)
	}
	return r, nil
}

// looksLikeKeyring reports whether a name could be a keyring. A name looks like a keyring if it has
// a separator and a long word in the alphabet of a key: about as long as a key, or longer.
func looksLikeKeyring(name string) bool {
	if !strings.ContainsAny(name, ":=,") {
		return false
	}
	separator := func(r rune) bool { return strings.ContainsRune(":=, \t\r\n", r) }
	for word := range strings.FieldsFuncSeq(name, separator) {
		long := len(word) >= encoding.EncodedLen(keySize)-3
		if long && !strings.ContainsFunc(word, notInKeyID) {
			return true
		}
	}
	return false
}

// readKeyFile returns the content of a file that passes checkKeyFile. stat is os.Stat. Tests
// pass a function that looks at another file, as if the file were replaced after the check.
func readKeyFile(path string, stat func(string) (fs.FileInfo, error)) ([]byte, error) {
	// Before opening, because opening a pipe waits for a writer.
	info, err := stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; it must contain the text that Key.Reveal returns",
			ErrKeyring, err)
	}
	if err := checkKeyFile(path, info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	defer f.Close()
	// And after opening, because the name may lead to another file now.
	if info, err = f.Stat(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	if err := checkKeyFile(path, info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyringText+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	return text, nil
}

// checkKeyFile rejects a file that should not contain keys.
func checkKeyFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("file %s: %w: not a regular file", path, ErrKeyring)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("file %s: %w: mode %04o gives others access; run chmod 600 on it",
			path, ErrKeyring, mode)
	}
	return nil
}
