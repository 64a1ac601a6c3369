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

// retryGuard is the guard of a request that is sent twice.
var retryGuard = installation.Guard{IdempotencyKey: "retry-1"}

// named returns the parts of a request that changes only the name.
func named(name string) installation.Parts {
	return installation.Parts{Name: installation.Value(name)}
}

// patchName changes the name of an installation by a request with [retryGuard].
func patchName(
	ctx context.Context, s *installation.Service, id, name string,
) (*installation.Result, error) {
	return s.Patch(ctx, installation.PatchRequest{
		Guard: retryGuard, ID: id, Parts: named(name),
	})
}

// sentTwice is a request with [retryGuard].
type sentTwice struct {
	name string
	send func(ctx context.Context, host *installation.Service) (*installation.Result, error)
}

// upsertsSentTwice returns upserts and patches.
func upsertsSentTwice() []sentTwice {
	type result = installation.Result
	parts := installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "EXT-2"}),
		Account:   fixture.Parts().Account,
	}
	atRevision1, absent := retryGuard, retryGuard
	atRevision1.Revision, absent.Absent = 1, true
	return []sentTwice{
		{"create without id", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Upsert(c, installation.UpsertRequest{Guard: retryGuard, Parts: parts})
		}},
		{"guarded create", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Upsert(c, installation.UpsertRequest{Guard: absent, ID: "j", Parts: parts})
		}},
		{"update", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Upsert(c, installation.UpsertRequest{
				Guard: retryGuard, ID: "i", Parts: named("first"),
			})
		}},
		{"unchanged update", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Upsert(c, installation.UpsertRequest{
				Guard: retryGuard, ID: "i", Parts: named("Stock Sync"),
			})
		}},
		{"guarded patch", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Patch(c, installation.PatchRequest{
				Guard: atRevision1, ID: "i", Parts: named("first"),
			})
		}},
	}
}

// othersSentTwice returns an invite and requests that end the installation.
func othersSentTwice() []sentTwice {
	type result = installation.Result
	return []sentTwice{
		{"invite", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Invite(c, installation.InviteRequest{
				Guard: retryGuard,
				Parts: installation.Parts{Extension: fixture.Parts().Extension},
			})
		}},
		{"uninstall", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Uninstall(c, installation.UninstallRequest{Guard: retryGuard, ID: "i"})
		}},
		{"final uninstall", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Uninstall(c, installation.UninstallRequest{
				Guard: retryGuard, ID: "i", Final: true,
			})
		}},
		{"delete", func(c context.Context, s *installation.Service) (*result, error) {
			return s.Delete(c, installation.DeleteRequest{Guard: retryGuard, ID: "i"})
		}},
	}
}

