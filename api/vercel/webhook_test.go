package vercel_test

import (
	"context"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

const (
	clientSecret = "c4nary-client-secret"
	removal      = "integration-configuration.removed"
)

func sign(body string) string {
	mac := hmac.New(sha1.New, []byte(clientSecret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func removed(id string, at time.Time) string {
	return fmt.Sprintf(`{"id":"evt_1","type":"integration-configuration.removed",`+
		`"createdAt":%d,"region":"sfo1",`+
		`"payload":{"configuration":{"id":"%s","projects":[]},"user":{"id":"u"}}}`,
		at.UnixMilli(), id)
}

// hook serves the webhook and returns a function that posts to it, signed unless a signature is
// given.
func (w *world) hook(t testing.TB) func(body string, signature ...string) reply {
	t.Helper()
	h, err := w.handler.Webhook(crypto.NewSecret(clientSecret))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return func(body string, signature ...string) reply {
		t.Helper()
		s := sign(body)
		if len(signature) > 0 {
			s = signature[0]
		}
		return send(t, server.URL, "POST", "/hooks/vercel", "", body, "x-vercel-signature", s)
	}
}

func TestWebhook(t *testing.T) {
	w := newWorld(t)
	post := w.hook(t)
	w.install(t)
	event := removed(icfg, w.Now())

	before := w.store.commits.Load()
	for name, signature := range map[string]string{
		"none": "", "no hexadecimal": "xyz", "of another body": sign(event + " "),
		"cut": sign(event)[:38], "longer": sign(event) + "00",
	} {
		t.Run("signature "+name, func(t *testing.T) {
			r := post(event, signature)
			r.want(t, http.StatusUnauthorized, unauthorized)
			checkHeaders(t, r)
		})
	}
	for name, body := range map[string]string{
		"another type":      strings.Replace(event, ".removed", ".permission-upgraded", 1),
		"no type":           `{}`,
		"type null":         strings.Replace(event, `"`+removal+`"`, `null`, 1),
		"type 7":            `{"type":7}`,
		"unknown id":        removed("icfg_0", w.Now()),
		"of other payloads": `{"type":"deployment.created","payload":7,"createdAt":"now"}`,
		"half an emoji":     `{"type":"deployment.created","payload":{"text":"\ud83d"}}`,
		"a name twice":      `{"type":"deployment.created","payload":{"a":1,"a":2}}`,
		"many values":       `{"payload":[` + strings.Repeat("1,", 60_000) + `1]}`,
	} {
		t.Run(name, func(t *testing.T) { post(body).want(t, http.StatusOK, `{}`) })
	}
	for name, body := range map[string]string{
		"no JSON": `{`, "no object": `[]`,
		"a removal twice": strings.Replace(event, `"region"`, `"type":"x","region"`, 1),
		"no payload":      `{"type":"integration-configuration.removed"}`,
		"no id": `{"type":"integration-configuration.removed",` +
			`"payload":{"configuration":{"id":7}}}`,
	} {
		t.Run(name, func(t *testing.T) { post(body).want(t, http.StatusBadRequest) })
	}
	if w.store.commits.Load() != before {
		t.Error("one of these changed something")
	}

	post(event).want(t, http.StatusOK, `{}`)
	inst := w.get(t, icfg)
	if inst.Status != installation.StatusUninstalled || inst.Purged {
		t.Errorf("%s, purged %t; the token is still needed for invoices", inst.Status,
			inst.Purged)
	}
	if by := inst.Audit.Uninstalled; by.Kind != installation.Platform {
		t.Errorf("by %+v", by)
	}
	post(event).want(t, http.StatusOK, `{}`)
	if again := w.get(t, icfg); again.Revision != inst.Revision {
		t.Error("the same event changed something again")
	}
}

func TestWebhookMethod(t *testing.T) {
	w := newWorld(t)
	h, err := w.handler.Webhook(crypto.NewSecret(clientSecret))
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != "POST" {
		t.Errorf("status %d, Allow %q", rec.Code, rec.Header().Get("Allow"))
	}
	twice := httptest.NewRequest("POST", "/", strings.NewReader(`{}`))
	twice.Header = http.Header{"Content-Type": {"application/json"},
		"X-Vercel-Signature": {sign(`{}`), sign(`{}`)}}
	rec = httptest.NewRecorder()
	if h.ServeHTTP(rec, twice); rec.Code != http.StatusUnauthorized {
		t.Errorf("status %d for two signatures", rec.Code)
	}
	if _, err := w.handler.Webhook(crypto.Secret{}); err == nil {
		t.Error("a webhook without a secret")
	}
}

// TestWebhookAndDelete: in either order, and at once, they come to the same.
func TestWebhookAndDelete(t *testing.T) {
	for _, plan := range []string{"team", "free"} {
		final := fmt.Sprintf(`{"finalized":%t}`, plan == "free")
		var w *world
		var post func(string, ...string) reply
		start := func(t *testing.T) {
			w = newWorld(t)
			post = w.hook(t)
			w.install(t)
			w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"`+plan+`"}`).
				want(t, 200)
		}
		check := func(t *testing.T) {
			t.Helper()
			inst := w.get(t, icfg)
			if inst.Status != installation.StatusUninstalled || inst.Purged != (plan == "free") ||
				inst.Revision != 3 {
				t.Errorf("%s, purged %t, revision %d", inst.Status, inst.Purged, inst.Revision)
			}
		}
		t.Run(plan+" webhook first", func(t *testing.T) {
			start(t)
			post(removed(icfg, w.Now())).want(t, 200)
			w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200, final)
			check(t)
		})
		t.Run(plan+" DELETE first", func(t *testing.T) {
			start(t)
			w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200, final)
			post(removed(icfg, w.Now())).want(t, 200)
			check(t)
		})
		t.Run(plan+" at once", func(t *testing.T) {
			start(t)
			user, event := w.issuer.user(icfg), removed(icfg, w.Now())
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { w.do(t, "DELETE", path, user, "").want(t, 200, final) })
				wg.Go(func() { post(event).want(t, 200) })
			}
			wg.Wait()
			check(t)
		})
	}
}

// TestWebhookOfEarlierGeneration: an event of an earlier life does not end what the host has
// installed again.
func TestWebhookOfEarlierGeneration(t *testing.T) {
	w := newWorld(t)
	post := w.hook(t)
	w.install(t)
	early := removed(icfg, w.Now().Add(-time.Minute))
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200)
	w.advance(time.Hour)
	again := installation.UpsertRequest{ID: icfg,
		Parts: installation.Parts{Account: installation.Value(installation.Account{ID: account})}}
	if _, err := w.svc.Upsert(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	post(early).want(t, 200)
	if inst := w.get(t, icfg); inst.Status != installation.StatusInstalled {
		t.Error("a late event ended the new life")
	}
	post(removed(icfg, w.Now().Add(time.Second))).want(t, 200)
	if inst := w.get(t, icfg); inst.Status != installation.StatusUninstalled {
		t.Error("an event of its time did not end it")
	}
}

// TestWebhookRemovesFirstGenerationAlways: clocks that differ must not keep a first life alive.
func TestWebhookRemovesFirstGenerationAlways(t *testing.T) {
	w := newWorld(t)
	post := w.hook(t)
	w.install(t)
	post(removed(icfg, w.Now().Add(-time.Minute))).want(t, 200)
	if inst := w.get(t, icfg); inst.Status != installation.StatusUninstalled {
		t.Error("it is still installed")
	}
}

func TestWebhookFailures(t *testing.T) {
	var answer error
	w := newWorld(t, func(o *choices) {
		o.handler.Finalizer = vercel.FinalizerFunc(func(
			context.Context, vercel.Removal,
		) (bool, error) {
			return false, answer
		})
	})
	post := w.hook(t)
	w.install(t)
	event := removed(icfg, w.Now())
	answer = errors.New("no answer from the billing system")
	post(event).want(t, http.StatusInternalServerError)
	w.store.fail(installation.ErrUnavailable)
	r := post(event)
	r.want(t, http.StatusServiceUnavailable)
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// TestWebhookWithOpenInvoices: a DELETE can be refused. A removal has happened, so it is carried
// out, and the access token stays for the last invoices.
func TestWebhookWithOpenInvoices(t *testing.T) {
	w := newWorld(t, func(o *choices) {
		o.handler.Finalizer = vercel.FinalizerFunc(func(
			context.Context, vercel.Removal,
		) (bool, error) {
			return false, &vercel.Refusal{Message: "Pay first"}
		})
	})
	post := w.hook(t)
	w.install(t)
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, http.StatusConflict)
	if inst := w.get(t, icfg); inst.Status != installation.StatusInstalled {
		t.Fatalf("the refused DELETE left it %s", inst.Status)
	}
	for range 2 {
		post(removed(icfg, w.Now())).want(t, http.StatusOK, `{}`)
	}
	if inst := w.get(t, icfg); inst.Status != installation.StatusUninstalled || inst.Purged {
		t.Errorf("%s, purged %t", inst.Status, inst.Purged)
	}
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200, `{"finalized":false}`)
}

// TestWebhookFIPS: where HMAC-SHA1 is not allowed, the constructor says so and no request meets
// it.
func TestWebhookFIPS(t *testing.T) {
	if !fips140.Enforced() {
		fixture.RepeatInFIPSMode(t)
		return
	}
	if _, err := new(vercel.Handler).Webhook(crypto.NewSecret(clientSecret)); err == nil ||
		!strings.Contains(err.Error(), "fips140") {
		t.Errorf("got %v", err)
	}
}
