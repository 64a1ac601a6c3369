package softwareone

import (
	"context"
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// ErrUnknown means that a [Directory] has nothing with that name.
var ErrUnknown = errors.New("softwareone: unknown")

// Directory has the accounts, extensions and tokens of the platform. A method returns an error
// that matches [ErrUnknown] for what does not exist or is no longer valid. Every other error is a
// failure. The results are not modified. All methods may be called concurrently.
type Directory interface {
	// Token returns an API token by its ID, TKN-..., if the secret is right. The comparison
	// should take the same time for every wrong secret.
	Token(ctx context.Context, id string, secret crypto.Secret) (*Token, error)
	// Secret returns the ID of the extension with a secret.
	Secret(ctx context.Context, secret crypto.Secret) (extension string, err error)
	// Extension returns an extension by its ID, EXT-...
	Extension(ctx context.Context, id string) (*Extension, error)
	// Owned returns the IDs of the extensions whose Owner is the account now, including deleted
	// ones. Each list of a vendor calls it.
	Owned(ctx context.Context, account string) (extensions []string, err error)
	// Account returns an account by its ID, ACC-...
	Account(ctx context.Context, id string) (*Account, error)
}

// AccountType is the role of an account.
type AccountType string

// Types of accounts.
const (
	AccountClient     AccountType = "Client"
	AccountVendor     AccountType = "Vendor"
	AccountOperations AccountType = "Operations"
)

// Account is the public part of an account.
type Account struct {
	ID       string
	Name     string
	Icon     string
	Type     AccountType
	Status   string // such as "Enabled"; only shown
	Revision int64
}

// ExtensionStatus says who may install an extension.
type ExtensionStatus string

// Statuses of extensions.
const (
	ExtensionDraft   ExtensionStatus = "Draft"   // nobody
	ExtensionPrivate ExtensionStatus = "Private" // invited accounts
	ExtensionPublic  ExtensionStatus = "Public"  // everybody
	ExtensionDeleted ExtensionStatus = "Deleted" // nobody any more
)

// Extension is something to install.
type Extension struct {
	ID       string
	Name     string
	Icon     string
	Href     string
	Revision int64
	Status   ExtensionStatus
	Owner    string   // account ID of the vendor; may change, see the package comment
	Modules  []Module // areas of the platform that it asks for
	// Schema describes the configuration and marks its sensitive values. Without a schema, names
	// decide what is sensitive; see [installation.Service].
	Schema validate.SchemaSource
}

// Module is an area of the platform.
type Module struct {
	ID      string   // MOD-...
	Actions []string // that the extension may do there
}

// Token is an API token of an account.
type Token struct {
	ID         string // TKN-...
	Name       string
	Icon       string
	Account    string   // ID
	Extensions []string // IDs of those it reaches; nil = all, empty = none
}

// guard is for the result of a call to the directory. The error becomes [ErrUnknown], or a problem
// whose text is safe to log.
func guard[T any](v T, err error) (T, error) {
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, ErrUnknown):
		return v, ErrUnknown
	}
	return v, httpapi.HostFailure(err)
}

// active returns an extension that is not deleted.
func (h *Handler) active(ctx context.Context, id string) (*Extension, error) {
	ext, err := guard(h.directory.Extension(ctx, id))
	if err == nil && ext.Status == ExtensionDeleted {
		return nil, ErrUnknown
	}
	return ext, err
}

// Schemas returns Options.Schema for a service whose extensions are in a directory. An unknown
// extension has no schema. Each read and write of a configuration calls the directory, so it
// should answer from memory.
func Schemas(
	d Directory,
) func(context.Context, string, installation.Extension) (validate.SchemaSource, error) {
	return func(
		ctx context.Context, _ string, ext installation.Extension,
	) (validate.SchemaSource, error) {
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
