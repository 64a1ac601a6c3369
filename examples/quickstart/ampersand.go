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

// ampersandInstallation is an installation as Ampersand writes it. It leaves
// out createTime and createdBy: the service takes these from its clock and its
// actor.
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
	Ref     string    `json:"consumerRef"`
	Name    string    `json:"consumerName"`
	Created time.Time `json:"createTime"`
	Updated time.Time `json:"updateTime,omitzero"`
}

type ampersandOAuth2 struct {
	AccessToken  ampersandToken `json:"accessToken,omitzero"`
	RefreshToken ampersandToken `json:"refreshToken,omitzero"`
}

// ampersandToken decodes its token into a crypto.Secret, which never prints its
// value.
type ampersandToken struct {
	Token   crypto.Secret `json:"token"`
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

// parts maps the payload: the group is the account, the integration is the
// extension. The project is the tenant, which the caller sets with Service.In.
func (in *ampersandInstallation) parts() installation.Parts {
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: in.IntegrationID}),
		Account: installation.Value(installation.Account{
			ID:      in.Group.Ref,
			Name:    in.Group.Name,
			Created: in.Group.Created,
			Updated: in.Group.Updated,
		}),
		Health:     installation.Value(in.HealthStatus),
		Connection: installation.Value(in.Connection.connection()),
		Configuration: installation.Value(installation.Configuration{
			ID:         in.Config.ID,
			RevisionID: in.Config.RevisionID,
			Created:    in.Config.Created,
			CreatedBy:  in.Config.CreatedBy,
			Document:   in.Config.Content,
		}),
	}
}

func (c *ampersandConnection) connection() installation.Connection {
	out := installation.Connection{
		ID:           c.ID,
		Provider:     c.Provider,
		Scheme:       c.Scheme,
		Status:       c.Status,
		WorkspaceRef: c.WorkspaceRef,
		ConsumerRef:  c.ConsumerRef,
		AccessToken:  c.OAuth2.AccessToken.token(),
		RefreshToken: c.OAuth2.RefreshToken.token(),
		APIKey:       c.APIKey,
		Created:      c.Created,
		Updated:      c.Updated,
	}
	if a := c.App; a != nil {
		out.App = &installation.ProviderApp{
			ID:          a.ID,
			ExternalRef: a.ExternalRef,
			Provider:    a.Provider,
			ClientID:    a.ClientID,
			Scopes:      a.Scopes,
			Created:     a.Created,
			Updated:     a.Updated,
		}
	}
	if p := c.Consumer; p != nil {
		out.Consumer = &installation.Consumer{
			ID: p.Ref, Name: p.Name, Created: p.Created, Updated: p.Updated,
		}
	}
	return out
}

func (t ampersandToken) token() installation.Token {
	return installation.Token{Value: t.Token, Issued: t.Issued, Expires: t.Expires}
}

// ampersandAnswer maps the part of a connection that the transcript shows. The
// service returns the credentials masked.
func ampersandAnswer(c *installation.Connection) ampersandConnection {
	return ampersandConnection{
		ID: c.ID, Provider: c.Provider, Created: c.Created, Scheme: c.Scheme, Status: c.Status,
		OAuth2: ampersandOAuth2{
			AccessToken:  answerToken(c.AccessToken),
			RefreshToken: answerToken(c.RefreshToken),
		},
		APIKey: c.APIKey,
	}
}

func answerToken(t installation.Token) ampersandToken {
	return ampersandToken{Token: t.Value, Issued: t.Issued, Expires: t.Expires}
}
