package softwareone_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
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

// readSeed returns the document in testdata/seeds.
func readSeed(t *testing.T) *softwareone.Installation {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "seeds", "softwareone.json"))
	if err != nil {
		t.Fatal(err)
	}
	return decode[*softwareone.Installation](t, string(text))
}

// TestSeedDocument makes the installation of testdata/seeds from its own object, and reads the same
// object. The secrets are masked. The code and the times are those of the test.
func TestSeedDocument(t *testing.T) {
	const accept = "https://client.example/accept-invite"
	w := newWorld(t, newMemory())
	svc := w.withAcceptURL(t, accept)
	seed := readSeed(t)
	parts := seed.Parts()
	invited, err := svc.Invite(t.Context(), installation.InviteRequest{ID: seed.ID,
		Parts: installation.Parts{Extension: parts.Extension}})
	if err != nil {
		t.Fatal(err)
	}
	account, _ := parts.Account.Get()
	client := svc.As(installation.Actor{Kind: installation.Customer, ID: account.ID})
	if _, err := client.Accept(t.Context(), installation.AcceptRequest{ID: seed.ID,
		Code: invited.Code, Account: account, Consent: parts.Consent}); err != nil {
		t.Fatal(err)
	}
	w.do(t, "PUT", "/installations/"+seed.ID, vendorToken, `{"configuration":{`+
		`"adobe_secret":"ads-2c9e70b4d1f8","mpt_token":"mpt-e6185fa3097b",`+
		`"vendor":"ACC-123-123"}}`).want(t, 200)
	if got := w.secretOf(t, seed.ID, "/mpt_token"); got != "mpt-e6185fa3097b" {
		t.Errorf("stored %q", got)
	}

	inst, err := svc.Get(t.Context(), seed.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := softwareone.InstallationOf(inst)
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w.do(t, "GET", "/installations/"+seed.ID, vendorToken, "").want(t, 200, string(text))
	if masked := got.Configuration.String(); masked !=
		`{"adobe_secret":"***","mpt_token":"***","vendor":"ACC-123-123"}` {
		t.Errorf("configuration %s", masked)
	}
	seed.Revision, seed.Audit, seed.Configuration = got.Revision, got.Audit, got.Configuration
	seed.Invitation = &softwareone.Invitation{Status: "Installed",
		Validity: &softwareone.Validity{Period: "7d"}, URL: accept + "?installation=" + seed.ID}
	if diff := cmp.Diff(seed, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// withAcceptURL serves another service with Options.AcceptURL, and returns it with a vendor's
// rights.
func (w *world) withAcceptURL(t *testing.T, address string) *installation.Service {
	t.Helper()
	directory := newDirectory(t)
	svc, err := installation.New(w.store, newKeys(t, "k1", "0123456789abcdef0123456789abcdef"),
		&installation.Options{Now: w.Now, Policy: softwareone.Policy, AcceptURL: address,
			Owner: softwareone.Owners(directory)})
	if err != nil {
		t.Fatal(err)
	}
	w.over(t, svc, directory)
	return svc.As(installation.Actor{Kind: installation.Vendor, ID: vendorAccount})
}

// TestInvitationURL: it is always a string. The answer to POST has the link with the code, and
// every later answer the link without it.
func TestInvitationURL(t *testing.T) {
	w := newWorld(t, newMemory())
	w.withAcceptURL(t, "https://client.example/accept-invite")
	invited := w.do(t, "POST", "/installations", vendorToken, inviteBody).want(t, 201).row(t)
	page := "https://client.example/accept-invite?installation=" + invited.ID
	link, err := url.Parse(invited.Invitation.URL)
	if err != nil {
		t.Fatal(err)
	}
	code := link.Query().Get("code")
	if code == "" || code != invited.Invitation.Code ||
		link.Query().Get("installation") != invited.ID {
		t.Errorf("invitation %+v", invited.Invitation)
	}
	check := func(when string) {
		t.Helper()
		for _, path := range []string{"/installations/" + invited.ID,
			"/extensions/" + stock + "/installations"} {
			body := w.do(t, "GET", path, vendorToken, "").want(t, 200).body
			if !strings.Contains(body, `"url":"`+page+`"`) || strings.Contains(body, code) {
				t.Errorf("%s, %s: %s", when, path, body)
			}
		}
	}
	check("invited")
	w.do(t, "POST", "/installations/"+invited.ID+"/redeem", clientToken, redeemBody(code)).
		want(t, 200)
	check("installed")
	w.do(t, "DELETE", "/installations/"+invited.ID, vendorToken, "").want(t, 204)
	check("uninstalled")
}

// TestParts: what an object says comes back from its parts, and an empty one changes nothing.
func TestParts(t *testing.T) {
	full := &softwareone.Installation{ID: "EXI-1", Name: "n",
		Extension: softwareone.ExtensionReference{ID: "e", Name: "en", Icon: "ei", Href: "/e",
			Revision: 2},
		Account: softwareone.AccountReference{ID: "a", Name: "an", Icon: "ai", Type: "Client",
			Status: "Enabled", Revision: 3},
		Modules:       []softwareone.Reference{{ID: "m", Name: "mn", Icon: "mi"}},
		Terms:         []softwareone.Reference{{ID: "t"}},
		Configuration: installation.JSON(`{"a":1}`),
	}
	p := full.Parts()
	inst := &installation.Installation{ID: "EXI-1"}
	inst.Name, _ = p.Name.Get()
	inst.Extension, _ = p.Extension.Get()
	inst.Account, _ = p.Account.Get()
	inst.Consent, _ = p.Consent.Get()
	configuration, _ := p.Configuration.Get()
	inst.Configuration = &configuration
	if diff := cmp.Diff(full, softwareone.InstallationOf(inst)); diff != "" {
		t.Error(diff)
	}
	if got := new(softwareone.Installation).Parts(); !reflect.DeepEqual(got, installation.Parts{}) {
		t.Errorf("the parts of an empty object: %+v", got)
	}
}
