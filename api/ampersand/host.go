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
	// ErrNotFound is what the host says of what it does not have: a project, an integration, a key, a connection, a provider.
	ErrNotFound = errors.New("ampersand: not found")
	// ErrInUse is what [Connections.Delete] says of a connection that an installation uses.
	ErrInUse = errors.New("ampersand: the connection is in use")
)

// Host is what the program around a [Handler] supplies, and cannot do without. All methods may be called concurrently.
type Host struct {
	Identities  Identities
	Projects    Projects
	Connections Connections
}

// Identities knows the keys of the callers.
type Identities interface {
	// APIKey returns whose an API key is. It must not take longer for a key that is nearly right, as when keys are looked up by their hash.
	// [ErrNotFound] if there is no such key, or not any more.
	APIKey(ctx context.Context, key crypto.Secret) (*APIKey, error)
	// PublicKey returns the key that tokens with a key id are signed by. A key id belongs to one project. [ErrNotFound] if there is none.
	PublicKey(ctx context.Context, id string) (*PublicKey, error)
}

// APIKey is a key that stands for a whole project.
type APIKey struct {
	Project string // id
	ID      string // of the key, for the audit trail; not the key
}

// PublicKey is a key that a project signs tokens by.
type PublicKey struct {
	Project string         // id
	Key     *rsa.PublicKey // of at least 2048 bits, or no token is good
}

// Projects knows the projects and their integrations. What it returns is the caller's own.
type Projects interface {
	// Project returns a project by its id or its name. [ErrNotFound] if there is none.
	Project(ctx context.Context, idOrName string) (*Project, error)
	// Integration returns an integration of a project. [ErrNotFound] if there is none.
	Integration(ctx context.Context, project, id string) (*Integration, error)
	// Integrations returns all integrations of a project in an order of its own.
	Integrations(ctx context.Context, project string) ([]*Integration, error)
	// Hydrated returns a revision with what its manifest leaves to the provider filled in, such as the names of all fields, as the connection
	// sees them; nil is none. [ErrNotFound] if there is no such revision.
	Hydrated(ctx context.Context, project, integration, revision string, c *Connection) (*Revision, error)
}

// Project is what belongs to one builder: a tenant of the service.
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
	Latest   Revision  // what installations are made of from now on
}

// Revision is one version of an integration.
type Revision struct {
	ID          string
	SpecVersion string // "" = "1.0.0"
	Created     time.Time
	Content     json.RawMessage // the manifest: a JSON object
}

// Connections keeps the connections of projects, with their credentials. Installations hold the reference and the public part of one. What it
// returns and is given is the other side's own.
//
// A [*Refusal] of Generate, Update and Refresh is answered with 422; other errors that are not named are failures.
type Connections interface {
	// Connection returns a connection, without credentials. [ErrNotFound] if there is none.
	Connection(ctx context.Context, project, id string) (*Connection, error)
	// Connections returns the connections that a filter names, without credentials, oldest first. A list of installations is one call of it, for
	// one group or for the whole project.
	Connections(ctx context.Context, project string, f ConnectionFilter) ([]*Connection, error)
	// Generate makes a connection, and group and consumer where there are none.
	Generate(ctx context.Context, project string, n NewConnection) (*Connection, error)
	// Update changes what is given and leaves the rest. [ErrNotFound] if there is no such connection.
	Update(ctx context.Context, project, id string, u ConnectionUpdate) (*Connection, error)
	// Refresh fetches a new access token from the provider: with force in any case, otherwise if the present one has expired. A connection that
	// has none is left alone. [ErrNotFound] if there is no such connection.
	Refresh(ctx context.Context, project, id string, force bool) error
	// Reveal returns the credentials of a connection. Before it does it must have recorded who was shown what, and fail if it cannot.
	// [ErrNotFound] if there is no such connection.
	Reveal(ctx context.Context, project, id string, d Disclosure) (*Credentials, error)
	// Delete removes a connection, unless inUse says that an installation has it: then [ErrInUse]. From before it asks until it is done, Connection
	// must either wait or return [ErrNotFound] for this id, so that whoever puts it into an installation meanwhile and looks again finds out.
	// [ErrNotFound] if there is none, or none any more.
	Delete(ctx context.Context, project, id string, inUse func(context.Context) (bool, error)) error
}

// ConnectionFilter names connections. Fields that are given must all be equal.
type ConnectionFilter struct {
	Provider string
	Group    string // groupRef
	Consumer string // consumerRef
}

// Disclosure is who was shown credentials.
type Disclosure struct {
	By           string // id of the API key
	RefreshToken bool   // shown as well as the access token
	RequestID    string // as in the answer
}

// Sampler reads one record of an object from the provider, to find out whether it can be read as configured.
type Sampler interface {
	// Sample returns a [*Refusal] if the provider calls the request a bad one, as for a field that the connection may not see; then nothing is
	// saved. Every other error, such as a provider that is down or busy or wants another token, says nothing about the configuration and is
	// ignored. The context ends before the request does: a provider that hangs says nothing either. Of one request at most 64 objects are tried.
	Sample(ctx context.Context, s Sample) error
}

// Sample is what a [Sampler] is to read.
type Sample struct {
	Project     string
	Integration *Integration
	Connection  *Connection     // to read by, without credentials
	Object      string          // the name in the configuration
	Config      json.RawMessage // of the object; may hold secrets
}

// Refusal is a no of the provider, or of the host, with its reason for the caller.
type Refusal struct {
	Message string
}

// Error implements error. The reason is for the caller and not for logs, as it may quote.
func (r *Refusal) Error() string { return "ampersand: refused by the provider" }

// Catalogue knows the providers.
type Catalogue interface {
	// Provider returns a provider by its name. [ErrNotFound] if there is none.
	Provider(ctx context.Context, name string) (*Provider, error)
}

// Provider is the API that an integration connects to.
type Provider struct {
	Name   string
	Scheme Scheme // how it knows who calls; "" = in several ways, so that a connection has the scheme of its credentials
}

// Operations knows what was done for installations: reads, writes and the like.
type Operations interface {
	// Operations returns the operations of an installation, newest first, beginning at a page token, "" = the newest. next is the token of the
	// page after, "" if there is none. A token that it did not give is [ErrNotFound].
	Operations(ctx context.Context, project, installation string, size int, token string) (page []json.RawMessage, next string, err error)
	// Backfill returns how far the first read of an object is, as a JSON object. [ErrNotFound] if there was none.
	Backfill(ctx context.Context, project, installation, object string) (json.RawMessage, error)
}