// A request with an idempotency key that is sent again returns the first answer, whatever
// happened in between.
func TestInvariant2ARetryIsNotASecondWrite(t *testing.T) {
	for _, r := range append(upsertsSentTwice(), othersSentTwice()...) {
		t.Run(r.name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			w.Install(t, "i")
			first, err := r.send(t.Context(), w.Host)
			if err != nil {
				t.Fatal(err)
			}
			events := len(w.Events(t))
			w.Advance(time.Minute)
			again, err := r.send(t.Context(), w.Host)
			if err != nil {
				t.Fatalf("second try: %v", err)
			}
			if !again.Replayed {
				t.Error("the second try is not marked Replayed")
			}
			same := cmp.FilterPath(func(p cmp.Path) bool {
				return p.Last().String() == ".Replayed"
			}, cmp.Ignore())
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
}

// An accept that is sent again returns the first answer, although the name has changed.
func TestInvariant2RetryOfAccept(t *testing.T) {
	w := fixture.NewWorld(t)
	code := w.Invite(t, "i").Code
	req := installation.AcceptRequest{
		Guard: retryGuard, ID: "i", Code: code, Account: installation.Account{ID: "ACC-1"},
	}
	first, err := w.Customer.Accept(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	later := installation.PatchRequest{ID: "i", Parts: named("later")}
	if _, err := w.Host.Patch(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	again, err := w.Customer.Accept(t.Context(), req)
	if err != nil || !again.Replayed || again.Revision != first.Revision ||
		again.Name != first.Name {
		t.Errorf("second accept: %+v, %v; want the first answer %+v", again, err, first)
	}
}

// Another request with the key of an earlier one is rejected and changes nothing.
func TestInvariant2OtherRequestWithSameKey(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := patchName(t.Context(), w.Host, "i", "a"); err != nil {
		t.Fatal(err)
	}
	_, err := patchName(t.Context(), w.Host, "i", "b")
	fixture.WantErr(t, "other name", err, installation.ErrIdempotencyMismatch)
	_, err = w.Host.Delete(t.Context(), installation.DeleteRequest{Guard: retryGuard, ID: "i"})
	fixture.WantErr(t, "other method", err, installation.ErrIdempotencyMismatch)
	_, err = patchName(t.Context(), w.Host, "none", "a")
	fixture.WantErr(t, "other id", err, installation.ErrIdempotencyMismatch)
	secret := installation.Configuration{Document: installation.JSON(`{"api_secret":"other"}`)}
	_, err = w.Host.Patch(t.Context(), installation.PatchRequest{
		Guard: retryGuard, ID: "i",
		Parts: installation.Parts{Configuration: installation.Value(secret)},
	})
	fixture.WantErr(t, "other secret", err, installation.ErrIdempotencyMismatch)
	if got := w.Get(t, "i"); got.Revision != 2 || got.Name != "a" {
		t.Errorf("a rejected request changed the installation: %+v", got)
	}
}

// The key still belongs to the earlier request when its answer is lost, because the
// installation was deleted or installed again.
func TestInvariant2OtherRequestAfterAnswerIsLost(t *testing.T) {
	for name, lose := range map[string]func(*fixture.World) error{
		"deleted": func(w *fixture.World) error {
			_, err := w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
			return err
		},
		"installed again": func(w *fixture.World) error {
			_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
			if err != nil {
				return err
			}
			_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
				ID: "i", Parts: fixture.Parts(),
			})
			return err
		},
	} {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		if _, err := patchName(t.Context(), w.Host, "i", "a"); err != nil {
			t.Fatal(err)
		}
		if err := lose(w); err != nil {
			t.Fatal(err)
		}
		_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{
			Guard: retryGuard, ID: "i",
		})
		fixture.WantErr(t, name+", other method", err, installation.ErrIdempotencyMismatch)
		_, err = patchName(t.Context(), w.Host, "j", "a")
		fixture.WantErr(t, name+", other id", err, installation.ErrIdempotencyMismatch)
	}
}

// Two actors may use the same key for different requests.
func TestInvariant2KeysBelongToActors(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := patchName(t.Context(), w.Host, "i", "a"); err != nil {
		t.Fatal(err)
	}
	res, err := patchName(t.Context(), w.Vendor, "i", "b")
	if err != nil || res.Replayed {
		t.Errorf("the vendor got the answer to the host: %+v, %v", res, err)
	}
}

// An expired key may be used for another request.
func TestInvariant2KeysExpire(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	for _, name := range []string{"a", "b"} {
		if _, err := patchName(t.Context(), w.Host, "i", name); err != nil {
			t.Fatal(err)
		}
		w.Advance(25 * time.Hour)
	}
}

// Concurrent requests with one key make one installation.
func TestInvariant2ConcurrentRetriesMakeOneWrite(t *testing.T) {
	w := fixture.NewWorld(t)
	ids := make([]string, 16)
	fixture.Parallel(len(ids), func(n int) {
		res, err := w.Host.Upsert(context.Background(), installation.UpsertRequest{
			Guard: retryGuard,
			Parts: installation.Parts{
				Extension: fixture.Parts().Extension, Account: fixture.Parts().Account,
			},
		})
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
}

// The caller learns that the outcome of a write is unknown. It does not look like a
// conflict.
func TestInvariant2UnknownOutcomeIsReported(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	svc := w.FailCommits(t, fmt.Errorf("connection reset: %w", installation.ErrUnknownOutcome))
	host := svc.As(installation.Actor{Kind: installation.Host})
	_, err := host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: named("a")})
	fixture.WantErr(t, "patch", err, installation.ErrUnknownOutcome)
	if errors.Is(err, installation.ErrConflict) {
		t.Error("an unknown outcome matches ErrConflict")
	}
}
