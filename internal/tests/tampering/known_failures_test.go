package tampering

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/validate"
)

// failure is a way in which another product lost, damaged or showed a secret.
type failure struct {
	source string // where it was reported
	what   string
	check  func(t *testing.T)
}

// Failures seen elsewhere with masked configurations and stored secrets, each with its source and what keeps it from happening here.
func TestFailuresSeenElsewhere(t *testing.T) {
	for _, f := range slices.Concat(cipherFailures, maskFailures, accessFailures) {
		t.Run(f.source+" "+f.what, f.check)
	}
}

// sealedAt returns the stored bytes of a secret in a record of a tamperTarget.
func (x *tamperTarget) sealedAt(t testing.TB, pointer string) []byte {
	t.Helper()
	return fixture.DecodeBody(t, x.record.Body).ValueAt(t, installation.ConfigRef(pointer)).Sealed
}

// put returns an edit that puts bytes in the place of a stored secret.
func (x *tamperTarget) put(t testing.TB, pointer string, sealed []byte) func(r *installation.Record) {
	return x.edited(t, func(body *fixture.Body) { body.ValueAt(t, installation.ConfigRef(pointer)).Sealed = sealed })
}

func attacked(t *testing.T) *tamperTarget {
	t.Helper()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	return newTamperTarget(t, h, "EXI-1")
}

// wantWrongKey fails the test unless reads and Check name the key of the service as the wrong one.
func wantWrongKey(t *testing.T, host *installation.Service) {
	t.Helper()
	_, getErr := host.Get(t.Context(), "EXI-1")
	list, err := host.List(t.Context(), installation.ListRequest{})
	if err != nil || len(list.Installations) != 1 {
		t.Fatalf("list: %+v, %v", list, err)
	}
	refs := []installation.Ref{installation.ConfigRef("/adobe_secret")}
	_, revealErr := host.Reveal(t.Context(), installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: refs})
	for what, err := range map[string]error{"get": getErr, "list": list.Installations[0].Err, "reveal": revealErr} {
		if wrong, ok := errors.AsType[*crypto.WrongKeyError](err); !ok || wrong.KeyID != "k1" {
			t.Errorf("%s: %v, want *crypto.WrongKeyError for k1", what, err)
		}
	}
	report, err := host.Check(t.Context())
	if err != nil || report.OK() || !strings.Contains(fmt.Sprint(report.Findings), "k1") {
		t.Errorf("check: %+v, %v", report, err)
	}
}

