package vercel_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/event"
)

// reused is the answer to a key that was used for something else.
var reused = refusal("idempotency_key_reused",
	"The idempotency key was used for another request.")

const key = "Idempotency-Key"

// TestRepeatedRequestGetsFirstAnswer: a request with a key that was used before gets the first
// answer again, whatever became of the installation since.
func TestRepeatedRequestGetsFirstAnswer(t *testing.T) {
	w := newWorld(t)
	user := w.issuer.user(icfg)
	steps := []struct {
		name, method, body, key string
		status                  int
		answer                  string
		revision                int64 // that the installation stands at then
	}{
		{"created", "PUT", upsertBody, "a", 200, `{}`, 1},
		{"created, again", "PUT", upsertBody, "a", 200, `{}`, 1},
		{"the plan", "PATCH", `{"billingPlanId":"team"}`, "b", 200,
			`{"billingPlan":` + teamJSON + `}`, 2},
		{"created, again after a change", "PUT", upsertBody, "a", 200, `{}`, 2},
		{"updated", "PUT", upsertBody, "c", 200, `{"billingPlan":` + teamJSON + `}`, 3},
		{"another plan", "PATCH", `{"billingPlanId":"free"}`, "d", 200,
			`{"billingPlan":` + freeJSON + `}`, 4},
		{"updated, again", "PUT", upsertBody, "c", 200, `{"billingPlan":` + teamJSON + `}`, 4},
		{"the plan, again", "PATCH", `{"billingPlanId":"team"}`, "b", 200,
			`{"billingPlan":` + teamJSON + `}`, 4},
		{"a key of one method is another key of another", "PATCH", `{"billingPlanId":"team"}`,
			"a", 200, `{"billingPlan":` + teamJSON + `}`, 5},
		{"the end", "DELETE", `{"reason":"x"}`, "a", 200, `{"finalized":false}`, 6},
		{"the end, again", "DELETE", `{"reason":"x"}`, "a", 200, `{"finalized":false}`, 6},
		{"updated, again after the end", "PUT", upsertBody, "c", 200,
			`{"billingPlan":` + teamJSON + `}`, 6},
		{"created, again after the end", "PUT", upsertBody, "a", 200, `{}`, 6},
		{"too late", "PUT", upsertBody, "new", 409, uninstalled, 6},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			w.do(t, s.method, path, user, s.body, key, s.key).want(t, s.status, s.answer)
			if got := w.get(t, icfg).Revision; got != s.revision {
				t.Errorf("revision %d, want %d", got, s.revision)
			}
		})
	}
}

// TestReusedKeyIsConflict: the key of a request that asked for something else is a conflict,
// before and after the end.
func TestReusedKeyIsConflict(t *testing.T) {
	put := func(scope string) string {
		return `{"scopes":["` + scope +
			`"],"acceptedPolicies":{},"credentials":{"access_token":"t","token_type":"Bearer"}}`
	}
	tests := []struct {
		name, method, first, second string
	}{
		{"PUT", "PUT", put("a"), put("b")},
		{"PUT of other credentials", "PUT", put("a"),
			`{"scopes":["a"],"acceptedPolicies":{},"credentials":{"access_token":"u",` +
				`"token_type":"Bearer"}}`},
		{"PATCH", "PATCH", `{"billingPlanId":"team"}`, `{"billingPlanId":"free"}`},
		{"PATCH of nothing", "PATCH", `{"billingPlanId":"team"}`, `{}`},
		{"DELETE", "DELETE", `{"reason":"a"}`, `{"reason":"b"}`},
		{"DELETE without a body", "DELETE", `{"cascadeResourceDeletion":true}`, ""},
		{"DELETE of less", "DELETE", `{"cascadeResourceDeletion":true}`,
			`{"cascadeResourceDeletion":false}`},
	}
	for _, plan := range []string{"", "free"} {
		for _, tt := range tests {
			t.Run(tt.name+" "+plan, func(t *testing.T) {
				w := newWorld(t)
				user := w.issuer.user(icfg)
				w.install(t)
				if plan != "" {
					w.do(t, "PATCH", path, user, `{"billingPlanId":"`+plan+`"}`).want(t, 200)
				}
				first := w.do(t, tt.method, path, user, tt.first, key, "k")
				first.want(t, http.StatusOK)
				revision := w.get(t, icfg).Revision
				w.do(t, tt.method, path, user, tt.second, key, "k").
					want(t, http.StatusConflict, reused)
				w.do(t, tt.method, path, user, tt.first, key, "k").
					want(t, http.StatusOK, first.body)
				if got := w.get(t, icfg).Revision; got != revision {
					t.Errorf("revision %d, want %d", got, revision)
				}
			})
		}
	}
}

