package softwareone_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
)

// visibilityActor is a caller with the names of the rows that it sees.
type visibilityActor struct {
	name, token string
	sees        []string
	configured  bool
}

// visibilityActors returns one caller of each kind. all are the names of all rows.
func visibilityActors(t *testing.T, w *world, all []string) []visibilityActor {
	t.Helper()
	person := func(account string, typ softwareone.AccountType, extension string) string {
		return w.issue(t, softwareone.Claims{AccountID: account, AccountType: typ,
			ExtensionID: extension, UserID: "USR-7702-3316"})
	}
	ofStock := []string{"here", "there", "vendor's", "offer"}
	return []visibilityActor{
		{"client", clientToken, []string{"here", "other"}, false},
		{"the other client", client2Token, []string{"there", "pilot"}, false},
		{"vendor", vendorToken, append([]string{"pilot"}, ofStock...), true},
		{"the other vendor", rivalToken, []string{"other"}, true},
		{"vendor, one extension", pilotToken, []string{"pilot"}, true},
		{"operations", opsToken, all, false},
		{"operations, no extension", noneToken, nil, false},
		{"operations, one extension", ledgerToken, []string{"other"}, false},
		{"operations, two extensions", bothToken, append([]string{"other"}, ofStock...),
			false},
		{"client, one extension", narrowToken, []string{"other"}, false},
		{"extension", stockSecret, ofStock, true},
		{"the other extension", ledgerSecret, []string{"other"}, true},
		{"extension for a client", w.mint(t, stockSecret, clientAccount), []string{"here"},
			true},
		{"extension for itself", w.mint(t, stockSecret, ""), ofStock, true},
		{"a person of the client", person(clientAccount, softwareone.AccountClient, ""),
			[]string{"here", "other"}, false},
		{"a person of the client, in the extension",
			person(clientAccount, softwareone.AccountClient, stock), []string{"here"}, false},
		{"a person of the vendor", person(vendorAccount, softwareone.AccountVendor, ""),
			append([]string{"pilot"}, ofStock...), true},
		{"a person of operations", person(operations, softwareone.AccountOperations, ""), all,
			false},
	}
}

// TestVisibility asks as every actor for every row, by both paths and in every list: the same
// rows exist everywhere, and the configuration shows to the vendor and the extension alone.
func TestVisibility(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		rows := map[string]string{} // name to id
		extensions := map[string]string{"here": stock, "there": stock, "vendor's": stock,
			"offer": stock, "pilot": pilot, "other": ledger}
		rows["here"] = w.install(t, clientToken, stock).ID
		rows["there"] = w.install(t, client2Token, stock).ID
		rows["vendor's"] = w.install(t, vendorToken, stock).ID
		rows["other"] = w.install(t, clientToken, ledger).ID
		offer, _ := w.invite(t, stock)
		rows["offer"] = offer.ID
		invited, code := w.invite(t, pilot)
		rows["pilot"] = w.do(t, "POST", "/installations/"+invited.ID+"/redeem", client2Token,
			redeemBody(code)).want(t, 200).row(t).ID
		for name, id := range rows {
			token := vendorToken
			if extensions[name] == ledger {
				token = rivalToken
			}
			w.do(t, "PUT", "/installations/"+id, token, configuredBody).want(t, 200)
		}
		all := slices.Collect(maps.Keys(rows))
		for _, actor := range visibilityActors(t, w, all) {
			t.Run(actor.name, func(t *testing.T) {
				for name, id := range rows {
					sees := slices.Contains(actor.sees, name)
					for _, path := range []string{"/installations/" + id,
						"/extensions/" + extensions[name] + "/installations/" + id} {
						r := w.do(t, "GET", path, actor.token, "")
						if !sees {
							r.refused(t, 404, noSuchRow)
							continue
						}
						checkConfiguration(t, r.want(t, 200).row(t), r.body, actor.configured)
					}
					w.do(t, "GET", "/extensions/EXT-0/installations/"+id, actor.token, "").
						refused(t, 404, noSuchRow)
				}
				visibleLists(t, w, actor, rows, extensions)
			})
		}
	})
}

