package softwareone_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
)

// documented is the example of the platform's own page, with what its dots stand for and the
// comma that it lacks.
const documented = `{"id":"EXI-1234-1234-0001","status":"Installed",
 "extension":{"id":"EXT-6822-9898-4256","name":"Microsoft AI Cloud Partner"},
 "configuration":{"adobe_secret":"***","mpt_token":"***","vendor":"ACC-123-123"},
 "account":{"id":"ACC-1234-1234"},
 "invitation":{"code":"TEST","status":"Invited"},
 "audit":{"created":{"at":"...","by":{}},"updated":{"at":"...","by":{}}}}`

// TestDocumentedExample makes the installation of the page and reads it: the same keys, the
// same masks, and real types. Of the invitation the code is shown to nobody, and its status is
// that of the installation.
func TestDocumentedExample(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		want := decode[map[string]any](t, documented)
		id, extension := want["id"].(string), installation.Extension{ID: paged,
			Name: "Microsoft AI Cloud Partner", Owner: vendorAccount}
		vendor := w.svc.As(installation.Actor{Kind: installation.Vendor, ID: vendorAccount,
			User: installation.Reference{ID: "USR-0001"}})
		invited, err := vendor.Invite(t.Context(), installation.InviteRequest{ID: id,
			Parts: installation.Parts{Extension: installation.Value(extension)}})
		if err != nil {
			t.Fatal(err)
		}
		client := w.svc.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1234-1234"})
		if _, err := client.Accept(t.Context(), installation.AcceptRequest{ID: id,
			Code: invited.Code, Account: installation.Account{ID: "ACC-1234-1234"}}); err != nil {
			t.Fatal(err)
		}
		w.do(t, "PUT", "/installations/"+id, vendorToken,
			`{"configuration":{"adobe_secret":"c4nary-adobe","mpt_token":"c4nary-mpt",`+
				`"vendor":"ACC-123-123"}}`).want(t, 200)

		got := decode[map[string]any](t,
			w.do(t, "GET", "/installations/"+id, vendorToken, "").want(t, 200).body)
		for _, key := range []string{"id", "extension", "status", "configuration", "account"} {
			if diff := cmp.Diff(want[key], got[key]); diff != "" {
				t.Errorf("%s: %s", key, diff)
			}
		}
		if status := got["invitation"].(map[string]any)["status"]; status != "Installed" {
			t.Errorf("the invitation is %v", status)
		}
		moment := regexp.MustCompile(`^2026-05-02T08:00:00\.\d{3}Z$`)
		for key := range want["audit"].(map[string]any) {
			event := got["audit"].(map[string]any)[key].(map[string]any)
			if _, ok := event["by"].(map[string]any); !ok ||
				!moment.MatchString(event["at"].(string)) {
				t.Errorf("audit.%s is %v", key, event)
			}
		}
		for _, token := range []string{clientToken, opsToken} {
			if r := w.do(t, "GET", "/installations/"+id, token, ""); strings.Contains(r.body,
				"onfiguration") {
				t.Errorf("the configuration shows in %s", r.body)
			}
		}
	})
}

// TestSeedDocument installs what stands in testdata/seeds, and reads the same values and keys,
// but for what is nobody's to read.
func TestSeedDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "seeds", "softwareone.json"))
	if err != nil {
		t.Fatal(err)
	}
	var seed struct {
		ID            string
		Extension     installation.Extension
		Account       installation.Account
		Modules       []installation.Reference
		Configuration json.RawMessage
	}
	if err := json.Unmarshal(text, &seed); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, newMemory())
	seed.Extension.Owner = vendorAccount
	invited, err := w.svc.Invite(t.Context(), installation.InviteRequest{ID: seed.ID,
		Parts: installation.Parts{Extension: installation.Value(seed.Extension)}})
	if err != nil {
		t.Fatal(err)
	}
	client := w.svc.As(installation.Actor{Kind: installation.Customer, ID: seed.Account.ID})
	accept := installation.AcceptRequest{
		ID: seed.ID, Code: invited.Code, Account: seed.Account,
		Consent: installation.Value(installation.Consent{Modules: seed.Modules}),
	}
	if _, err := client.Accept(t.Context(), accept); err != nil {
		t.Fatal(err)
	}
	w.do(t, "PUT", "/installations/"+seed.ID, vendorToken,
		`{"configuration":`+string(seed.Configuration)+`}`).want(t, 200)

	got := decode[map[string]any](t,
		w.do(t, "GET", "/installations/"+seed.ID, vendorToken, "").want(t, 200).body)
	want := decode[map[string]any](t, string(text))
	want["configuration"] = map[string]any{"adobe_secret": "***", "mpt_token": "***",
		"vendor": "ACC-123-123"}
	for _, key := range []string{"id", "extension", "status", "configuration", "account",
		"modules"} {
		if diff := cmp.Diff(want[key], got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if got := w.secretOf(t, seed.ID, "/mpt_token"); got != "mpt-e6185fa3097b" {
		t.Errorf("stored %q", got)
	}
}
