package oauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/oauth"
	"github.com/go-installation/installation/refresh"
)

const (
	permanent = refresh.Permanent
	passing   = refresh.Passing
	unknown   = refresh.Unknown
)

func after(value string) http.Header { return http.Header{"Retry-After": {value}} }

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		status int
		header http.Header
		body   string
		want   failure
	}{
		{400, nil, `{"error":"invalid_grant"}`, failure{permanent, "invalid_grant", 0}},
		{401, nil, `{"error":"invalid_grant"}`, failure{permanent, "invalid_grant", 0}},
		{200, nil, `{"error":"invalid_grant"}`, failure{permanent, "invalid_grant", 0}},
		{200, nil, `{"error":"bad_refresh_token"}`, failure{permanent, "bad_refresh_token", 0}},
		{502, nil, `{"error":"invalid_grant"}`, failure{unknown, "invalid_grant", 0}},
		{401, nil, `{"error":"invalid_client"}`, failure{passing, "invalid_client", 0}},
		{400, nil, `{"error":"unauthorized_client"}`, failure{passing, "unauthorized_client", 0}},
		{400, nil, `{"error":"key-71c"}`, failure{passing, "http_400", 0}},
		{400, nil, `{"error":{"code":190}}`, failure{passing, "http_400", 0}},
		{403, nil, `no`, failure{passing, "http_403", 0}},
		{404, nil, ``, failure{passing, "http_404", 0}},
		{408, nil, ``, failure{unknown, "http_408", 0}},
		{429, after("7"), `{}`, failure{passing, "http_429", 7 * time.Second}},
		{429, after("-7"), `{}`, failure{passing, "http_429", 0}},
		{429, after("7.5"), `{}`, failure{passing, "http_429", 0}},
		{429, after("86400"), `{}`, failure{passing, "http_429", time.Hour}},
		{429, after(strings.Repeat("9", 30)), `{}`, failure{passing, "http_429", time.Hour}},
		{503, after("7"), `{}`, failure{passing, "http_503", 7 * time.Second}},
		{503, after("7"), `{"error":"invalid_grant"}`,
			failure{passing, "invalid_grant", 7 * time.Second}},
		{503, nil, `{}`, failure{unknown, "http_503", 0}},
		{503, nil, `{"error":"temporarily_unavailable"}`,
			failure{passing, "temporarily_unavailable", 0}},
		{500, after("7"), `{}`, failure{unknown, "http_500", 7 * time.Second}},
		{500, nil, `{"error":"server_error"}`, failure{unknown, "server_error", 0}},
		{400, nil, `{"error":"server_error"}`, failure{unknown, "server_error", 0}},
		{502, nil, `<html>`, failure{unknown, "http_502", 0}},
		{504, nil, ``, failure{unknown, "http_504", 0}},
		{200, nil, `{"token_type":"bearer"}`, failure{unknown, "malformed", 0}},
		{200, nil, `<html>`, failure{unknown, "malformed", 0}},
		{200, nil, `{"access_token":"` + strings.Repeat("x", 1<<20) + `"}`,
			failure{unknown, "malformed", 0}},
		{204, nil, ``, failure{unknown, "malformed", 0}},
	} {
		name := fmt.Sprintf("%d %.50s %v", tc.status, tc.body, tc.header)
		t.Run(name, func(t *testing.T) {
			s := provider(t, tc.status, tc.header, tc.body)
			opts := &oauth.RefreshOptions{Permanent: []string{"bad_refresh_token"}}
			fn := refresher(t, s.URL, opts)
			_, err := fn(t.Context(), open(t, stored()))
			if diff := cmp.Diff(tc.want, failureOf(t, err)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			e, ok := errors.AsType[*oauth2.RetrieveError](err)
			if ok && e.Response.StatusCode != tc.status {
				t.Errorf("RetrieveError has status %d", e.Response.StatusCode)
			}
			if ok == (tc.want.Reason == "malformed") {
				t.Errorf("a RetrieveError: %v", ok)
			}
		})
	}
}

// TestRetryAfterIsTimeOfServer has a provider whose clock is a year behind.
func TestRetryAfterIsTimeOfServer(t *testing.T) {
	now := time.Now().AddDate(-1, 0, 0).UTC()
	for _, tc := range []struct {
		in, want time.Duration
	}{{90 * time.Second, 90 * time.Second}, {-time.Hour, 0}, {48 * time.Hour, time.Hour}} {
		header := after(now.Add(tc.in).Format(http.TimeFormat))
		header.Set("Date", now.Format(http.TimeFormat))
		s := provider(t, http.StatusTooManyRequests, header, "")
		_, err := refresher(t, s.URL, nil)(t.Context(), open(t, stored()))
		if got := failureOf(t, err).After; got != tc.want {
			t.Errorf("in %v: got %v, want %v", tc.in, got, tc.want)
		}
	}
}

func TestNoRefreshToken(t *testing.T) {
	c := stored()
	c.RefreshToken = installation.Token{}
	_, err := refresher(t, "http://127.0.0.1:1", nil)(t.Context(), open(t, c))
	want := failure{permanent, "no_refresh_token", 0}
	if got := failureOf(t, err); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestErrorsShowNothing has a provider that puts the token into all parts of its answer.
func TestErrorsShowNothing(t *testing.T) {
	for _, status := range []int{200, 307, 400, 401, 500} {
		for _, body := range []string{
			`{"error":"refresh-1","error_description":"refresh-1","error_uri":"refresh-1"}`,
			`{"error":"invalid_grant","error_description":"refresh-1","error_uri":"refresh-1"}`,
			`refresh-1`, `{"access_token":"","expires_in":"refresh-1"}`,
		} {
			header := http.Header{"Retry-After": {"refresh-1"}, "Location": {"refresh-1"}}
			s := provider(t, status, header, body)
			_, err := refresher(t, s.URL, nil)(t.Context(), open(t, stored()))
			if err == nil {
				t.Errorf("%d %s: got no error", status, body)
			}
			var shown strings.Builder
			for ; err != nil; err = errors.Unwrap(err) {
				fmt.Fprintf(&shown, "%v %+v %#v\n", err, err, err)
				if e, ok := err.(*oauth2.RetrieveError); ok {
					fmt.Fprintf(&shown, "%+v %+v\n", *e, *e.Response)
				}
			}
			for _, text := range []string{"refresh-1", "app-secret", "access-1"} {
				if strings.Contains(shown.String(), text) {
					t.Errorf("%d %s: error shows %s: %s", status, body, text, &shown)
				}
			}
		}
	}
}