var cipherFailures = []failure{
	{"gibbz00/rops#40", "a pointer that reads like another names another secret", func(t *testing.T) {
		w := fixture.NewWorld(t)
		if _, err := w.Configure("i", `{"a":{"token":"one"},"a/token":{"token":"two"},"a~1token":{"token":"three"}}`); err != nil {
			t.Fatal(err)
		}
		for at, want := range map[string]string{"/a/token": "one", "/a~1token/token": "two", "/a~01token/token": "three"} {
			if got := w.Reveal(t, "i", installation.ConfigRef(at)); got != want {
				t.Errorf("%s is %q, want %q", at, got, want)
			}
		}
	}},
	{"getsops/sops#221 #657", "a renamed key and two values that read like one are noticed", func(t *testing.T) {
		x := attacked(t)
		x.detected(t, "renamed", x.edited(t, func(body *fixture.Body) {
			body.ValueAt(t, installation.ConfigRef("/adobe_secret")).Ref = "config/region"
		}))
		x.detected(t, "removed", x.edited(t, func(body *fixture.Body) {
			body.Values = slices.DeleteFunc(body.Values, func(v record.Value) bool { return v.Ref == "config/adobe_secret" })
		}))
		x.detected(t, "doubled", x.edited(t, func(body *fixture.Body) {
			values := body.Values
			body.Values = append(values, values[0])
		}))
	}},
	{"CVE-2023-4680 CVE-2019-1543", "no caller chooses a nonce", func(t *testing.T) {
		for _, v := range []any{&crypto.DataKey{}, &crypto.Keyring{}} {
			typ := reflect.TypeOf(v)
			for i := range typ.NumMethod() {
				if name := strings.ToLower(typ.Method(i).Name); strings.Contains(name, "nonce") || strings.Contains(name, "iv") && !strings.Contains(name, "private") {
					t.Errorf("%v has a method %s", typ, name)
				}
			}
		}
		x := attacked(t)
		first := x.sealedAt(t, "/adobe_secret")
		if second := x.sealedAt(t, "/nested/clientSecret"); slices.Equal(first[6:18], second[6:18]) {
			t.Error("two nonces are alike")
		}
	}},
	{"ruby/openssl#63 nodejs setAuthTag", "a value cut short is refused at every length, without a panic", func(t *testing.T) {
		x := attacked(t)
		sealed := x.sealedAt(t, "/adobe_secret")
		for n := range sealed {
			x.detected(t, fmt.Sprintf("cut to %d bytes", n), x.put(t, "/adobe_secret", sealed[:n]))
		}
	}},
	{"CVE-2020-8897", "one key is tried, by its id, and a wrong one does not unwrap", func(t *testing.T) {
		h := fixture.NewAttack(t)
		h.Install("EXI-1", "ACC-1")
		wrong := h.ServiceWith(fixture.RingWith(t, "k1", strings.Repeat("x7", 16))).In(fixture.Tenant).As(fixture.HostActor)
		if _, err := wrong.Get(t.Context(), "EXI-1"); !errors.Is(err, installation.ErrSealed) {
			t.Errorf("another key of the same id: %v", err)
		}
		wantWrongKey(t, wrong)
		other := h.ServiceWith(fixture.RingWith(t, "k2", fixture.KEK)).In(fixture.Tenant).As(fixture.HostActor)
		if _, err := other.Get(t.Context(), "EXI-1"); !errors.Is(err, installation.ErrUnknownKey) {
			t.Errorf("the same key of another id: %v", err)
		}
		key, err := crypto.NewKey("k1", []byte("0123456789abcdef0123456789abcdef"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := crypto.NewKeyring(key, key); err == nil {
			t.Error("two keys of one id were taken")
		}
	}},
	{"CVE-2022-2582", "stored bytes tell neither length nor equality", func(t *testing.T) {
		w := fixture.NewWorld(t)
		seen := map[string]bool{}
		size := 0
		for n := range 62 {
			if _, err := w.Configure("i", fmt.Sprintf(`{"token":%q}`, "x"+strings.Repeat("y", n))); err != nil {
				t.Fatal(err)
			}
			sealed := w.SealedValue(t, installation.ConfigRef("/token"))
			if size == 0 {
				size = len(sealed)
			}
			if len(sealed) != size || seen[sealed] {
				t.Fatalf("a secret of %d bytes takes %d, another one %d", n+1, len(sealed), size)
			}
			seen[sealed] = true
		}
		for range 2 {
			if _, err := w.Configure("i", `{"token":"the same"}`); err != nil {
				t.Fatal(err)
			}
			if sealed := w.SealedValue(t, installation.ConfigRef("/token")); seen[sealed] {
				t.Error("the same secret has the same bytes")
			} else {
				seen[sealed] = true
			}
		}
	}},
	{"rails/rails ActiveRecord::Encryption", "a value copied to another place, record or tenant does not open", func(t *testing.T) {
		x := attacked(t)
		x.detected(t, "another place", x.put(t, "/adobe_secret", x.sealedAt(t, "/nested/clientSecret")))
		x.h.Install("EXI-2", "ACC-2")
		x.detected(t, "another record", x.put(t, "/adobe_secret", newTamperTarget(t, x.h, "EXI-2").sealedAt(t, "/adobe_secret")))
	}},
	{"NangoHQ/nango rails jenkinsci", "plain text in the place of a sealed value is no secret, and sealed text given is plain", func(t *testing.T) {
		x := attacked(t)
		for _, plain := range []string{"", "s3cr3t", `"s3cr3t"`, "isv2.AgEAAAAB"} {
			x.detected(t, "plain "+plain, x.put(t, "/adobe_secret", []byte(plain)))
		}
		if _, err := installation.New(memstore.New(), nil, nil); err == nil {
			t.Error("a service without keys was made")
		}
		w := fixture.NewWorld(t)
		text := "isv2.AgEAAAABQEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX"
		if _, err := w.Configure("i", `{"token":"`+text+`","note":"`+text+`"}`); err != nil {
			t.Fatal(err)
		}
		if got := w.Reveal(t, "i", installation.ConfigRef("/token")); got != text || !strings.Contains(w.Configuration(t), text) {
			t.Errorf("it became %q", got)
		}
	}},
}

var maskFailures = []failure{
	{"CVE-2022-4342 CVE-2023-0838 keycloak#50964", "a changed destination with a kept secret is refused", func(t *testing.T) {
		for _, url := range []string{"https://evil.example/hook", "https://hook.example/hook?to=evil", "http://hook.example/hook"} {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", `{"url":"https://hook.example/hook","token":"t"}`); err != nil {
				t.Fatal(err)
			}
			_, err := w.Configure("i", `{"url":"`+url+`","token":"***"}`)
			fixture.WantViolation(t, err, "configuration/token", validate.RuleDestination)
			if _, err := w.Configure("i", `{"url":"`+url+`","token":"new"}`); err != nil {
				t.Errorf("given anew: %v", err)
			}
		}
	}},
	{"n8n-io/n8n#35987 casdoor#749 litellm#39878", "a mask is never stored as a secret", func(t *testing.T) {
		w := fixture.NewWorld(t)
		_, err := w.Configure("i", `{"token":"***"}`)
		fixture.WantViolation(t, err, "configuration/token", validate.RuleMaskWithoutStoredValue)
		if _, err := w.Configure("i", `{"token":"sk-0123456789"}`); err != nil {
			t.Fatal(err)
		}
		for _, given := range []string{"sk****89", "****", "*** "} {
			if _, err := w.Configure("i", fmt.Sprintf(`{"token":%q}`, given)); err != nil || w.Reveal(t, "i", installation.ConfigRef("/token")) != given {
				t.Errorf("%q: %v", given, err)
			}
		}
		if _, err := w.Patch(installation.SetSecret("/token", crypto.NewSecret("***"))); err != nil || w.Reveal(t, "i", installation.ConfigRef("/token")) != "***" {
			t.Errorf("on explicit demand it is: %v", err)
		}
	}},
	{"n8n-io/n8n#12447", "what was read can be written back", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Configuration: installation.Value(*w.Get(t, "i").Configuration)}})
		if err != nil || res.Changed || res.Revision != 1 {
			t.Errorf("got %+v, %v", res, err)
		}
	}},
	{"grafana#22552 #70035", "absent and null clear a secret", func(t *testing.T) {
		for _, document := range []string{`{"n":1}`, `{"n":1,"token":null}`} {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", `{"n":1,"token":"t"}`); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Configure("i", document); err != nil || len(w.Get(t, "i").Sealed) != 0 {
				t.Errorf("%s leaves %v, %v", document, w.Get(t, "i").Sealed, err)
			}
		}
	}},
	{"airbytehq/airbyte JsonSecretsProcessor", "secrets in arrays follow their element", func(t *testing.T) {
		w, _ := fixture.NewDescribed(t, `{"properties":{"l":{"x-key":"id"}}}`, `{"l":[{"id":1,"token":"A"},{"id":2,"token":"B"}]}`)
		if _, err := w.Configure("i", `{"l":[{"id":2,"token":"***"}]}`); err != nil {
			t.Fatal(err)
		}
		if got := w.Reveal(t, "i", installation.ConfigRef("/l/0/token")); got != "B" {
			t.Errorf("the second element has %q", got)
		}
		plain := fixture.NewWorld(t)
		if _, err := plain.Configure("i", `{"l":[{"id":1,"token":"A"},{"id":2,"token":"B"}]}`); err != nil {
			t.Fatal(err)
		}
		_, err := plain.Configure("i", `{"l":[{"id":2,"token":"***"}]}`)
		fixture.WantViolation(t, err, "configuration/l/0/token", validate.RuleAmbiguousMask)
	}},
	{"airbytehq/airbyte JsonSecretsProcessor", "a flag that is false masks neither way", func(t *testing.T) {
		w, _ := fixture.NewDescribed(t, `{"properties":{"a":{"airbyte_secret":false},"token":{"x-sensitive":false}}}`, `{"a":"x","token":"y"}`)
		if got := w.Configuration(t); got != `{"a":"x","token":"y"}` {
			t.Errorf("shown as %s", got)
		}
		if res, err := w.Configure("i", w.Configuration(t)); err != nil || res.Changed {
			t.Errorf("echo: %+v, %v", res, err)
		}
	}},
	{"airbytehq/airbyte JsonSecretsProcessor", "a broken schema hides everything", func(t *testing.T) {
		w, c := fixture.NewDescribed(t, `{}`, `{"a":"x","b":{"c":1}}`)
		c.Set("r2", `{"properties":`)
		if got := w.Configuration(t); got != `{"a":"***","b":{"c":"***"}}` {
			t.Errorf("shown as %s", got)
		}
	}},
	{"CVE-2023-27481 CVE-2023-22894 CVE-2019-14351", "nothing compares with a secret", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		for _, guess := range []string{`"s3cr3t-config"`, `"wrong"`} {
			_, err := w.Patch(installation.Test("/api_secret", installation.JSON(guess)))
			fixture.WantViolation(t, err, "configuration/api_secret", validate.RuleSealed)
		}
		right, err := w.Patch(installation.Set("/api_secret", installation.JSON(`"s3cr3t-config"`)))
		if err != nil || !right.Changed {
			t.Errorf("the right guess is told from a wrong one: %+v, %v", right, err)
		}
		typ := reflect.TypeFor[installation.ListRequest]()
		for i := range typ.NumField() {
			if name := typ.Field(i).Name; strings.Contains(name, "Config") || strings.Contains(name, "Document") {
				t.Errorf("a list can be filtered by %s", name)
			}
		}
	}},
}

