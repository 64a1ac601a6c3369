package softwareone_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/go-installation/installation"
)

var idForm = regexp.MustCompile(`^EXI-\d{4}-\d{4}-\d{4}$`)

const (
	noSuchResource = "There is no such resource."
	noSuchRow      = "There is no such installation."
	notValid       = "The request is not valid."
	badInvitation  = "The invitation is not valid."
	installed      = "Extension is already installed for this account."
)

// TestInstall: a direct POST installs for the caller's account.
func TestInstall(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		r := w.do(t, "POST", "/installations", clientToken, installBody)
		got := r.want(t, 201).row(t)
		if !idForm.MatchString(got.ID) {
			t.Errorf("id %q", got.ID)
		}
		const event = `{"at":"2026-05-02T08:00:00.001Z","by":{"id":"TKN-0002-0001",` +
			`"name":"token TKN-0002-0001"},"of":{"id":"ACC-8834-0012","name":"Harbor Foods"}}`
		r.want(t, 201,
			`{"id":"`+got.ID+`","name":"Stock Sync","revision":1,"status":"Installed",`+
				`"extension":{"id":"EXT-4410-7725","name":"Stock Sync",`+
				`"icon":"/static/EXT-4410-7725/icon.png","revision":3},`+
				`"account":{"id":"ACC-8834-0012","name":"Harbor Foods","type":"Client",`+
				`"status":"Enabled","revision":5},`+
				`"modules":[{"id":"MOD-0478"}],`+
				`"audit":{"created":`+event+`,"installed":`+event+`}}`)
		checkHeaders(t, r)
		w.do(t, "GET", "/installations/"+got.ID, clientToken, "").want(t, 200, r.body)
	})
}

type installBodyCase struct {
	name, body string
	status     int
	errors     []string
}

// installBodyCases returns bodies with their answers.
func installBodyCases() []installBodyCase {
	mustObject := []string{"body", "must be an object"}
	return []installBodyCase{
		{"no modules", `{"extension":{"id":"` + stock + `"}}`, 201, nil},
		{"modules null", `{"extension":{"id":"` + stock +
			`"},"modules":null,"account":null,"invitation":null}`, 201, nil},
		{"the same module twice", `{"extension":{"id":"` + stock +
			`"},"modules":[{"id":"MOD-0478"},{"id":"MOD-0478","name":"x"}]}`, 201, nil},
		{"what only an answer has",
			`{"extension":{"id":"` + stock +
				`"},"configuration":{"a":1},"audit":5,"status":"Expired","id":"EXI-1",` +
				`"more":[]}`, 201, nil},
		{"its own account", `{"extension":{"id":"` + stock + `"},"account":{"id":"` +
			clientAccount + `","name":"x"}}`, 201, nil},
		{"nothing", ``, 400, mustObject},
		{"a list", `[]`, 400, mustObject},
		{"no extension", `{}`, 400, []string{"extension", "is required"}},
		{"extension null", `{"extension":null}`, 400, []string{"extension", "is required"}},
		{"an extension that is a text", `{"extension":"` + stock + `"}`, 400,
			[]string{"extension", "must be an object", "extension.id", "is required"}},
		{"an id that is a number", `{"extension":{"id":7}}`, 400, nil},
		{"modules that are an object", `{"extension":{"id":"` + stock + `"},"modules":{}}`, 400,
			[]string{"modules", "must be an array"}},
		{"a module that is a text", `{"extension":{"id":"` + stock + `"},"modules":["MOD-0478"]}`,
			400, nil},
		{"a module not asked for",
			`{"extension":{"id":"` + stock + `"},"modules":[{"id":"MOD-9999"}]}`, 400,
			[]string{"modules", "the extension does not ask for one of these modules"}},
		{"many modules", `{"extension":{"id":"` + stock + `"},"modules":[` +
			strings.TrimSuffix(strings.Repeat(`{"id":"a"},`, 101), ",") + `]}`, 400, nil},
		{"names in other letters", `{"Extension":{"id":"` + stock + `"}}`, 400,
			[]string{"extension", "is required"}},
		{"a name twice",
			`{"extension":{"id":"` + ledger + `"},"extension":{"id":"` + stock + `"}}`, 400, nil},
		{"two documents", installBody + installBody, 400, nil},
		{"no UTF-8", "{\"extension\":{\"id\":\"\xff\"}}", 400, nil},
	}
}

