package ampersand

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-installation/installation/crypto"
)

var (
	// ErrNotFound means that the host has no such project, integration, key, connection,
	// provider or page.
	ErrNotFound = errors.New("ampersand: not found")
	// ErrInUse means that an installation uses the connection; see [Connections.Delete].
	ErrInUse = errors.New("ampersand: the connection is in use")
)

// Host is the part of the platform that the host implements. All fields are required. All
// methods may be called concurrently.
type Host struct {
	Identities  Identities
	Projects    Projects
	Connections Connections
}

// Identities knows the keys of callers.
type Identities interface {
	// APIKey returns the owner of an API key, or [ErrNotFound] if there is no such valid key.
	// It must not take longer for a key that is nearly right. Looking keys up by their hash is
	// safe.
	APIKey(ctx context.Context, key crypto.Secret) (*APIKey, error)
	// PublicKey returns the key that verifies tokens with a key ID, or [ErrNotFound]. A key ID
	// belongs to one project.
	PublicKey(ctx context.Context, id string) (*PublicKey, error)
}

// APIKey identifies a key that acts for a whole project.
type APIKey struct {
	Project string // ID
	ID      string // of the key, for the audit trail; not the key itself
}

// PublicKey verifies the tokens of a project.
type PublicKey struct {
	Project string         // ID
	Key     *rsa.PublicKey // with less than 2048 bits, all tokens are rejected
}

// Projects knows the projects and their integrations. Its results belong to the caller.
type Projects interface {
	// Project returns a project by its ID or name, or [ErrNotFound].
	Project(ctx context.Context, idOrName string) (*Project, error)
	// Integration returns an integration of a project, or [ErrNotFound].
	Integration(ctx context.Context, project, id string) (*Integration, error)
	// Integrations returns all integrations of a project in a stable order.
	Integrations(ctx context.Context, project string) ([]*Integration, error)
	// Hydrated returns a revision with the parts of its manifest that the provider defines,
	// such as the names of all fields, as c sees them. c is nil if the request names no
	// connection. The error is [ErrNotFound] if there is no such revision.
	Hydrated(
		ctx context.Context, project, integration, revision string, c *Connection,
	) (*Revision, error)
}

// Project belongs to one builder. Its ID is a tenant of the service.
type Project struct {
	ID   string
	Name string
}

// Integration is what a group installs.
type Integration struct {
	ID       string
	Name     string
	Provider string
	Created  time.Time
	Updated  time.Time // zero = never
	Latest   Revision  // for new configurations
}

// Revision is one version of an integration.
type Revision struct {
	ID          string
	SpecVersion string // "" = "1.0.0"
	Created     time.Time
	Content     json.RawMessage // the manifest: a JSON object
}

// Connections stores the connections of projects with their credentials. An installation stores
// the ID and the public part of its connection. Arguments belong to the host and results to the
// caller.
//
// A [*Rejection] from Generate, Update or Refresh is answered with 422. Errors without a
// meaning below are failures of the server.
type Connections interface {
	// Connection returns a connection without credentials, or [ErrNotFound].
	Connection(ctx context.Context, project, id string) (*Connection, error)
	// Connections returns the matching connections without credentials, oldest first. A list of
	// installations calls it once, for one group or for the whole project.
	Connections(ctx context.Context, project string, f ConnectionFilter) ([]*Connection, error)
	// Generate creates a connection. It also creates the group and the consumer if they do not
	// exist.
	Generate(ctx context.Context, project string, n NewConnection) (*Connection, error)
	// Update changes the given parts of a connection and leaves the rest. The error is
	// [ErrNotFound] if there is no such connection.
	Update(ctx context.Context, project, id string, u ConnectionUpdate) (*Connection, error)
	// Refresh gets a new access token from the provider if force is set or the current token
	// has expired. It does nothing for a connection without tokens. The error is [ErrNotFound]
	// if there is no such connection.
	Refresh(ctx context.Context, project, id string, force bool) error
	// Reveal returns the credentials of a connection, or [ErrNotFound]. It must record the
	// disclosure first, and fail if it cannot.
	Reveal(ctx context.Context, project, id string, d Disclosure) (*Credentials, error)
	// Delete removes a connection. It calls inUse first, and returns [ErrInUse] if that returns
	// true. The error is [ErrNotFound] if there is no such connection.
	//
	// From before it calls inUse until it returns, Connection must wait or return [ErrNotFound]
	// for this ID. A caller that meanwhile installs the connection checks it again with
	// Connection, and notices the deletion.
	Delete(ctx context.Context, project, id string, inUse func(context.Context) (bool, error)) error
}

// ConnectionFilter selects connections. A connection matches if all fields that are not empty
// are equal.
type ConnectionFilter struct {
	Provider string
	Group    string // groupRef
	Consumer string // consumerRef
}

// Disclosure says who gets credentials.
type Disclosure struct {
	By           string // ID of the API key
	RefreshToken bool   // the refresh token is shown, too
	RequestID    string // as in the answer
}

// Sampler reads one record of an object from the provider, to test its configuration.
type Sampler interface {
	// Sample returns a [*Rejection] if the provider calls the request a bad one, such as for a
	// field that the connection may not see. Then nothing is saved. All other errors are
	// ignored, because a provider that is down or busy says nothing about the configuration.
	//
	// The context ends before the request does. One request calls Sample for at most 64
	// objects.
	Sample(ctx context.Context, s Sample) error
}

// Sample is the object that a [Sampler] reads.
type Sample struct {
	Project     string
	Integration *Integration
	Connection  *Connection     // to read with; without credentials
	Object      string          // its name in the configuration
	Config      json.RawMessage // of the object; may have secrets
}

// Rejection is an error of the provider, or of the host, with a message for the caller.
type Rejection struct {
	Message string
}

// Error implements error. It does not include the message, which may quote the request.
func (r *Rejection) Error() string { return "ampersand: rejected by the provider" }

// Catalogue knows the providers.
type Catalogue interface {
	// Provider returns a provider by its name, or [ErrNotFound].
	Provider(ctx context.Context, name string) (*Provider, error)
}

// Provider is the API that an integration connects to.
type Provider struct {
	Name   string
	Scheme Scheme // "" = several; a connection then has the scheme of its credentials
}

// Operations knows the history of installations, such as their reads and writes.
type Operations interface {
	// Operations returns a page of operations of an installation, newest first, and the token
	// of the next page, "" for the last one. token is "" for the first page. The error is
	// [ErrNotFound] if Operations did not return the token.
	Operations(
		ctx context.Context, project, installation string, size int, token string,
	) (page []json.RawMessage, next string, err error)
	// Backfill returns the progress of the first read of an object, a JSON object. The error is
	// [ErrNotFound] if there was no such read.
	Backfill(ctx context.Context, project, installation, object string) (json.RawMessage, error)
}
