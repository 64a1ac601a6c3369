package softwareone_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// TestInvite: the answer to the POST has ticket and code, no other answer does, and the account
// is the inviter's until someone redeems.
func TestInvite(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		r := w.do(t, "POST", "/installations", vendorToken, inviteBody)
		got := r.want(t, 201).row(t)
		code := openTicket(t, got)
		const event = `{"at":"2026-05-02T08:00:00.001Z","by":{"id":"TKN-0001-0001",` +
			`"name":"token TKN-0001-0001"}}`
		const account = `{"id":"ACC-2205-6611","name":"Tidewater Software",` +
			`"icon":"/static/tidewater.png","type":"Vendor","status":"Enabled","revision":2}`
		shown := func(power string) string {
			return `{"id":"` + got.ID + `","name":"Stock Sync","revision":1,"status":"Invited",` +
				`"extension":{"id":"EXT-4410-7725","name":"Stock Sync",` +
				`"icon":"/static/EXT-4410-7725/icon.png","revision":3},` +
				`"account":` + account + `,"modules":[],` +
				`"invitation":{"message":"Join the pilot","status":"Invited",` +
				`"validity":{"period":"7d"},"externalId":"crm-5521"` + power + `},` +
				`"audit":{"created":` + event + `,"invited":` + event + `}}`
		}
		r.want(t, 201, shown(`,"url":"`+got.Invitation.URL+`","code":"`+code+`"`))
		checkHeaders(t, r)
		w.do(t, "GET", "/installations/"+got.ID, vendorToken, "").want(t, 200, shown(`,"url":""`))
		w.do(t, "GET", "/installations/"+got.ID, opsToken, "").want(t, 200, shown(`,"url":""`))
		w.do(t, "GET", "/installations/"+got.ID, clientToken, "").refused(t, 404, noSuchRow)
		if list := w.do(t, "GET", "/installations?select=audit", vendorToken,
			""); strings.Contains(list.body, code) ||
			!strings.Contains(list.body, `"url":""`) {
			t.Errorf("the code shows in %s", list.body)
		}
		w.do(t, "PUT", "/installations/"+got.ID, vendorToken, configuredBody).want(t, 200)
	})
}

// invitation returns a body that invites to the extension stock.
func invitation(text string) string {
	return `{"extension":{"id":"` + stock + `"},"invitation":` + text + `}`
}

type invitePermissionCase struct {
	name, token, body string
	status            int
	detail            string
	errors            []string
	period            string
}

// invitePermissionCases returns callers and bodies with their answers.
func invitePermissionCases() []invitePermissionCase {
	const (
		whoMay = "Only the vendor of the extension and operations may invite."
		period = "must be one of 7d, 14d, 1m, 3m, 6m and 1y"
	)
	return []invitePermissionCase{
		{"vendor", vendorToken, inviteBody, 201, "", nil, "7d"},
		{"operations", opsToken, inviteBody, 201, "", nil, "7d"},
		{"private", vendorToken, strings.Replace(inviteBody, stock, pilot, 1), 201, "", nil,
			"7d"},
		{"an empty one", vendorToken, invitation(`{}`), 201, "", nil, "7d"},
		{"nulls", vendorToken, invitation(`{"message":null,"validity":null,"externalId":null}`),
			201, "", nil, "7d"},
		{"a period as an object", vendorToken, invitation(`{"validity":{"period":"3m"}}`), 201,
			"", nil, "3m"},
		{"with its own account", vendorToken, strings.Replace(inviteBody, `{"ext`,
			`{"account":{"id":"`+vendorAccount+`"},"ext`, 1), 201, "", nil, "7d"},
		{"with another account", vendorToken, strings.Replace(inviteBody, `{"ext`,
			`{"account":{"id":"`+clientAccount+`"},"ext`, 1), 400, notValid,
			[]string{"account", "an invitation is for whoever redeems it"}, ""},
		{"another period", vendorToken, invitation(`{"validity":"2w"}`), 400, notValid,
			[]string{"invitation.validity", period}, ""},
		{"another period as an object", vendorToken, invitation(`{"validity":{"period":"7D"}}`),
			400, notValid, []string{"invitation.validity.period", period}, ""},
		{"no period in the object", vendorToken, invitation(`{"validity":{}}`), 400, notValid,
			[]string{"invitation.validity.period", period}, ""},
		{"a list", vendorToken, invitation(`[]`), 400, notValid,
			[]string{"invitation", "must be an object"}, ""},
		{"a message that is a number", vendorToken, invitation(`{"message":1}`), 400, notValid,
			[]string{"invitation.message", "must be a string"}, ""},
		{"a client", clientToken, inviteBody, 403, whoMay, nil, ""},
		{"another vendor", rivalToken, inviteBody, 403, whoMay, nil, ""},
		{"another vendor, private", rivalToken, strings.Replace(inviteBody, stock, pilot, 1), 404,
			noSuchResource, nil, ""},
		{"draft", vendorToken, strings.Replace(inviteBody, stock, draft, 1), 403,
			"This extension is not published.", nil, ""},
	}
}

