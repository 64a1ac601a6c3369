package ampersand

import (
	"bytes"
	"cmp"
	"encoding/json"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// Time is a time in the JSON of the platform: RFC 3339 in UTC with microseconds. The platform
// requires most times, so an unknown one is written as 1970-01-01.
type Time struct{ time.Time }

// MarshalJSON implements [json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		t = Time{time.Unix(0, 0)}
	}
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

// Installation is the installation object of the platform, in its JSON. [InstallationOf] makes it,
// and the handler answers with it. A program that calls the platform can decode an answer into it.
// No member is ever null, because the platform's own clients take null for a failure.
type Installation struct {
	ID            string           `json:"id"`
	ProjectID     string           `json:"projectId"`
	IntegrationID string           `json:"integrationId"`
	Group         GroupObject      `json:"group"`
	HealthStatus  string           `json:"healthStatus"` // "healthy" or "unhealthy"
	Connection    ConnectionObject `json:"connection"`
	CreateTime    Time             `json:"createTime"`
	CreatedBy     string           `json:"createdBy"`
	UpdateTime    Time             `json:"updateTime,omitzero"` // of the latest configuration
	Config        Config           `json:"config"`
}

// Config is the configuration in an [Installation].
type Config struct {
	ID         string                `json:"id"`
	RevisionID string                `json:"revisionId"` // of the integration
	CreateTime Time                  `json:"createTime"`
	CreatedBy  string                `json:"createdBy"`
	Content    installation.Document `json:"content"`

	provider string // in place of a zero Content
}

