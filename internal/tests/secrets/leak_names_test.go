package secrets

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// A secret in the place of a member's name appears in no error and in no event. Only who reads the
// document sees it.
func TestInvariant13NamesThatAreSecretsAreCut(t *testing.T) {
	const name = "sk_live_CNRY5Bx9qKm2Zt7Vw"
	log := newLeakLog(t)
	log.finder.add("member name", name)
	w, _ := fixture.NewDescribed(t, `{"properties":{"closed":{"additionalProperties":false}}}`,
		`{"api_tokens":{"`+name+`":"s3cr3t"},"endpoint":"https://a.example"}`)

	for what, call := range refusedNames(t, w, name) {
		err := call()
		if err == nil || !strings.Contains(err.Error(), "sk_l...") {
			t.Errorf("%s: got error %v, want one with the cut name", what, err)
		}
		log.see(what, err)
	}

	at := "/api_tokens/" + name
	if _, err := w.Patch(patch.SetSecret(at, crypto.NewSecret("another"))); err != nil {
		t.Fatal(err)
	}
	_, err := w.Host.Reveal(t.Context(), installation.RevealRequest{
		ID: "i", Refs: []installation.Ref{installation.Ref("config" + at)}, Reason: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, e := range w.Events(t) {
		log.see("event", e)
		if strings.Contains(strings.Join(e.Changed, " "), "config/api_tokens/sk_l...") {
			named++
		}
	}
	if named != 2 {
		t.Errorf("%d events name what changed or was revealed, want 2", named)
	}
	w.Store.Forge(fixture.KeyAt("i"), damagedSecrets(t, w))
	_, err = w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i", Reason: "test"})
	if !errors.Is(err, installation.ErrSealed) || !strings.Contains(err.Error(), "sk_l...") {
		t.Errorf("Rekey of a damaged secret: %v", err)
	}
	log.see("Rekey", err)
	log.search()
}

// damagedSecrets returns the record of the installation "i" with secrets that do not open. Their
// tags are as before, so the record opens.
func damagedSecrets(t *testing.T, w *fixture.World) *installation.Record {
	t.Helper()
	r := w.Store.Last(fixture.KeyAt("i"))
	body := fixture.DecodeBody(t, r.Body)
	for _, v := range body.Values {
		v.Sealed[len(v.Sealed)/2] ^= 1
	}
	r.Body = fixture.EncodeBody(body)
	return r
}

// refusedNames returns writes with the name that are refused.
func refusedNames(t *testing.T, w *fixture.World, name string) map[string]func() error {
	refused := map[string]func() error{
		"consent": func() error {
			_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
				ID: "i", Parts: installation.Parts{Consent: installation.Value(
					installation.Consent{Policies: map[string]time.Time{name: {}}})},
			})
			return err
		},
	}
	for what, document := range map[string]string{
		"mask elsewhere": `{"secrets":{"` + name + `":"***"}}`,
		"name twice":     `{"` + name + `":1,"` + name + `":2}`,
		"empty secret":   `{"api_tokens":{"` + name + `":""}}`,
		"not allowed":    `{"closed":{"` + name + `":1}}`,
		"no end":         `{"a":{"` + name + `":`,
		"destination":    `{"api_tokens":{"` + name + `":"***"},"endpoint":"https://b.example"}`,
		"related": `{"api_tokens":{"` + name + `":"***"},"endpoint":"https://a.example",` +
			`"hosts":{"` + name + `":"https://b.example"}}`,
	} {
		refused[what] = func() error {
			_, err := w.Configure("i", document)
			return err
		}
	}
	at := "/api_tokens/" + name
	for what, op := range map[string]installation.Operation{
		"test":      patch.Test(at, installation.JSON(`"x"`)),
		"below":     patch.SetSecret(at+"/x", crypto.NewSecret("y")),
		"not there": patch.Set("/"+name+"/x", installation.JSON(`1`)),
	} {
		refused[what] = func() error {
			_, err := w.Patch(op)
			return err
		}
	}
	return refused
}

// Names of policies are parts of a path with dots. A name with dots and slashes is judged whole.
func TestInvariant13NamesOfPoliciesAreCutWhole(t *testing.T) {
	w := fixture.NewWorld(t)
	for name, secret := range map[string]string{
		"user:hunter.2@db.example":                 "hunter",
		"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "K7MDENG",
		"Server=db.example;Password=a.b":           "Password",
	} {
		_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
			ID: "i", Parts: installation.Parts{Consent: installation.Value(
				installation.Consent{Policies: map[string]time.Time{name: {}}})},
		})
		if !errors.Is(err, installation.ErrInvalid) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got error %v, want one without the end of the name", name, err)
		}
	}
}
