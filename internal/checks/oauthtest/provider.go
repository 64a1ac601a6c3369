package oauthtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-installation/installation/internal/servertest"
)

// Provider is a server, wherever it runs. It is safe for concurrent use.
type Provider struct {
	URL string // without a slash at the end
}

// At returns the server at a URL, for processes that did not start it.
func At(url string) *Provider { return &Provider{URL: url} }

// Start starts a server in this process. It ends with the test.
func Start(tb testing.TB) *Provider {
	tb.Helper()
	h, err := newServer()
	if err != nil {
		tb.Fatal(err)
	}
	s := httptest.NewServer(h)
	p := At(s.URL)
	tb.Cleanup(func() {
		p.Break(tb) // lets go of requests that wait
		s.CloseClientConnections()
		s.Close()
	})
	return p
}

// Config returns the configuration of the client.
func (p *Provider) Config() *oauth2.Config {
	return &oauth2.Config{
		ClientID: ClientID, ClientSecret: ClientSecret, Scopes: []string{"orders", "stock"},
		Endpoint: oauth2.Endpoint{
			TokenURL: p.URL + TokenPath, AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
}

// RevokeURL returns the endpoint of RFC 7009.
func (p *Provider) RevokeURL() string { return p.URL + RevokePath }

// AccessURL returns an endpoint that answers 200 to an access token that is valid.
func (p *Provider) AccessURL() string { return p.URL + "/userinfo" }

// Grants makes n grants.
func (p *Provider) Grants(tb testing.TB, n int) (grants []Grant) {
	tb.Helper()
	p.control(tb, http.MethodPost, "grants", url.Values{"n": {fmt.Sprint(n)}}, nil, &grants)
	return grants
}

// List returns all grants as they are now, in the order in which they were made.
func (p *Provider) List(tb testing.TB) (grants []Grant) {
	tb.Helper()
	p.control(tb, http.MethodGet, "grants", nil, nil, &grants)
	return grants
}

// Counters returns what the server counted.
func (p *Provider) Counters(tb testing.TB) (c Counters) {
	tb.Helper()
	p.control(tb, http.MethodGet, "counters", nil, nil, &c)
	return c
}

// Break replaces the faults. Without arguments, all is well again. Requests that wait go on.
func (p *Provider) Break(tb testing.TB, faults ...Fault) {
	tb.Helper()
	p.control(tb, http.MethodPost, "faults", nil, faults, nil)
}

// AwaitHeld returns when n requests wait in a Delay or DelayAfter.
func (p *Provider) AwaitHeld(tb testing.TB, n int) {
	tb.Helper()
	p.control(tb, http.MethodGet, "held", url.Values{"n": {fmt.Sprint(n)}}, nil, nil)
}

// End ends a grant, as a customer does who withdraws it. The server then answers invalid_grant.
func (p *Provider) End(tb testing.TB, grant string) {
	tb.Helper()
	p.control(tb, http.MethodPost, "end", url.Values{"id": {grant}}, nil, nil)
}

// SetLifetime sets how long access tokens that are issued from now on are valid. Initially it is an
// hour.
func (p *Provider) SetLifetime(tb testing.TB, d time.Duration) {
	tb.Helper()
	p.control(tb, http.MethodPost, "lifetime", url.Values{"d": {d.String()}}, nil, nil)
}

func (p *Provider) control(
	tb testing.TB, method, path string, query url.Values, body, result any,
) {
	tb.Helper()
	if err := p.call(method, path, query, body, result); err != nil {
		tb.Fatalf("%s %s: %v", method, path, err)
	}
}

func (p *Provider) call(method, path string, query url.Values, body, result any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	// Not the context of the test, which has ended when cleanups run.
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method,
		p.URL+"/control/"+path+"?"+query.Encode(), bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %s", resp.StatusCode, text)
	case result == nil:
		return nil
	}
	return json.Unmarshal(text, result)
}
