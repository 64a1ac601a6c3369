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
	"github.com/go-installation/installation/validate"
)

// A refused guess says nothing: not by its text, not by what it leaves behind.
func TestInvariant12NoOracle(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")

	t.Run("test", func(t *testing.T) {
		before := len(h.Store.Changes())
		guesses := []string{`"s3cr3t"`, `"wrong"`, `"***"`, `""`, `null`, `{}`, `[]`, `0`}
		for pointer, at := range map[string]string{
			"/adobe_secret": "at", "/nested/clientSecret": "at", "/list/0/password": "at", "/list/0": "above", "/list": "above", "/nested": "above",
			"": "above", "/adobe_secret/x": "below", "/adobe_secret/0/x": "below",
		} {
			above := map[string][]string{
				"/list/0": {`{"name":"a","password":"s3cr3t"}`, `{"name":"a","password":"***"}`},
				"/list":   {`[{"name":"a","password":"s3cr3t"}]`, `[{"name":"a","password":"***"}]`},
				"/nested": {`{"clientSecret":"s3cr3t"}`, `{"clientSecret":"***"}`},
				"":        {`{"region":"eu","adobe_secret":"***","nested":{"clientSecret":"***"},"list":[{"name":"a","password":"***"}]}`},
			}
			var first string
			for _, guess := range append(guesses, above[pointer]...) {
				_, err := h.Host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{installation.Test(pointer, installation.JSON(guess))}})
				fixture.WantViolation(t, err, "configuration"+pointer, validate.RuleSealed)
				if first == "" {
					first = fmt.Sprint(err)
				} else if fmt.Sprint(err) != first {
					t.Errorf("%s %q: guesses get two answers: %q and %q", at, pointer, first, err)
				}
			}
		}
		if len(h.Store.Changes()) != before {
			t.Error("a refused test was committed")
		}
		// In one patch with other operations it is no different.
		for _, guess := range []string{"s3cr3t", "wrong"} {
			for _, c := range []struct {
				first installation.Operation
				at    string
			}{
				{installation.Set("/region", installation.JSON(`"us"`)), "/adobe_secret"},
				{installation.Unset("/list/0/password"), "/nested/clientSecret"},
				{installation.Set("/adobe_secret", installation.JSON(`"***"`)), "/adobe_secret"},
				{installation.SetSecret("/adobe_secret", crypto.NewSecret("s3cr3t")), "/adobe_secret"},
			} {
				_, err := h.Host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{
					c.first, installation.Test(c.at, installation.JSON(`"`+guess+`"`)),
				}})
				fixture.WantViolation(t, err, "configuration"+c.at, validate.RuleSealed)
			}
		}
	})

	t.Run("equal values are sealed anew", func(t *testing.T) {
		type trace struct {
			changed  bool
			revision int64
			event    string
			size     int
			document string
		}
		leave := func(guess string, write func(guess string) (*installation.Result, error)) trace {
			t.Helper()
			before := h.Store.Last(fixture.KeyAt("EXI-1"))
			res, err := write(guess)
			if err != nil {
				t.Fatal(err)
			}
			after := h.Store.Last(fixture.KeyAt("EXI-1"))
			c := h.Store.Changes()[len(h.Store.Changes())-1]
			body, old := fixture.DecodeBody(t, after.Body), fixture.DecodeBody(t, before.Body)
			for i, v := range body.Values {
				was := old.Values[i]
				if strings.HasSuffix(v.Ref, "/adobe_secret") || strings.HasSuffix(v.Ref, "/access_token") {
					if fmt.Sprint(v) == fmt.Sprint(was) && slices.Contains(c.Events[0].Changed, v.Ref) {
						t.Errorf("%v: said to be changed, and kept byte for byte", v.Ref)
					}
				}
			}
			// What the first write to a place leaves behind may differ from that of later ones, so the revision is counted from before.
			return trace{res.Changed, after.Revision - before.Revision, fmt.Sprint(c.Events[0].Type, c.Events[0].Changed), len(after.Body.Bytes()), res.Configuration.Document.String()}
		}
		for name, write := range map[string]func(guess string) (*installation.Result, error){
			"set": func(guess string) (*installation.Result, error) {
				return h.Host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{installation.Set("/adobe_secret", installation.JSON(`"`+guess+`"`))}})
			},
			"set secret": func(guess string) (*installation.Result, error) {
				return h.Host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{installation.SetSecret("/adobe_secret", crypto.NewSecret(guess))}})
			},
			"put": func(guess string) (*installation.Result, error) {
				return h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{Configuration: installation.Value(installation.Configuration{
					Document: installation.JSON(`{"region":"eu","adobe_secret":"` + guess + `","nested":{"clientSecret":"***"},"list":[{"name":"a","password":"***"}]}`),
				})}})
			},
			"access token": func(guess string) (*installation.Result, error) {
				i, err := h.Host().Get(ctx, "EXI-1")
				if err != nil {
					return nil, err
				}
				c := *i.Connection
				c.AccessToken.Value = crypto.NewSecret(guess)
				return h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{Connection: installation.Value(c)}})
			},
			"extra": func(guess string) (*installation.Result, error) {
				return h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{Extra: installation.Value(installation.JSON(`{"webhookSecret":"` + guess + `","beta":true}`))}})
			},
		} {
			_ = leave("s3cr3t", write)
			same := leave("s3cr3t", write)
			other := leave("wr0ng!", write)
			if same != other || !same.changed || same.revision != 1 {
				t.Errorf("%s: the right guess leaves %+v, a wrong one %+v, want the same and a new revision", name, same, other)
			}
			_ = leave("s3cr3t", write)
		}
	})

	t.Run("refusals are one", func(t *testing.T) {
		code := h.Invite("EXI-2")
		h.Invite("EXI-3")
		if _, err := h.Host().Expire(ctx, installation.ExpireRequest{ID: "EXI-3"}); err != nil {
			t.Fatal(err)
		}
		account := installation.Account{ID: "ACC-1"}
		before, first := len(h.Store.Changes()), ""
		for name, req := range map[string]installation.AcceptRequest{
			"unknown id":         {ID: "EXI-none", Code: code, Account: account},
			"wrong code":         {ID: "EXI-2", Code: crypto.NewSecret("inv_00000000000000000000000000000000"), Account: account},
			"no code":            {ID: "EXI-2", Account: account},
			"masked code":        {ID: "EXI-2", Code: crypto.Masked(), Account: account},
			"empty code":         {ID: "EXI-2", Code: crypto.NewSecret(""), Account: account},
			"code of another":    {ID: "EXI-3", Code: code, Account: account},
			"installed":          {ID: "EXI-1", Code: code, Account: account},
			"code cut":           {ID: "EXI-2", Code: crypto.NewSecret(code.RevealString()[:35]), Account: account},
			"code and more":      {ID: "EXI-2", Code: crypto.NewSecret(code.RevealString() + "0"), Account: account},
			"a guard that fails": {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: account, Guard: installation.Guard{Revision: 77, Generation: 5}},
			"a guard of absence": {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: account, Guard: installation.Guard{Absent: true}},
			"another account":    {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: installation.Account{ID: "ACC-2"}},
			"idempotency key":    {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: account, Guard: installation.Guard{IdempotencyKey: "k"}},
		} {
			_, err := h.As(fixture.CustomerActor).Accept(ctx, req)
			text := strings.ReplaceAll(fmt.Sprint(err), req.ID, "ID")
			if first == "" {
				first = text
			}
			if !errors.Is(err, installation.ErrInvitation) || text != first {
				t.Errorf("%s: got error %q, want ErrInvitation and nothing more, as in %q", name, text, first)
			}
		}
		if len(h.Store.Changes()) != before {
			t.Error("a refused code was committed")
		}
		// A row that does not exist and one of somebody else are the same.
		for _, m := range fixture.Methods("EXI-1") {
			other := slices.IndexFunc(fixture.Methods("EXI-none"), func(o fixture.Method) bool { return o.Name == m.Name })
			if m.Name == "Upsert" || m.Name == "Invite" || m.Name == "Accept" {
				continue
			}
			a := m.Call(ctx, h.As(fixture.StrangerActor))
			b := fixture.Methods("EXI-none")[other].Call(ctx, h.As(fixture.StrangerActor))
			if strings.ReplaceAll(fmt.Sprint(a), "EXI-1", "") != strings.ReplaceAll(fmt.Sprint(b), "EXI-none", "") {
				t.Errorf("%s: a stranger gets %v for what is there, %v for what is not", m.Name, a, b)
			}
		}
	})
}

