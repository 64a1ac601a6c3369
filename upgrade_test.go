package installation_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// What was stored plain under an older rule is masked from the first read on, though a read does not write, and sealed by the next write of
// anything.
func TestNewRuleMasksReadsAndSealsWrites(t *testing.T) {
	w := fixture.NewWorld(t)
	_, err := w.Host.WithOldRule().Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "E"}), Account: installation.Value(installation.Account{ID: "A"}),
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"api_secret":"s3cr3t","n":1}`)}),
		Connection:    installation.Value(installation.Connection{Metadata: installation.JSON(`{"token":"t0ken"}`)}),
		Extra:         installation.Value(installation.JSON(`{"signature":"s1gn"}`)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, i *installation.Installation, sealed int) {
		t.Helper()
		if c, m, e := i.Configuration.Document.String(), i.Connection.Metadata.String(), i.Extra.String(); c != `{"api_secret":"***","n":1}` || m != `{"token":"***"}` || e != `{"signature":"***"}` {
			t.Errorf("%s: %s %s %s", when, c, m, e)
		}
		if len(i.Sealed) != sealed {
			t.Errorf("%s: %d secrets are sealed, want %d", when, len(i.Sealed), sealed)
		}
	}
	i, err := w.Host.Get(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	check("read", i, 0)
	echo, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Configuration: installation.Value(*i.Configuration)}})
	if err != nil || echo.Changed {
		t.Fatalf("echo: %+v, %v", echo, err)
	}
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}})
	if err != nil {
		t.Fatal(err)
	}
	check("written", res.Installation, 3)
	answers, err := w.Host.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "r", Refs: res.Sealed})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"s3cr3t", "t0ken", "s1gn"} {
		if got := answers[n].Value.RevealString(); got != want {
			t.Errorf("%s is %q, want %q", answers[n].Ref, got, want)
		}
	}
}

// An echo under a new rule goes with a write of something else: what is sealed by it is masked in the document too.
func TestMaskedRoundTripUnderNewRule(t *testing.T) {
	w := fixture.NewWorld(t)
	if _, err := w.Host.WithOldRule().Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "E"}), Account: installation.Value(installation.Account{ID: "A"}),
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"api_secret":"s3cr3t","n":1}`)}),
	}}); err != nil {
		t.Fatal(err)
	}
	i := w.Get(t, "i")
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{
		Name: installation.Value("n"), Configuration: installation.Value(*i.Configuration),
	}})
	if err != nil || res.Configuration.Document.String() != `{"api_secret":"***","n":1}` || len(res.Sealed) != 1 {
		t.Fatalf("got %+v, %v", res, err)
	}
	if got := w.Reveal(t, "i", res.Sealed[0]); got != "s3cr3t" {
		t.Errorf("the secret is %q", got)
	}
}
