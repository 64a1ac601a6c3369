package ampersand

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/go-installation/installation"
)

// wireTime is a time in the form of the platform: RFC 3339 in UTC with microseconds.
type wireTime time.Time

// MarshalJSON implements [json.Marshaler].
func (t wireTime) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

// IsZero reports whether the time is zero, for omitzero.
func (t wireTime) IsZero() bool { return time.Time(t).IsZero() }

// wireInstallation is an installation in an answer. No member is ever null, because the platform's
// own clients take null for a failure.
type wireInstallation struct {
	ID            string         `json:"id"`
	ProjectID     string         `json:"projectId"`
	IntegrationID string         `json:"integrationId"`
	Group         wireGroup      `json:"group"`
	HealthStatus  string         `json:"healthStatus"`
	Connection    wireConnection `json:"connection"`
	CreateTime    wireTime       `json:"createTime"`
	CreatedBy     string         `json:"createdBy"`
	UpdateTime    wireTime       `json:"updateTime,omitzero"`
	Config        wireConfig     `json:"config"`
}

type wireConfig struct {
	ID         string          `json:"id"`
	RevisionID string          `json:"revisionId"`
	CreateTime wireTime        `json:"createTime"`
	CreatedBy  string          `json:"createdBy"`
	Content    json.RawMessage `json:"content"`
}

type wireGroup struct {
	Ref        string   `json:"groupRef"`
	Name       string   `json:"groupName"`
	ProjectID  string   `json:"projectId"`
	CreateTime wireTime `json:"createTime"`
	UpdateTime wireTime `json:"updateTime,omitzero"`
}

type wireConsumer struct {
	Ref        string   `json:"consumerRef"`
	Name       string   `json:"consumerName"`
	ProjectID  string   `json:"projectId"`
	CreateTime wireTime `json:"createTime"`
	UpdateTime wireTime `json:"updateTime,omitzero"`
}

type wireConnection struct {
	ID           string                  `json:"id"`
	ProjectID    string                  `json:"projectId"`
	Provider     string                  `json:"provider"`
	ProviderApp  *wireApp                `json:"providerApp,omitzero"`
	Group        wireGroup               `json:"group"`
	Consumer     wireConsumer            `json:"consumer"`
	WorkspaceRef string                  `json:"providerWorkspaceRef,omitzero"`
	ConsumerRef  string                  `json:"providerConsumerRef,omitzero"`
	CreateTime   wireTime                `json:"createTime"`
	UpdateTime   wireTime                `json:"updateTime,omitzero"`
	AuthScheme   Scheme                  `json:"authScheme"`
	Status       ConnectionStatus        `json:"status"`
	Metadata     map[string]wireMetadata `json:"providerMetadata,omitzero"`

	// Credentials, set by reveal.
	OAuth2 *wireOAuth2 `json:"oauth2AuthorizationCode,omitzero"`
	APIKey string      `json:"apiKey,omitzero"`
}

type wireApp struct {
	ID          string   `json:"id"`
	ProjectID   string   `json:"projectId"`
	ExternalRef string   `json:"externalRef,omitzero"`
	Provider    string   `json:"provider"`
	ClientID    string   `json:"clientId"`
	Scopes      []string `json:"scopes,omitempty"`
	CreateTime  wireTime `json:"createTime"`
	UpdateTime  wireTime `json:"updateTime,omitzero"`
}

type wireMetadata struct {
	Value       string `json:"value"`
	Source      string `json:"source"`
	DisplayName string `json:"displayName,omitzero"`
}

type wireOAuth2 struct {
	AccessToken  *wireToken `json:"accessToken,omitzero"`
	RefreshToken *wireToken `json:"refreshToken,omitzero"`
	Scopes       []string   `json:"scopes,omitempty"`
}

type wireToken struct {
	Token     string   `json:"token"`
	IssuedAt  wireTime `json:"issuedAt,omitzero"`
	ExpiresAt wireTime `json:"expiresAt,omitzero"`
}

func wireGroupOf(project string, g Group) wireGroup {
	return wireGroup{
		Ref: g.Ref, Name: g.Name, ProjectID: project,
		CreateTime: wireTime(g.Created), UpdateTime: wireTime(g.Updated),
	}
}

