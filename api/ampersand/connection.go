package ampersand

import (
	"encoding/json"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// Scheme is how a provider knows who calls.
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

// ConnectionStatus is how well a connection works.
type ConnectionStatus string

// Known values of ConnectionStatus.
const (
	ConnectionCreated        ConnectionStatus = "created"         // not used since its credentials were set
	ConnectionWorking        ConnectionStatus = "working"         // the provider took the credentials
	ConnectionBadCredentials ConnectionStatus = "bad_credentials" // the provider refused them
)

// Connection is a group's account at a provider, without its credentials.
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

// Group is an organisation among the builder's customers.
type Group struct {
	Ref     string // the builder's own id
	Name    string
	Created time.Time
	Updated time.Time // zero = never
}

// Consumer is a person in a group.
type Consumer struct {
	Ref     string // the builder's own id
	Name    string
	Created time.Time
	Updated time.Time // zero = never
}

// Metadata is something that a provider wants to be told, or tells.
type Metadata struct {
	Value       string
	Source      string // "input", "token" or "provider"
	DisplayName string
}

// Credentials are what a connection authenticates by: the field of its scheme, or none.
type Credentials struct {
	AuthorizationCode *AuthorizationCode // of both schemes of that name
	APIKey            crypto.Secret
	Basic             *Basic
	ClientCredentials *ClientCredentials
	Password          *Password
}

// AuthorizationCode is what was got for an authorization code.
type AuthorizationCode struct {
	AccessToken  installation.Token
	RefreshToken installation.Token // zero = none
	Scopes       []string
}

// Basic is a name with a password.
type Basic struct {
	Username string
	Password crypto.Secret
}

// ClientCredentials are those of an application.
type ClientCredentials struct {
	ClientID     string
	ClientSecret crypto.Secret
	Scopes       []string
}

// Password is what an application signs a person in by.
type Password struct {
	Basic
	ClientCredentials
}

// NewConnection is what a connection is made of.
type NewConnection struct {
	Provider     string
	Scheme       Scheme
	Group        Group    // without times
	Consumer     Consumer // without times
	WorkspaceRef string
	Metadata     map[string]Metadata
	Credentials  Credentials // of the scheme, or none
}

// ConnectionUpdate is what is to change of a connection; nil and zero leave it.
type ConnectionUpdate struct {
	WorkspaceRef *string
	Metadata     map[string]Metadata // in place of all; empty and not nil removes it
	Credentials  Credentials         // with one field, that of the connection's scheme, or none
}

// MarshalJSON refuses, so that credentials are not written by accident.
func (Credentials) MarshalJSON() ([]byte, error) {
	return nil, &json.UnsupportedValueError{Str: "ampersand.Credentials"}
}

// stored is the part of a connection that an installation keeps: never its credentials.
func (c *Connection) stored() installation.Connection {
	return installation.Connection{
		ID: c.ID, Provider: c.Provider, Scheme: string(c.Scheme), Status: string(c.Status), App: c.App,
		Consumer:     &installation.Consumer{ID: c.Consumer.Ref, Name: c.Consumer.Name, Created: c.Consumer.Created, Updated: c.Consumer.Updated},
		WorkspaceRef: c.WorkspaceRef, ConsumerRef: c.ConsumerRef, Created: c.Created, Updated: c.Updated,
	}
}

// account is the group as the service knows it.
func (g Group) account() installation.Account {
	return installation.Account{ID: g.Ref, Name: g.Name, Created: g.Created, Updated: g.Updated}
}

// connectionOf is what an installation remembers of its connection, for one that the host has no more.
func connectionOf(inst *installation.Installation) *Connection {
	a := inst.Account
	c := &Connection{Group: Group{Ref: a.ID, Name: a.Name, Created: a.Created, Updated: a.Updated}}
	stored := inst.Connection
	if stored == nil {
		return c
	}
	c.ID, c.Provider, c.Scheme, c.App = stored.ID, stored.Provider, Scheme(stored.Scheme), stored.App
	c.Status = ConnectionStatus(stored.Status)
	c.WorkspaceRef, c.ConsumerRef, c.Created, c.Updated = stored.WorkspaceRef, stored.ConsumerRef, stored.Created, stored.Updated
	if p := stored.Consumer; p != nil {
		c.Consumer = Consumer{Ref: p.ID, Name: p.Name, Created: p.Created, Updated: p.Updated}
	}
	return c
}
