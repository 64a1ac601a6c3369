package ampersand

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// Scheme is how a provider authenticates its callers.
type Scheme string

// Known schemes.
const (
	SchemeNone                  Scheme = "none"
	SchemeAPIKey                Scheme = "apiKey"
	SchemeBasic                 Scheme = "basic"
	SchemeAuthorizationCode     Scheme = "oauth2/authorizationCode"
	SchemeAuthorizationCodePKCE Scheme = "oauth2/authorizationCodePKCE"
	SchemeClientCredentials     Scheme = "oauth2/clientCredentials"
	SchemePassword              Scheme = "oauth2/password"
)

// ConnectionStatus says whether a connection works.
type ConnectionStatus string

// Known values of ConnectionStatus.
const (
	ConnectionCreated        ConnectionStatus = "created"         // the credentials are untested
	ConnectionWorking        ConnectionStatus = "working"         // the credentials were accepted
	ConnectionBadCredentials ConnectionStatus = "bad_credentials" // the credentials were rejected
)

// Connection is the access of a group to a provider, without the credentials.
type Connection struct {
	ID           string
	Provider     string
	Scheme       Scheme
	Status       ConnectionStatus
	App          *installation.ProviderApp // nil = none
	Group        installation.Account      // an organisation; its ID is the groupRef of the builder
	Consumer     installation.Consumer     // a person in the group; the ID is the consumerRef
	WorkspaceRef string                    // the provider's name for the workspace
	ConsumerRef  string                    // the provider's name for the consumer
	Metadata     map[string]Metadata
	Created      time.Time
	Updated      time.Time // zero = never
}

// Metadata is a setting of a connection that the provider needs or returns.
type Metadata struct {
	Value       string `json:"value"`
	Source      string `json:"source"` // "input", "token" or "provider"
	DisplayName string `json:"displayName,omitzero"`
}

// Credentials authenticate a connection. At most one field is set: the field for the scheme of the
// connection.
type Credentials struct {
	AuthorizationCode *AuthorizationCode // for both schemes of that name
	APIKey            crypto.Secret
	Basic             *Basic
	ClientCredentials *ClientCredentials
	Password          *Password
	Custom            map[string]crypto.Secret // for [CustomAuth]; the provider sets the names
}

// AuthorizationCode has the tokens that the provider issued for an OAuth 2 authorization code.
type AuthorizationCode struct {
	AccessToken  installation.Token
	RefreshToken installation.Token // zero = none
	Scopes       []string
}

// Basic is a user name with a password.
type Basic struct {
	Username string
	Password crypto.Secret
}

// ClientCredentials are the OAuth 2 credentials of an application.
type ClientCredentials struct {
	ClientID     string
	ClientSecret crypto.Secret
	Scopes       []string
}

// Password has the credentials of a person and of the application that signs the person in.
type Password struct {
	Basic
	ClientCredentials
}

// NewConnection describes a connection to create.
type NewConnection struct {
	Provider     string
	Scheme       Scheme
	Group        installation.Account  // ID and name
	Consumer     installation.Consumer // ID and name
	WorkspaceRef string
	Metadata     map[string]Metadata
	Credentials  Credentials // zero = none
	App          string      // ID of a provider app, for [OAuth]; "" = the default
}

// ConnectionUpdate changes parts of a connection. Parts that are nil or zero stay as they are.
type ConnectionUpdate struct {
	WorkspaceRef *string
	Metadata     map[string]Metadata // replaces all metadata; an empty map removes all
	Credentials  Credentials         // for the scheme of the connection
}

// MarshalJSON always fails, so that no program writes credentials by accident.
func (Credentials) MarshalJSON() ([]byte, error) {
	return nil, &json.UnsupportedValueError{Str: "ampersand.Credentials"}
}

// stored returns the public part of a connection, which an installation stores.
func (c *Connection) stored() installation.Connection {
	consumer := c.Consumer
	return installation.Connection{
		ID: c.ID, Provider: c.Provider, Scheme: string(c.Scheme), Status: string(c.Status),
		App: c.App, Consumer: &consumer, WorkspaceRef: c.WorkspaceRef, ConsumerRef: c.ConsumerRef,
		Created: c.Created, Updated: c.Updated,
	}
}

// remembered returns the connection from the public part that an installation stores. If the
// installation stores no connection, all fields except the group are zero.
func remembered(inst *installation.Installation) *Connection {
	stored := cmp.Or(inst.Connection, &installation.Connection{})
	return &Connection{
		ID: stored.ID, Provider: stored.Provider, App: stored.App, Group: inst.Account,
		Scheme: Scheme(stored.Scheme), Status: ConnectionStatus(stored.Status),
		Consumer:     *cmp.Or(stored.Consumer, &installation.Consumer{}),
		WorkspaceRef: stored.WorkspaceRef, ConsumerRef: stored.ConsumerRef,
		Created: stored.Created, Updated: stored.Updated,
	}
}

// connectionID returns the ID of the connection of an installation, "" if it has none.
func connectionID(inst *installation.Installation) string {
	if inst.Connection == nil {
		return ""
	}
	return inst.Connection.ID
}