// TestInstallBodies: what a body may and may not say.
func TestInstallBodies(t *testing.T) {
	tests := installBodyCases()
	onStores(t, func(t *testing.T, w *world) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				r := w.do(t, "POST", "/installations", clientToken, tt.body)
				if r.status == 201 && tt.status == 201 {
					if got := r.row(t); got.Modules == nil || len(got.Modules) > 1 ||
						strings.Contains(r.body, "configuration") {
						t.Errorf("body %s", r.body)
					} else if _,
						err := w.svc.Delete(t.Context(),
						installation.DeleteRequest{ID: got.ID}); err != nil {
						t.Error(err)
					}
					return
				}
				if tt.errors != nil {
					r.refused(t, tt.status, notValid, tt.errors...)
				}
				r.want(t, tt.status)
			})
		}
		w.do(t, "POST", "/installations", clientToken, installBody, "Content-Type", "text/plain").
			want(t, 415)
		w.do(t, "POST", "/installations", clientToken, installBody, "Content-Type", "").
			want(t, 415)
		if n, err := w.svc.Count(t.Context(), installation.ListRequest{}); n != 0 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

type installPermissionCase struct {
	name, token, extension, account string
	status                          int
	detail                          string
	shown                           string // account of the row
}

// installPermissionCases returns callers with their answers.
func installPermissionCases() []installPermissionCase {
	const (
		invitedOnly = "This extension cannot be installed without an invitation."
		ownAccount  = "An extension is installed for the account of the caller."
	)
	return []installPermissionCase{
		{"client", clientToken, stock, "", 201, "", clientAccount},
		{"client, naming itself", client2Token, stock, otherClient, 201, "", otherClient},
		{"client, naming another", client2Token, ledger, clientAccount, 403, ownAccount, ""},
		{"client, naming none that there is", client2Token, ledger, "ACC-0", 403, ownAccount, ""},
		{"vendor", vendorToken, stock, "", 201, "", vendorAccount},
		{"vendor, for a client", vendorToken, stock, otherClient, 409, installed, ""},
		{"vendor, for nobody", vendorToken, stock, "ACC-0", 400, notValid, ""},
		{"vendor, another's", vendorToken, ledger, "", 201, "", vendorAccount},
		{"vendor, another's for a client", vendorToken, ledger, clientAccount, 403, ownAccount,
			""},
		{"operations", opsToken, stock, "", 201, "", operations},
		{"operations, for a client", opsToken, ledger, otherClient, 201, "", otherClient},
		{"private, client", clientToken, pilot, "", 404, noSuchResource, ""},
		{"private, another vendor", rivalToken, pilot, "", 404, noSuchResource, ""},
		{"private, its vendor", vendorToken, pilot, "", 403, invitedOnly, ""},
		{"private, operations", opsToken, pilot, clientAccount, 403, invitedOnly, ""},
		{"draft, client", clientToken, draft, "", 404, noSuchResource, ""},
		{"draft, its vendor", vendorToken, draft, "", 403, invitedOnly, ""},
		{"deleted", vendorToken, gone, "", 404, noSuchResource, ""},
		{"unknown", opsToken, "EXT-0", "", 404, noSuchResource, ""},
		{"token for none", noneToken, stock, "", 404, noSuchResource, ""},
		{"token for another", ledgerToken, stock, "", 404, noSuchResource, ""},
		{"token for it", ledgerToken, ledger, "", 201, "", operations},
		{"extension", stockSecret, stock, "", 403, "This is for accounts, not for extensions.",
			""},
	}
}

