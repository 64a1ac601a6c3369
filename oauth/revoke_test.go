package oauth_test

import (
	"errors"
	"fmt"
	"net/http"
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

func TestRequestOfRevoke(t *testing.T) {
	without := stored()
	without.RefreshToken = installation.Token{}
	none := without
	none.AccessToken = installation.Token{}
	inParams := url.Values{
		"token": {"refresh-1"}, "token_type_hint": {"refresh_token"},
		"client_id": {"app"}, "client_secret": {"app-secret"},
	}
	for _, tc := range []struct {
		name       string
		style      oauth2.AuthStyle
		connection installation.Connection
		want       []request
	}{
		{"the grant", oauth2.AuthStyleInHeader, stored(), []request{{url.Values{
			"token": {"refresh-1"}, "token_type_hint": {"refresh_token"},
		}, "app", "app-secret", formType}}},
		{"in the body", oauth2.AuthStyleInParams, stored(), []request{{
			inParams, "", "", formType}}},
		{"only an access token", oauth2.AuthStyleInHeader, without, []request{{url.Values{
			"token": {"access-1"}, "token_type_hint": {"access_token"},
		}, "app", "app-secret", formType}}},
		{"no token", oauth2.AuthStyleInHeader, none, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []request
			s := serve(t, record(&got))
			config := configFor(s.URL)
			config.Endpoint.AuthStyle = tc.style
			revoke, err := oauth.Revoke(config, s.URL+"/revoke", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := revoke(t.Context(), open(t, tc.connection)); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswersToRevoke(t *testing.T) {
	for _, tc := range []struct {
		status int
		header http.Header
		body   string
		want   failure // zero = revoked
	}{
		{200, nil, ``, failure{}},
		{200, nil, `null`, failure{}},
		{204, nil, ``, failure{}},
		{400, nil, `{"error":"invalid_token"}`, failure{}},
		{400, nil, `{"error":"invalid_grant"}`, failure{}},
		{200, nil, `{"error":"server_error"}`, failure{unknown, "server_error", 0}},
		{400, nil, `{"error":"unsupported_token_type"}`,
			failure{permanent, "unsupported_token_type", 0}},
		{401, nil, `{"error":"invalid_client"}`, failure{passing, "invalid_client", 0}},
		{400, nil, `{"error":"refresh-1"}`, failure{passing, "http_400", 0}},
		{404, nil, `refresh-1`, failure{passing, "http_404", 0}},
		{307, http.Header{"Location": {"/"}}, ``, failure{passing, "http_307", 0}},
		{503, after("60"), ``, failure{passing, "http_503", time.Minute}},
		{502, nil, ``, failure{unknown, "http_502", 0}},
		{502, nil, strings.Repeat("x", 1<<20), failure{unknown, "http_502", 0}},
	} {
		t.Run(fmt.Sprintf("%d %.50s", tc.status, tc.body), func(t *testing.T) {
			s := provider(t, tc.status, tc.header, tc.body)
			revoke, err := oauth.Revoke(configFor(s.URL), s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = revoke(t.Context(), open(t, stored()))
			var got failure
			if err != nil {
				got = failureOf(t, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if err != nil && strings.Contains(err.Error(), "refresh-1") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestRevokeWithoutAnswer(t *testing.T) {
	url, _ := nowhere(t)
	revoke, err := oauth.Revoke(configFor(url), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := failureOf(t, revoke(t.Context(), open(t, stored())))
	if want := (failure{passing, "unreachable", 0}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := oauth.Revoke(configFor(url), "/revoke", nil); err == nil {
		t.Error("a relative URL was accepted")
	}
	if _, err := oauth.Revoke(&oauth2.Config{}, url, nil); err == nil {
		t.Error("a configuration without AuthStyle was accepted")
	}
}

// TestRevokeClosed revokes an installation whose secrets were wiped.
func TestRevokeClosed(t *testing.T) {
	revoke, err := oauth.Revoke(configFor("http://127.0.0.1:1"), "http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	inst := open(t, stored())
	inst.Close()
	err = revoke(t.Context(), inst)
	if _, sent := errors.AsType[*refresh.Error](err); err == nil || sent {
		t.Errorf("got error %v", err)
	}
}
