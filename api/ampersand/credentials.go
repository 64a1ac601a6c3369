package ampersand

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Limits of what connections are made of.
const (
	maxSecret   = 64 << 10 // bytes of a credential
	maxMetadata = 100      // entries
	maxScopes   = 100
	maxConsumer = validate.MaxID - len(byConsumer) // bytes of a consumerRef: who can connect can also be the maker of a configuration
)

// byConsumer is what stands before a consumerRef where it is the maker of a configuration.
const byConsumer = "consumer:"

// checkConsumer demands a consumerRef.
func checkConsumer(l *validate.List, path, ref string) {
	if len(ref) > maxConsumer {
		l.Add(path, validate.RuleTooLong, fmt.Sprintf("must have at most %d bytes", maxConsumer))
		return
	}
	l.ID(path, ref)
}

// Fields of a request that hold credentials.
const (
	fieldAPIKey   = "apiKey"
	fieldBasic    = "basicAuth"
	fieldClient   = "oauth2ClientCredentials"
	fieldPassword = "oauth2PasswordCredentials"
	fieldCode     = "oauth2AuthorizationCode"
	fieldCustom   = "customAuth"
)

// credentialFields says which field holds the credentials of each scheme; "" = none does.
var credentialFields = map[Scheme]string{
	SchemeNone: "", SchemeAPIKey: fieldAPIKey, SchemeBasic: fieldBasic, SchemeClientCredentials: fieldClient, SchemePassword: fieldPassword,
	SchemeAuthorizationCode: fieldCode, SchemeAuthorizationCodePKCE: fieldCode,
}

// maskable are the paths of an update of a connection.
var maskable = []string{"providerWorkspaceRef", "providerMetadata", fieldAPIKey, fieldBasic, fieldClient, fieldPassword}

const remedyConnectionMask = "Allowed masks: 'providerWorkspaceRef', 'providerMetadata', 'apiKey', 'basicAuth', 'oauth2ClientCredentials' and " +
	"'oauth2PasswordCredentials', of the credentials only those of the connection's authScheme."

// readConnectionUpdate reads the body of PATCH of a connection that has a scheme.
func readConnectionUpdate(body *jsontree.Node, scheme Scheme) (*ConnectionUpdate, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	in.Require("updateMask", "connection")
	mask := in.Strings("updateMask")
	if in.Has("updateMask") && in.Node("updateMask").Len() == 0 {
		l.Add("updateMask", validate.RuleRequired, "must name at least one path")
	}
	l.Count("updateMask", len(mask), len(maskable))
	conn := in.Object("connection")
	if err := l.Err(); err != nil {
		return nil, err
	}
	u := new(ConnectionUpdate)
	for i, path := range mask {
		at := fmt.Sprintf("updateMask[%d]", i)
		switch {
		case !slices.Contains(maskable, path):
			l.Add(at, validate.RuleUnknown, "is not an allowed path")
			continue
		case slices.Contains(mask[:i], path):
			l.Add(at, validate.RuleExclusive, "must be named once")
			continue
		case !conn.Has(path):
			l.Required(at, false)
			continue
		}
		switch path {
		case "providerWorkspaceRef":
			ref := conn.String(path)
			l.OptionalID(conn.Path(path), ref)
			u.WorkspaceRef = &ref
		case "providerMetadata":
			u.Metadata = readMetadata(&l, conn.Path(path), conn.Object(path))
		case credentialFields[scheme]:
			u.Credentials = readCredentials(&l, conn, path)
		default:
			l.Add(at, validate.RuleExclusive, "does not fit the authScheme of the connection")
		}
	}
	if err := l.Err(); err != nil {
		return nil, withRemedy(httpapi.ProblemOf(err), remedyConnectionMask)
	}
	return u, nil
}

// readNewConnection reads the body of :generate. Scheme is that of the credentials in it.
func readNewConnection(body *jsontree.Node) (*NewConnection, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	text := func(name string, check func(path, s string)) string {
		s := in.String(name)
		if in.Has(name) {
			check(in.Path(name), s)
		}
		return s
	}
	in.Require("groupRef", "consumerRef", "provider")
	n := &NewConnection{
		Provider:     text("provider", l.ID),
		Group:        Group{Ref: text("groupRef", l.ID), Name: text("groupName", l.Name)},
		Consumer:     Consumer{Ref: text("consumerRef", func(path, ref string) { checkConsumer(&l, path, ref) }), Name: text("consumerName", l.Name)},
		WorkspaceRef: text("providerWorkspaceRef", l.OptionalID),
		Scheme:       SchemeNone,
	}
	n.Group.Name, n.Consumer.Name = cmp.Or(n.Group.Name, n.Group.Ref), cmp.Or(n.Consumer.Name, n.Consumer.Ref)
	if in.Has("providerMetadata") {
		n.Metadata = readMetadata(&l, "providerMetadata", in.Object("providerMetadata"))
	}
	if in.Has(fieldCustom) {
		l.Add(fieldCustom, validate.RuleUnknown, "is not supported")
	}
	for _, scheme := range []Scheme{SchemeAPIKey, SchemeBasic, SchemeClientCredentials, SchemePassword, SchemeAuthorizationCode} {
		field := credentialFields[scheme]
		switch {
		case !in.Has(field):
			continue
		case n.Scheme != SchemeNone:
			l.Add(field, validate.RuleExclusive, "must not be given together with other credentials")
			continue
		}
		n.Scheme, n.Credentials = scheme, readCredentials(&l, in, field)
	}
	return n, l.Err()
}