// wireConnectionOf returns a connection for an answer, without credentials.
func wireConnectionOf(project string, c *Connection) wireConnection {
	w := wireConnection{
		ID: c.ID, ProjectID: project, Provider: c.Provider, Group: wireGroupOf(project, c.Group),
		Consumer: wireConsumer{
			Ref: c.Consumer.Ref, Name: c.Consumer.Name, ProjectID: project,
			CreateTime: wireTime(c.Consumer.Created), UpdateTime: wireTime(c.Consumer.Updated),
		},
		WorkspaceRef: c.WorkspaceRef, ConsumerRef: c.ConsumerRef,
		CreateTime: wireTime(c.Created), UpdateTime: wireTime(c.Updated),
		AuthScheme: c.Scheme, Status: c.Status,
	}
	if a := c.App; a != nil {
		w.ProviderApp = &wireApp{
			ID: a.ID, ProjectID: project, ExternalRef: a.ExternalRef, Provider: a.Provider,
			ClientID: a.ClientID, Scopes: a.Scopes,
			CreateTime: wireTime(a.Created), UpdateTime: wireTime(a.Updated),
		}
	}
	if len(c.Metadata) > 0 {
		w.Metadata = make(map[string]wireMetadata, len(c.Metadata))
		for name, m := range c.Metadata {
			w.Metadata[name] = wireMetadata(m)
		}
	}
	return w
}

// reveal adds credentials to a connection. Call it only if a builder has requested credentials.
func (w *wireConnection) reveal(c *Credentials, refreshToken bool) {
	if !c.APIKey.IsZero() {
		w.APIKey = c.APIKey.RevealString()
	}
	code := c.AuthorizationCode
	if code == nil {
		return
	}
	w.OAuth2 = &wireOAuth2{AccessToken: wireTokenOf(code.AccessToken), Scopes: code.Scopes}
	if refreshToken {
		w.OAuth2.RefreshToken = wireTokenOf(code.RefreshToken)
	}
}

func wireTokenOf(t installation.Token) *wireToken {
	if t.Value.IsZero() {
		return nil
	}
	return &wireToken{
		Token: t.Value.RevealString(), IssuedAt: wireTime(t.Issued), ExpiresAt: wireTime(t.Expires),
	}
}

// wireOf returns an installation and its connection for an answer, without credentials.
func wireOf(inst *installation.Installation, c *Connection) wireInstallation {
	w := wireInstallation{
		ID: inst.ID, ProjectID: inst.Tenant, IntegrationID: inst.Extension.ID,
		Group: wireGroupOf(inst.Tenant, c.Group), HealthStatus: string(healthOf(inst, c)),
		Connection: wireConnectionOf(inst.Tenant, c),
		Config:     wireConfig{Content: json.RawMessage("{}")},
	}
	if created := inst.Audit.Created; created != nil {
		w.CreateTime, w.CreatedBy = wireTime(created.At), created.By.ID
	}
	conf := inst.Configuration
	if conf == nil {
		return w
	}
	n := notesOf(inst)
	w.CreatedBy = cmp.Or(n.CreatedBy, w.CreatedBy)
	w.Config = wireConfig{
		ID: conf.RevisionID, RevisionID: n.Config.RevisionID, CreatedBy: n.Config.CreatedBy,
		CreateTime: wireTime(conf.Created), Content: conf.Document.Bytes(),
	}
	if n.Config.RevisionID == "" { // the host made the configuration, with its own IDs
		w.Config.ID, w.Config.RevisionID = conf.ID, conf.RevisionID
		w.Config.CreatedBy = conf.CreatedBy
	}
	if time.Time(w.CreateTime).Before(conf.Created) {
		w.UpdateTime = wireTime(conf.Created)
	}
	return w
}

// healthOf returns Unhealthy if the installation is unhealthy or the provider rejects the
// credentials of its connection, and Healthy otherwise.
func healthOf(inst *installation.Installation, c *Connection) installation.Health {
	if inst.Health == installation.Unhealthy || c.Status == ConnectionBadCredentials {
		return installation.Unhealthy
	}
	return installation.Healthy
}
