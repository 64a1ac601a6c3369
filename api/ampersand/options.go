package ampersand

import (
	"context"
	"encoding/json"

	"github.com/go-installation/installation"
)

// OAuth connects groups to providers with OAuth 2. A person signs in at the provider in a browser,
// and the provider sends the browser back to the host. The host then tells the page that opened the
// browser window; see the code of @amp-labs/react for the messages AUTHORIZATION_SUCCEEDED and
// AUTHORIZATION_FAILED.
type OAuth interface {
	// ConnectURL returns the URL that the browser opens for a new connection. n has no credentials.
	// The host creates the connection when the provider sends the browser back. If ConnectURL
	// returns a [*Rejection], the answer is 422.
	ConnectURL(ctx context.Context, project string, n NewConnection) (string, error)
	// UpdateURL returns the URL that the browser opens to get new credentials for a connection. The
	// errors are those of ConnectURL, and [ErrNotFound] if there is no such connection.
	UpdateURL(ctx context.Context, project, connection string) (string, error)
}

// CustomAuth connects groups to providers with an authentication of their own. The methods return
// either a connection, or a page of the provider that a person has to visit first. If they return a
// [*Rejection], the answer is 422.
type CustomAuth interface {
	// Connect creates a connection with Credentials.Custom of n.
	Connect(ctx context.Context, project string, n NewConnection) (*Connection, *Visit, error)
	// Continue goes on after a visit. params are what the provider added to the URL of the host. It
	// returns [ErrNotFound] for a session that is not known, or that began with another group or
	// consumer than by has. Both are "" if a builder continues, who may continue any session.
	Continue(
		ctx context.Context, project, session string, params map[string]string, by ConnectionFilter,
	) (*Connection, *Visit, error)
}

// Visit is a page of a provider for a person to visit.
type Visit struct {
	URL     string
	Session string // identifies the visit for Continue; cannot be guessed
}

// ProviderApps lists the applications that a builder has registered at providers.
type ProviderApps interface {
	// ProviderApps returns the applications of a project in a stable order. The handler owns the
	// result.
	ProviderApps(ctx context.Context, project string) ([]*installation.ProviderApp, error)
}

// ObjectMetadata describes objects at providers.
type ObjectMetadata interface {
	// ObjectMetadata returns the fields of an object as a JSON object: "fields" has an object for
	// each field, with members such as "displayName", "valueType" and "readOnly". The error is
	// [ErrNotFound] if there is no such object.
	ObjectMetadata(ctx context.Context, r ObjectRequest) (json.RawMessage, error)
}

// ObjectRequest says which object is to be described.
type ObjectRequest struct {
	Project         string       // ID
	Integration     *Integration // nil if the caller named only the provider
	Connection      *Connection  // to read with; without credentials
	Object          string
	ExcludeReadOnly bool // leave out fields that cannot be written
}
