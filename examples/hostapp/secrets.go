package main

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/go-installation/installation/crypto"
)

// devSecrets are the secrets that -dev generates. A store in a file has a file beside it that keeps
// them for the next start.
type devSecrets struct {
	file  string // "" keeps nothing
	kept  bool   // they come from the file
	added bool   // one is not in the file yet
	devFile
}

// devFile is the content of the file, as JSON.
type devFile struct {
	Key     string            // protects the secrets of installations, in the form of Key.Reveal
	Signer  []byte            // signs Vercel's tokens, PKCS #8
	Secrets map[string]string // tokens and API keys by name
}

// loadDevSecrets reads the secrets of an earlier start with -dev. On the first start it returns an
// empty set, which generates each secret when it is asked for.
func loadDevSecrets(set settings) (*devSecrets, error) {
	s := &devSecrets{devFile: devFile{Secrets: map[string]string{}}}
	if !set.dev || set.file() == "" {
		return s, nil
	}
	s.file = set.file() + ".dev"
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(set.file())
		switch {
		case err != nil && set.storeID != "":
			err = fmt.Errorf("-store-id names data that exists: correct -store, or restore a "+
				"copy: %w", err)
		case errors.Is(err, fs.ErrNotExist), err == nil && set.keys != "":
			return s, nil
		case err == nil:
			err = fmt.Errorf("%s exists, and the file %s with the key of its installations does "+
				"not: put it back, or use another file in -store", set.file(), s.file)
		}
	}
	if err != nil {
		return nil, err
	}
	defer clear(text)
	s.kept = true
	if err := json.Unmarshal(text, &s.devFile); err != nil {
		return nil, fmt.Errorf("%s: not what -dev wrote: %w", s.file, quiet(err))
	}
	if s.Secrets == nil || s.Signer == nil {
		return nil, fmt.Errorf("%s: not what -dev wrote: a part is missing", s.file)
	}
	return s, nil
}

// save writes the secrets into the file if some are new. The file is complete as soon as it has its
// name.
func (s *devSecrets) save(log *slog.Logger) error {
	if s.file == "" || !s.added {
		return nil
	}
	text, err := json.MarshalIndent(s.devFile, "", "  ")
	if err != nil {
		return err
	}
	defer clear(text)
	temporary := s.file + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(s.file); !s.kept && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s appeared meanwhile: is another hostapp starting?", s.file)
	}
	if err := os.Rename(temporary, s.file); err != nil {
		return err
	}
	log.Warn("created a key and tokens for -dev: keep the file, the installations need it",
		"file", s.file)
	return nil
}

// key returns the key that protects the secrets of installations.
func (s *devSecrets) key() (crypto.Key, error) {
	if s.Key != "" {
		return crypto.ParseKey([]byte(s.Key))
	}
	if s.kept {
		return crypto.Key{}, fmt.Errorf("%s has no key, because -keys was given: give it again",
			s.file)
	}
	key, err := crypto.GenerateKey("dev")
	if err == nil {
		s.Key, s.added = key.Reveal(), true
	}
	return key, err
}

// signer returns the key that signs Vercel's tokens.
func (s *devSecrets) signer() (*rsa.PrivateKey, error) {
	if s.Signer == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err == nil {
			s.added = true
			s.Signer, err = x509.MarshalPKCS8PrivateKey(key)
		}
		return key, err
	}
	key, err := x509.ParsePKCS8PrivateKey(s.Signer)
	signer, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, cmp.Or(err, errors.New("it is no RSA key"))
	}
	return signer, nil
}

// secret returns the secret with a name. It is twice as long as a rand.Text, which is too short for
// some of the secrets.
func (s *devSecrets) secret(name string) crypto.Secret {
	if s.Secrets[name] == "" {
		s.Secrets[name], s.added = rand.Text()+rand.Text(), true
	}
	return crypto.NewSecret(s.Secrets[name])
}
