package memory_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// visit sends a request to the page of consent.
func visit(t *testing.T, h *memory.Host, method, url string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	h.Consent(rec, httptest.NewRequest(method, url, nil))
	return rec
}

// TestConsentConnects begins flows, and finishes each one once.
func TestConsentConnects(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	h := memory.Demo(crypto.NewSecret("k3y"), func() time.Time { return now })
	fresh := ampersand.NewConnection{
		Provider: "salesforce", Scheme: ampersand.SchemeAuthorizationCode,
		Group: installation.Account{ID: "org-71"}, Consumer: installation.Consumer{ID: "u-9"},
	}
	if _, err := h.ConnectURL(t.Context(), memory.DemoProject, fresh); err == nil {
		t.Error("a flow begins without a page")
	}
	h.SetConsent("https://host.example/consent")
	url, err := h.ConnectURL(t.Context(), memory.DemoProject, fresh)
	if err != nil {
		t.Fatal(err)
	}
	ask := visit(t, h, http.MethodGet, url)
	if ask.Code != 200 || !strings.Contains(ask.Body.String(), `<form method="post">`) {
		t.Errorf("%d %s", ask.Code, ask.Body)
	}
	if got := visit(t, h, http.MethodPost, url).Body.String(); !strings.Contains(got,
		`eventType: "AUTHORIZATION_SUCCEEDED"`) {
		t.Error(got)
	}
	all, err := h.Connections(t.Context(), memory.DemoProject,
		ampersand.ConnectionFilter{Group: "org-71"})
	if err != nil || len(all) != 1 || all[0].Status != ampersand.ConnectionWorking {
		t.Fatal(all, err)
	}
	again := visit(t, h, http.MethodPost, url)
	if again.Code != 400 || !strings.Contains(again.Body.String(), "AUTHORIZATION_FAILED") {
		t.Errorf("a used link: %d %s", again.Code, again.Body)
	}

	update, err := h.UpdateURL(t.Context(), memory.DemoProject, all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := visit(t, h, http.MethodPost, update).Body.String(); !strings.Contains(got,
		all[0].ID) {
		t.Error(got)
	}
	_, err = h.UpdateURL(t.Context(), memory.DemoProject, "nope")
	if !errors.Is(err, ampersand.ErrNotFound) {
		t.Error(err)
	}
	late, err := h.ConnectURL(t.Context(), memory.DemoProject, fresh)
	now = now.Add(time.Hour)
	if got := visit(t, h, http.MethodPost, late); err != nil || got.Code != 400 {
		t.Errorf("an old link: %d, %v", got.Code, err)
	}
}

// TestConsentIsBounded begins more flows than the host keeps.
func TestConsentIsBounded(t *testing.T) {
	h := demo()
	h.SetConsent("https://host.example/consent")
	var err error
	begun := 0
	for ; err == nil && begun < 5000; begun++ {
		_, err = h.ConnectURL(t.Context(), memory.DemoProject, ampersand.NewConnection{})
	}
	if begun != 1001 {
		t.Errorf("%d flows, %v", begun, err)
	}
}
