package secrets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// A caller cannot confirm a guess of a secret. Right and wrong guesses get the
// same answer and leave the same traces.
func TestInvariant12NoOracle(t *testing.T) {
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	t.Run("test", func(t *testing.T) {
		before := len(h.Store.Changes())
		testOperations(t, h)
		if len(h.Store.Changes()) != before {
			t.Error("a rejected test was committed")
		}
		testAfterOtherOperations(t, h)
	})
	t.Run("equal values are sealed again", func(t *testing.T) { equalValues(t, h) })
	t.Run("all refusals are equal", func(t *testing.T) {
		refusedAccepts(t, h)
		hiddenAndAbsent(t, h)
	})
}

// testOperations guesses with a test operation at, above and below each secret.
func testOperations(t *testing.T, h *fixture.Attack) {
	values := []string{`"s3cr3t"`, `"wrong"`, `"***"`, `""`, `null`, `{}`, `[]`, `0`}
	for pointer, guesses := range map[string][]string{
		"/adobe_secret":        nil,
		"/nested/clientSecret": nil,
		"/list/0/password":     nil,
		"/adobe_secret/x":      nil,
		"/adobe_secret/0/x":    nil,
		"/list/0": {
			`{"name":"a","password":"s3cr3t"}`, `{"name":"a","password":"***"}`,
		},
		"/list": {
			`[{"name":"a","password":"s3cr3t"}]`, `[{"name":"a","password":"***"}]`,
		},
		"/nested": {`{"clientSecret":"s3cr3t"}`, `{"clientSecret":"***"}`},
		"": {`{"region":"eu","adobe_secret":"***","nested":{"clientSecret":"***"},` +
			`"list":[{"name":"a","password":"***"}]}`},
	} {
		var first string
		for _, guess := range append(values, guesses...) {
			err := patchFirst(t, h, patch.Test(pointer, installation.JSON(guess)))
			fixture.WantViolation(t, err, "configuration"+pointer, validate.RuleSealed)
			if first == "" {
				first = fmt.Sprint(err)
			} else if fmt.Sprint(err) != first {
				t.Errorf("%s: guesses get two answers: %q and %q", pointer, first, err)
			}
		}
	}
}

func patchFirst(t *testing.T, h *fixture.Attack, ops ...installation.Operation) error {
	t.Helper()
	_, err := h.Host().Patch(t.Context(), installation.PatchRequest{ID: "EXI-1", Operations: ops})
	return err
}

// testAfterOtherOperations guesses in a patch that first changes something.
func testAfterOtherOperations(t *testing.T, h *fixture.Attack) {
	for _, guess := range []string{"s3cr3t", "wrong"} {
		for _, c := range []struct {
			first installation.Operation
			at    string
		}{
			{patch.Set("/region", installation.JSON(`"us"`)), "/adobe_secret"},
			{patch.Unset("/list/0/password"), "/nested/clientSecret"},
			{patch.Set("/adobe_secret", installation.JSON(`"***"`)), "/adobe_secret"},
			{patch.SetSecret("/adobe_secret", crypto.NewSecret("s3cr3t")), "/adobe_secret"},
		} {
			err := patchFirst(t, h, c.first, patch.Test(c.at, installation.JSON(`"`+guess+`"`)))
			fixture.WantViolation(t, err, "configuration"+c.at, validate.RuleSealed)
		}
	}
}

// writeTrace is everything that a write reveals about a value to an observer.
type writeTrace struct {
	changed  bool
	revision int64 // difference to the revision before
	event    string
	size     int
	document string
}

// traceOf runs a write that succeeds and returns its traces.
func traceOf(
	t *testing.T, h *fixture.Attack, write func() (*installation.Result, error),
) writeTrace {
	t.Helper()
	before := h.Store.Last(fixture.KeyAt("EXI-1"))
	res, err := write()
	if err != nil {
		t.Fatal(err)
	}
	after := h.Store.Last(fixture.KeyAt("EXI-1"))
	event := h.Store.Changes()[len(h.Store.Changes())-1].Events[0]
	body, old := fixture.DecodeBody(t, after.Body), fixture.DecodeBody(t, before.Body)
	for i, v := range body.Values {
		target := strings.HasSuffix(v.Ref, "/adobe_secret") ||
			strings.HasSuffix(v.Ref, "/access_token")
		same := fmt.Sprint(v) == fmt.Sprint(old.Values[i])
		if target && same && slices.Contains(event.Changed, v.Ref) {
			t.Errorf("%v: the event says that it changed, but its bytes are the same", v.Ref)
		}
	}
	// The first write to a place may leave other traces than later ones, so the
	// revision is relative.
	return writeTrace{
		res.Changed, after.Revision - before.Revision, fmt.Sprint(event.Type, event.Changed),
		len(after.Body.Bytes()), res.Configuration.Document.String(),
	}
}