// visibleLists checks that lists contain exactly the rows that the actor sees and
// the query selects.
func visibleLists(
	t *testing.T, w *world, actor visibilityActor, rows, extensions map[string]string,
) {
	t.Helper()
	for query, keep := range map[string]func(name string) bool{
		"":                                      func(string) bool { return true },
		"?offset=0&order=name":                  func(string) bool { return true },
		"?select=audit&order=-audit.created.at": func(string) bool { return true },
		"?eq(extension.id,'" + stock +
			"')": func(n string) bool { return extensions[n] == stock },
		"?account.id=" +
			clientAccount: func(n string) bool {
			return n == "here" ||
				n == "other"
		},
		"?and(eq(account.id,'" + clientAccount + "'),eq(extension.id,\"" + ledger +
			"\"))": func(n string) bool { return n == "other" },
		"?eq(account.id," + vendorAccount +
			")": func(n string) bool { return n == "vendor's" || n == "offer" },
		"?status=Installed": func(n string) bool { return n != "offer" },
		"?status=Invited":   func(n string) bool { return n == "offer" },
	} {
		w.checkList(t, "/installations"+query, actor.token, rows, actor.configured,
			func(name string) bool {
				return slices.Contains(actor.sees, name) && keep(name)
			})
	}
	for _, ext := range []string{stock, pilot, ledger, "EXT-0"} {
		w.checkList(t, "/extensions/"+ext+"/installations", actor.token, rows,
			actor.configured, func(name string) bool {
				return slices.Contains(actor.sees, name) && extensions[name] == ext
			})
	}
}

func checkConfiguration(t *testing.T, got row, body string, shown bool) {
	t.Helper()
	if shown &&
		(got.Configuration["api_secret"] != "***" || got.Configuration["warehouse"] != "EU-2") ||
		!shown && strings.Contains(body, "onfiguration") {
		t.Errorf("configuration of %s: %v", got.ID, got.Configuration)
	}
}

// checkList compares a list, and its count, with the rows that should be in it.
func (w *world) checkList(t *testing.T, path, token string, rows map[string]string,
	configured bool, in func(name string) bool) {
	t.Helper()
	var want []string
	for name, id := range rows {
		if in(name) {
			want = append(want, id)
		}
	}
	got := decode[page](t, w.do(t, "GET", path, token, "").want(t, 200).body)
	var ids []string
	for _, r := range got.Data {
		ids = append(ids, r.ID)
		if (r.Configuration != nil) != configured {
			t.Errorf("%s: configuration of %s: %v", path, r.ID, r.Configuration)
		}
	}
	slices.Sort(want)
	slices.Sort(ids)
	if !slices.Equal(want, ids) || got.Meta.Pagination.Total != len(want) {
		t.Errorf("%s: %q of %d, want %q", path, ids, got.Meta.Pagination.Total, want)
	}
	count := path + "?limit=0"
	if strings.Contains(path, "?") {
		count = path + "&limit=0"
	}
	if n := decode[page](t, w.do(t, "GET", count, token, "").want(t,
		200).body); n.Meta.Pagination.Total != len(want) || n.Data == nil || len(n.Data) != 0 {
		t.Errorf("%s: %d rows of %d, want %d in all", count, len(n.Data), n.Meta.Pagination.Total,
			len(want))
	}
}

// page is a list as a client reads it.
type page struct {
	Data []row
	Meta struct {
		Pagination struct{ Limit, Offset, Total int }
		Omitted    []string
	} `json:"$meta"`
}

// endpoints are all there are, for a row.
func endpoints(id string) []struct{ method, path, body string } {
	return []struct{ method, path, body string }{
		{"POST", "/installations", installBody},
		{"POST", "/installations", inviteBody},
		{"GET", "/installations", ""},
		{"GET", "/installations/" + id, ""},
		{"HEAD", "/installations/" + id, ""},
		{"PUT", "/installations/" + id, configuredBody},
		{"DELETE", "/installations/" + id, ""},
		{"POST", "/installations/" + id + "/redeem", redeemBody("x")},
		{"GET", "/extensions/" + stock + "/installations", ""},
		{"GET", "/extensions/" + stock + "/installations/" + id, ""},
		{"POST", "/installations/-/token", ""},
		{"POST", "/installations/-/token?account.id=" + clientAccount, ""},
	}
}

