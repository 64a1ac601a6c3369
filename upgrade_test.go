package installation_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// partsWithSecret returns parts whose configuration has a secret.
func partsWithSecret() installation.Parts {
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "E"}),
		Account:   installation.Value(installation.Account{ID: "A"}),
		Configuration: installation.Value(installation.Configuration{
			Document: installation.JSON(`{"api_secret":"s3cr3t","n":1}`),
		}),
	}
}

// A new rule masks a value that an older rule stored as plain text, from the first read on.
// The read writes nothing, and the next write of any part seals the value.
func TestNewRuleMasksReadsAndSealsWrites(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := partsWithSecret()
	parts.Connection = installation.Value(installation.Connection{
		Metadata: installation.JSON(`{"token":"t0ken"}`),
	})
	parts.Extra = installation.Value(installation.JSON(`{"signature":"s1gn"}`))
	_, err := w.Host.WithOldRule().Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: parts,
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, i *installation.Installation, sealed int) {
		t.Helper()
		for _, c := range []struct{ got, want string }{
			{i.Configuration.Document.String(), `{"api_secret":"***","n":1}`},
			{i.Connection.Metadata.String(), `{"token":"***"}`},
			{i.Extra.String(), `{"signature":"***"}`},
		} {
			if c.got != c.want {
				t.Errorf("%s: got %s, want %s", when, c.got, c.want)
			}
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
	same, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Configuration: installation.Value(*i.Configuration)},
	})
	if err != nil || same.Changed {
		t.Fatalf("sent back: %+v, %v", same, err)
	}
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Name: installation.Value("n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	check("written", res.Installation, 3)
	answers, err := w.Host.Reveal(t.Context(), installation.RevealRequest{
		ID: "i", Reason: "r", Refs: res.Sealed,
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"s3cr3t", "t0ken", "s1gn"} {
		if got := answers[n].Value.RevealString(); got != want {
			t.Errorf("%s is %q, want %q", answers[n].Ref, got, want)
		}
	}
}

// A masked document can be sent back in the write that seals its secret.
func TestMaskedRoundTripUnderNewRule(t *testing.T) {
	w := fixture.NewWorld(t)
	if _, err := w.Host.WithOldRule().Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: partsWithSecret(),
	}); err != nil {
		t.Fatal(err)
	}
	i := w.Get(t, "i")
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i",
		Parts: installation.Parts{
			Name: installation.Value("n"), Configuration: installation.Value(*i.Configuration),
		},
	})
	if err != nil || res.Configuration.Document.String() != `{"api_secret":"***","n":1}` ||
		len(res.Sealed) != 1 {
		t.Fatalf("got %+v, %v", res, err)
	}
	if got := w.Reveal(t, "i", res.Sealed[0]); got != "s3cr3t" {
		t.Errorf("the secret is %q", got)
	}
}
