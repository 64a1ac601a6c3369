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

// Each test below repeats an honest mistake that once lost data or showed a secret.

// A request that was written as JSON and read back keeps the parts it left out.
func TestJSONRequestKeepsOmittedParts(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	b, err := json.Marshal(installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Name: installation.Value("n")},
	})
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
	if got := w.Get(t, "i"); got.Name != "n" || got.Configuration == nil ||
		got.Connection == nil {
		t.Errorf("the omitted parts are gone: %+v", got)
	}
	if _, err := json.Marshal(installation.PatchRequest{Operations: []installation.Operation{
		patch.Unset("/a"),
	}}); err == nil {
		t.Error("a request with an operation was written as JSON, which loses it")
	}
}

// A write that changes nothing returns the stored installation and shares no memory with
// the request.
func TestUnchangedWriteReturnsStored(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	parts := fixture.Parts()
	consent, _ := parts.Consent.Get()
	zone := time.FixedZone("x", 3600)
	consent.Policies["terms"] = consent.Policies["terms"].In(zone).Add(time.Nanosecond)
	res, err := w.Host.Upsert(t.Context(),
		installation.UpsertRequest{ID: "i", Parts: installation.Parts{Consent: parts.Consent}})
	if err != nil || res.Changed {
		t.Fatalf("%+v, %v", res, err)
	}
	if diff := cmp.Diff(w.Get(t, "i"), res.Installation); diff != "" {
		t.Errorf("the answer differs from the stored installation (-stored +answer):\n%s", diff)
	}
	res.Consent.Scopes[0] = "spoilt"
	if consent.Scopes[0] != "read" {
		t.Error("the answer shares memory with the request")
	}
}

// Extra may not have the name of a field in any letter case, since readers of JSON may take
// one for the other.
func TestUnnamedFieldsDoNotShadowParts(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	put := func(extra string) error {
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{
			ID:    "i",
			Parts: installation.Parts{Extra: installation.Value(installation.JSON(extra))},
		})
		return err
	}
	want := []string{
		"extra/ID exclusive", "extra/Status exclusive",
		"extra/billingPlan exclusive", "extra/ſtatus exclusive",
	}
	err := put(`{"Status":"installed","ID":"x","billingPlan":{},"ſtatus":1,"plan":"eu"}`)
	if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
	if err := put(`{"statuses":1,"plan":{"id":1}}`); err != nil {
		t.Error(err)
	}
}

// Another id or revision id alone is a change of a configuration.
func TestNewConfigurationIDIsChange(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	for _, change := range []func(c *installation.Configuration){
		func(c *installation.Configuration) { c.ID = "config-2" },
		func(c *installation.Configuration) { c.RevisionID = "revision-2" },
	} {
		c := *w.Get(t, "i").Configuration
		change(&c)
		res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
			ID: "i", Parts: installation.Parts{Configuration: installation.Value(c)},
		})
		if err != nil || !res.Changed || c.ID != res.Configuration.ID {
			t.Errorf("got %+v, %v", res, err)
		}
		again, err := w.Host.Patch(t.Context(), installation.PatchRequest{
			ID:    "i",
			Parts: installation.Parts{Configuration: installation.Value(*res.Configuration)},
		})
		if err != nil || again.Changed {
			t.Errorf("once more: %+v, %v", again, err)
		}
	}
}