// TestInvitePermissions and with what.
func TestInvitePermissions(t *testing.T) {
	tests := invitePermissionCases()
	onStores(t, func(t *testing.T, w *world) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				r := w.do(t, "POST", "/installations", tt.token, tt.body)
				if tt.status != 201 {
					r.refused(t, tt.status, tt.detail, tt.errors...)
				} else if got := r.want(t, 201).
					row(t); got.Invitation.Validity.Period != tt.period ||
					got.Status != "Invited" {
					t.Errorf("body %s", r.body)
				}
			})
		}
		for field, value := range map[string]string{"message": strings.Repeat("x", 5000),
			"externalId": strings.Repeat("x", 300)} {
			r := w.do(t, "POST", "/installations", vendorToken,
				invitation(`{"`+field+`":"`+value+`"}`))
			if r.want(t, 400); !strings.Contains(r.body, `"errors":{"invitation.`+field+`":[`) {
				t.Errorf("body %s", r.body)
			}
		}
	})
}

// TestRedeemReadsNoMoreForKnownID: a refused code causes the same reads, whether or not the ID is
// one of an invitation.
func TestRedeemReadsNoMoreForKnownID(t *testing.T) {
	w := newWorld(t, newMemory())
	invited, _ := w.invite(t, pilot)
	direct := w.install(t, clientToken, stock)
	for _, id := range []string{"EXI-0000-0000-0000", invited.ID, direct.ID} {
		before := w.store.gets.Load()
		w.do(t, "POST", "/installations/"+id+"/redeem", clientToken, redeemBody("x")).want(t, 400)
		if n := w.store.gets.Load() - before; n != 1 {
			t.Errorf("%s: %d reads, want 1", id, n)
		}
	}
}

// TestRedeem: any type of account redeems for itself, once; its own retry succeeds, and of
// others none.
func TestRedeem(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		for _, actor := range []struct{ token, account string }{{clientToken, clientAccount},
			{rivalToken, otherVendor}, {opsToken, operations}, {vendorToken, vendorAccount}} {
			t.Run(actor.account, func(t *testing.T) {
				invited, code := w.invite(t, pilot)
				path := "/installations/" + invited.ID + "/redeem"
				w.do(t, "PUT", "/installations/"+invited.ID, vendorToken, configuredBody).
					want(t, 200)
				r := w.do(t, "POST", path, actor.token, redeemBody(code))
				got := r.want(t, 200).row(t)
				if got.ID != invited.ID || got.Status != "Installed" ||
					got.Invitation.Status != "Installed" || got.Account.ID != actor.account ||
					len(got.Modules) != 1 || got.Modules[0].ID != "MOD-0478" ||
					got.Audit["installed"].Of.ID != actor.account || got.Revision != 3 {
					t.Errorf("body %s", r.body)
				}
				if shows := got.Configuration != nil; shows != (actor.token == vendorToken) ||
					strings.Contains(r.body, code) {
					t.Errorf("body %s", r.body)
				}
				w.do(t, "POST", path, actor.token, redeemBody(code)).want(t, 200, r.body)
				w.do(t, "POST", path, actor.token, `{"code":"`+code+`"}`).want(t, 200, r.body)
				w.do(t, "POST", path, client2Token, redeemBody(code)).
					refused(t, 400, badInvitation)
				w.do(t, "POST", path, actor.token, redeemBody("inv_"+strings.Repeat("0", 32))).
					refused(t, 400, badInvitation)
				w.do(t, "DELETE", "/installations/"+invited.ID, vendorToken, "").want(t, 204)
				w.do(t, "POST", path, actor.token, redeemBody(code)).
					refused(t, 400, badInvitation)
			})
		}
	})
}