// scheme gives a new connection the scheme of its provider, which its credentials must fit if it has some.
func (h *Handler) scheme(c *call, n *NewConnection) error {
	if h.opts.Catalogue == nil {
		return nil
	}
	p, err := h.opts.Catalogue.Provider(c.Context(), n.Provider)
	switch {
	case errors.Is(err, ErrNotFound):
		return httpapi.Invalid("provider", validate.RuleUnknown, "is not a known provider")
	case err != nil:
		return httpapi.HostFailure(err)
	}
	given := credentialFields[n.Scheme]
	switch {
	case p.Scheme == "":
		return nil
	case given != "" && given != credentialFields[p.Scheme]:
		return httpapi.Invalid(given, validate.RuleExclusive, "does not fit the provider")
	}
	n.Scheme = p.Scheme
	return nil
}

func readMetadata(l *validate.List, path string, in httpapi.Object) map[string]Metadata {
	metadata := make(map[string]Metadata)
	for name := range in.Members() {
		entry := in.Object(name)
		entry.Require("value")
		m := Metadata{Value: entry.String("value"), Source: entry.String("source"), DisplayName: entry.String("displayName")}
		if m.Source == "" {
			m.Source = "input"
		}
		l.ID(in.Path(name), name)
		l.Text(entry.Path("value"), m.Value, validate.MaxMessage)
		validate.Enum(l, entry.Path("source"), m.Source, "input", "token", "provider")
		l.Name(entry.Path("displayName"), m.DisplayName)
		metadata[name] = m
	}
	l.Count(path, len(metadata), maxMetadata)
	return metadata
}

// readCredentials reads the credentials in a field.
func readCredentials(l *validate.List, in httpapi.Object, field string) Credentials {
	if field == fieldAPIKey {
		return Credentials{APIKey: readSecret(l, in, field)}
	}
	o := in.Object(field)
	if !in.Has(field) || in.Node(field).Kind() != jsontree.Object {
		return Credentials{} // reported when it was read
	}
	switch field {
	case fieldBasic:
		return Credentials{Basic: new(readBasic(l, o))}
	case fieldClient:
		return Credentials{ClientCredentials: new(readClient(l, o))}
	case fieldPassword:
		return Credentials{Password: &Password{readBasic(l, o), readClient(l, o)}}
	}
	o.Require("accessToken")
	code := &AuthorizationCode{AccessToken: readToken(l, o, "accessToken"), RefreshToken: readToken(l, o, "refreshToken"), Scopes: o.Strings("scopes")}
	l.Count(o.Path("scopes"), len(code.Scopes), maxScopes)
	return Credentials{AuthorizationCode: code}
}

func readBasic(l *validate.List, in httpapi.Object) Basic {
	in.Require("username")
	b := Basic{Username: in.String("username"), Password: readSecret(l, in, "password")}
	l.Name(in.Path("username"), b.Username)
	return b
}

func readClient(l *validate.List, in httpapi.Object) ClientCredentials {
	in.Require("clientId")
	c := ClientCredentials{ClientID: in.String("clientId"), ClientSecret: readSecret(l, in, "clientSecret"), Scopes: in.Strings("scopes")}
	l.OptionalID(in.Path("clientId"), c.ClientID)
	l.Count(in.Path("scopes"), len(c.Scopes), maxScopes)
	return c
}

func readToken(l *validate.List, in httpapi.Object, name string) installation.Token {
	if !in.Has(name) {
		return installation.Token{}
	}
	o := in.Object(name)
	return installation.Token{Value: readSecret(l, o, "token"), Issued: o.Time("issuedAt"), Expires: o.Time("expiresAt")}
}

// readSecret reads a credential, which must be there.
func readSecret(l *validate.List, in httpapi.Object, name string) crypto.Secret {
	s := in.String(name)
	if len(s) > maxSecret {
		l.Add(in.Path(name), validate.RuleTooLong, fmt.Sprintf("must have at most %d bytes", maxSecret))
	}
	l.Required(in.Path(name), s != "")
	return crypto.NewSecret(s)
}
