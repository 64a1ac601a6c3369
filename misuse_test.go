package installation_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/validate"
	"github.com/google/go-cmp/cmp"
)

// What honest mistakes must not cost: each of these once lost data, or showed what it should not.

// A request that was queued as JSON keeps what it left out.
func TestARequestAsJSONKeepsWhatItLeftOut(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	b, err := json.Marshal(installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}})
	if err != nil {
		t.Fatal(err)
	}
	var req installation.PatchRequest
	if err := json.Unmarshal(b, &req); err != nil {
		t.Fatal(err)
	}
	if _, err := w.host.Patch(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got := w.get(t, "i"); got.Name != "n" || got.Configuration == nil || got.Connection == nil {
		t.Errorf("parts that were left out are gone: %+v", got)
	}
	if _, err := json.Marshal(installation.PatchRequest{Operations: []installation.Operation{installation.Unset("/a")}}); err == nil {
		t.Error("an operation was written as JSON, where it is lost")
	}
}

// An invitation for one account cannot be accepted for another, and accepting by id alone forgets nothing of the account.
func TestAnInvitationForOneAccount(t *testing.T) {
	w := newWorld(t)
	account := installation.Account{ID: "ACC-1", Name: "Harbor Foods"}
	res, err := w.host.Invite(t.Context(), installation.InviteRequest{ID: "i", Parts: installation.Parts{Extension: sample().Extension, Account: installation.Value(account)}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.as("ACC-2").Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: res.Code, Account: installation.Account{ID: "ACC-2"}})
	wantErr(t, "accept for another account", err, installation.ErrInvitation)
	got, err := w.customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: res.Code, Account: installation.Account{ID: "ACC-1"}})
	if err != nil || got.Account.Name != "Harbor Foods" {
		t.Errorf("accepted: %+v, %v", got, err)
	}
}

// The accept URL holds all that Accept needs.
func TestTheAcceptURLCanBeRedeemed(t *testing.T) {
	w := newWorld(t)
	u, err := url.Parse(w.invite(t, "i").AcceptURL.RevealString())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("installation") != "i" || q.Get("tenant") != "tenant-1" || q.Get("code") == "" || q.Get("lang") != "en" {
		t.Errorf("query has %d values", len(q))
	}
}

// A write that changes nothing answers what is stored, and shares nothing with the request.
func TestANoOpAnswersWhatIsStored(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	parts := sample()
	consent, _ := parts.Consent.Get()
	consent.Policies["terms"] = consent.Policies["terms"].In(time.FixedZone("x", 3600)).Add(time.Nanosecond)
	res, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Consent: parts.Consent}})
	if err != nil || res.Changed {
		t.Fatalf("%+v, %v", res, err)
	}
	if diff := cmp.Diff(w.get(t, "i"), res.Installation); diff != "" {
		t.Errorf("the answer is not what is stored (-stored +answer):\n%s", diff)
	}
	res.Consent.Scopes[0] = "spoilt"
	if consent.Scopes[0] != "read" {
		t.Error("the answer shares memory with the request")
	}
}

// A cursor stands among the actor's own rows only.
func TestCursorsTellNothingOfOthers(t *testing.T) {
	w := newWorld(t)
	fill(t, w)
	for name, list := range map[string]struct {
		svc *installation.Service
		req installation.ListRequest
	}{
		"customer asks for another account":      {w.customer, installation.ListRequest{Account: "ACC-2", Limit: 1}},
		"extension asks for another extension":   {w.extension, installation.ListRequest{Extension: "EXT-2", Limit: 1}},
		"vendor asks for another vendor":         {w.vendor, installation.ListRequest{Owner: "ACC-other", Limit: 1}},
		"other vendor asks for the extension":    {w.svc.As(installation.Actor{Kind: installation.Vendor, ID: "ACC-other"}), installation.ListRequest{Extension: "EXT-1", Limit: 1}},
		"customer asks for a foreign connection": {w.as("ACC-9"), installation.ListRequest{Connection: "connection-of-ACC-1", Limit: 1}},
	} {
		got, err := list.svc.List(t.Context(), list.req)
		if err != nil || got.Next != "" || len(got.Installations) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Secrets that are due to be purged are out of reach before anything sweeps.
func TestRevealEndsWithTheGrace(t *testing.T) {
	w := newWorld(t)
	w.in(t, installation.StatusUninstalled)
	w.advance(24 * time.Hour)
	_, err := w.host.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "r", Refs: []installation.Ref{installation.ConfigRef("/api_secret")}})
	wantErr(t, "reveal after the grace", err, installation.ErrShredded)
}

