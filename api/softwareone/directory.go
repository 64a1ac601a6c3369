package softwareone

import (
	"context"
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// ErrUnknown says that a [Directory] has nothing of that name.
var ErrUnknown = errors.New("softwareone: unknown")

// Directory is what the platform knows beside installations. Each method returns an error that matches [ErrUnknown] for what does not exist, or
// is not to be used any more; every other error is a failure to find out, and is answered as one. What a method returns is not changed. All methods
// may be called at once.
type Directory interface {
	// Token returns an API token by its id, TKN-..., if this is its secret. The comparison should take the same time for every wrong secret.
	Token(ctx context.Context, id string, secret crypto.Secret) (*Token, error)
	// Secret returns the id of the extension whose secret this is.
	Secret(ctx context.Context, secret crypto.Secret) (extension string, err error)
	// Extension returns an extension by its id, EXT-...
	Extension(ctx context.Context, id string) (*Extension, error)
	// Owned returns the ids of the extensions that an account owns now, deleted ones too: those whose Extension has it for Owner. It is asked at
	// each list of a vendor.
	Owned(ctx context.Context, account string) (extensions []string, err error)
	// Account returns an account by its id, ACC-...
	Account(ctx context.Context, id string) (*Account, error)
}

// AccountType says what part an account plays.
type AccountType string

// Types of accounts.
const (
	Client     AccountType = "Client"
	Vendor     AccountType = "Vendor"
	Operations AccountType = "Operations"
)

// Account is the public part of an account.
type Account struct {
	ID       string
	Name     string
	Icon     string
	Type     AccountType
	Status   string // such as "Enabled"; shown and not looked at
	Revision int64
}

// ExtensionStatus says who may install an extension.
type ExtensionStatus string

// Statuses of extensions.
const (
	Draft   ExtensionStatus = "Draft"   // nobody
	Private ExtensionStatus = "Private" // who is invited
	Public  ExtensionStatus = "Public"  // everybody
	Deleted ExtensionStatus = "Deleted" // nobody any more
)

// Extension is what can be installed.
type Extension struct {
	ID       string
	Name     string
	Icon     string
	Href     string
	Revision int64
	Status   ExtensionStatus
	Owner    string   // account id of the vendor, who may be another one tomorrow; see the package comment
	Modules  []Module // areas of the platform it asks for
	// Schema describes the configuration and marks what is sensitive in it. The zero source is none: names then decide, see
	// [installation.Service].
	Schema validate.SchemaSource
}

// Module is an area of the platform.
type Module struct {
	ID      string   // MOD-...
	Actions []string // what the extension may do there
}

// Token is an API token of an account.
type Token struct {
	ID         string // TKN-...
	Name       string
	Icon       string
	Account    string   // id
	Extensions []string // ids of those it reaches; nil = every one, empty = none
}

// guarded is a directory whose errors can go to the log: what they match and nothing of their text, which may quote what was asked.
type guarded struct{ directory Directory }

func (g guarded) Token(ctx context.Context, id string, secret crypto.Secret) (*Token, error) {
	return guard(g.directory.Token(ctx, id, secret))
}

func (g guarded) Secret(ctx context.Context, secret crypto.Secret) (string, error) {
	return guard(g.directory.Secret(ctx, secret))
}

func (g guarded) Extension(ctx context.Context, id string) (*Extension, error) {
	return guard(g.directory.Extension(ctx, id))
}

func (g guarded) Owned(ctx context.Context, account string) ([]string, error) {
	return guard(g.directory.Owned(ctx, account))
}

func (g guarded) Account(ctx context.Context, id string) (*Account, error) {
	return guard(g.directory.Account(ctx, id))
}

func guard[T any](v T, err error) (T, error) {
	if err != nil {
		err = httpapi.HostError(err)
	}
	return v, err
}

// Schemas returns Options.Schema for a service whose extensions are those of a directory. An extension that is not there has no schema. Called
// with an extension at each read and write of a configuration, so the directory should answer from memory.
func Schemas(d Directory) func(ctx context.Context, tenant string, ext installation.Extension) (validate.SchemaSource, error) {
	return func(ctx context.Context, _ string, ext installation.Extension) (validate.SchemaSource, error) {
		e, err := d.Extension(ctx, ext.ID)
		switch {
		case errors.Is(err, ErrUnknown):
			return validate.SchemaSource{}, nil
		case err != nil:
			return validate.SchemaSource{}, httpapi.HostError(err)
		}
		return e.Schema, nil
	}
}
