// Package static is a directory for the handler of package softwareone that never
// changes. It is for demonstrations and tests.
package static

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
)

// Data is what [New] is made of.
type Data struct {
	Accounts   []softwareone.Account
	Extensions []softwareone.Extension
	Tokens     []softwareone.Token
	// TokenSecrets are the secrets of the tokens, by token id. A whole API token is "idt:" + id + ":" + secret.
	TokenSecrets map[string]crypto.Secret
	// ExtensionSecrets are the secrets of extensions, by extension id. One without a secret cannot ask for anything.
	ExtensionSecrets map[string]crypto.Secret
}

// Directory is a [softwareone.Directory] that never changes, for tests and small platforms. It keeps hashes of secrets, not the secrets.
type Directory struct {
	accounts   map[string]*softwareone.Account
	extensions map[string]*softwareone.Extension
	tokens     map[string]staticToken
	owned      map[string][]string          // account id to ids
	secrets    map[[sha256.Size]byte]string // to extension id
}

type staticToken struct {
	token *softwareone.Token
	hash  [sha256.Size]byte
}

// minSecret is how many bytes a secret has at least. Its hash is not a slow one, so it has to be random rather than chosen by a person.
const minSecret = 16

// New returns a directory of what data holds. Ids must be unique and what is referred to must be there; secrets have at least 16
// bytes, those of extensions are unlike each other and look like none of the other tokens. The lists within data must not be changed afterwards.
func New(data Data) (*Directory, error) {
	d := &Directory{
		accounts: make(map[string]*softwareone.Account), extensions: make(map[string]*softwareone.Extension), tokens: make(map[string]staticToken),
		owned: make(map[string][]string), secrets: make(map[[sha256.Size]byte]string),
	}
	for _, a := range data.Accounts {
		switch {
		case a.ID == "" || d.accounts[a.ID] != nil:
			return nil, fmt.Errorf("static: New: account %q: no id of its own", a.ID)
		case a.Type != softwareone.AccountClient && a.Type != softwareone.AccountVendor && a.Type != softwareone.AccountOperations:
			return nil, fmt.Errorf("static: New: account %s: unknown type", a.ID)
		}
		d.accounts[a.ID] = &a
	}
	for _, e := range data.Extensions {
		switch {
		case e.ID == "" || d.extensions[e.ID] != nil:
			return nil, fmt.Errorf("static: New: extension %q: no id of its own", e.ID)
		case d.accounts[e.Owner] == nil:
			return nil, fmt.Errorf("static: New: extension %s: unknown owner", e.ID)
		case e.Status != softwareone.ExtensionDraft && e.Status != softwareone.ExtensionPrivate && e.Status != softwareone.ExtensionPublic && e.Status != softwareone.ExtensionDeleted:
			return nil, fmt.Errorf("static: New: extension %s: unknown status", e.ID)
		}
		d.extensions[e.ID] = &e
		d.owned[e.Owner] = append(d.owned[e.Owner], e.ID)
	}
	for _, t := range data.Tokens {
		secret := data.TokenSecrets[t.ID].Reveal()
		switch {
		case t.ID == "" || d.tokens[t.ID].token != nil:
			return nil, fmt.Errorf("static: New: token %q: no id of its own", t.ID)
		case d.accounts[t.Account] == nil:
			return nil, fmt.Errorf("static: New: token %s: unknown account", t.ID)
		case len(secret) < minSecret:
			return nil, fmt.Errorf("static: New: token %s: no secret, or a short one", t.ID)
		}
		d.tokens[t.ID] = staticToken{token: &t, hash: sha256.Sum256(secret)}
	}
	for id, s := range data.ExtensionSecrets {
		hash := sha256.Sum256(s.Reveal())
		switch {
		case d.extensions[id] == nil:
			return nil, fmt.Errorf("static: New: secret of the unknown extension %q", id)
		case len(s.Reveal()) < minSecret || otherToken(s.RevealString()):
			return nil, fmt.Errorf("static: New: extension %s: a secret that is short, or has the form of another token", id)
		case d.secrets[hash] != "":
			return nil, fmt.Errorf("static: New: extension %s: the secret is another's", id)
		}
		d.secrets[hash] = id
	}
	return d, nil
}

// otherToken reports whether a secret has the form of an API token or of a JWT, as which the handler would read it.
func otherToken(secret string) bool {
	return strings.HasPrefix(secret, "idt:") || strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// Token implements [softwareone.Directory].
func (d *Directory) Token(_ context.Context, id string, secret crypto.Secret) (*softwareone.Token, error) {
	t := d.tokens[id] // the zero one has a hash that no secret has
	hash := sha256.Sum256(secret.Reveal())
	if subtle.ConstantTimeCompare(hash[:], t.hash[:]) != 1 {
		return nil, softwareone.ErrUnknown
	}
	return t.token, nil
}

// Secret implements [softwareone.Directory]. Secrets are looked up by their hash, so that the time it takes says nothing about them.
func (d *Directory) Secret(_ context.Context, secret crypto.Secret) (string, error) {
	id := d.secrets[sha256.Sum256(secret.Reveal())]
	if id == "" {
		return "", softwareone.ErrUnknown
	}
	return id, nil
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