// TestInstallPermissions: which extension can be installed by whom, where.
func TestInstallPermissions(t *testing.T) {
	tests := installPermissionCases()
	onStores(t, func(t *testing.T, w *world) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				body := map[string]any{"extension": map[string]string{"id": tt.extension}}
				if tt.account != "" {
					body["account"] = map[string]string{"id": tt.account}
				}
				text, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				r := w.do(t, "POST", "/installations", tt.token, string(text))
				if tt.status != 201 {
					if tt.status == 400 {
						r.refused(t, 400, notValid, "account.id", "unknown account")
						return
					}
					r.refused(t, tt.status, tt.detail)
				} else if got := r.want(t, 201).
					row(t); got.Account.ID != tt.shown || got.Status != "Installed" {
					t.Errorf("body %s", r.body)
				}
			})
		}
	})
}

// TestInstallTwice: the second POST is 409, and changes nothing; invitations and ended rows are
// not in the way.
func TestInstallTwice(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		w.invite(t, stock)
		first := w.install(t, clientToken, stock)
		w.do(t, "POST", "/installations", clientToken, installBody).refused(t, 409, installed)
		w.do(t, "POST", "/installations", opsToken,
			fmt.Sprintf(`{"extension":{"id":%q},"account":{"id":%q}}`, stock, clientAccount)).
			refused(t, 409, installed)
		w.invite(t, stock)
		w.install(t, client2Token, stock)
		w.install(t, clientToken, ledger)

		w.do(t, "DELETE", "/installations/"+first.ID, vendorToken, "").want(t, 204, "")
		again := w.install(t, clientToken, stock)
		if again.ID == first.ID || again.Revision != 1 {
			t.Errorf("installed again as %s of revision %d, first %s", again.ID, again.Revision,
				first.ID)
		}
		if old := w.do(t, "GET", "/installations/"+first.ID, clientToken, "").want(t, 200).
			row(t); old.Status != "Uninstalled" {
			t.Errorf("the first one is %s", old.Status)
		}
	})
}

// TestMethods: neither HEAD nor GET does anything, and other methods are refused by name.
func TestMethods(t *testing.T) {
	w := newWorld(t, newMemory())
	inst := w.install(t, clientToken, stock)
	for path, allow := range map[string]string{
		"/installations":                        "GET, HEAD, POST",
		"/installations/" + inst.ID:             "DELETE, GET, HEAD, PUT",
		"/installations/" + inst.ID + "/redeem": "POST", "/installations/-/token": "POST",
		"/extensions/" + stock + "/installations":            "GET, HEAD",
		"/extensions/" + stock + "/installations/" + inst.ID: "GET, HEAD",
	} {
		for _, method := range []string{"PATCH", "TRACE", "PROPFIND", "OPTIONS"} {
			r := w.do(t, method, path, vendorToken, "")
			r.refused(t, 405, "The method is not one of this resource.")
			if got := r.header.Get("Allow"); got != allow {
				t.Errorf("%s allows %q, want %q", path, got, allow)
			}
		}
		if strings.Contains(allow, "HEAD") {
			get, head := w.do(t, "GET", path, vendorToken, ""), w.do(t, "HEAD", path, vendorToken,
				"")
			if head.status != 200 || head.body != "" ||
				head.header.Get("Content-Length") != get.header.Get("Content-Length") ||
				head.header.Get("ETag") != get.header.Get("ETag") {
				t.Errorf("HEAD of %s: %d %v", path, head.status, head.header)
			}
		}
	}
	for _, path := range []string{"/installations/", "/installations/" + inst.ID + "/",
		"/extensions/" + stock + "/installations/"} {
		w.do(t, "GET", path, vendorToken, "").want(t, 200)
	}
	for _, path := range []string{"/", "/installations/-", "/installations/" + inst.ID + "//",
		"/installations/" + inst.ID + "/token",
		"/extensions", "/extensions/" + stock, "/installations//" + inst.ID,
		"/extensions/" + stock + "/installations/-/token"} {
		w.do(t, "GET", path, vendorToken, "").want(t, 404)
	}
	if got := w.do(t, "GET", "/installations/"+inst.ID, vendorToken, "").
		row(t); got.Revision != 1 {
		t.Errorf("revision %d", got.Revision)
	}
}

func checkHeaders(t *testing.T, r reply) {
	t.Helper()
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", r.header)
	}
}