// guessingWrites write a guess over a secret.
func guessingWrites(
	t *testing.T, h *fixture.Attack,
) map[string]func(guess string) (*installation.Result, error) {
	upsert := func(parts installation.Parts) (*installation.Result, error) {
		return h.Host().Upsert(t.Context(), installation.UpsertRequest{ID: "EXI-1", Parts: parts})
	}
	patchWith := func(op installation.Operation) (*installation.Result, error) {
		return h.Host().Patch(t.Context(), installation.PatchRequest{
			ID: "EXI-1", Operations: []installation.Operation{op},
		})
	}
	return map[string]func(guess string) (*installation.Result, error){
		"set": func(guess string) (*installation.Result, error) {
			return patchWith(patch.Set("/adobe_secret", installation.JSON(`"`+guess+`"`)))
		},
		"set secret": func(guess string) (*installation.Result, error) {
			return patchWith(patch.SetSecret("/adobe_secret", crypto.NewSecret(guess)))
		},
		"put": func(guess string) (*installation.Result, error) {
			document := `{"region":"eu","adobe_secret":"` + guess + `",` +
				`"nested":{"clientSecret":"***"},"list":[{"name":"a","password":"***"}]}`
			return upsert(installation.Parts{Configuration: leakConfiguration(document)})
		},
		"access token": func(guess string) (*installation.Result, error) {
			i, err := h.Host().Get(t.Context(), "EXI-1")
			if err != nil {
				return nil, err
			}
			c := *i.Connection
			c.AccessToken.Value = crypto.NewSecret(guess)
			return upsert(installation.Parts{Connection: installation.Value(c)})
		},
		"extra": func(guess string) (*installation.Result, error) {
			extra := installation.JSON(`{"webhookSecret":"` + guess + `","beta":true}`)
			return upsert(installation.Parts{Extra: installation.Value(extra)})
		},
	}
}

func equalValues(t *testing.T, h *fixture.Attack) {
	for name, write := range guessingWrites(t, h) {
		trace := func(guess string) writeTrace {
			t.Helper()
			return traceOf(t, h, func() (*installation.Result, error) { return write(guess) })
		}
		_ = trace("s3cr3t")
		same := trace("s3cr3t")
		other := trace("wr0ng!")
		if same != other || !same.changed || same.revision != 1 {
			t.Errorf("%s: the right guess leaves %+v, a wrong one %+v, "+
				"want the same and a new revision", name, same, other)
		}
		_ = trace("s3cr3t")
	}
}

// refusedAccepts tries to accept with wrong codes and in wrong places.
func refusedAccepts(t *testing.T, h *fixture.Attack) {
	code := h.Invite("EXI-2")
	h.Invite("EXI-3")
	expire := installation.ExpireRequest{ID: "EXI-3"}
	if _, err := h.Host().Expire(t.Context(), expire); err != nil {
		t.Fatal(err)
	}
	secret, text := crypto.NewSecret, code.RevealString()
	wrong := secret("inv_x")
	one, two := installation.Account{ID: "ACC-1"}, installation.Account{ID: "ACC-2"}
	zeros := secret("inv_" + strings.Repeat("0", 32))
	stale := installation.Guard{Revision: 77, Generation: 5}
	absent := installation.Guard{Absent: true}
	repeat := installation.Guard{IdempotencyKey: "k"}
	before, first := len(h.Store.Changes()), ""
	for name, req := range map[string]installation.AcceptRequest{
		"unknown id":      {ID: "EXI-none", Code: code, Account: one},
		"wrong code":      {ID: "EXI-2", Code: zeros, Account: one},
		"no code":         {ID: "EXI-2", Account: one},
		"masked code":     {ID: "EXI-2", Code: crypto.Masked(), Account: one},
		"empty code":      {ID: "EXI-2", Code: secret(""), Account: one},
		"code of another": {ID: "EXI-3", Code: code, Account: one},
		"installed":       {ID: "EXI-1", Code: code, Account: one},
		"code cut":        {ID: "EXI-2", Code: secret(text[:35]), Account: one},
		"code and more":   {ID: "EXI-2", Code: secret(text + "0"), Account: one},
		"failing guard":   {ID: "EXI-2", Code: wrong, Account: one, Guard: stale},
		"absence guard":   {ID: "EXI-2", Code: wrong, Account: one, Guard: absent},
		"another account": {ID: "EXI-2", Code: wrong, Account: two},
		"idempotency key": {ID: "EXI-2", Code: wrong, Account: one, Guard: repeat},
	} {
		_, err := h.As(fixture.CustomerActor).Accept(t.Context(), req)
		text := strings.ReplaceAll(fmt.Sprint(err), req.ID, "ID")
		if first == "" {
			first = text
		}
		if !errors.Is(err, installation.ErrInvitation) || text != first {
			t.Errorf("%s: got error %q, want only ErrInvitation, as in %q", name, text, first)
		}
	}
	if len(h.Store.Changes()) != before {
		t.Error("a refused code was committed")
	}
}

// hiddenAndAbsent calls every method as a stranger, on the record of another
// account and on an unknown id. The answers are the same.
func hiddenAndAbsent(t *testing.T, h *fixture.Attack) {
	for _, m := range fixture.Methods("EXI-1") {
		if m.Name == "Upsert" || m.Name == "Invite" || m.Name == "Accept" {
			continue
		}
		unknown := fixture.Methods("EXI-none")
		other := slices.IndexFunc(unknown, func(o fixture.Method) bool { return o.Name == m.Name })
		a := m.Call(t.Context(), h.As(fixture.StrangerActor))
		b := unknown[other].Call(t.Context(), h.As(fixture.StrangerActor))
		if strings.ReplaceAll(fmt.Sprint(a), "EXI-1", "") !=
			strings.ReplaceAll(fmt.Sprint(b), "EXI-none", "") {
			t.Errorf("%s: a stranger gets %v for a hidden record, %v for an unknown id",
				m.Name, a, b)
		}
	}
}