// operationsPerCallerCases are the cases of [TestOperationsPerCaller].
var operationsPerCallerCases = []struct {
	name, token string
	status      []int
}{
	{"nobody", "", []int{401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401}},
	{"client", clientToken,
		[]int{409, 403, 200, 200, 200, 403, 403, 400, 200, 200, 403, 403}},
	{"another client", client2Token,
		[]int{201, 403, 200, 404, 404, 404, 404, 400, 200, 404, 403, 403}},
	{"vendor", vendorToken,
		[]int{201, 201, 200, 200, 200, 200, 204, 400, 200, 200, 403, 403}},
	{"another vendor", rivalToken,
		[]int{201, 403, 200, 404, 404, 404, 404, 400, 200, 404, 403, 403}},
	{"operations", opsToken,
		[]int{201, 201, 200, 200, 200, 403, 204, 400, 200, 200, 403, 403}},
	{"operations for none", noneToken,
		[]int{404, 404, 200, 404, 404, 404, 404, 400, 200, 404, 403, 403}},
	{"extension", stockSecret,
		[]int{403, 403, 200, 200, 200, 403, 403, 403, 200, 200, 201, 201}},
	{"another extension", ledgerSecret,
		[]int{403, 403, 200, 404, 404, 404, 404, 403, 200, 404, 201, 404}},
	{"extension for the client", "installation token",
		[]int{403, 403, 200, 200, 200, 403, 403, 403, 200, 200, 403, 403}},
	{"extension for itself", "own token",
		[]int{403, 403, 200, 200, 200, 403, 403, 403, 200, 200, 403, 403}},
	{"a person of the vendor", "person",
		[]int{201, 201, 200, 200, 200, 200, 204, 400, 200, 200, 403, 403}},
	{"an API token of the vendor in a JWT", "API token",
		[]int{201, 201, 200, 200, 200, 200, 204, 400, 200, 200, 403, 403}},
}

