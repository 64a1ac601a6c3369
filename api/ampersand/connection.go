package ampersand

import (
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
	Group        Group
	Consumer     Consumer
	WorkspaceRef string // the provider's name for the workspace
	ConsumerRef  string // the provider's name for the consumer
	Metadata     map[string]Metadata
	Created      time.Time
	Updated      time.Time // zero = never
}

// Group is an organisation among the customers of a builder.
type Group struct {
	Ref     string // the builder's own ID
	Name    string
	Created time.Time
	Updated time.Time // zero = never
}

// Consumer is a person in a group.
type Consumer struct {
	Ref     string // the builder's own ID
	Name    string
	Created time.Time
	Updated time.Time // zero = never
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

func (c Credentials) isZero() bool {
	return c.AuthorizationCode == nil && c.APIKey.IsZero() && c.Basic == nil &&
		c.ClientCredentials == nil && c.Password == nil && c.Custom == nil
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
	Group        Group    // without times
	Consumer     Consumer // without times
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
	return installation.Connection{
		ID: c.ID, Provider: c.Provider, Scheme: string(c.Scheme), Status: string(c.Status),
		App: c.App,
		Consumer: &installation.Consumer{
			ID: c.Consumer.Ref, Name: c.Consumer.Name,
			Created: c.Consumer.Created, Updated: c.Consumer.Updated,
		},
		WorkspaceRef: c.WorkspaceRef, ConsumerRef: c.ConsumerRef,
		Created: c.Created, Updated: c.Updated,
	}
}

// remembered returns the connection from the public part that an installation stores. If the
// installation stores no connection, all fields except the group are zero.
func remembered(inst *installation.Installation) *Connection {
	c := &Connection{Group: Group{
		Ref: inst.Account.ID, Name: inst.Account.Name,
		Created: inst.Account.Created, Updated: inst.Account.Updated,
	}}
	stored := inst.Connection
	if stored == nil {
		return c
	}
	c.ID, c.Provider, c.App = stored.ID, stored.Provider, stored.App
	c.Scheme, c.Status = Scheme(stored.Scheme), ConnectionStatus(stored.Status)
	c.WorkspaceRef, c.ConsumerRef = stored.WorkspaceRef, stored.ConsumerRef
	c.Created, c.Updated = stored.Created, stored.Updated
	if p := stored.Consumer; p != nil {
		c.Consumer = Consumer{Ref: p.ID, Name: p.Name, Created: p.Created, Updated: p.Updated}
	}
	return c
}

// connectionID returns the ID of the connection of an installation, "" if it has none.
func connectionID(inst *installation.Installation) string {
	if inst.Connection == nil {
		return ""
	}
	return inst.Connection.ID
}

// account returns the group as the service stores it.
func (g Group) account() installation.Account {
	return installation.Account{ID: g.Ref, Name: g.Name, Created: g.Created, Updated: g.Updated}
}
