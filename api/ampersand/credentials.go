package ampersand

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// Limits of connections.
const (
	maxSecret   = 64 << 10 // bytes of a credential
	maxMetadata = 100      // entries
	maxScopes   = 100

	// maxConsumer is the longest consumerRef in bytes. It leaves room for byConsumer, so that
	// the name of the creator of a configuration is not too long.
	maxConsumer = validate.MaxID - len(byConsumer)
)

// byConsumer is the prefix of a creator that is a consumer. The consumerRef follows.
const byConsumer = "consumer:"

// checkConsumer adds a violation if a string is not a valid consumerRef.
func checkConsumer(l *validate.List, path, ref string) {
	l.ID(path, ref)
	checkLength(l, path, ref, maxConsumer)
}

// checkLength adds a violation if a string has more bytes than a limit.
func checkLength(l *validate.List, path, s string, limit int) {
	if len(s) > limit {
		l.Add(path, validate.RuleTooLong, fmt.Sprintf("must have at most %d bytes", limit))
	}
}

// Fields of a request that contain credentials.
const (
	fieldAPIKey   = "apiKey"
	fieldBasic    = "basicAuth"
	fieldClient   = "oauth2ClientCredentials"
	fieldPassword = "oauth2PasswordCredentials"
	fieldCode     = "oauth2AuthorizationCode"
	fieldCustom   = "customAuth"
)

// credentialFields has the field for the credentials of each scheme that has credentials.
var credentialFields = map[Scheme]string{
	SchemeAPIKey:                fieldAPIKey,
	SchemeBasic:                 fieldBasic,
	SchemeClientCredentials:     fieldClient,
	SchemePassword:              fieldPassword,
	SchemeAuthorizationCode:     fieldCode,
	SchemeAuthorizationCodePKCE: fieldCode,
}

// connectionMask has the paths that an update of a connection can name.
var connectionMask = []string{
	"providerWorkspaceRef", "providerMetadata",
	fieldAPIKey, fieldBasic, fieldClient, fieldPassword,
}

const remedyConnectionMask = "Allowed masks: 'providerWorkspaceRef', 'providerMetadata', " +
	"'apiKey', 'basicAuth', 'oauth2ClientCredentials' and 'oauth2PasswordCredentials', " +
	"of the credentials only those of the connection's authScheme."

// connectionUpdate returns the update of a connection that a mask describes. scheme is the scheme
// of the connection.
func (m mask) connectionUpdate(scheme Scheme) (ConnectionUpdate, error) {
	var u ConnectionUpdate
	conn, l := m.values, m.values.Violations()
	for i, path := range m.paths {
		at := m.at(i)
		switch {
		case !slices.Contains(connectionMask, path):
			l.Add(at, validate.RuleUnknown, "is not an allowed path")
		case slices.Contains(m.paths[:i], path):
			l.Add(at, validate.RuleExclusive, "must be named once")
		case !conn.Has(path):
			l.Required(at, false)
		case path == "providerWorkspaceRef":
			u.WorkspaceRef = new(conn.String(path))
			l.OptionalID(conn.Path(path), *u.WorkspaceRef)
		case path == "providerMetadata":
			u.Metadata = readMetadata(conn, path)
		case path == credentialFields[scheme]:
			u.Credentials = readCredentials(conn, path)
		default:
			l.Add(at, validate.RuleExclusive, "does not fit the authScheme of the connection")
		}
	}
	if err := l.Err(); err != nil {
		return u, withRemedy(httpapi.ProblemOf(err), remedyConnectionMask)
	}
	return u, nil
}