// An idempotency key does not give a former owner what the row has become since.
func TestReplayIsSubjectToPolicy(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	parts := fixture.SecretParts("ACC-1", "s3cr3t")
	parts.Configuration = installation.Optional[installation.Configuration]{}
	first := installation.UpsertRequest{ID: "EXI-1", Parts: parts, Guard: installation.Guard{IdempotencyKey: "mine"}}
	if _, err := h.As(fixture.CustomerActor).Upsert(ctx, first); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1", Final: true}); err != nil {
		t.Fatal(err)
	}
	next := fixture.SecretParts("ACC-2", "s3cr3t")
	next.Account = installation.Value(installation.Account{ID: "ACC-2", Name: "Someone Else", Contact: &installation.Contact{Email: "else@example.com"}})
	if _, err := h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: next}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.As(fixture.CustomerActor).Get(ctx, "EXI-1"); !errors.Is(err, installation.ErrNotFound) {
		t.Fatalf("got error %v, want ErrNotFound", err)
	}
	for name, call := range map[string]func() (*installation.Result, error){
		"the same request": func() (*installation.Result, error) { return h.As(fixture.CustomerActor).Upsert(ctx, first) },
		"another request": func() (*installation.Result, error) {
			return h.As(fixture.CustomerActor).Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1", Guard: installation.Guard{IdempotencyKey: "mine"}})
		},
	} {
		res, err := call()
		if err == nil && (res.Account.ID == "ACC-2" || res.Connection != nil || res.Name != "") {
			t.Errorf("%s: the row of ACC-2 was shown to ACC-1: %+v", name, res.Account)
		}
	}
}

// Two users of one account do not share idempotency keys: a guess that came back as a replay would confirm a secret.
func TestIdempotencyKeysAreOfAUser(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	write := func(user, key string) (*installation.Result, error) {
		customer := w.Service.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1", User: installation.Reference{ID: user}})
		return customer.Patch(t.Context(), installation.PatchRequest{ID: "i", Guard: installation.Guard{IdempotencyKey: "key-1"}, Parts: installation.Parts{
			Connection: installation.Value(installation.Connection{ID: "c", APIKey: crypto.NewSecret(key)}),
		}})
	}
	first, err := write("alice", "4711")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := write("alice", "4711"); err != nil || !again.Replayed || again.Revision != first.Revision {
		t.Errorf("the same user: %+v, %v", again, err)
	}
	for _, user := range []string{"mallory", ""} {
		for _, guess := range []string{"4711", "0000"} {
			if res, err := write(user, guess); user == "mallory" && guess == "0000" || user == "" && guess == "0000" {
				fixture.WantErr(t, user+" "+guess, err, installation.ErrIdempotencyMismatch) // of the own guess before
			} else if err != nil || res.Replayed {
				t.Errorf("%s %s: %+v, %v", user, guess, res, err)
			}
		}
	}
}