// TestDeleteKeepsItsFirstAnswer though the host has changed its mind, or has deleted the row.
func TestDeleteKeepsItsFirstAnswer(t *testing.T) {
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprintf("final %t", first), func(t *testing.T) {
			final := first
			w := newWorld(t, func(o *choices) {
				o.handler.Finalizer = vercel.FinalizerFunc(func(
					context.Context, vercel.Removal,
				) (bool, error) {
					return final, nil
				})
			})
			w.install(t)
			user, want := w.issuer.user(icfg), fmt.Sprintf(`{"finalized":%t}`, first)
			w.do(t, "DELETE", path, user, `{"reason":"x"}`, key, "k").want(t, 200, want)
			final = !first
			w.do(t, "DELETE", path, user, `{"reason":"x"}`, key, "k").want(t, 200, want)
			w.do(t, "DELETE", path, user, `{"reason":"y"}`, key, "k").want(t, 409, reused)
			if _, err := w.svc.Delete(t.Context(),
				installation.DeleteRequest{ID: icfg}); err != nil {
				t.Fatal(err)
			}
			w.do(t, "DELETE", path, user, `{"reason":"x"}`, key, "k").
				want(t, 200, `{"finalized":true}`)
			w.do(t, "DELETE", path, user, "").want(t, 404, missing)
		})
	}
}

// TestUninstallThenPurge: an uninstall that is not final keeps the token for the grace period,
// and asking again may make it final.
func TestUninstallThenPurge(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200, `{"finalized":false}`)
	w.advance(23 * time.Hour)
	if _, err := w.svc.Sweep(t.Context(), installation.SweepRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := w.token(t, icfg); got != "c4nary-access" {
		t.Errorf("within the grace period the token is %q", got)
	}
	w.advance(time.Hour)
	if _, err := w.svc.Sweep(t.Context(), installation.SweepRequest{}); err != nil {
		t.Fatal(err)
	}
	if inst := w.get(t, icfg); !inst.Purged || inst.Connection != nil {
		t.Error("after the grace period the token is still there")
	}
	system := w.issuer.system(icfg) // the first tokens have expired
	w.do(t, "DELETE", path, system, "").want(t, 200, `{"finalized":true}`)
	w.do(t, "DELETE", path, system, `{"cascadeResourceDeletion":true}`).
		want(t, 200, `{"finalized":true}`)
}

