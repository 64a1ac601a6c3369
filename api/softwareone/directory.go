package softwareone

import (
	"context"
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// ErrUnknown means that a [Directory] does not have the account, extension, token or secret.
var ErrUnknown = errors.New("softwareone: unknown")

// Directory looks up the accounts, extensions and tokens of the platform. The host implements it.
// If something does not exist or is no longer valid, the method returns an error that matches
// [ErrUnknown]. Every other error is a failure of the directory. The handler calls the methods
// concurrently, and does not modify their results.
type Directory interface {
	// Token returns an API token by its ID, TKN-..., if the secret is right. The directory should
	// compare the secret in constant time.
	Token(ctx context.Context, id string, secret crypto.Secret) (*Token, error)
	// Secret returns the ID of the extension that has this secret.
	Secret(ctx context.Context, secret crypto.Secret) (extension string, err error)
	// Extension returns an extension by its ID, EXT-...
	Extension(ctx context.Context, id string) (*Extension, error)
	// Owned returns the IDs of the extensions whose Owner is the account now, including deleted
	// extensions. The handler calls Owned whenever a vendor requests a list.
	Owned(ctx context.Context, account string) (extensions []string, err error)
	// Account returns an account by its ID, ACC-...
	Account(ctx context.Context, id string) (*Account, error)
}

// AccountType is the role of an account.
type AccountType string

// Types of accounts.
const (
	AccountClient     AccountType = "Client"     // installs extensions
	AccountVendor     AccountType = "Vendor"     // owns extensions
	AccountOperations AccountType = "Operations" // runs the platform
)

// Account is the public part of an account.
type Account struct {
	ID       string
	Name     string
	Icon     string
	Type     AccountType
	Status   string // such as "Enabled"; shown to callers, and not checked
	Revision int64
}

// ExtensionStatus says who may install an extension.
type ExtensionStatus string

// Statuses of extensions.
const (
	ExtensionDraft   ExtensionStatus = "Draft"   // nobody
	ExtensionPrivate ExtensionStatus = "Private" // invited accounts
	ExtensionPublic  ExtensionStatus = "Public"  // everybody
	ExtensionDeleted ExtensionStatus = "Deleted" // nobody; its secret and JWTs are rejected
)

// Extension is a program that accounts can install.
type Extension struct {
	ID       string
	Name     string
	Icon     string
	Href     string
	Revision int64
	Status   ExtensionStatus
	Owner    string   // account ID of the vendor; can change, see the package comment
	Modules  []Module // areas of the platform that the extension asks to use
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
	Extensions []string // IDs of the extensions it can reach; nil = all, empty = none
}

// guard makes the result of a call to the directory safe. It replaces an error by [ErrUnknown], or
// by a problem whose text is safe to log.
func guard[T any](v T, err error) (T, error) {
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, ErrUnknown):
		return v, ErrUnknown
	}
	return v, httpapi.HostFailure(err)
}

// active returns the extension with an ID. For a deleted extension, it returns [ErrUnknown].
func (h *Handler) active(ctx context.Context, id string) (*Extension, error) {
	ext, err := guard(h.directory.Extension(ctx, id))
	if err == nil && ext.Status == ExtensionDeleted {
		return nil, ErrUnknown
	}
	return ext, err
}

// reachable is [Handler.active] for an extension that the token has to reach.
func (h *Handler) reachable(c *call, id string) (*Extension, error) {
	if !c.reaches(id) {
		return nil, ErrUnknown
	}
	return h.active(c.Context(), id)
}

// Owners returns a function for Options.Owner of an [installation.Service]. The function takes the
// owner of an extension from a directory. An unknown extension has no owner.
func Owners(d Directory) func(ctx context.Context, tenant, extension string) (string, error) {
	return func(ctx context.Context, _, extension string) (string, error) {
		e, err := known(d.Extension(ctx, extension))
		return e.Owner, err
	}
}

// Schemas returns a function for Options.Schema of an [installation.Service]. The function takes
// the schema of an extension from a directory. An unknown extension has no schema. Each read and
// write of a configuration calls the directory, so the directory should answer from memory.
func Schemas(
	d Directory,
) func(context.Context, string, installation.Extension) (validate.SchemaSource, error) {
	return func(
		ctx context.Context, _ string, ext installation.Extension,
	) (validate.SchemaSource, error) {
		e, err := known(d.Extension(ctx, ext.ID))
		return e.Schema, err
	}
}

// known replaces an unknown extension, and the one of a failed lookup, by one without properties.
func known(e *Extension, err error) (*Extension, error) {
	switch {
	case errors.Is(err, ErrUnknown):
		return &Extension{}, nil
	case err != nil:
		return &Extension{}, httpapi.HostError(err)
	}
	return e, nil
}