// TestRedeemRejects: one answer for all that is wrong with a code, and nothing changes.
func TestRedeemRejects(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		invited, code := w.invite(t, stock)
		elsewhere, otherCode := w.invite(t, stock)
		revoked, revokedCode := w.invite(t, stock)
		w.do(t, "DELETE", "/installations/"+revoked.ID, vendorToken, "").want(t, 204)
		direct := w.install(t, opsToken, ledger)
		path := func(id string) string { return "/installations/" + id + "/redeem" }
		for name, attempt := range map[string]struct{ path, token, body string }{
			"wrong":         {path(invited.ID), clientToken, redeemBody("x")},
			"of another":    {path(invited.ID), clientToken, redeemBody(otherCode)},
			"at another":    {path(elsewhere.ID), clientToken, redeemBody(code)},
			"revoked":       {path(revoked.ID), clientToken, redeemBody(revokedCode)},
			"no invitation": {path(direct.ID), clientToken, redeemBody(code)},
			"nothing there": {path("EXI-0000-0000-0000"), clientToken,
				redeemBody(code)},
			"no id": {path(strings.Repeat("x", 300)), clientToken,
				redeemBody(code)},
			"beyond the token": {path(invited.ID), narrowToken, redeemBody(code)},
			"wrong, with bad modules": {path(invited.ID), clientToken,
				`{"code":"x","modules":[{"id":"MOD-9999"}]}`},
		} {
			t.Run(name, func(t *testing.T) {
				w.do(t, "POST", attempt.path, attempt.token, attempt.body).
					refused(t, 400, badInvitation)
			})
		}
		w.do(t, "POST", path(invited.ID), clientToken,
			`{"code":"`+code+`","modules":[{"id":"MOD-9999"}]}`).
			refused(t, 400, notValid, "modules",
				"the extension does not ask for one of these modules")
		w.do(t, "POST", path(invited.ID), clientToken, `{}`).
			refused(t, 400, notValid, "code", "is required")
		w.do(t, "POST", path(invited.ID), clientToken, ``).
			refused(t, 400, notValid, "body", "must be an object")
		w.do(t, "POST", path(invited.ID), clientToken, `{"code":null}`).want(t, 400)
		w.do(t, "POST", path(invited.ID), stockSecret, redeemBody(code)).
			refused(t, 403, "This is for accounts, not for extensions.")
		if got := w.do(t, "GET", "/installations/"+invited.ID, vendorToken, "").
			row(t); got.Revision != 1 || got.Status != "Invited" {
			t.Errorf("it is %s of revision %d", got.Status, got.Revision)
		}

		w.install(t, clientToken, stock)
		w.do(t, "POST", path(invited.ID), clientToken, redeemBody(code)).
			refused(t, 409, installed)
		w.do(t, "POST", path(invited.ID), client2Token, redeemBody(code), "If-Match", `"7"`).
			want(t, 409)
		w.do(t, "POST", path(invited.ID), client2Token, redeemBody(code), "If-Match", `"1"`).
			want(t, 200)
	})
}

// TestExpiry: an invitation runs out by the clock, whether anyone writes it down or not.
func TestExpiry(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		invited, code := w.invite(t, stock)
		path := "/installations/" + invited.ID
		w.advance(7*24*time.Hour - time.Minute)
		if got := w.do(t, "GET", path, vendorToken, "").row(t); got.Status != "Invited" {
			t.Errorf("before its time it is %s", got.Status)
		}
		w.advance(time.Minute)
		expired := w.do(t, "GET", path, vendorToken, "").want(t, 200).row(t)
		if expired.Status != "Expired" || expired.Invitation.Status != "Expired" ||
			expired.Audit["expired"].At != "2026-05-09T08:00:00.001Z" {
			t.Errorf("it reads %+v", expired)
		}
		w.do(t, "POST", path+"/redeem", clientToken, redeemBody(code)).
			refused(t, 400, badInvitation)
		w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 409)
		w.do(t, "GET", "/installations?status=Expired&limit=0", vendorToken, "").
			want(t, 200, list(0, 0, 1))
		w.advance(time.Hour)
		if _, err := w.svc.Sweep(t.Context(), installation.SweepRequest{}); err != nil {
			t.Fatal(err)
		}
		swept := w.do(t, "GET", path, vendorToken, "").want(t, 200).row(t)
		if swept.Status != "Expired" || swept.Audit["expired"].At != "2026-05-09T08:00:00.001Z" {
			t.Errorf("it reads %+v", swept)
		}
		w.do(t, "DELETE", path, vendorToken, "").want(t, 204, "")
		if got := w.do(t, "GET", path, vendorToken, "").row(t); got.Status != "Expired" {
			t.Errorf("deleted, it is %s", got.Status)
		}
	})
}

// list is the answer to a list without rows.
func list(limit, offset, total int) string {
	return fmt.Sprintf(`{"data":[],"$meta":{"pagination":{"limit":%d,"offset":%d,"total":%d},`+
		`"omitted":["audit"]}}`, limit, offset, total)
}
