package requests

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// What honest mistakes must not cost: each of these once lost data, or showed what it should not.

// A request that was queued as JSON keeps what it left out.
func TestJSONRequestKeepsOmittedParts(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	b, err := json.Marshal(installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}})
	if err != nil {
		t.Fatal(err)
	}
	var req installation.PatchRequest
	if err := json.Unmarshal(b, &req); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Host.Patch(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got := w.Get(t, "i"); got.Name != "n" || got.Configuration == nil || got.Connection == nil {
		t.Errorf("parts that were left out are gone: %+v", got)
	}
	if _, err := json.Marshal(installation.PatchRequest{Operations: []installation.Operation{patch.Unset("/a")}}); err == nil {
		t.Error("an operation was written as JSON, where it is lost")
	}
}

// A write that changes nothing answers what is stored, and shares nothing with the request.
func TestUnchangedWriteReturnsStored(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	parts := fixture.Parts()
	consent, _ := parts.Consent.Get()
	consent.Policies["terms"] = consent.Policies["terms"].In(time.FixedZone("x", 3600)).Add(time.Nanosecond)
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Consent: parts.Consent}})
	if err != nil || res.Changed {
		t.Fatalf("%+v, %v", res, err)
	}
	if diff := cmp.Diff(w.Get(t, "i"), res.Installation); diff != "" {
		t.Errorf("the answer is not what is stored (-stored +answer):\n%s", diff)
	}
	res.Consent.Scopes[0] = "spoilt"
	if consent.Scopes[0] != "read" {
		t.Error("the answer shares memory with the request")
	}
}

// Readers take an unnamed field for a part in any letter case.
func TestUnnamedFieldsDoNotShadowParts(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	put := func(extra string) error {
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Extra: installation.Value(installation.JSON(extra))}})
		return err
	}
	want := []string{"extra/ID exclusive", "extra/Status exclusive", "extra/billingPlan exclusive", "extra/ſtatus exclusive"}
	if diff := cmp.Diff(want, fixture.Violations(t, put(`{"Status":"installed","ID":"x","billingPlan":{},"ſtatus":1,"region":"eu"}`))); diff != "" {
		t.Error(diff)
	}
	if err := put(`{"statuses":1,"region":{"id":1}}`); err != nil {
		t.Error(err)
	}
}

// A configuration that is only given another id, or another revision id, changed.
func TestNewConfigurationIDIsChange(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	for _, change := range []func(c *installation.Configuration){
		func(c *installation.Configuration) { c.ID = "config-2" },
		func(c *installation.Configuration) { c.RevisionID = "revision-2" },
	} {
		c := *w.Get(t, "i").Configuration
		change(&c)
		res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Configuration: installation.Value(c)}})
		if err != nil || !res.Changed || c.ID != res.Configuration.ID {
			t.Errorf("got %+v, %v", res, err)
		}
		again, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Configuration: installation.Value(*res.Configuration)}})
		if err != nil || again.Changed {
			t.Errorf("once more: %+v, %v", again, err)
		}
	}
}
