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

// ParseKeyring returns the keyring in text: keys as [Key.Reveal] writes them, separated by commas or line breaks, the primary
// first.
//
//	k2:base64url,k1:base64url
//
// Spaces round a key, empty lines and a comma at the end do not matter. Errors match [ErrKeyring], say which key is wrong by
// its position, and do not quote text. ParseKeyring does not keep text; the caller may clear it.
func ParseKeyring(text []byte) (*Keyring, error) {
	if len(text) > maxKeyringText {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeyring, maxKeyringText)
	}
	var keys []Key
	for entry := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
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

// KeyringFromEnv returns the keyring in an environment variable, in the form that [ParseKeyring] reads. A variable that is
// not set or empty is an error: no key is ever made in its place. Errors match [ErrKeyring] and name the variable, never
// content; a keyring in place of the name is refused without repeating it. Prefer [KeyringFromFile] where there is a choice: child processes and crash reports see the environment.
func KeyringFromEnv(name string) (*Keyring, error) {
	if looksLikeKeyring(name) {
		return nil, fmt.Errorf("%w: give the name of an environment variable, not the keyring", ErrKeyring)
	}
	text := os.Getenv(name)
	if text == "" {
		return nil, fmt.Errorf("environment variable %s: %w: not set; set it to the Reveal of a key from GenerateKey", name, ErrKeyring)
	}
	r, err := ParseKeyring([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", name, err)
	}
	return r, nil
}

// KeyringFromFile returns the keyring in a file, in the form that [ParseKeyring] reads. It refuses a file that anyone but its
// owner may read, write or execute (not on Windows, which has no such bits), anything but a regular file, and more than 64
// KiB; a symbolic link is followed. A file that is not there is an error: no key is ever made in its place. Errors match
// [ErrKeyring], and that of the file system where there is one, and name the file, never content; a keyring in place of the path is
// refused without repeating it.
func KeyringFromFile(path string) (*Keyring, error) {
	if looksLikeKeyring(path) {
		return nil, fmt.Errorf("%w: give the path of a file, not the keyring", ErrKeyring)
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

// looksLikeKeyring reports whether a name is, or may be meant to be, a keyring: it has something in it that is about as long as a key, in
// its alphabet, next to what would part it from an id.
func looksLikeKeyring(name string) bool {
	if !strings.ContainsAny(name, ":=,") {
		return false
	}
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune(":=, \t\r\n", r) }) {
		if len(word) >= encoding.EncodedLen(keySize)-3 && !strings.ContainsFunc(word, notOfKeyID) {
			return true
		}
	}
	return false
}

// readKeyFile returns the content of a file that passes checkKeyFile. stat is os.Stat except where a test exchanges the file after it.
func readKeyFile(path string, stat func(string) (fs.FileInfo, error)) ([]byte, error) {
	// Before opening, since opening a pipe waits for someone to write to it.
	info, err := stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; it must hold the Reveal of a key from GenerateKey", ErrKeyring, err)
	}
	if err := checkKeyFile(path, info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	defer f.Close()
	// And again, since the name may lead to another file by now.
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

// checkKeyFile refuses what should not hold keys.
func checkKeyFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("file %s: %w: not a regular file", path, ErrKeyring)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("file %s: %w: mode %04o lets others in; chmod 600 it", path, ErrKeyring, mode)
	}
	return nil
}
