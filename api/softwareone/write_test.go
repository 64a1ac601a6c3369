package softwareone_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
)

const vendorOnly = "Only the vendor of the extension may do this."

// secretOf reveals a value of the configuration; "" if the configuration lacks it.
func (w *world) secretOf(t *testing.T, id, pointer string) string {
	t.Helper()
	got, err := w.svc.Reveal(t.Context(), installation.RevealRequest{ID: id,
		Refs: []installation.Ref{installation.Ref("config" + pointer)}, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return got[0].Value.RevealString()
}

// TestPut: the configuration is replaced, masks keep what is stored, and nothing else in the
// body counts.
func TestPut(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		inst := w.install(t, clientToken, stock)
		path := "/installations/" + inst.ID
		put := func(body string, want map[string]any) {
			t.Helper()
			r := w.do(t, "PUT", path, vendorToken, body)
			if diff := cmp.Diff(want, r.want(t, 200).row(t).Configuration); diff != "" {
				t.Error(diff)
			}
			w.do(t, "GET", path, vendorToken, "").want(t, 200, r.body)
		}
		put(`{}`, nil)
		put(`{"configuration":null}`, nil)
		put(configuredBody, map[string]any{"api_secret": "***", "warehouse": "EU-2"})
		if got := w.secretOf(t, inst.ID, "/api_secret"); got != "c4nary-api-secret" {
			t.Errorf("stored %q", got)
		}

		// The whole document sent back changes nothing; with one value changed, that value alone.
		whole := w.do(t, "GET", path, vendorToken, "").body
		revision := w.do(t, "GET", path, vendorToken, "").row(t).Revision
		put(whole, map[string]any{"api_secret": "***", "warehouse": "EU-2"})
		if got := w.do(t, "GET", path, vendorToken, "").row(t).Revision; got != revision {
			t.Errorf("revision %d, want %d", got, revision)
		}
		changed := strings.NewReplacer("EU-2", "EU-3", `"Installed"`, `"Uninstalled"`,
			clientAccount, otherClient, "MOD-0478", "MOD-0112",
			"Stock Sync", "Other", `"revision":2`, `"revision":9`).Replace(whole)
		put(changed, map[string]any{"api_secret": "***", "warehouse": "EU-3"})
		after := w.do(t, "GET", path, vendorToken, "")
		if got := after.row(t); got.Status != "Installed" || got.Account.ID != clientAccount ||
			got.Modules[0].ID != "MOD-0478" || got.Name != "Stock Sync" ||
			got.Audit["created"].At != inst.Audit["created"].At ||
			got.Audit["updated"].By.ID != "TKN-0001-0001" {
			t.Errorf("it became %s", after.body)
		}
		if got := w.secretOf(t, inst.ID, "/api_secret"); got != "c4nary-api-secret" {
			t.Errorf("stored %q", got)
		}

		// What is not in the map any more is gone.
		put(`{"configuration":{"warehouse":"EU-3","nested":{"deep":[1,null,true,"x"]}}}`,
			map[string]any{"warehouse": "EU-3",
				"nested": map[string]any{"deep": []any{1., nil, true, "x"}}})
		put(`{"configuration":{}}`, map[string]any{})
		w.do(t, "PUT", path, vendorToken, `{"configuration":{"api_secret":"***"}}`).want(t, 400)
	})
}

// TestPutRejects: who may not, and what is no configuration.
func TestPutRejects(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		inst := w.install(t, clientToken, stock)
		path := "/installations/" + inst.ID
		for _, token := range []string{clientToken, opsToken, stockSecret,
			w.mint(t, stockSecret, clientAccount), w.mint(t, stockSecret, "")} {
			w.do(t, "PUT", path, token, configuredBody).refused(t, 403, vendorOnly)
		}
		for _, token := range []string{client2Token, rivalToken, ledgerSecret, noneToken,
			ledgerToken, narrowToken} {
			w.do(t, "PUT", path, token, configuredBody).refused(t, 404, noSuchRow)
		}
		for _, body := range []string{``, `[]`, `null`, `{"configuration":[]}`,
			`{"configuration":"x"}`, `{"configuration":1}`, `{"configuration":{"a":1,"a":2}}`,
			`{"configuration":{}`, `{"configuration":{}}x`} {
			w.do(t, "PUT", path, vendorToken, body).want(t, 400)
		}
		w.do(t, "PUT", path, vendorToken, `{"configuration":"x"}`).
			refused(t, 400, notValid, "configuration", "must be a JSON object")
		w.do(t, "PUT", path, vendorToken, `{"configuration":{"nested":{"token":"***"}}}`).
			refused(t, 400, notValid, "configuration.nested.token",
				"no secret is stored here that *** could stand for")
		w.do(t, "PUT", path, vendorToken, configuredBody, "Content-Type",
			"application/x-www-form-urlencoded").want(t, 415)
		w.do(t, "PUT", path, vendorToken, configuredBody, "If-Match", `"2"`).want(t, 409)
		w.do(t, "PUT", "/installations/EXI-0000-0000-0000", vendorToken, configuredBody).
			refused(t, 404, noSuchRow)
		if got := w.do(t, "GET", path, vendorToken, "").row(t); got.Revision != 1 {
			t.Errorf("revision %d", got.Revision)
		}
		r := w.do(t, "PUT", path, vendorToken, configuredBody, "If-Match", `"1"`)
		if r.want(t, 200); r.header.Get("ETag") != `"2"` {
			t.Errorf("ETag %q", r.header.Get("ETag"))
		}
		w.do(t, "DELETE", path, vendorToken, "").want(t, 204)
		w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 409)
	})
}

