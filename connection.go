package installation

import (
	"time"

	"github.com/go-installation/installation/crypto"
)

// Connection is how the host reaches the customer: the provider's side with its credentials. A host that shares connections
// between installations keeps them itself and stores here the ID and the public part.
//
// It is written as a whole. The secrets in it are masked on reading; sent back masked they keep what is stored, while the zero
// [crypto.Secret] removes it. So to change one token, start from the connection that was read, not from an empty one.
type Connection struct {
	ID           string
	Provider     string
	Scheme       string // such as "oauth2/authorizationCode", "apiKey"
	Status       string // such as "created", "working", "bad_credentials"
	App          *ProviderApp
	Consumer     *Consumer
	WorkspaceRef string // the provider's name for the workspace
	ConsumerRef  string // the provider's name for the consumer
	Scopes       []string
	TokenType    string // such as "Bearer"
	AccessToken  Token
	RefreshToken Token
	APIKey       crypto.Secret
	Metadata     Document // what the provider needs beside; may hold secrets
	Created      time.Time
	Updated      time.Time
}

// ProviderApp is the application registered with the provider.
type ProviderApp struct {
	ID          string
	ExternalRef string
	Provider    string
	ClientID    string
	Scopes      []string
	Created     time.Time
	Updated     time.Time
}

// Consumer is the person of the account who made the connection.
type Consumer struct {
	ID      string
	Name    string
	Created time.Time
	Updated time.Time
}

// Token is a credential with its times.
type Token struct {
	Value   crypto.Secret
	Issued  time.Time
	Expires time.Time
}

// Pointers of the credentials, for [Ref] with [RefCredential].
const (
	PointerAccessToken  = "/access_token"
	PointerRefreshToken = "/refresh_token"
	PointerAPIKey       = "/api_key"
)

// credential is one secret field of a connection.
type credential struct {
	pointer string
	value   *crypto.Secret
}

// credentials lists the secret fields of c in bytewise order of their pointers; none for nil.
func (c *Connection) credentials() []credential {
	if c == nil {
		return nil
	}
	return []credential{
		{PointerAccessToken, &c.AccessToken.Value},
		{PointerAPIKey, &c.APIKey},
		{PointerRefreshToken, &c.RefreshToken.Value},
	}
}