// Whatever matches ErrInvalid has the detail.
func TestErrInvalidHasItsDetail(t *testing.T) {
	w := newWorld(t)
	_, list := w.host.List(t.Context(), installation.ListRequest{After: "!!"})
	_, events := w.host.Events(t.Context(), "!!", 0)
	_, period := installation.Period("x").After(time.Now())
	_, opts := installation.New(memstore.New(), testRing(t), &installation.Options{AcceptURL: "ftp://x.example"})
	plan := installation.BillingPlan{ID: "p", Type: "subscription"}
	for range 1000 {
		d := installation.PlanDetail{Label: strings.Repeat("l", 256), Value: strings.Repeat("v", 4096)}
		plan.Details, plan.HighlightedDetails = append(plan.Details, d), append(plan.HighlightedDetails, d)
	}
	w.install(t, "i")
	_, large := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{BillingPlan: installation.Value(plan)}})
	for name, err := range map[string]error{"list": list, "events": events, "period": period, "options": opts, "too large": large} {
		detail, ok := errors.AsType[*validate.Error](err)
		if !ok || len(detail.Violations) == 0 || !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("%s: %v has no detail", name, err)
		}
	}
}

// An iteration can be run again, and starts where it was asked to.
func TestAllCanBeRunAgain(t *testing.T) {
	w := newWorld(t)
	fill(t, w)
	all := w.host.All(t.Context(), installation.ListRequest{Limit: 2, Skip: 1})
	collect := func(stop int) (out []string) {
		for i, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			if out = append(out, i.ID); len(out) == stop {
				break
			}
		}
		return out
	}
	collect(3)
	first, second := collect(0), collect(0)
	if diff := cmp.Diff(first, second); diff != "" || len(first) != 7 {
		t.Errorf("%d rows, then (-first +second):\n%s", len(first), diff)
	}
}

// Claims that a store could not keep are refused, and what Options functions do to their argument is not stored.
func TestOptionsFunctionsAreNotTrusted(t *testing.T) {
	for name, claim := range map[string]string{"empty": "", "NUL": "a\x00b", "long": strings.Repeat("c", 2000)} {
		w := newWorld(t, func(o *installation.Options) {
			o.Claims = func(*installation.Installation) []string { return []string{claim} }
		})
		if _, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: sample()}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	w := newWorld(t, func(o *installation.Options) {
		o.Claims = func(i *installation.Installation) []string { i.Name = "changed"; return nil }
		o.Policy = func(a installation.Actor, do installation.Action, i *installation.Installation) bool {
			if i != nil {
				i.Name = "changed"
			}
			return true
		}
	})
	w.install(t, "i")
	plain, err := installation.New(w.store.Store, testRing(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := plain.In("tenant-1").As(installation.Actor{Kind: installation.Host}).Get(t.Context(), "i")
	if err != nil || got.Name != "Stock Sync" {
		t.Errorf("stored as %q, %v", got.Name, err)
	}
}

// A skip that no index serves reads pages, not single rows.
func TestSkipReadsPages(t *testing.T) {
	w := newWorld(t)
	fill(t, w)
	lists := 0
	svc, err := installation.New(countingLists{w.store.Store, &lists}, testRing(t), &installation.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	vendor := svc.In("tenant-1").As(installation.Actor{Kind: installation.Vendor, ID: "ACC-vendor"})
	got, err := vendor.List(t.Context(), installation.ListRequest{Skip: 1, Status: []installation.Status{installation.StatusUninstalled}})
	if err != nil || len(got.Installations) != 0 || lists != 1 {
		t.Errorf("%d reads for %+v, %v", lists, got, err)
	}
}

type countingLists struct {
	installation.Store
	n *int
}

func (s countingLists) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	*s.n++
	return s.Store.List(ctx, q)
}
