package softwareone

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/go-installation/installation/crypto"
)

// DirectoryData is what [NewStaticDirectory] is made of.
type DirectoryData struct {
	Accounts   []Account
	Extensions []Extension
	Tokens     []Token
	// TokenSecrets are the secrets of the tokens, by token id. A whole API token is "idt:" + id + ":" + secret.
	TokenSecrets map[string]crypto.Secret
	// ExtensionSecrets are the secrets of extensions, by extension id. One without a secret cannot ask for anything.
	ExtensionSecrets map[string]crypto.Secret
}

// StaticDirectory is a [Directory] that never changes, for tests and small platforms. It keeps hashes of secrets, not the secrets.
type StaticDirectory struct {
	accounts   map[string]*Account
	extensions map[string]*Extension
	tokens     map[string]staticToken
	owned      map[string][]string          // account id to ids
	secrets    map[[sha256.Size]byte]string // to extension id
}

type staticToken struct {
	token *Token
	hash  [sha256.Size]byte
}

// minSecret is how many bytes a secret has at least. Its hash is not a slow one, so it has to be random rather than chosen by a person.
const minSecret = 16

// NewStaticDirectory returns a directory of what data holds. Ids must be unique and what is referred to must be there; secrets have at least 16
// bytes, those of extensions are unlike each other and look like none of the other tokens. The lists within data must not be changed afterwards.
func NewStaticDirectory(data DirectoryData) (*StaticDirectory, error) {
	d := &StaticDirectory{
		accounts: make(map[string]*Account), extensions: make(map[string]*Extension), tokens: make(map[string]staticToken),
		owned: make(map[string][]string), secrets: make(map[[sha256.Size]byte]string),
	}
	for _, a := range data.Accounts {
		switch {
		case a.ID == "" || d.accounts[a.ID] != nil:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: account %q: no id of its own", a.ID)
		case a.Type != Client && a.Type != Vendor && a.Type != Operations:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: account %s: unknown type", a.ID)
		}
		d.accounts[a.ID] = &a
	}
	for _, e := range data.Extensions {
		switch {
		case e.ID == "" || d.extensions[e.ID] != nil:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: extension %q: no id of its own", e.ID)
		case d.accounts[e.Owner] == nil:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: extension %s: unknown owner", e.ID)
		case e.Status != Draft && e.Status != Private && e.Status != Public && e.Status != Deleted:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: extension %s: unknown status", e.ID)
		}
		d.extensions[e.ID] = &e
		d.owned[e.Owner] = append(d.owned[e.Owner], e.ID)
	}
	for _, t := range data.Tokens {
		secret := data.TokenSecrets[t.ID].Reveal()
		switch {
		case t.ID == "" || d.tokens[t.ID].token != nil:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: token %q: no id of its own", t.ID)
		case d.accounts[t.Account] == nil:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: token %s: unknown account", t.ID)
		case len(secret) < minSecret:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: token %s: no secret, or a short one", t.ID)
		}
		d.tokens[t.ID] = staticToken{token: &t, hash: sha256.Sum256(secret)}
	}
	for id, s := range data.ExtensionSecrets {
		hash := sha256.Sum256(s.Reveal())
		switch {
		case d.extensions[id] == nil:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: secret of the unknown extension %q", id)
		case len(s.Reveal()) < minSecret || kindOf(s.RevealString()) != extensionSecret:
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: extension %s: a secret that is short, or has the form of another token", id)
		case d.secrets[hash] != "":
			return nil, fmt.Errorf("softwareone: NewStaticDirectory: extension %s: the secret is another's", id)
		}
		d.secrets[hash] = id
	}
	return d, nil
}

// Token implements [Directory].
func (d *StaticDirectory) Token(_ context.Context, id string, secret crypto.Secret) (*Token, error) {
	t := d.tokens[id] // the zero one has a hash that no secret has
	hash := sha256.Sum256(secret.Reveal())
	if subtle.ConstantTimeCompare(hash[:], t.hash[:]) != 1 {
		return nil, ErrUnknown
	}
	return t.token, nil
}

// Secret implements [Directory]. Secrets are looked up by their hash, so that the time it takes says nothing about them.
func (d *StaticDirectory) Secret(_ context.Context, secret crypto.Secret) (string, error) {
	id := d.secrets[sha256.Sum256(secret.Reveal())]
	if id == "" {
		return "", ErrUnknown
	}
	return id, nil
}

// Extension implements [Directory].
func (d *StaticDirectory) Extension(_ context.Context, id string) (*Extension, error) {
	return found(d.extensions[id])
}

// Owned implements [Directory].
func (d *StaticDirectory) Owned(_ context.Context, account string) ([]string, error) {
	return d.owned[account], nil
}

// Account implements [Directory].
func (d *StaticDirectory) Account(_ context.Context, id string) (*Account, error) {
	return found(d.accounts[id])
}

func found[T any](v *T) (*T, error) {
	if v == nil {
		return nil, ErrUnknown
	}
	return v, nil
}
