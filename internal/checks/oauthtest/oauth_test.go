package oauthtest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/installationtest"
	"github.com/go-installation/installation/internal/servertest"
	"github.com/go-installation/installation/oauth"
	"github.com/go-installation/installation/refresh"
)

func TestMain(m *testing.M) {
	ServeIfChild()
	workIfChild()
	os.Exit(m.Run())
}

// install returns a service with an installation EXI-1 that has the refresh token, and no valid
// access token.
func install(t *testing.T, refresh string) *installation.Service {
	t.Helper()
	svc, clock := installationtest.New(t, nil)
	clock.Set(time.Now()) // the server has no other clock
	host := svc.As(installation.Actor{Kind: installation.Host})
	connection := installation.Connection{
		Provider:    "shop",
		AccessToken: installation.Token{Value: crypto.NewSecret("old"), Expires: time.Unix(1, 0)},
	}
	if refresh != "" {
		connection.RefreshToken.Value = crypto.NewSecret(refresh)
	}
	_, err := host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "EXI-1", Parts: installation.Parts{
			Extension:  installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-1"}),
			Account:    installation.Value(installation.Account{ID: "ACC-2"}),
			Connection: installation.Value(connection),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return host
}

func open(t *testing.T, refresh string) *installation.Opened {
	t.Helper()
	inst, err := install(t, refresh).Open(t.Context(), installation.OpenRequest{
		ID: "EXI-1", Reason: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inst.Close() })
	return inst
}

func refresher(t *testing.T, p *Provider, opts *oauth.RefreshOptions) installation.RefreshFunc {
	t.Helper()
	fn, err := oauth.Refresh(p.Config(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return fn
}

// reason returns the answer and the reason of an error, or "" for none.
func reason(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*refresh.Error](err)
	if !ok {
		t.Fatalf("got %v, want a refresh.Error", err)
	}
	return string(e.Answer) + " " + e.Reason
}

// getOK fails if a client does not get access to the API of a provider.
func getOK(t *testing.T, client *http.Client, p *Provider) {
	t.Helper()
	resp, err := client.Get(p.AccessURL())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// TestClient uses an API until the access token has been refreshed several times.
func TestClient(t *testing.T) {
	p := Start(t)
	grant := p.Grants(t, 1)[0]
	p.SetLifetime(t, 30*time.Second) // less than the minute that a token must be valid for
	svc := install(t, grant.Refresh)
	client := oauth.Client(svc, "EXI-1", refresher(t, p, nil), nil)
	for range 3 {
		getOK(t, client, p)
	}
	if c := p.Counters(t); c.Spent != 0 || c.Refreshes != 3 {
		t.Errorf("%d refreshes, %d spent tokens", c.Refreshes, c.Spent)
	}
	inst, err := svc.Open(t.Context(), installation.OpenRequest{ID: "EXI-1", Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer inst.Close()
	stored, err := inst.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	if now := p.List(t)[0]; !now.Alive || now.Refresh != stored.RefreshToken.Value.RevealString() {
		t.Error("the stored refresh token is not the valid one")
	}
}

// TestFaults sends the same refresh token twice, and the provider fails the first time. If the
// token was spent, the second time ends the grant.
func TestFaults(t *testing.T) {
	p := Start(t)
	for _, tc := range []struct {
		fault         Fault
		first, second string
	}{
		{Fault{}, "", "permanent invalid_grant"},
		{Fault{Kind: Status, Status: 429, RetryAfter: 7}, "passing http_429", ""},
		{Fault{Kind: Status, Status: 503, RetryAfter: 7}, "passing http_503", ""},
		{Fault{Kind: Status, Status: 500}, "unknown http_500", ""},
		{Fault{Kind: StatusAfter, Status: 502}, "unknown http_502", "permanent invalid_grant"},
		{Fault{Kind: Cut}, "unknown connection_lost", ""},
		{Fault{Kind: CutAfter}, "unknown connection_lost", "permanent invalid_grant"},
		{Fault{Kind: NoRefresh}, "", ""},
	} {
		grant := p.Grants(t, 1)[0]
		tc.fault.Times, tc.fault.Grants = 1, []string{grant.ID}
		p.Break(t, tc.fault)
		fn, inst := refresher(t, p, nil), open(t, grant.Refresh)
		spent := p.Counters(t).Spent
		_, first := fn(t.Context(), inst)
		tokens, second := fn(t.Context(), inst)
		if got := reason(t, first); got != tc.first {
			t.Errorf("%+v: got %q, want %q", tc.fault, got, tc.first)
		}
		if got := reason(t, second); got != tc.second {
			t.Errorf("%+v: the second time got %q, want %q", tc.fault, got, tc.second)
		}
		all := p.List(t)
		state := all[len(all)-1]
		if alive := tc.second == ""; state.Alive != alive || (state.Spent > 0) == alive {
			t.Errorf("%+v: grant is %+v", tc.fault, state)
		}
		if got := p.Counters(t).Spent - spent; got != state.Spent {
			t.Errorf("%+v: %d spent tokens, the grant has %d", tc.fault, got, state.Spent)
		}
		if second == nil && tokens.Refresh.Value.RevealString() != state.Refresh {
			t.Errorf("%+v: the new refresh token is not the valid one", tc.fault)
		}
	}
}

// TestSlow gives up while the provider works, before and after it spent the token. In the end the
// token is spent in both cases.
func TestSlow(t *testing.T) {
	p := Start(t)
	for kind, rotated := range map[FaultKind]int{Delay: 0, DelayAfter: 1} {
		grant := p.Grants(t, 1)[0]
		p.Break(t, Fault{Kind: kind, Times: 1})
		fn, inst := refresher(t, p, nil), open(t, grant.Refresh)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := fn(ctx, inst)
			done <- err
		}()
		p.AwaitHeld(t, 1)
		all := p.List(t)
		if got := all[len(all)-1].Refreshes; got != rotated {
			t.Errorf("%s: %d refreshes, want %d", kind, got, rotated)
		}
		cancel()
		if got := reason(t, <-done); got != "unknown canceled" {
			t.Errorf("%s: got %q", kind, got)
		}
		p.Break(t)
		servertest.Await(t, "the request to be processed", func() bool {
			return p.Counters(t).Held == 0 && p.List(t)[len(all)-1].Refreshes == 1
		})
	}
}

// TestReuseEndsGrant sends one refresh token many times at once: a host without a lease.
func TestReuseEndsGrant(t *testing.T) {
	p := Start(t)
	grant := p.Grants(t, 1)[0]
	fn, inst := refresher(t, p, nil), open(t, grant.Refresh)
	const n = 20
	results := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { _, results[i] = fn(t.Context(), inst) })
	}
	all.Wait()
	won := 0
	for _, err := range results {
		if got := reason(t, err); got == "" {
			won++
		} else if got != "permanent invalid_grant" {
			t.Errorf("got %q", got)
		}
	}
	state := p.List(t)[0]
	if won != 1 || state.Alive || state.Refreshes != 1 || state.Spent != n-1 {
		t.Errorf("%d refreshes succeeded, grant is %+v", won, state)
	}
}

func TestClientCredentials(t *testing.T) {
	p := Start(t)
	fn := refresher(t, p, &oauth.RefreshOptions{ClientCredentials: true})
	client := oauth.Client(install(t, ""), "EXI-1", fn, nil)
	getOK(t, client, p)
}

func TestWrongClient(t *testing.T) {
	p := Start(t)
	config := p.Config()
	config.ClientSecret = "another"
	fn, err := oauth.Refresh(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fn(t.Context(), open(t, p.Grants(t, 1)[0].Refresh))
	if got := reason(t, err); got != "passing invalid_client" {
		t.Errorf("got %q", got)
	}
}

func TestRevoke(t *testing.T) {
	p := Start(t)
	grant := p.Grants(t, 1)[0]
	revoke, err := oauth.Revoke(p.Config(), p.RevokeURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	inst := open(t, grant.Refresh)
	p.Break(t, Fault{Kind: Status, Path: RevokePath, RetryAfter: 60})
	err = revoke(t.Context(), inst)
	if got := reason(t, err); got != "passing http_503" || !p.List(t)[0].Alive {
		t.Errorf("while it is down: got %q, grant is %+v", got, p.List(t)[0])
	}
	checkAccess(t, p)
	p.Break(t)
	for range 2 { // revoking again succeeds too
		if err := revoke(t.Context(), inst); err != nil {
			t.Error(err)
		}
	}
	if state := p.List(t)[0]; state.Alive || !state.Revoked {
		t.Errorf("grant is %+v", state)
	}
	_, err = refresher(t, p, nil)(t.Context(), inst)
	if got := reason(t, err); got != "permanent invalid_grant" {
		t.Errorf("refresh after the end: got %q", got)
	}
}

// checkAccess refreshes another grant, uses its access token, and ends the grant.
func checkAccess(t *testing.T, p *Provider) {
	t.Helper()
	grant := p.Grants(t, 1)[0]
	tokens, err := refresher(t, p, nil)(t.Context(), open(t, grant.Refresh))
	if err != nil {
		t.Fatal(err)
	}
	get := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.AccessURL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tokens.Access.Value.RevealString())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := get(); got != http.StatusOK {
		t.Errorf("status %d with an access token", got)
	}
	p.End(t, grant.ID)
	if got := get(); got != http.StatusForbidden {
		t.Errorf("status %d after the end of the grant", got)
	}
}

// TestProcess has the server in a process of its own, with many grants.
func TestProcess(t *testing.T) {
	p := StartProcess(t)
	grants := p.Grants(t, 10_000)
	tokens := make(map[string]bool)
	for _, grant := range grants {
		tokens[grant.Refresh] = true
	}
	if len(tokens) != 10_000 || len(p.List(t)) != 10_000 {
		t.Errorf("%d tokens, %d grants", len(tokens), len(p.List(t)))
	}
	last := grants[len(grants)-1]
	p.End(t, last.ID)
	_, err := refresher(t, p, nil)(t.Context(), open(t, last.Refresh))
	if got := reason(t, err); got != "permanent invalid_grant" {
		t.Errorf("got %q", got)
	}
	if _, err := refresher(t, p, nil)(t.Context(), open(t, grants[0].Refresh)); err != nil {
		t.Error(err)
	}
	if c := p.Counters(t); c.Refreshes != 1 || c.Requests != 2 || c.Spent != 0 {
		t.Errorf("counters are %+v", c)
	}
}