// TestOperationsPerCaller asks every endpoint as every actor about a row of clientAccount.
func TestOperationsPerCaller(t *testing.T) {
	// In the order of endpoints: install, invite, list, get, head, put, delete, redeem, list
	// of, get of, mint, mint for.
	for _, actor := range operationsPerCallerCases {
		t.Run(actor.name, func(t *testing.T) {
			w := newWorld(t, newMemory())
			for i := range endpoints("") {
				inst := w.install(t, clientToken, stock)
				token := actor.token
				switch token {
				case "installation token":
					token = w.mint(t, stockSecret, clientAccount)
				case "own token":
					token = w.mint(t, stockSecret, "")
				case "person":
					token = w.issue(t,
						softwareone.Claims{AccountID: vendorAccount,
							AccountType: softwareone.AccountVendor, ExtensionID: stock,
							UserID: "USR-1180-4471"})
				case "API token":
					token = w.issue(t,
						softwareone.Claims{AccountID: vendorAccount,
							AccountType: softwareone.AccountVendor, ExtensionID: stock,
							APITokenID: "TKN-0001-0001"})
				}
				e := endpoints(inst.ID)[i]
				if r := w.do(t, e.method, e.path, token, e.body); r.status != actor.status[i] {
					t.Errorf("%s %s: status %d, want %d; body %s", e.method, e.path, r.status,
						actor.status[i], r.body)
				}
				after, err := w.svc.Get(t.Context(), inst.ID)
				if err != nil {
					t.Fatal(err)
				}
				changes := actor.status[i] < 300 && (e.method == "PUT" || e.method == "DELETE")
				if (after.Revision != 1) != changes {
					t.Errorf("%s %s: revision %d", e.method, e.path, after.Revision)
				}
				for row, err := range w.svc.All(t.Context(), installation.ListRequest{}) {
					if err != nil {
						t.Fatal(err)
					}
					if _, err := w.svc.Delete(t.Context(),
						installation.DeleteRequest{ID: row.ID}); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// badTokenCases returns Authorization headers that are not valid.
func badTokenCases(t *testing.T, w *world, id, good string) map[string]string {
	parts := strings.Split(good, ".")
	mint := func(c softwareone.Claims) string { return w.issue(t, c) }
	return map[string]string{
		"no header":                   "",
		"only a scheme":               "Bearer",
		"another scheme":              "Basic " + clientToken,
		"two tokens":                  "Bearer " + clientToken + " " + clientToken,
		"another secret":              "Bearer idt:TKN-0002-0001:c4nary-client-secreu",
		"the secret of another token": "Bearer idt:TKN-0001-0001:c4nary-client-secret",
		"no secret":                   "Bearer idt:TKN-0002-0001:",
		"no colon":                    "Bearer idt:TKN-0002-0001",
		"no id":                       "Bearer idt::c4nary-client-secret",
		"an unknown id":               "Bearer idt:TKN-9999-9999:c4nary-client-secret",
		"without the prefix":          "Bearer TKN-0002-0001:c4nary-client-secret",
		"no secret of an extension":   "Bearer c4nary-secret-of-the-stock-extensio",
		"unsigned":                    "Bearer " + parts[0] + "." + parts[1] + ".",
		"other claims, same signature": "Bearer " + parts[0] + "." +
			strings.Split(w.mint(t, stockSecret, ""), ".")[1] + "." + parts[2],
		"a long one": "Bearer " + strings.Repeat("a", 17<<10),
		"an account that is unknown": "Bearer " +
			mint(softwareone.Claims{AccountID: "ACC-0", AccountType: softwareone.AccountClient}),
		"an account of another type": "Bearer " +
			mint(softwareone.Claims{AccountID: clientAccount,
				AccountType: softwareone.AccountOperations}),
		"no type": "Bearer " +
			mint(softwareone.Claims{AccountID: clientAccount}),
		"an extension that is deleted": "Bearer " +
			mint(softwareone.Claims{AccountID: clientAccount,
				AccountType: softwareone.AccountClient, ExtensionID: gone}),
		"no such installation": "Bearer " + mint(softwareone.Claims{
			AccountID: clientAccount, AccountType: softwareone.AccountClient, ExtensionID: stock,
			InstallationID: "EXI-0000-0000-0000",
		}),
		"an installation of another account": "Bearer " + mint(softwareone.Claims{
			AccountID: otherClient, AccountType: softwareone.AccountClient, ExtensionID: stock,
			InstallationID: id,
		}),
		"an installation of another extension": "Bearer " + mint(softwareone.Claims{
			AccountID: clientAccount, AccountType: softwareone.AccountClient, ExtensionID: ledger,
			InstallationID: id,
		}),
	}
}

// TestBadTokensAreUnauthorized sends what is no valid identity to every endpoint: 401, a
// problem, and nothing changes.
func TestBadTokensAreUnauthorized(t *testing.T) {
	w := newWorld(t, newMemory())
	inst := w.install(t, clientToken, stock)
	good := w.mint(t, stockSecret, clientAccount)
	tests := badTokenCases(t, w, inst.ID, good)
	ask := func(t *testing.T, authorization string) {
		t.Helper()
		for _, e := range endpoints(inst.ID) {
			r := w.do(t, e.method, e.path, "", e.body, "Authorization", authorization)
			if r.status != 401 || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s: status %d, %q", e.method, e.path, r.status,
					r.header.Get("WWW-Authenticate"))
			}
			if e.method != http.MethodHead {
				r.refused(t, 401, "The request has no valid credentials.")
			}
		}
	}
	for name, authorization := range tests {
		t.Run(name, func(t *testing.T) { ask(t, authorization) })
	}
	w.do(t, "GET", "/installations/"+inst.ID, "", "", "Authorization", "bEARER "+good).
		want(t, 200)
	if got := w.do(t, "GET", "/installations/"+inst.ID, clientToken, "").
		row(t); got.Revision != 1 {
		t.Errorf("revision %d", got.Revision)
	}
	t.Run("uninstalled since", func(t *testing.T) {
		w.do(t, "DELETE", "/installations/"+inst.ID, vendorToken, "").want(t, 204)
		ask(t, "Bearer "+good)
	})
	t.Run("expired", func(t *testing.T) {
		own := w.mint(t, stockSecret, "")
		w.do(t, "GET", "/installations", own, "").want(t, 200)
		w.advance(softwareone.DefaultLifetime - time.Second)
		w.do(t, "GET", "/installations", own, "").want(t, 200)
		w.advance(time.Second)
		ask(t, "Bearer "+own)
	})
}
