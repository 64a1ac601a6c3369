package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A request with an idempotency key that is sent again gets the first answer, whatever it was and whatever happened since.
func TestInvariant2ARetryIsNotASecondWrite(t *testing.T) {
	guard := installation.Guard{IdempotencyKey: "retry-1"}
	name := func(s string) installation.Parts { return installation.Parts{Name: installation.Value(s)} }
	requests := []struct {
		name string
		send func(*fixture.World) (*installation.Result, error)
	}{
		{"create with minted id", func(w *fixture.World) (*installation.Result, error) {
			return w.Host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-2"}), Account: fixture.Parts().Account,
			}})
		}},
		{"update", func(w *fixture.World) (*installation.Result, error) {
			return w.Host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: name("first")})
		}},
		{"update that changes nothing", func(w *fixture.World) (*installation.Result, error) {
			return w.Host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: name("Stock Sync")})
		}},
		{"guarded patch", func(w *fixture.World) (*installation.Result, error) {
			g := guard
			g.Revision = 1
			return w.Host.Patch(context.Background(), installation.PatchRequest{Guard: g, ID: "i", Parts: name("first")})
		}},
		{"guarded create", func(w *fixture.World) (*installation.Result, error) {
			g := guard
			g.Absent = true
			return w.Host.Upsert(context.Background(), installation.UpsertRequest{Guard: g, ID: "j", Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-2"}), Account: fixture.Parts().Account,
			}})
		}},
		{"invite", func(w *fixture.World) (*installation.Result, error) {
			return w.Host.Invite(context.Background(), installation.InviteRequest{Guard: guard, Parts: installation.Parts{Extension: fixture.Parts().Extension}})
		}},
		{"uninstall", func(w *fixture.World) (*installation.Result, error) {
			return w.Host.Uninstall(context.Background(), installation.UninstallRequest{Guard: guard, ID: "i"})
		}},
		{"final uninstall", func(w *fixture.World) (*installation.Result, error) {
			return w.Host.Uninstall(context.Background(), installation.UninstallRequest{Guard: guard, ID: "i", Final: true})
		}},
		{"delete", func(w *fixture.World) (*installation.Result, error) {
			return w.Host.Delete(context.Background(), installation.DeleteRequest{Guard: guard, ID: "i"})
		}},
	}
	for _, r := range requests {
		t.Run(r.name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			w.Install(t, "i")
			first, err := r.send(w)
			if err != nil {
				t.Fatal(err)
			}
			events := len(w.Events(t))
			w.Advance(time.Minute)
			again, err := r.send(w)
			if err != nil {
				t.Fatalf("second try: %v", err)
			}
			if !again.Replayed {
				t.Error("the second try is not marked Replayed")
			}
			same := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Replayed" }, cmp.Ignore())
			if diff := cmp.Diff(first, again, same); diff != "" {
				t.Errorf("the second try got another answer:\n%s", diff)
			}
			if !first.Code.Equal(again.Code) {
				t.Error("the second try got another code")
			}
			if n := len(w.Events(t)); n != events {
				t.Errorf("the second try made %d events", n-events)
			}
		})
	}

	t.Run("accept", func(t *testing.T) {
		w := fixture.NewWorld(t)
		code := w.Invite(t, "i").Code
		req := installation.AcceptRequest{Guard: guard, ID: "i", Code: code, Account: installation.Account{ID: "ACC-1"}}
		first, err := w.Customer.Accept(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: name("later")}); err != nil {
			t.Fatal(err)
		}
		again, err := w.Customer.Accept(t.Context(), req)
		if err != nil || !again.Replayed || again.Revision != first.Revision || again.Name != first.Name {
			t.Errorf("second accept: %+v, %v; want the first answer %+v", again, err, first)
		}
	})

	t.Run("another request with the key", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("a")}); err != nil {
			t.Fatal(err)
		}
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("b")})
		fixture.WantErr(t, "other name", err, installation.ErrIdempotencyMismatch)
		_, err = w.Host.Delete(t.Context(), installation.DeleteRequest{Guard: guard, ID: "i"})
		fixture.WantErr(t, "other method", err, installation.ErrIdempotencyMismatch)
		_, err = w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "none", Parts: name("a")})
		fixture.WantErr(t, "other id", err, installation.ErrIdempotencyMismatch)
		secret := installation.Parts{Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"api_secret":"other"}`)})}
		_, err = w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: secret})
		fixture.WantErr(t, "other secret", err, installation.ErrIdempotencyMismatch)
		if got := w.Get(t, "i"); got.Revision != 2 || got.Name != "a" {
			t.Errorf("a refused request changed the installation: %+v", got)
		}
	})

	t.Run("another request after the first answer is lost", func(t *testing.T) {
		for name, lose := range map[string]func(*fixture.World) error{
			"deleted": func(w *fixture.World) error {
				_, err := w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
				return err
			},
			"installed again": func(w *fixture.World) error {
				if _, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"}); err != nil {
					return err
				}
				_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: fixture.Parts()})
				return err
			},
		} {
			w := fixture.NewWorld(t)
			w.Install(t, "i")
			if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: installation.Parts{Name: installation.Value("a")}}); err != nil {
				t.Fatal(err)
			}
			if err := lose(w); err != nil {
				t.Fatal(err)
			}
			_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{Guard: guard, ID: "i"})
			fixture.WantErr(t, name+", other method", err, installation.ErrIdempotencyMismatch)
			_, err = w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "j", Parts: installation.Parts{Name: installation.Value("a")}})
			fixture.WantErr(t, name+", other id", err, installation.ErrIdempotencyMismatch)
		}
	})

	t.Run("each actor has keys of its own", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("a")}); err != nil {
			t.Fatal(err)
		}
		res, err := w.Vendor.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("b")})
		if err != nil || res.Replayed {
			t.Errorf("the vendor met the host's key: %+v, %v", res, err)
		}
	})

	t.Run("the key is forgotten after its time", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		for _, n := range []string{"a", "b"} {
			if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name(n)}); err != nil {
				t.Fatal(err)
			}
			w.Advance(25 * time.Hour)
		}
	})

	t.Run("racers with one key converge", func(t *testing.T) {
		w := fixture.NewWorld(t)
		ids := make([]string, 16)
		fixture.Parallel(len(ids), func(n int) {
			res, err := w.Host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, Parts: installation.Parts{
				Extension: fixture.Parts().Extension, Account: fixture.Parts().Account,
			}})
			if err != nil {
				t.Errorf("racer %d: %v", n, err)
				return
			}
			ids[n] = res.ID
		})
		if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
			t.Errorf("racers made several installations: %v", ids)
		}
		if n := len(w.Events(t)); n != 1 {
			t.Errorf("racers made %d events, want 1", n)
		}
	})

	t.Run("an unknown outcome stays one", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		svc := w.FailCommits(t, fmt.Errorf("connection reset: %w", installation.ErrUnknownOutcome))
		_, err := svc.As(installation.Actor{Kind: installation.Host}).Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: name("a")})
		fixture.WantErr(t, "patch", err, installation.ErrUnknownOutcome)
		if errors.Is(err, installation.ErrConflict) {
			t.Error("an unknown outcome reads as a conflict")
		}
	})
}
