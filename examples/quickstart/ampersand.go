package main

import (
	_ "embed"
	"encoding/json"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

//go:embed payloads/ampersand.json
var ampersandPayload []byte

// ampersandInstallation is an installation as Ampersand sends it. The fields createTime and
// createdBy are left out, because the service takes both from its clock and its actor.
type ampersandInstallation struct {
	ID            string              `json:"id"`
	ProjectID     string              `json:"projectId"`
	IntegrationID string              `json:"integrationId"`
	Group         ampersandGroup      `json:"group"`
	HealthStatus  installation.Health `json:"healthStatus"`
	Connection    ampersandConnection `json:"connection"`
	Config        ampersandConfig     `json:"config"`
}

type ampersandGroup struct {
	Ref     string    `json:"groupRef"`
	Name    string    `json:"groupName"`
	Created time.Time `json:"createTime"`
	Updated time.Time `json:"updateTime,omitzero"`
}

type ampersandConnection struct {
	ID           string             `json:"id"`
	Provider     string             `json:"provider"`
	App          *ampersandApp      `json:"providerApp,omitzero"`
	Consumer     *ampersandConsumer `json:"consumer,omitzero"`
	WorkspaceRef string             `json:"providerWorkspaceRef,omitzero"`
	ConsumerRef  string             `json:"providerConsumerRef,omitzero"`
	Created      time.Time          `json:"createTime"`
	Updated      time.Time          `json:"updateTime,omitzero"`
	Scheme       string             `json:"authScheme"`
	Status       string             `json:"status"`
	OAuth2       ampersandOAuth2    `json:"oauth2AuthorizationCode,omitzero"`
	APIKey       crypto.Secret      `json:"apiKey,omitzero"`
}

// ampersandApp has the fields of installation.ProviderApp, with the JSON names of the platform. So
// Go can convert one type to the other. ampersandConsumer and ampersandToken convert in the same
// way.
type ampersandApp struct {
	ID          string    `json:"id"`
	ExternalRef string    `json:"externalRef,omitzero"`
	Provider    string    `json:"provider"`
	ClientID    string    `json:"clientId"`
	Scopes      []string  `json:"scopes,omitzero"`
	Created     time.Time `json:"createTime"`
	Updated     time.Time `json:"updateTime,omitzero"`
}

type ampersandConsumer struct {
	ID      string    `json:"consumerRef"`
	Name    string    `json:"consumerName"`
	Created time.Time `json:"createTime"`
	Updated time.Time `json:"updateTime,omitzero"`
}

type ampersandOAuth2 struct {
	AccessToken  ampersandToken `json:"accessToken,omitzero"`
	RefreshToken ampersandToken `json:"refreshToken,omitzero"`
}

// ampersandToken decodes its token into a crypto.Secret, which never prints its value.
type ampersandToken struct {
	Value   crypto.Secret `json:"token"`
	Issued  time.Time     `json:"issuedAt,omitzero"`
	Expires time.Time     `json:"expiresAt,omitzero"`
}

type ampersandConfig struct {
	ID         string                `json:"id"`
	RevisionID string                `json:"revisionId"`
	Created    time.Time             `json:"createTime"`
	CreatedBy  string                `json:"createdBy"`
	Content    installation.Document `json:"content"`
}

func readAmpersand() (*ampersandInstallation, error) {
	var in ampersandInstallation
	return &in, json.Unmarshal(ampersandPayload, &in)
}

// parts maps the payload to domain types. The group becomes the account, and the integration
// becomes the extension. The project becomes the tenant, which the caller sets with Service.In.
func (in *ampersandInstallation) parts() installation.Parts {
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: in.IntegrationID}),
		Account: installation.Value(installation.Account{
			ID: in.Group.Ref, Name: in.Group.Name,
			Created: in.Group.Created, Updated: in.Group.Updated,
		}),
		Health:     installation.Value(in.HealthStatus),
		Connection: installation.Value(in.Connection.connection()),
		Configuration: installation.Value(installation.Configuration{
			ID: in.Config.ID, RevisionID: in.Config.RevisionID, Created: in.Config.Created,
			CreatedBy: in.Config.CreatedBy, Document: in.Config.Content,
		}),
	}
}

func (c *ampersandConnection) connection() installation.Connection {
	return installation.Connection{
		ID: c.ID, Provider: c.Provider, Scheme: c.Scheme, Status: c.Status,
		App:          (*installation.ProviderApp)(c.App),
		Consumer:     (*installation.Consumer)(c.Consumer),
		WorkspaceRef: c.WorkspaceRef, ConsumerRef: c.ConsumerRef,
		AccessToken:  installation.Token(c.OAuth2.AccessToken),
		RefreshToken: installation.Token(c.OAuth2.RefreshToken),
		APIKey:       c.APIKey, Created: c.Created, Updated: c.Updated,
	}
}

// ampersandAnswer maps the fields of a connection that the transcript shows. The service has masked
// the credentials.
func ampersandAnswer(c *installation.Connection) ampersandConnection {
	return ampersandConnection{
		ID: c.ID, Provider: c.Provider, Created: c.Created, Scheme: c.Scheme, Status: c.Status,
		OAuth2: ampersandOAuth2{
			AccessToken:  ampersandToken(c.AccessToken),
			RefreshToken: ampersandToken(c.RefreshToken),
		},
		APIKey: c.APIKey,
	}
}
