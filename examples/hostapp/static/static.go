// Package static has a [softwareone.Directory] whose accounts, extensions and tokens never change.
// It is for demonstrations and tests.
package static

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
)

// Data is the content of a directory.
type Data struct {
	Accounts   []softwareone.Account
	Extensions []softwareone.Extension
	Tokens     []softwareone.Token
	// TokenSecrets are the secrets of the tokens, by token ID. A whole API token is
	// "idt:" + ID + ":" + secret.
	TokenSecrets map[string]crypto.Secret
	// ExtensionSecrets are the secrets of extensions, by extension ID. An extension without a
	// secret cannot call the API.
	ExtensionSecrets map[string]crypto.Secret
}

// Directory is a [softwareone.Directory]. It keeps hashes of the secrets, not the secrets.
type Directory struct {
	accounts   map[string]*softwareone.Account
	extensions map[string]*softwareone.Extension
	tokens     map[string]*softwareone.Token
	hashes     map[string][sha256.Size]byte // of the secrets, by token ID
	owned      map[string][]string          // extension IDs by account ID
	secrets    map[[sha256.Size]byte]string // extension IDs by hash
}

// minSecret is the length in bytes of the shortest allowed secret. The directory uses a fast hash,
// so a secret has to be random and not chosen by a person.
const minSecret = 16

// New returns a directory with data. It returns an error if an ID is not unique, if a reference
// leads nowhere, or if a secret has fewer than 16 bytes. The secret of an extension is also an
// error if another extension has the same secret, or if the secret looks like an API token or a
// JWT. Do not change the slices in data afterwards.
func New(data Data) (*Directory, error) {
	d := &Directory{
		accounts:   make(map[string]*softwareone.Account),
		extensions: make(map[string]*softwareone.Extension),
		tokens:     make(map[string]*softwareone.Token),
		hashes:     make(map[string][sha256.Size]byte),
		owned:      make(map[string][]string),
		secrets:    make(map[[sha256.Size]byte]string),
	}
	for _, a := range data.Accounts {
		if err := d.addAccount(a); err != nil {
			return nil, fmt.Errorf("static: account %q: %w", a.ID, err)
		}
	}
	for _, e := range data.Extensions {
		if err := d.addExtension(e); err != nil {
			return nil, fmt.Errorf("static: extension %q: %w", e.ID, err)
		}
	}
	for _, t := range data.Tokens {
		if err := d.addToken(t, data.TokenSecrets[t.ID]); err != nil {
			return nil, fmt.Errorf("static: token %q: %w", t.ID, err)
		}
	}
	for id, s := range data.ExtensionSecrets {
		if err := d.addSecret(id, s); err != nil {
			return nil, fmt.Errorf("static: secret of extension %q: %w", id, err)
		}
	}
	return d, nil
}

// errID means that an ID is missing or not unique.
var errID = errors.New("the id is missing or not unique")

func (d *Directory) addAccount(a softwareone.Account) error {
	types := []softwareone.AccountType{
		softwareone.AccountClient, softwareone.AccountVendor, softwareone.AccountOperations,
	}
	switch {
	case a.ID == "" || d.accounts[a.ID] != nil:
		return errID
	case !slices.Contains(types, a.Type):
		return errors.New("unknown type")
	}
	d.accounts[a.ID] = &a
	return nil
}

func (d *Directory) addExtension(e softwareone.Extension) error {
	statuses := []softwareone.ExtensionStatus{
		softwareone.ExtensionDraft, softwareone.ExtensionPrivate,
		softwareone.ExtensionPublic, softwareone.ExtensionDeleted,
	}
	switch {
	case e.ID == "" || d.extensions[e.ID] != nil:
		return errID
	case d.accounts[e.Owner] == nil:
		return errors.New("unknown owner")
	case !slices.Contains(statuses, e.Status):
		return errors.New("unknown status")
	}
	d.extensions[e.ID] = &e
	d.owned[e.Owner] = append(d.owned[e.Owner], e.ID)
	return nil
}

func (d *Directory) addToken(t softwareone.Token, s crypto.Secret) error {
	secret := s.Reveal()
	defer clear(secret)
	switch {
	case t.ID == "" || d.tokens[t.ID] != nil:
		return errID
	case d.accounts[t.Account] == nil:
		return errors.New("unknown account")
	case len(secret) < minSecret:
		return errors.New("the secret is missing or too short")
	}
	d.tokens[t.ID], d.hashes[t.ID] = &t, sha256.Sum256(secret)
	return nil
}

func (d *Directory) addSecret(extension string, s crypto.Secret) error {
	text, hash := s.RevealString(), hashOf(s)
	// The handler would treat a secret of these forms as an API token or a JWT.
	otherToken := strings.HasPrefix(text, "idt:") ||
		strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
	switch {
	case d.extensions[extension] == nil:
		return errors.New("unknown extension")
	case len(text) < minSecret || otherToken:
		return errors.New("the secret is too short, or looks like another kind of token")
	case d.secrets[hash] != "":
		return errors.New("another extension has the same secret")
	}
	d.secrets[hash] = extension
	return nil
}

func hashOf(s crypto.Secret) [sha256.Size]byte {
	text := s.Reveal()
	defer clear(text)
	return sha256.Sum256(text)
}

// Token implements [softwareone.Directory].
func (d *Directory) Token(
	_ context.Context, id string, secret crypto.Secret,
) (*softwareone.Token, error) {
	// For an unknown token, want is zero, and no secret has the hash zero.
	hash, want := hashOf(secret), d.hashes[id]
	if subtle.ConstantTimeCompare(hash[:], want[:]) != 1 {
		return nil, softwareone.ErrUnknown
	}
	return d.tokens[id], nil
}

// Secret implements [softwareone.Directory]. It looks up the hash of the secret, so the time that
// the lookup takes reveals nothing about the stored secrets.
func (d *Directory) Secret(_ context.Context, secret crypto.Secret) (string, error) {
	if id, ok := d.secrets[hashOf(secret)]; ok {
		return id, nil
	}
	return "", softwareone.ErrUnknown
}

// Extension implements [softwareone.Directory].
func (d *Directory) Extension(_ context.Context, id string) (*softwareone.Extension, error) {
	return found(d.extensions[id])
}

// Owned implements [softwareone.Directory].
func (d *Directory) Owned(_ context.Context, account string) ([]string, error) {
	return d.owned[account], nil
}

// Account implements [softwareone.Directory].
func (d *Directory) Account(_ context.Context, id string) (*softwareone.Account, error) {
	return found(d.accounts[id])
}

func found[T any](v *T) (*T, error) {
	if v == nil {
		return nil, softwareone.ErrUnknown
	}
	return v, nil
}
