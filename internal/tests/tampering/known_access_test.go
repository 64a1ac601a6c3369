package tampering

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

var accessFailures = []failure{
	{
		"CVE-2023-40029 CVE-2025-55190 CVE-2025-23216",
		"no response, event or error shows a secret",
		nothingShown,
	},
	{
		"GHSA-vfw3-53q9-2hp8 litellm#15638",
		"an invitation is accepted once, and reading does not consume it",
		acceptedOnce,
	},
	{
		"CVE-2012-4520 CVE-2023-7028",
		"an invitation leads to the page of the host, and is for one recipient",
		invitationTarget,
	},
	{
		"NangoHQ/nango rotation is not supported",
		"a rotation that stops anywhere loses nothing",
		stoppedRotation,
	},
}

func nothingShown(t *testing.T) {
	const canary = "hunter2canary"
	w := fixture.NewWorld(t)
	var seen strings.Builder
	see := func(v any, err error) { fmt.Fprintf(&seen, "%+v %#v %v\n", v, v, err) }
	for _, document := range []string{
		`{"token":"` + canary + `"}`, `{"token":"***"}`, `{"token":"` + canary,
		`{"token":{"` + canary + `":1}}`, `"` + canary + `"`,
	} {
		res, err := w.Configure("i", document)
		see(res, err)
	}
	value := installation.JSON(`"` + canary + `"`)
	for _, op := range []installation.Operation{
		patch.Set("/token", value), patch.Test("/token", value), patch.Set("/token/x", value),
		patch.SetSecret("/none/x", crypto.NewSecret(canary)),
	} {
		res, err := w.Patch(op)
		see(res, err)
		see(op, nil)
	}
	list, err := w.Host.List(t.Context(), installation.ListRequest{})
	see(list, err)
	see(w.Get(t, "i"), nil)
	see(w.Events(t), nil)
	if strings.Contains(seen.String(), canary) {
		t.Error("a response, event or error shows the secret")
	}
}

func acceptedOnce(t *testing.T) {
	w := fixture.NewWorld(t)
	code := w.Invite(t, "i").Code
	w.Get(t, "i")
	const racers = 64
	won := make([]bool, racers)
	fixture.Parallel(racers, func(n int) {
		account := fmt.Sprintf("ACC-%d", n)
		_, err := w.As(account).Accept(context.Background(), installation.AcceptRequest{
			ID: "i", Code: code, Account: installation.Account{ID: account},
		})
		won[n] = err == nil
	})
	if n := len(slices.DeleteFunc(won, func(b bool) bool { return !b })); n != 1 {
		t.Errorf("%d accepted it", n)
	}
}

func invitationTarget(t *testing.T) {
	w := fixture.NewWorld(t)
	res, err := w.Host.Invite(t.Context(), installation.InviteRequest{
		ID: "i", Recipient: "a@shop.example", Message: "https://evil.example",
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	})
	if err != nil {
		t.Fatal(err)
	}
	url := res.AcceptURL.RevealString()
	if !strings.HasPrefix(url, "https://portal.example/accept?") {
		t.Errorf("the invitation leads to another place")
	}
	_, err = w.As("ACC-2").Accept(t.Context(), installation.AcceptRequest{
		ID: "i", Code: res.Code, Account: installation.Account{ID: "ACC-2"},
		Recipient: "a@shop.example,b@evil.example",
	})
	fixture.WantErr(t, "two recipients", err, installation.ErrInvitation)
}

func stoppedRotation(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 4)
	both := r.With(t, r.K2, r.K1)
	for range 4 {
		if _, err := both.Rewrap(t.Context(), installation.RewrapRequest{Limit: 1}); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			fixture.WantReadable(t, both, fmt.Sprintf("i-%d", i))
			fixture.WantReadable(t, r.With(t, r.K1, r.K2), fmt.Sprintf("i-%d", i))
		}
	}
	if err := both.CanRetire(t.Context(), "k1"); err != nil {
		t.Error(err)
	}
}
