package ampersand

import (
	"encoding/json"
	"net/http"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// maxCustom limits the fields of a custom authentication, and the parameters of a visit.
const maxCustom = 100

// connecting is the body of a request to connect in a browser, or with a custom authentication.
type connecting struct {
	project    string // ID or name
	connection NewConnection
	session    string // continues an earlier request; the connection is empty then
	params     map[string]string
}

// readOAuth reads the body of oauth-connect. The host always protects the flow against forged
// requests, so readOAuth ignores enableCSRFProtection.
func readOAuth(in httpapi.Object) connecting {
	b := connecting{project: readProject(in), connection: readNewConnection(in)}
	b.connection.App = readID(in, "providerAppId")
	b.connection.Scheme, b.connection.Credentials = SchemeNone, Credentials{}
	return b
}

// readCustom reads the body of custom-auth/connect.
func readCustom(in httpapi.Object) connecting {
	if !in.Has("sessionId") {
		b := readOAuth(in)
		in.Require(fieldCustom)
		custom := make(map[string]crypto.Secret)
		readStrings(in, fieldCustom, maxSecret, func(name, value string) {
			custom[name] = crypto.NewSecret(value)
		})
		b.connection.Credentials = Credentials{Custom: custom}
		return b
	}
	b := connecting{
		project: readProject(in), session: readID(in, "sessionId"),
		params: make(map[string]string),
	}
	readStrings(in, "callbackParams", validate.MaxMessage, func(name, value string) {
		b.params[name] = value
	})
	return b
}

// readProject returns the ID or name of the project. The Node SDK 0.2.3 sends it as projectId.
func readProject(in httpapi.Object) string {
	const name, old = "projectIdOrName", "projectId"
	if in.Has(old) && !in.Has(name) {
		return readID(in, old)
	}
	in.Require(name)
	return readID(in, name)
}

// readID returns a member that has the form of an ID, or "" if the member is absent.
func readID(in httpapi.Object, name string) string {
	id := in.String(name)
	if in.Has(name) {
		in.Violations().ID(in.Path(name), id)
	}
	return id
}

// readStrings calls add for each member of an object whose members are strings of at most limit
// bytes.
func readStrings(parent httpapi.Object, field string, limit int, add func(name, value string)) {
	in, l, count := parent.Object(field), parent.Violations(), 0
	for name := range in.Members() {
		value := in.String(name)
		l.ID(in.Path(name), name)
		checkLength(l, in.Path(name), value, limit)
		add(name, value)
		count++
	}
	l.Count(parent.Path(field), count, maxCustom)
}

// readGenerated reads the body of :generate, which takes no custom authentication.
func readGenerated(in httpapi.Object) NewConnection {
	if in.Has(fieldCustom) {
		in.Violations().Add(fieldCustom, validate.RuleUnknown,
			"is not supported here: use custom-auth/connect")
	}
	return readNewConnection(in)
}

// mayConnect fails unless the caller may create a connection for its group and consumer.
func (c *call) mayConnect(n NewConnection) error {
	if !c.builder() && (n.Group.ID != c.group || n.Consumer.ID != c.consumer) {
		return httpapi.Forbidden("The token is for another group or consumer.")
	}
	return nil
}

// connecting reads a body with read and finds the scheme of the provider.
func (h *Handler) connecting(
	c *call, read func(httpapi.Object) connecting,
) (b connecting, err error) {
	if b, err = httpapi.Read(c.Request, read); err != nil {
		return b, err
	}
	if err := c.enter(b.project); err != nil {
		return b, err
	}
	if b.session != "" {
		return b, nil
	}
	if err := c.mayConnect(b.connection); err != nil {
		return b, err
	}
	b.connection.Scheme, err = h.scheme(c, b.connection)
	return b, err
}

// oauthConnect returns the URL where a person lets the provider connect.
func (h *Handler) oauthConnect(c *call) (*httpapi.Answer, error) {
	if h.opts.OAuth == nil {
		return nil, notFound()
	}
	b, err := h.connecting(c, readOAuth)
	if err != nil {
		return nil, err
	}
	if f := credentialFields[b.connection.Scheme]; f != "" && f != fieldCode {
		return nil, httpapi.Invalid("provider", validate.RuleExclusive,
			"does not connect in a browser")
	}
	return textAnswer(h.opts.OAuth.ConnectURL(c.Context(), c.project, b.connection))
}

// oauthUpdate returns the URL where a person renews the credentials of a connection.
func (h *Handler) oauthUpdate(c *call) (*httpapi.Answer, error) {
	if h.opts.OAuth == nil {
		return nil, notFound()
	}
	conn, err := c.connection(c.PathValue("connection"))
	if err != nil {
		return nil, err
	}
	return textAnswer(h.opts.OAuth.UpdateURL(c.Context(), c.project, conn.ID))
}

// textAnswer returns an answer with a URL in plain text.
func textAnswer(url string, err error) (*httpapi.Answer, error) {
	if err != nil {
		return nil, rejectedOr(err, "")
	}
	return &httpapi.Answer{ContentType: "text/plain; charset=utf-8", Body: httpapi.Text(url)}, nil
}

// wireConnected is the answer to custom-auth/connect. One member is set.
type wireConnected struct {
	Connection *ConnectionObject `json:"connection,omitzero"`
	Redirect   *wireVisit        `json:"redirect,omitzero"`
}

type wireVisit struct {
	URL     string `json:"url"`
	Session string `json:"sessionId"`
}

// customConnect connects with the credentials of a custom authentication, or continues after a
// person visited a page of the provider.
func (h *Handler) customConnect(c *call) (*httpapi.Answer, error) {
	if h.opts.CustomAuth == nil {
		return nil, notFound()
	}
	b, err := h.connecting(c, readCustom)
	if err != nil {
		return nil, err
	}
	var conn *Connection
	var visit *Visit
	if b.session == "" {
		conn, visit, err = h.opts.CustomAuth.Connect(c.Context(), c.project, b.connection)
	} else {
		conn, visit, err = h.opts.CustomAuth.Continue(
			c.Context(), c.project, b.session, b.params, ConnectionFilter{
				Group: c.group, Consumer: c.consumer,
			})
	}
	switch {
	case err != nil:
		return nil, rejectedOr(err, fieldCustom)
	case visit != nil:
		return &httpapi.Answer{Body: wireConnected{Redirect: new(wireVisit(*visit))}}, nil
	}
	object := connectionObject(c.project, conn)
	return &httpapi.Answer{Status: http.StatusOK, Body: wireConnected{Connection: &object}}, nil
}

// providerInfo has the members of a provider for each scheme, which the host may leave out.
var providerInfo = map[Scheme]string{
	"":                          `{"authType":"none"}`,
	SchemeNone:                  `{"authType":"none"}`,
	SchemeAPIKey:                `{"authType":"apiKey","apiKeyOpts":{"attachmentType":"header"}}`,
	SchemeBasic:                 `{"authType":"basic","basicOpts":{}}`,
	SchemeAuthorizationCode:     oauth2Info("authorizationCode"),
	SchemeAuthorizationCodePKCE: oauth2Info("authorizationCodePKCE"),
	SchemeClientCredentials:     oauth2Info("clientCredentials"),
	SchemePassword:              oauth2Info("password"),
}

func oauth2Info(grant string) string {
	return `{"authType":"oauth2","oauth2Opts":{"grantType":"` + grant + `","tokenURL":"",` +
		`"explicitScopesRequired":false,"explicitWorkspaceRequired":false,` +
		`"tokenMetadataFields":{}}}`
}

// commonInfo has the members that every provider needs. The Node SDK 0.2.3 needs providerOpts,
// which only the examples of the description have.
const commonInfo = `{"baseURL":"","defaultModule":"","providerOpts":{},"support":{` +
	`"bulkWrite":{"insert":false,"update":false,"upsert":false,"delete":false},"proxy":false,` +
	`"read":false,"subscribe":false,"write":false,"delete":false,` +
	`"search":{"operators":{"equals":false}}}}`

// provider describes a provider. The answer is public, so the caller needs no credentials.
func (h *Handler) provider(r *http.Request) (*httpapi.Answer, error) {
	if h.opts.Catalogue == nil {
		return nil, notFound()
	}
	p, err := h.opts.Catalogue.Provider(r.Context(), r.PathValue("provider"))
	if err != nil {
		return nil, hostProblem(err)
	}
	info, err := hostJSON(r.Context(), "provider", p.Info, func(n *jsontree.Node) *jsontree.Node {
		n = fill(n, members{"name": p.Name, "displayName": p.Name})
		n = fill(n, json.RawMessage(providerInfo[p.Scheme]))
		return fill(n, json.RawMessage(commonInfo))
	})
	return &httpapi.Answer{Body: info}, err
}
