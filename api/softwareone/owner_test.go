package softwareone_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/examples/hostapp/static"
)

// TestOwnershipFollowsDirectory: an extension's rows go with it to whoever owns it now, by id
// and in every list, and each total is what there is to see.
func TestOwnershipFollowsDirectory(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		inst := w.install(t, clientToken, stock)
		path := "/installations/" + inst.ID
		w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 200)
		second := w.install(t, client2Token, stock)
		directory := newDirectory(t, func(d *static.Data) { d.Extensions[0].Owner = otherVendor })
		w.over(t, newService(t, w.store, w.Now, directory), directory)
		later := w.do(t, "POST", "/installations", rivalToken, inviteBody).want(t, 201).row(t)
		mine := w.install(t, rivalToken, ledger)

		lists := func(token string, want ...string) {
			t.Helper()
			w.checkOwnLists(t, token, mine.ID, want)
		}
		lists(vendorToken)
		lists(rivalToken, inst.ID, second.ID, later.ID, mine.ID)
		lists(stockSecret, inst.ID, second.ID, later.ID)

		w.do(t, "GET", path, vendorToken, "").refused(t, 404, noSuchRow)
		w.do(t, "PUT", path, vendorToken, configuredBody).refused(t, 404, noSuchRow)
		w.do(t, "DELETE", path, vendorToken, "").refused(t, 404, noSuchRow)
		w.do(t, "POST", "/installations", vendorToken, inviteBody).want(t, 403)
		if got := w.do(t, "GET", path, rivalToken, "").want(t, 200).
			row(t).Configuration; got["api_secret"] != "***" || got["warehouse"] != "EU-2" {
			t.Errorf("configuration %v", got)
		}
		r := w.do(t, "PUT", path, rivalToken,
			`{"configuration":{"api_secret":"***","warehouse":"EU-9"}}`)
		got := r.want(t, 200).row(t)
		if got.Configuration["api_secret"] != "***" || got.Configuration["warehouse"] != "EU-9" ||
			got.Audit["updated"].By.ID != "TKN-0001-0002" {
			t.Errorf("it reads %s", r.body)
		}
		if got := w.secretOf(t, inst.ID, "/api_secret"); got != "c4nary-api-secret" {
			t.Errorf("stored %q", got)
		}
		w.do(t, "DELETE", path, rivalToken, "").want(t, 204)
		if got := w.do(t, "GET", path, rivalToken, "").want(t, 200).
			row(t); got.Status != "Uninstalled" ||
			got.Audit["uninstalled"].By.ID != "TKN-0001-0002" {
			t.Errorf("it reads %+v", got)
		}
		own := w.mint(t, stockSecret, "")
		if c, err := w.issuer.Verify(own); err != nil || c.AccountID != otherVendor {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// TestOwners: the owner of an extension is what the directory says, and nobody owns an unknown one.
func TestOwners(t *testing.T) {
	directory := newDirectory(t)
	owners := softwareone.Owners(directory)
	for id, want := range map[string]string{stock: vendorAccount, "EXT-0": ""} {
		if got, err := owners(t.Context(), "", id); got != want || err != nil {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
	_, err := softwareone.Owners(broken{directory, errBroken})(t.Context(), "", stock)
	if !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

// checkOwnLists compares the lists of an owner in every order. The row foreign
// belongs to another extension, so lists of the extension stock omit it.
func (w *world) checkOwnLists(t *testing.T, token, foreign string, want []string) {
	t.Helper()
	for _, query := range []string{
		"?", "?order=id&", "?like(id,*)&", "?select=audit&order=-audit.created.at&",
		"?select=audit&order=audit.created.at&",
	} {
		for _, base := range []string{
			"/installations" + query,
			"/installations" + query + "extension.id=" + stock + "&",
			"/extensions/" + stock + "/installations" + query,
		} {
			got := w.everything(t, base, token)
			expected := slices.DeleteFunc(slices.Clone(want), func(id string) bool {
				return strings.Contains(base, stock) && id == foreign
			})
			slices.Sort(expected)
			if !slices.Equal(got, expected) {
				t.Errorf("%s: %q, want %q", base, got, expected)
			}
		}
	}
}

// everything pages through a list, by one and at once, and returns the ids, sorted. A base ends
// in "?" or "&".
func (w *world) everything(t *testing.T, base, token string) []string {
	t.Helper()
	var ids []string
	for offset, total := 0, 1; offset < total; offset++ {
		p := decode[page](t, w.do(t, "GET", fmt.Sprintf("%slimit=1&offset=%d", base, offset),
			token, "").want(t, 200).body)
		for _, r := range p.Data {
			ids = append(ids, r.ID)
		}
		if total = p.Meta.Pagination.Total; len(p.Data) != 1 && offset < total {
			t.Errorf("%s: %d rows at %d of %d", base, len(p.Data), offset, total)
		}
	}
	p := decode[page](t,
		w.do(t, "GET", strings.TrimRight(base, "?&"), token, "").want(t, 200).body)
	if len(p.Data) != len(ids) || p.Meta.Pagination.Total != len(ids) {
		t.Errorf("%s: %d rows of %d, %d one by one", base, len(p.Data), p.Meta.Pagination.Total,
			len(ids))
	}
	for i, r := range p.Data {
		if i < len(ids) && ids[i] != r.ID {
			t.Errorf("%s: row %d is %s, by itself %s", base, i, r.ID, ids[i])
		}
	}
	slices.Sort(ids)
	return ids
}

// TestVendorInstallsForItself: a vendor sees what is installed in its own account, as a client
// would: no configuration, nothing to change, and of the extension nothing but that row.
func TestVendorInstallsForItself(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		there := w.install(t, clientToken, stock)
		invited, code := w.invite(t, stock)
		path := "/installations/" + invited.ID
		w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 200)
		w.do(t, "GET", path, rivalToken, "").refused(t, 404, noSuchRow)
		w.do(t, "POST", path+"/redeem", rivalToken, redeemBody(code)).want(t, 200)
		// its own extension in its own account is one row
		mine := w.install(t, rivalToken, ledger)
		direct := w.install(t, vendorToken, ledger)

		r := w.do(t, "GET", path, rivalToken, "")
		if got := r.want(t, 200).
			row(t); got.Account.ID != otherVendor || strings.Contains(r.body, "onfiguration") {
			t.Errorf("it reads %s", r.body)
		}
		w.do(t, "GET", "/extensions/"+stock+"/installations/"+invited.ID, rivalToken, "").
			want(t, 200, r.body)
		w.do(t, "GET", "/extensions/"+ledger+"/installations/"+invited.ID, rivalToken, "").
			refused(t, 404, noSuchRow)
		w.do(t, "PUT", path, rivalToken, configuredBody).refused(t, 403, vendorOnly)
		w.do(t, "DELETE", path, rivalToken, "").
			refused(t, 403, "Only the vendor of the extension and operations may do this.")
		w.do(t, "GET", "/installations/"+there.ID, rivalToken, "").refused(t, 404, noSuchRow)

		listsOfVendor(t, w, invited.ID, mine.ID, direct.ID)
		if got := w.everything(t, "/installations?extension.id="+ledger+"&",
			vendorToken); !slices.Equal(got, []string{direct.ID}) {
			t.Errorf("the other way round: %q", got)
		}
		narrow := w.issue(t, softwareone.Claims{AccountID: otherVendor,
			AccountType: softwareone.AccountVendor, ExtensionID: ledger, UserID: "USR-7702-3316"})
		w.do(t, "GET", path, narrow, "").refused(t, 404, noSuchRow)
		for base, want := range map[string][]string{"/installations?": sorted(mine.ID, direct.ID),
			"/extensions/" + stock + "/installations?": nil} {
			if got := w.everything(t, base, narrow); !slices.Equal(got, want) {
				t.Errorf("confined to an extension, %s: %q, want %q", base, got, want)
			}
		}
		w.do(t, "PUT", path, vendorToken, `{"configuration":{"warehouse":"EU-4"}}`).want(t, 200)
		if list := w.do(t, "GET", "/installations", rivalToken, ""); strings.Contains(list.body,
			"EU-4") {
			t.Errorf("the configuration shows in %s", list.body)
		}
	})
}

// listsOfVendor compares the lists of a vendor with rows as a customer (invited,
// mine) and as the owner of the extension (mine, direct).
func listsOfVendor(t *testing.T, w *world, invited, mine, direct string) {
	t.Helper()
	all, ofLedger := sorted(invited, mine, direct), sorted(mine, direct)
	for base, want := range map[string][]string{
		"/installations?":             all,
		"/installations?order=-name&": all,
		"/installations?account.id=" + otherVendor +
			"&": sorted(invited, mine),
		"/installations?select=audit&order=-audit.created.at&":    all,
		"/installations?extension.id=" + stock + "&":              {invited},
		"/extensions/" + stock + "/installations?":                {invited},
		"/extensions/" + stock + "/installations?status=invited&": nil,
		"/extensions/" + ledger + "/installations?":               ofLedger,
		"/installations?account.id=" + clientAccount + "&":        nil,
	} {
		if got := w.everything(t, base, rivalToken); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
}

func sorted(ids ...string) []string {
	slices.Sort(ids)
	return ids
}