// TestFinalUninstallPurgesAtOnce: a final uninstall takes the token away at once, and one that
// was not final can become so.
func TestFinalUninstallPurgesAtOnce(t *testing.T) {
	var final bool
	var asked []vercel.Removal
	w := newWorld(t, func(o *choices) {
		o.handler.Finalizer = vercel.FinalizerFunc(func(_ context.Context,
			r vercel.Removal) (bool, error) {
			asked = append(asked, r)
			return final, nil
		})
	})
	w.install(t)
	w.do(t, "DELETE", path, w.issuer.user(icfg),
		`{"cascadeResourceDeletion":true,"reason":"moved"}`).want(t, 200, `{"finalized":false}`)
	final = true
	w.do(t, "DELETE", path, w.issuer.system(icfg), "").want(t, 200, `{"finalized":true}`)
	if inst := w.get(t, icfg); !inst.Purged {
		t.Error("the token is still there")
	}
	w.do(t, "DELETE", path, w.issuer.system(icfg), "").want(t, 200, `{"finalized":true}`)
	if len(asked) != 2 {
		t.Fatalf("asked %d times, want twice: what is final needs no question", len(asked))
	}
	if r := asked[0]; r.Installation.ID != icfg || r.CascadeResources == nil ||
		!*r.CascadeResources || r.Reason != "moved" {
		t.Errorf("asked %+v", r)
	}
	if asked[1].CascadeResources != nil {
		t.Error("cascade was made up")
	}
	page, err := w.svc.Events(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, e := range page.Events {
		reasons = append(reasons, string(e.Type)+":"+e.Reason)
	}
	if want := []string{"created:", "uninstalled:cascadeResourceDeletion: true; reason: moved",
		"purged:"}; !slices.Equal(reasons, want) {
		t.Errorf("events %q, want %q", reasons, want)
	}
}

// TestNewIDAfterUninstall: a customer who comes back has a new id, which is a fresh
// installation while the old one awaits its last invoice.
func TestNewIDAfterUninstall(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`).want(t, 200)
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200, `{"finalized":false}`)
	const id = "icfg_SecondSecondSecondSecond"
	w.do(t, "PUT", "/v1/installations/"+id, w.issuer.user(id), upsertBody).want(t, 200, `{}`)
	w.do(t, "GET", "/v1/installations/"+id, w.issuer.system(id), "").want(t, 200, `{}`)
	if old := w.get(t, icfg); old.Status != installation.StatusUninstalled || old.Purged {
		t.Errorf("the old one is %s, purged %t", old.Status, old.Purged)
	}
	if fresh := w.get(t, id); fresh.Generation != 1 ||
		fresh.Status != installation.StatusInstalled {
		t.Errorf("the fresh one is %s of generation %d", fresh.Status, fresh.Generation)
	}
	w.do(t, "PUT", path, w.issuer.user(icfg), upsertBody).want(t, 409, uninstalled)
}

// TestTwoOfOneAccount: ids exclude each other, accounts do not.
func TestTwoOfOneAccount(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	w.do(t, "PUT", "/v1/installations/icfg_2", w.issuer.user("icfg_2"), upsertBody).want(t, 200)

	claiming := newWorld(t, func(o *choices) { o.service.Claims = nil })
	claiming.install(t)
	claiming.do(t, "PUT", "/v1/installations/icfg_2", claiming.issuer.user("icfg_2"), upsertBody).
		want(t, 409, refusal("conflict", "There is an installation already."))
}

// TestConcurrentRequests sends the same requests at once: one installation, one end, the same
// answers.
func TestConcurrentRequests(t *testing.T) {
	w := newWorld(t)
	user := w.issuer.user(icfg)
	const n = 16
	together := func(do func(i int) reply) []reply {
		replies := make([]reply, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { replies[i] = do(i) })
		}
		wg.Wait()
		return replies
	}
	for _, r := range together(func(int) reply {
		return w.do(t, "PUT", path, user, upsertBody, key, "k")
	}) {
		r.want(t, 200, `{}`)
	}
	if inst := w.get(t, icfg); inst.Revision != 1 || inst.Generation != 1 {
		t.Errorf("revision %d, generation %d after one request sent many times", inst.Revision,
			inst.Generation)
	}
	for _, r := range together(func(int) reply {
		return w.do(t, "PUT", path, user, upsertBody)
	}) {
		r.want(t, 200, `{}`)
	}
	if inst := w.get(t, icfg); inst.Generation != 1 {
		t.Errorf("generation %d", inst.Generation)
	}
	ended := together(func(i int) reply {
		if i%2 == 0 {
			return w.do(t, "PUT", path, user, upsertBody)
		}
		return w.do(t, "DELETE", path, user, "", key, "k")
	})
	for i, r := range ended {
		if i%2 == 0 && r.status != 200 && r.body != uninstalled || i%2 == 1 &&
			r.body != `{"finalized":false}` {
			t.Errorf("request %d: %d %s", i, r.status, r.body)
		}
	}
	if inst := w.get(t, icfg); inst.Status != installation.StatusUninstalled ||
		inst.Generation != 1 {
		t.Errorf("%s, generation %d", inst.Status, inst.Generation)
	}
	page, err := w.svc.Events(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for _, e := range page.Events {
		if e.Type == event.Uninstalled {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("%d ends", ends)
	}
}

// TestUninstallSparesReinstalled: a removal that was decided about one life does not end the
// next.
func TestUninstallSparesReinstalled(t *testing.T) {
	var between func()
	w := newWorld(t, func(o *choices) {
		o.handler.Finalizer = vercel.FinalizerFunc(func(
			context.Context, vercel.Removal,
		) (bool, error) {
			between()
			return true, nil
		})
	})
	w.install(t)
	between = func() {
		if _, err := w.svc.Uninstall(t.Context(),
			installation.UninstallRequest{ID: icfg}); err != nil {
			t.Error(err)
		}
		again := installation.UpsertRequest{ID: icfg,
			Parts: installation.Parts{
				Account: installation.Value(installation.Account{ID: account}),
			}}
		if _, err := w.svc.Upsert(t.Context(), again); err != nil {
			t.Error(err)
		}
	}
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").
		want(t, 409, refusal("conflict", "The installation was made anew since."))
	if inst := w.get(t, icfg); inst.Status != installation.StatusInstalled {
		t.Errorf("the next life is %s", inst.Status)
	}
}

// TestUninstallWithoutKeys: Vercel can remove what the host cannot open any more, and nothing
// of it is destroyed early. A user gets no detail.
func TestUninstallWithoutKeys(t *testing.T) {
	for name, policy := range map[string]installation.Policy{"own policy": vercel.Policy,
		"default policy": installation.DefaultPolicy} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *choices) {
				o.service.Policy = policy
				o.handler.Finalizer = vercel.FinalizerFunc(func(
					context.Context, vercel.Removal,
				) (bool, error) {
					return true, nil
				})
			})
			w.install(t)
			w.corrupt(t)
			internal := refusal("internal_error", "The request could not be completed.")
			w.do(t, "GET", path, w.issuer.system(icfg), "").want(t, 500, internal)
			w.do(t, "GET", path, w.issuer.system(icfg, claims{"account_id": other}), "").
				want(t, 404, missing)
			w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 500, internal)
			w.do(t, "DELETE", path, w.issuer.system(icfg, claims{"account_id": other}), "").
				want(t, 404, missing)
			w.do(t, "DELETE", path, w.issuer.system(icfg), "").want(t, 200, `{"finalized":false}`)
		})
	}
}

// corrupt damages what is stored.
func (w *world) corrupt(t *testing.T) {
	t.Helper()
	r, err := w.store.Store.Get(t.Context(), installation.Key{Tenant: clientID, ID: icfg})
	if err != nil {
		t.Fatal(err)
	}
	body := r.Body.Bytes()
	body[len(body)/2] ^= 1
	r.Body = installation.BodyFromBytes(body)
	r.Revision++
	change := installation.Change{Op: [16]byte{1}, Now: w.Now(), Key: r.Key, If: r.Revision - 1,
		Record: r}
	if _, err := w.store.Store.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}