var accessFailures = []failure{
	{"CVE-2023-40029 CVE-2025-55190 CVE-2025-23216", "no answer, event or error shows a secret", func(t *testing.T) {
		const canary = "hunter2canary"
		w := fixture.NewWorld(t)
		var seen strings.Builder
		see := func(v any, err error) { fmt.Fprintf(&seen, "%+v %#v %v\n", v, v, err) }
		for _, document := range []string{`{"token":"` + canary + `"}`, `{"token":"***"}`, `{"token":"` + canary, `{"token":{"` + canary + `":1}}`, `"` + canary + `"`} {
			res, err := w.Configure("i", document)
			see(res, err)
		}
		for _, op := range []installation.Operation{
			installation.Set("/token", installation.JSON(`"`+canary+`"`)), installation.Test("/token", installation.JSON(`"`+canary+`"`)),
			installation.Set("/token/x", installation.JSON(`"`+canary+`"`)), installation.SetSecret("/none/x", crypto.NewSecret(canary)),
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
			t.Error("it is shown")
		}
	}},
	{"GHSA-vfw3-53q9-2hp8 litellm#15638", "an invitation is accepted once, and reading does not consume it", func(t *testing.T) {
		w := fixture.NewWorld(t)
		code := w.Invite(t, "i").Code
		w.Get(t, "i")
		const racers = 64
		won := make([]bool, racers)
		fixture.Parallel(racers, func(n int) {
			account := fmt.Sprintf("ACC-%d", n)
			_, err := w.As(account).Accept(context.Background(), installation.AcceptRequest{ID: "i", Code: code, Account: installation.Account{ID: account}})
			won[n] = err == nil
		})
		if n := len(slices.DeleteFunc(won, func(b bool) bool { return !b })); n != 1 {
			t.Errorf("%d accepted it", n)
		}
	}},
	{"CVE-2012-4520 CVE-2023-7028", "an invitation leads where the host said, and is for one recipient", func(t *testing.T) {
		w := fixture.NewWorld(t)
		res, err := w.Host.Invite(t.Context(), installation.InviteRequest{ID: "i", Recipient: "a@shop.example", Message: "https://evil.example", Parts: installation.Parts{Extension: fixture.Parts().Extension}})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.AcceptURL.RevealString(); !strings.HasPrefix(got, "https://portal.example/accept?") {
			t.Errorf("it leads to another place")
		}
		_, err = w.As("ACC-2").Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: res.Code, Account: installation.Account{ID: "ACC-2"}, Recipient: "a@shop.example,b@evil.example"})
		fixture.WantErr(t, "two recipients", err, installation.ErrInvitation)
	}},
	{"NangoHQ/nango rotation is not supported", "a rotation that stops anywhere loses nothing", func(t *testing.T) {
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
	}},
}
