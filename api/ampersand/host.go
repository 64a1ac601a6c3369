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

// Host has the interfaces that the host implements. All fields are required. The handler calls
// methods concurrently.
type Host struct {
	Identities  Identities
	Projects    Projects
	Connections Connections
}

// Identities finds the API keys of builders and the public keys that verify tokens of consumers.
type Identities interface {
	// APIKey returns the project and the ID of an API key, or [ErrNotFound] if there is no such
	// valid key. APIKey must not take longer for a key that is nearly right. To look keys up by
	// their hash is safe.
	APIKey(ctx context.Context, key crypto.Secret) (*APIKey, error)
	// PublicKey returns the public key with the key ID of a token, or [ErrNotFound]. A key ID
	// belongs to one project.
	PublicKey(ctx context.Context, id string) (*PublicKey, error)
}

// APIKey describes a key that acts for a whole project.
type APIKey struct {
	Project string // ID
	ID      string // of the key, for the audit trail; not the key itself
}

// PublicKey verifies the tokens of a project.
type PublicKey struct {
	Project string         // ID
	Key     *rsa.PublicKey // at least 2048 bits, else all tokens of the key are rejected
}

// Projects finds projects and their integrations. The handler owns the results.
type Projects interface {
	// Project returns a project by its ID or name, or [ErrNotFound].
	Project(ctx context.Context, idOrName string) (*Project, error)
	// Integration returns an integration of a project, or [ErrNotFound].
	Integration(ctx context.Context, project, id string) (*Integration, error)
	// Integrations returns all integrations of a project in a stable order.
	Integrations(ctx context.Context, project string) ([]*Integration, error)
	// Hydrated returns a revision of an integration. Its Content also has the parts that the
	// provider defines, such as the names of all fields that are visible with the connection c.
	// The handler adds each missing "displayName". The error is [ErrNotFound] if there is no such
	// revision.
	Hydrated(
		ctx context.Context, project, integration, revision string, c *Connection,
	) (*Revision, error)
}

// Project belongs to one builder. Its ID is a tenant of the service.
type Project struct {
	ID      string
	Name    string
	AppName string // of the builder's product, for people
	OrgID   string // of the builder
	Created time.Time
	Updated time.Time // zero = never
}

// Integration is what a group installs. It connects the builder to one provider.
type Integration struct {
	ID       string
	Name     string
	Provider string
	Created  time.Time
	Updated  time.Time // zero = never
	Latest   Revision  // new configurations refer to this revision
}

// Revision is one version of an integration.
type Revision struct {
	ID          string
	SpecVersion string // "" = "1.0.0"
	Created     time.Time
	Content     json.RawMessage // what the builder offers to configure: a JSON object
}

// Connections stores the connections of projects with their credentials. An installation stores
// the ID and the public part of its connection. The host owns the arguments of the methods, and the
// handler owns the results.
//
// If Generate, Update or Refresh returns a [*Rejection], the answer is 422. The methods below name
// the other errors that have a meaning. All remaining errors are failures of the server.
type Connections interface {
	// Connection returns a connection without credentials, or [ErrNotFound].
	Connection(ctx context.Context, project, id string) (*Connection, error)
	// Connections returns the matching connections without credentials, oldest first. To list
	// installations, the handler calls Connections once, for one group or for the whole project.
	Connections(ctx context.Context, project string, f ConnectionFilter) ([]*Connection, error)
	// Generate creates a connection. It also creates the group and the consumer if they do not
	// exist.
	Generate(ctx context.Context, project string, n NewConnection) (*Connection, error)
	// Update changes the parts of a connection that u has, and keeps the other parts. The error is
	// [ErrNotFound] if there is no such connection.
	Update(ctx context.Context, project, id string, u ConnectionUpdate) (*Connection, error)
	// Refresh gets a new access token from the provider if force is set or the current token
	// has expired. It does nothing for a connection without tokens. The error is [ErrNotFound]
	// if there is no such connection.
	Refresh(ctx context.Context, project, id string, force bool) error
	// Reveal returns the credentials of a connection, or [ErrNotFound]. It records the disclosure
	// first, and has to fail if it cannot record the disclosure.
	Reveal(ctx context.Context, project, id string, d Disclosure) (*Credentials, error)
	// Delete removes a connection. It has to call inUse first, and return [ErrInUse] if inUse
	// returns true. The error is [ErrNotFound] if there is no such connection.
	//
	// Delete has to lock the ID before it calls inUse, and unlock the ID when it returns. For a
	// locked ID, Connection has to wait or return [ErrNotFound]. A request that installs with the
	// connection meanwhile calls Connection after it has saved, and so notices the deletion.
	Delete(ctx context.Context, project, id string, inUse func(context.Context) (bool, error)) error
}

// ConnectionFilter selects connections. A connection matches if it is equal in all fields of the
// filter that are not empty.
type ConnectionFilter struct {
	Provider string
	Group    string // groupRef
	Consumer string // consumerRef
}

// Disclosure describes a request that gets credentials, for the audit trail of the host.
type Disclosure struct {
	By           string // ID of the API key
	RefreshToken bool   // the answer includes the refresh token
	RequestID    string // ID of the request, as in the answer
}

// Sampler tests the configuration of an object by reading one record from the provider.
type Sampler interface {
	// Sample returns a [*Rejection] if the provider rejects the read as a bad request, such as
	// for a field that the connection cannot see. Then nothing is saved. All other errors are
	// ignored, because a provider that is down or busy says nothing about the configuration.
	//
	// ctx ends before the request does, because sampling gets half of Options.Timeout. One request
	// calls Sample for at most 64 objects.
	Sample(ctx context.Context, s Sample) error
}

// Sample says which object a [Sampler] reads, and how.
type Sample struct {
	Project     string // ID
	Integration *Integration
	Connection  *Connection     // to read with; without credentials
	Object      string          // name of the object in the content
	Config      json.RawMessage // configuration of the object; can contain secrets
}

// Rejection is an error of the provider, or of the host, with a message for the caller.
type Rejection struct {
	Message string
}

// Error implements error. It does not include the message, which may quote the request.
func (r *Rejection) Error() string { return "ampersand: rejected by the provider" }

// Catalogue finds providers.
type Catalogue interface {
	// Provider returns a provider by its name, or [ErrNotFound].
	Provider(ctx context.Context, name string) (*Provider, error)
}

// Provider is the API that an integration connects to.
type Provider struct {
	Name   string
	Scheme Scheme // "" = several; a new connection then gets the scheme of its credentials
	// Info is what a browser needs to connect, as a JSON object with members such as
	// "displayName" and "oauth2Opts". Anyone can read it. The handler adds the members that
	// clients require, for Scheme.
	Info json.RawMessage
}

// Operations returns the history of installations, such as reads from and writes to the provider.
type Operations interface {
	// Operations returns a page of at most size operations of an installation, newest first. token
	// selects the page, and "" is the first page. next is the token of the next page, "" after
	// the last page. The error is [ErrNotFound] for a token that Operations did not return.
	Operations(
		ctx context.Context, project, installation string, size int, token string,
	) (page []json.RawMessage, next string, err error)
	// Backfill returns the progress of the first read of an object, as a JSON object with
	// "operationId" and "recordsProcessed". The error is
	// [ErrNotFound] if there was no such read.
	Backfill(ctx context.Context, project, installation, object string) (json.RawMessage, error)
}
