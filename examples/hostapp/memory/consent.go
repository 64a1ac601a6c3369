package memory

import (
	"context"
	"crypto/rand"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
)

// Limits of OAuth flows that no person has finished yet.
const (
	flowLife = 10 * time.Minute
	maxFlows = 1000
)

// flow waits for a person to give consent.
type flow struct {
	project    string
	connection string // ID of the connection to update; "" = a new one
	n          ampersand.NewConnection
	expires    time.Time
}

// SetConsent sets the URL where [Host.Consent] is served. Without it, no flow can begin.
func (h *Host) SetConsent(url string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.consent = url
}

// ConnectURL implements [ampersand.OAuth]. The URL leads to [Host.Consent] instead of a provider.
func (h *Host) ConnectURL(
	_ context.Context, project string, n ampersand.NewConnection,
) (string, error) {
	return h.begin(flow{project: project, n: n})
}

// UpdateURL implements [ampersand.OAuth]; see [Host.ConnectURL].
func (h *Host) UpdateURL(_ context.Context, project, id string) (string, error) {
	h.mu.RLock()
	c, _ := h.connection(project, id)
	h.mu.RUnlock()
	if c == nil {
		return "", ampersand.ErrNotFound
	}
	return h.begin(flow{project: project, connection: id})
}

// begin stores a flow under a new state.
func (h *Host) begin(f flow) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for state, old := range h.flows {
		if now.After(old.expires) {
			delete(h.flows, state)
		}
	}
	if h.consent == "" || len(h.flows) >= maxFlows {
		return "", &ampersand.Rejection{Message: "The host cannot begin to connect now."}
	}
	state := rand.Text()
	f.expires = now.Add(flowLife)
	h.flows[state] = f
	return h.consent + "?" + url.Values{"state": {state}}.Encode(), nil
}

// finish ends a flow and returns the ID of its connection, with new tokens. It returns
// [ampersand.ErrNotFound] for a state that is unknown, used or too old.
func (h *Host) finish(ctx context.Context, state string) (string, error) {
	h.mu.Lock()
	f, ok := h.flows[state]
	delete(h.flows, state)
	now := h.now()
	h.mu.Unlock()
	if !ok || now.After(f.expires) {
		return "", ampersand.ErrNotFound
	}
	credentials := ampersand.Credentials{AuthorizationCode: &ampersand.AuthorizationCode{
		AccessToken: accessToken(now),
		RefreshToken: installation.Token{
			Value: crypto.NewSecret("refresh-" + rand.Text()), Issued: now,
		},
	}}
	if f.connection != "" {
		_, err := h.Update(ctx, f.project, f.connection,
			ampersand.ConnectionUpdate{Credentials: credentials})
		return f.connection, err
	}
	f.n.Credentials = credentials
	if f.n.Scheme == ampersand.SchemeNone {
		f.n.Scheme = ampersand.SchemeAuthorizationCode
	}
	id := uuid.NewString()
	h.AddConnection(f.project, id, f.n)
	return id, nil
}

// consentPage asks for consent, or tells the page that opened the window how it ended.
var consentPage = template.Must(template.New("consent").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Connect</title>
{{if .Event}}<p>{{.Text}} You can close this window.</p>
<script>
if (window.opener) {
  window.opener.postMessage({eventType: {{.Event}},
    data: {connection: {{.Connection}}, error: {{.Text}}}}, "*");
  {{if .Connection}}window.close();{{end}}
}
</script>
{{else}}<h1>Connect?</h1>
<p>This page stands in for a provider: it connects without a password.</p>
<form method="post"><button>Allow</button></form>
{{end}}</html>
`))

// Consent serves the page of [Host.ConnectURL]. A GET asks for consent, and a POST connects. The
// page tells its opener the result in the form that @amp-labs/react expects. After a success it
// closes itself, since the library leaves the window of an update open.
func (h *Host) Consent(w http.ResponseWriter, r *http.Request) {
	var page struct{ Event, Text, Connection string }
	status := http.StatusOK
	if r.Method == http.MethodPost {
		id, err := h.finish(r.Context(), r.URL.Query().Get("state"))
		page.Event, page.Text, page.Connection = "AUTHORIZATION_SUCCEEDED", "Connected.", id
		if err != nil {
			page.Event, page.Text = "AUTHORIZATION_FAILED", "The link is used or too old."
			page.Connection, status = "", http.StatusBadRequest
		}
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy",
		"default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = consentPage.Execute(w, page) // fails only if the client is gone
}