// MarshalJSON implements [json.Marshaler]. Clients need a content with a provider, even from an
// installation that is not configured yet.
func (c Config) MarshalJSON() ([]byte, error) {
	type members Config
	w := struct {
		members
		Content any `json:"content"`
	}{members(c), c.Content}
	if c.Content.IsZero() {
		w.Content = map[string]string{"provider": c.provider}
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // the content stays as it is stored
	err := enc.Encode(w)
	return text.Bytes(), err
}

// GroupObject is the group of a [Connection] in the JSON of the platform.
type GroupObject struct {
	Ref        string `json:"groupRef"`
	Name       string `json:"groupName"`
	ProjectID  string `json:"projectId"`
	CreateTime Time   `json:"createTime"`
	UpdateTime Time   `json:"updateTime,omitzero"`
}

// ConsumerObject is the consumer of a [Connection] in the JSON of the platform.
type ConsumerObject struct {
	Ref        string `json:"consumerRef"`
	Name       string `json:"consumerName"`
	ProjectID  string `json:"projectId"`
	CreateTime Time   `json:"createTime"`
	UpdateTime Time   `json:"updateTime,omitzero"`
}

// ConnectionObject is a [Connection] in the JSON of the platform. A secret that is decoded from
// JSON is hidden from printers, and encoded as a mask.
type ConnectionObject struct {
	ID           string              `json:"id"`
	ProjectID    string              `json:"projectId"`
	Provider     string              `json:"provider"`
	ProviderApp  *ProviderApp        `json:"providerApp,omitzero"` // nil = none
	Group        GroupObject         `json:"group"`
	Consumer     ConsumerObject      `json:"consumer"`
	WorkspaceRef string              `json:"providerWorkspaceRef,omitzero"`
	ConsumerRef  string              `json:"providerConsumerRef,omitzero"`
	CreateTime   Time                `json:"createTime"`
	UpdateTime   Time                `json:"updateTime,omitzero"`
	AuthScheme   Scheme              `json:"authScheme"`
	Status       ConnectionStatus    `json:"status"`
	Metadata     map[string]Metadata `json:"providerMetadata,omitempty"`
	OAuth2       OAuth2Object        `json:"oauth2AuthorizationCode,omitzero"`
	APIKey       crypto.Secret       `json:"apiKey,omitzero"`
}

// ProviderApp is the builder's application at a provider, in the JSON of the platform.
type ProviderApp struct {
	ID          string   `json:"id"`
	ProjectID   string   `json:"projectId"`
	ExternalRef string   `json:"externalRef,omitzero"`
	Provider    string   `json:"provider"`
	ClientID    string   `json:"clientId"`
	Scopes      []string `json:"scopes,omitempty"`
	CreateTime  Time     `json:"createTime"`
	UpdateTime  Time     `json:"updateTime,omitzero"`
}

// OAuth2Object has the tokens of a [ConnectionObject].
type OAuth2Object struct {
	AccessToken  TokenObject `json:"accessToken,omitzero"`
	RefreshToken TokenObject `json:"refreshToken,omitzero"`
}

// TokenObject is a token of a [ConnectionObject].
type TokenObject struct {
	Token     crypto.Secret `json:"token"`
	IssuedAt  Time          `json:"issuedAt,omitzero"`
	ExpiresAt Time          `json:"expiresAt,omitzero"`
}

// InstallationOf returns the platform's object for an installation and the connection that it
// stores. It shows every part of inst. So pass what the service returned to the reader as the
// actor: the service has left out what the reader must not see. Secrets stay masked.
func InstallationOf(inst *installation.Installation) *Installation {
	w := objectOf(inst, remembered(inst))
	if c := inst.Connection; c != nil {
		w.Connection.APIKey = c.APIKey
		w.Connection.OAuth2 = OAuth2Object{tokenOf(c.AccessToken), tokenOf(c.RefreshToken)}
	}
	return w
}

// objectOf returns the object of an installation with a connection, without credentials.
func objectOf(inst *installation.Installation, c *Connection) *Installation {
	w := &Installation{
		ID: inst.ID, ProjectID: inst.Tenant, IntegrationID: inst.Extension.ID,
		Group: groupObject(inst.Tenant, c.Group), HealthStatus: string(installation.Healthy),
		Connection: connectionObject(inst.Tenant, c),
	}
	if inst.Health == installation.Unhealthy || c.Status == ConnectionBadCredentials {
		w.HealthStatus = string(installation.Unhealthy)
	}
	if created := inst.Audit.Created; created != nil {
		w.CreateTime, w.CreatedBy = Time{created.At}, created.By.ID
	}
	w.Config = Config{CreateTime: w.CreateTime, CreatedBy: w.CreatedBy, provider: c.Provider}
	if conf := inst.Configuration; conf != nil {
		n := notesOf(inst)
		w.CreatedBy = cmp.Or(n.CreatedBy, w.CreatedBy)
		w.Config = Config{
			conf.RevisionID, n.Config.RevisionID, Time{conf.Created}, n.Config.CreatedBy,
			conf.Document, c.Provider,
		}
		if n.Config.RevisionID == "" { // the host made the configuration, with its own IDs
			w.Config.ID, w.Config.RevisionID = conf.ID, conf.RevisionID
			w.Config.CreatedBy = conf.CreatedBy
		}
		if w.CreateTime.Before(conf.Created) {
			w.UpdateTime = Time{conf.Created}
		}
	}
	return w
}

// Parts returns what a write can set of the installation, for a request to the service. The project
// is the tenant. The service takes the time of creation from its clock. CreatedBy goes into
// Installation.Extra, which the write replaces.
func (w *Installation) Parts() installation.Parts {
	p := installation.Parts{
		Extension: installation.Value(installation.Extension{ID: w.IntegrationID}),
		Account: installation.Value(installation.Account{
			ID: w.Group.Ref, Name: w.Group.Name,
			Created: w.Group.CreateTime.Time, Updated: w.Group.UpdateTime.Time,
		}),
		Health:     installation.Value(installation.Health(w.HealthStatus)),
		Connection: installation.Value(w.Connection.stored()),
		Configuration: installation.Value(installation.Configuration{
			ID: w.Config.ID, RevisionID: w.Config.RevisionID, Created: w.Config.CreateTime.Time,
			CreatedBy: w.Config.CreatedBy, Document: w.Config.Content,
		}),
	}
	if w.CreatedBy != "" { // a string can always be encoded
		extra, _ := installation.DocumentOf(map[string]string{"createdBy": w.CreatedBy})
		p.Extra = installation.Value(extra)
	}
	return p
}

// stored returns the connection with its credentials, as an installation can store it.
func (w *ConnectionObject) stored() installation.Connection {
	c := installation.Connection{
		ID: w.ID, Provider: w.Provider, Scheme: string(w.AuthScheme), Status: string(w.Status),
		Consumer: &installation.Consumer{
			ID: w.Consumer.Ref, Name: w.Consumer.Name,
			Created: w.Consumer.CreateTime.Time, Updated: w.Consumer.UpdateTime.Time,
		},
		WorkspaceRef: w.WorkspaceRef, ConsumerRef: w.ConsumerRef, APIKey: w.APIKey,
		AccessToken: w.OAuth2.AccessToken.token(), RefreshToken: w.OAuth2.RefreshToken.token(),
		Created: w.CreateTime.Time, Updated: w.UpdateTime.Time,
	}
	if a := w.ProviderApp; a != nil {
		c.App = &installation.ProviderApp{
			ID: a.ID, ExternalRef: a.ExternalRef, Provider: a.Provider, ClientID: a.ClientID,
			Scopes: a.Scopes, Created: a.CreateTime.Time, Updated: a.UpdateTime.Time,
		}
	}
	return c
}

func groupObject(project string, g installation.Account) GroupObject {
	return GroupObject{g.ID, g.Name, project, Time{g.Created}, Time{g.Updated}}
}

func appOf(project string, a *installation.ProviderApp) *ProviderApp {
	if a == nil {
		return nil
	}
	return &ProviderApp{
		ID: a.ID, ProjectID: project, ExternalRef: a.ExternalRef, Provider: a.Provider,
		ClientID: a.ClientID, Scopes: a.Scopes,
		CreateTime: Time{a.Created}, UpdateTime: Time{a.Updated},
	}
}

func tokenOf(t installation.Token) TokenObject {
	return TokenObject{t.Value, Time{t.Issued}, Time{t.Expires}}
}

func (w TokenObject) token() installation.Token {
	return installation.Token{Value: w.Token, Issued: w.IssuedAt.Time, Expires: w.ExpiresAt.Time}
}

// connectionObject returns a connection for an answer, without credentials. If the host no longer
// has the connection, scheme and status can be empty, and clients reject empty ones.
func connectionObject(project string, c *Connection) ConnectionObject {
	p := c.Consumer
	return ConnectionObject{
		ID: c.ID, ProjectID: project, Provider: c.Provider, ProviderApp: appOf(project, c.App),
		Group:        groupObject(project, c.Group),
		Consumer:     ConsumerObject{p.ID, p.Name, project, Time{p.Created}, Time{p.Updated}},
		WorkspaceRef: c.WorkspaceRef, ConsumerRef: c.ConsumerRef,
		CreateTime: Time{c.Created}, UpdateTime: Time{c.Updated},
		AuthScheme: cmp.Or(c.Scheme, SchemeNone), Status: cmp.Or(c.Status, ConnectionCreated),
		Metadata: c.Metadata,
	}
}

// revealed is a connection with credentials in plain text. Its members replace those of
// ConnectionObject.
type revealed struct {
	ConnectionObject
	OAuth2 revealedOAuth2 `json:"oauth2AuthorizationCode,omitzero"`
	APIKey string         `json:"apiKey,omitzero"`
}

type revealedOAuth2 struct {
	AccessToken  revealedToken `json:"accessToken,omitzero"`
	RefreshToken revealedToken `json:"refreshToken,omitzero"`
	Scopes       []string      `json:"scopes,omitempty"`
}

type revealedToken struct {
	Token string `json:"token"`
	TokenObject
}

// reveal adds credentials to a connection. Call it only if a builder has requested credentials.
func reveal(w ConnectionObject, c *Credentials, refreshToken bool) revealed {
	out := revealed{ConnectionObject: w, APIKey: c.APIKey.RevealString()}
	if code := c.AuthorizationCode; code != nil {
		out.OAuth2.Scopes = code.Scopes
		out.OAuth2.AccessToken = revealToken(code.AccessToken)
		if refreshToken {
			out.OAuth2.RefreshToken = revealToken(code.RefreshToken)
		}
	}
	return out
}

func revealToken(t installation.Token) revealedToken {
	return revealedToken{t.Value.RevealString(), tokenOf(t)}
}