// readNewConnection reads the body of :generate. The scheme follows from the field that has the
// credentials.
func readNewConnection(in httpapi.Object) NewConnection {
	l := in.Violations()
	n := NewConnection{
		Provider:     in.String("provider"),
		Group:        installation.Account{ID: in.String("groupRef"), Name: in.String("groupName")},
		WorkspaceRef: in.String("providerWorkspaceRef"), Scheme: SchemeNone,
	}
	n.Consumer.ID, n.Consumer.Name = in.String("consumerRef"), in.String("consumerName")
	l.ID("groupRef", n.Group.ID)
	checkConsumer(l, "consumerRef", n.Consumer.ID)
	l.ID("provider", n.Provider)
	l.OptionalID("providerWorkspaceRef", n.WorkspaceRef)
	l.Name("groupName", n.Group.Name)
	l.Name("consumerName", n.Consumer.Name)
	n.Group.Name = cmp.Or(n.Group.Name, n.Group.ID)
	n.Consumer.Name = cmp.Or(n.Consumer.Name, n.Consumer.ID)
	if in.Has("providerMetadata") {
		n.Metadata = readMetadata(in, "providerMetadata")
	}
	for _, scheme := range []Scheme{
		SchemeAPIKey, SchemeBasic, SchemeClientCredentials, SchemePassword,
		SchemeAuthorizationCode,
	} {
		field := credentialFields[scheme]
		switch {
		case !in.Has(field):
		case n.Scheme != SchemeNone:
			l.Add(field, validate.RuleExclusive,
				"must not be given together with other credentials")
		default:
			n.Scheme, n.Credentials = scheme, readCredentials(in, field)
		}
	}
	return n
}

func readMetadata(parent httpapi.Object, field string) map[string]Metadata {
	in, l := parent.Object(field), parent.Violations()
	metadata := make(map[string]Metadata)
	for name := range in.Members() {
		entry := in.Object(name)
		entry.Require("value")
		m := Metadata{
			Value: entry.String("value"), Source: cmp.Or(entry.String("source"), "input"),
			DisplayName: entry.String("displayName"),
		}
		l.ID(in.Path(name), name)
		l.Text(entry.Path("value"), m.Value, validate.MaxMessage)
		validate.Enum(l, entry.Path("source"), m.Source, "input", "token", "provider")
		l.Name(entry.Path("displayName"), m.DisplayName)
		metadata[name] = m
	}
	l.Count(parent.Path(field), len(metadata), maxMetadata)
	return metadata
}

// readCredentials reads the credentials in a field that the request has.
func readCredentials(parent httpapi.Object, field string) Credentials {
	if field == fieldAPIKey {
		return Credentials{APIKey: readSecret(parent, field)}
	}
	in := parent.Object(field)
	switch field {
	case fieldBasic:
		return Credentials{Basic: new(readBasic(in))}
	case fieldClient:
		return Credentials{ClientCredentials: new(readClient(in))}
	case fieldPassword:
		return Credentials{Password: &Password{readBasic(in), readClient(in)}}
	}
	in.Require("accessToken")
	return Credentials{AuthorizationCode: &AuthorizationCode{
		AccessToken: readToken(in, "accessToken"), RefreshToken: readToken(in, "refreshToken"),
		Scopes: readScopes(in),
	}}
}

func readBasic(in httpapi.Object) Basic {
	b := Basic{Username: in.String("username"), Password: readSecret(in, "password")}
	in.Require("username")
	in.Violations().Name(in.Path("username"), b.Username)
	return b
}

func readClient(in httpapi.Object) ClientCredentials {
	c := ClientCredentials{
		ClientID: in.String("clientId"), ClientSecret: readSecret(in, "clientSecret"),
		Scopes: readScopes(in),
	}
	in.Require("clientId")
	in.Violations().OptionalID(in.Path("clientId"), c.ClientID)
	return c
}

func readScopes(in httpapi.Object) []string {
	scopes := in.Strings("scopes")
	in.Violations().Count(in.Path("scopes"), len(scopes), maxScopes)
	return scopes
}

func readToken(parent httpapi.Object, field string) installation.Token {
	if !parent.Has(field) {
		return installation.Token{}
	}
	in := parent.Object(field)
	return installation.Token{
		Value: readSecret(in, "token"), Issued: in.Time("issuedAt"), Expires: in.Time("expiresAt"),
	}
}

// readSecret reads a required secret, such as a password.
func readSecret(in httpapi.Object, field string) crypto.Secret {
	s, l := in.String(field), in.Violations()
	checkLength(l, in.Path(field), s, maxSecret)
	l.Required(in.Path(field), s != "")
	return crypto.NewSecret(s)
}
