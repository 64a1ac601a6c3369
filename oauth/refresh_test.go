package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/oauth"
	"github.com/go-installation/installation/refresh"
)

const formType = "application/x-www-form-urlencoded"

// request is what a provider got.
type request struct {
	Form             url.Values
	ID, Secret, Type string
}

// record keeps each request, and answers without tokens.
func record(list *[]request) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		id, secret, _ := r.BasicAuth()
		*list = append(*list, request{r.PostForm, id, secret, r.Header.Get("Content-Type")})
	}
}

func TestRequestOfRefresh(t *testing.T) {
	withoutToken := stored()
	withoutToken.RefreshToken = installation.Token{}
	for _, tc := range []struct {
		name       string
		style      oauth2.AuthStyle
		opts       oauth.RefreshOptions
		connection installation.Connection
		want       request
	}{
		{
			"in the header", oauth2.AuthStyleInHeader, oauth.RefreshOptions{}, stored(),
			request{url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {"refresh-1"},
			}, "app", "app-secret", formType},
		},
		{
			"in the body, with parameters", oauth2.AuthStyleInParams,
			oauth.RefreshOptions{Params: url.Values{"resource": {"a", "b"}}}, stored(),
			request{url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {"refresh-1"},
				"client_id": {"app"}, "client_secret": {"app-secret"}, "resource": {"a", "b"},
			}, "", "", formType},
		},
		{
			"client credentials", oauth2.AuthStyleInHeader,
			oauth.RefreshOptions{ClientCredentials: true}, withoutToken,
			request{url.Values{
				"grant_type": {"client_credentials"}, "scope": {"orders stock"},
			}, "app", "app-secret", formType},
		},
		{
			"client credentials with other scopes", oauth2.AuthStyleInHeader,
			oauth.RefreshOptions{
				ClientCredentials: true, Params: url.Values{"scope": {"orders"}},
			}, withoutToken,
			request{url.Values{
				"grant_type": {"client_credentials"}, "scope": {"orders"},
			}, "app", "app-secret", formType},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []request
			s := serve(t, record(&got))
			config := configFor(s.URL)
			config.Endpoint.AuthStyle = tc.style
			fn, err := oauth.Refresh(config, &tc.opts)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = fn(t.Context(), open(t, tc.connection)); err == nil {
				t.Error("no error")
			}
			if diff := cmp.Diff([]request{tc.want}, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTokensOfAnswer(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	token := func(text string, lifetime time.Duration) installation.Token {
		token := secret(text)
		token.Issued = now
		if lifetime != 0 {
			token.Expires = now.Add(lifetime)
		}
		return token
	}
	access := token("a", time.Hour)
	form := http.Header{"Content-Type": {formType}}
	for _, tc := range []struct {
		name   string
		header http.Header
		body   string
		want   installation.Tokens
	}{
		{"all", nil, `{"access_token":"a","refresh_token":"r","token_type":"bearer",` +
			`"expires_in":3600,"refresh_token_expires_in":60,"scope":"orders  stock"}`,
			installation.Tokens{
				Access: access, Refresh: token("r", time.Minute), Type: "bearer",
				Scopes: []string{"orders", "stock"},
			}},
		{"only an access token", nil, `{"access_token":"a"}`,
			installation.Tokens{Access: token("a", 0)}},
		{"the same refresh token", nil,
			`{"access_token":"a","expires_in":"3600","refresh_token":"refresh-1","scope":""}`,
			installation.Tokens{Access: access}},
		{"the same refresh token, for longer", nil,
			`{"access_token":"a","refresh_token":"refresh-1","refresh_expires_in":"60"}`,
			installation.Tokens{Access: token("a", 0), Refresh: token("refresh-1", time.Minute)}},
		{"a form", form, "access_token=a&refresh_token=r&expires_in=3600&scope=orders",
			installation.Tokens{
				Access: access, Refresh: token("r", 0), Scopes: []string{"orders"},
			}},
		{"what cannot be stored", nil, `{"access_token":"a","token_type":"` +
			strings.Repeat("x", 300) + `","refresh_token_expires_in":-1,"scope":"` +
			strings.Repeat("x ", 1001) + `"}`,
			installation.Tokens{Access: token("a", 0)}},
		{"a scope that is too long", nil,
			`{"access_token":"a","scope":"orders ` + strings.Repeat("x", 257) + `"}`,
			installation.Tokens{Access: token("a", 0)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := provider(t, http.StatusOK, tc.header, tc.body)
			fn := refresher(t, s.URL, &oauth.RefreshOptions{
				Now: func() time.Time { return now },
			})
			got, err := fn(t.Context(), open(t, stored()))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("tokens (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefreshFollowsNoRedirect(t *testing.T) {
	reached := false
	other := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, status)
		})
		_, err := refresher(t, s.URL, &oauth.RefreshOptions{Client: s.Client()})(
			t.Context(), open(t, stored()))
		if got := failureOf(t, err); got.Answer != refresh.Passing {
			t.Errorf("status %d: got %+v", status, got)
		}
	}
	if reached {
		t.Error("the token was sent to another server")
	}
}

func TestRefreshRejectsConfigurations(t *testing.T) {
	ok := func() *oauth2.Config { return configFor("https://auth.example") }
	if _, err := oauth.Refresh(ok(), nil); err != nil {
		t.Fatal(err)
	}
	style, endpoint := ok(), ok()
	style.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect
	endpoint.Endpoint.TokenURL = "/token"
	user, scheme := ok(), ok()
	user.Endpoint.TokenURL = "https://user:pw-5b1@auth.example"
	scheme.Endpoint.TokenURL = "ftp://auth.example"
	long := strings.Repeat("x", 65)
	for name, tc := range map[string]struct {
		config *oauth2.Config
		opts   oauth.RefreshOptions
	}{
		"no configuration": {nil, oauth.RefreshOptions{}},
		"no style":         {style, oauth.RefreshOptions{}},
		"no endpoint":      {endpoint, oauth.RefreshOptions{}},
		"a user":           {user, oauth.RefreshOptions{}},
		"a scheme":         {scheme, oauth.RefreshOptions{}},
		"a parameter":      {ok(), oauth.RefreshOptions{Params: url.Values{"grant_type": {"x"}}}},
		"a code":           {ok(), oauth.RefreshOptions{Permanent: []string{"no way"}}},
		"an empty code":    {ok(), oauth.RefreshOptions{Permanent: []string{""}}},
		"a long code":      {ok(), oauth.RefreshOptions{Permanent: []string{long}}},
	} {
		fn, err := oauth.Refresh(tc.config, &tc.opts)
		if err == nil || fn != nil || strings.Contains(err.Error(), "pw-5b1") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// TestRefreshKeepsCopies changes what the caller gave after the call.
func TestRefreshKeepsCopies(t *testing.T) {
	var form url.Values
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		form = r.PostForm
	}))
	defer s.Close()
	config, params := configFor(s.URL), url.Values{"resource": {"a"}}
	fn, err := oauth.Refresh(config, &oauth.RefreshOptions{Params: params})
	if err != nil {
		t.Fatal(err)
	}
	config.Endpoint.TokenURL, params["resource"][0] = "http://127.0.0.1:1", "b"
	fn(t.Context(), open(t, stored()))
	if got := form.Get("resource"); got != "a" {
		t.Errorf("got resource %q, want a", got)
	}
}