// TestDelete: the row stays, as Uninstalled, and a second DELETE is as good as the first.
func TestDelete(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		inst := w.install(t, clientToken, stock)
		path := "/installations/" + inst.ID
		const whoMay = "Only the vendor of the extension and operations may do this."
		w.do(t, "DELETE", path, clientToken, "").refused(t, 403, whoMay)
		w.do(t, "DELETE", path, stockSecret, "").refused(t, 403, whoMay)
		for _, token := range []string{client2Token, rivalToken, ledgerSecret, ledgerToken} {
			w.do(t, "DELETE", path, token, "").refused(t, 404, noSuchRow)
		}
		w.do(t, "DELETE", path, vendorToken, "", "If-Match", `"9"`).want(t, 409)
		w.do(t, "DELETE", path, vendorToken, "x", "Content-Type", "text/plain").want(t, 415)
		w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 200)

		r := w.do(t, "DELETE", path, vendorToken, "")
		checkHeaders(t, r.want(t, 204, ""))
		got := w.do(t, "GET", path, clientToken, "").want(t, 200).row(t)
		if got.Status != "Uninstalled" || got.Revision != 3 ||
			got.Audit["uninstalled"].By.ID != "TKN-0001-0001" {
			t.Errorf("it reads %+v", got)
		}
		w.do(t, "DELETE", path, vendorToken, "").want(t, 204, "")
		w.do(t, "DELETE", path, opsToken, `{}`).want(t, 204, "")
		if again := w.do(t, "GET", path, clientToken, "").row(t); again.Revision != 3 {
			t.Errorf("revision %d", again.Revision)
		}

		// After the grace period the configuration is gone and the rest is there.
		w.advance(24 * time.Hour)
		if _, err := w.svc.Sweep(t.Context(), installation.SweepRequest{}); err != nil {
			t.Fatal(err)
		}
		purged := w.do(t, "GET", path, vendorToken, "").want(t, 200)
		if got := purged.row(t); got.Configuration != nil || got.Status != "Uninstalled" ||
			got.Audit["installed"].At == "" {
			t.Errorf("it reads %s", purged.body)
		}

		invited, _ := w.invite(t, stock)
		w.do(t, "DELETE", "/installations/"+invited.ID, opsToken, "").want(t, 204, "")
		if got := w.do(t, "GET", "/installations/"+invited.ID, vendorToken, "").
			row(t); got.Status != "Uninstalled" || got.Invitation.Status != "Uninstalled" {
			t.Errorf("it reads %+v", got)
		}
	})
}

// TestPutDeepConfiguration: what a GET shows can be sent back whole, also where the
// configuration alone is as deep as a document may be.
func TestPutDeepConfiguration(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		path := "/installations/" + w.install(t, clientToken, stock).ID
		deep := func(n int) string {
			return `{"configuration":` + strings.Repeat(`{"a":`, n-1) + "{}" +
				strings.Repeat("}", n-1) + "}"
		}
		w.do(t, "PUT", path, vendorToken, deep(65)).want(t, 400)
		w.do(t, "PUT", path, vendorToken, deep(64)).want(t, 200)
		long := strings.Repeat("k", 1022) // a pointer of 1,024 bytes with what is before it
		w.do(t, "PUT", path, vendorToken, `{"configuration":{"`+long+`":1}}`).want(t, 200)
		w.do(t, "PUT", path, vendorToken, `{"configuration":{"`+long+`xx":1}}`).want(t, 400)
		w.do(t, "PUT", path, vendorToken, deep(64)).want(t, 200)
		whole := w.do(t, "GET", path, vendorToken, "").want(t, 200)
		w.do(t, "PUT", path, vendorToken, whole.body).want(t, 200, whole.body)
	})
}
