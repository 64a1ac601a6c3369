package rotation

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// 10,000 reads and reveals of 1,000 installations ask a key service 1,000 times; a hundred first reads of one ask once.
func TestKeyServiceCalls(t *testing.T) {
	n, reads := 1000, 10_000
	if testing.Short() {
		n, reads = 100, 1000
	}
	r := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	keys := service.Key(t, "kms1", crypto.KMSOptions{})
	r.Fill(t, r.On(t, r.Store, keys), n)

	service.Calls.Store(0)
	host := r.On(t, r.Store, fixture.NewCache(t, keys, nil))
	for i := range reads {
		id := fmt.Sprintf("i-%d", i%n)
		if i%5 == 0 {
			fixture.WantReadable(t, host, id) // a read and a reveal
		} else if _, err := host.Get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	calls := service.Calls.Load()
	t.Logf("%d reads of %d installations, every fifth with a reveal: %d calls of the key service", reads, n, calls)
	if calls > int64(n) {
		t.Errorf("%d calls, want at most %d", calls, n)
	}

	service.Calls.Store(0)
	host = r.On(t, r.Store, fixture.NewCache(t, keys, nil))
	fixture.Parallel(100, func(int) {
		if _, err := host.Get(context.Background(), "i-0"); err != nil {
			t.Error(err)
		}
	})
	calls = service.Calls.Load()
	t.Logf("100 first reads of one installation at once: %d calls of the key service", calls)
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

// Without the key service what is cached can be read; the rest is an error that may pass; and what ends an installation goes on.
func TestKeyServiceDown(t *testing.T) {
	for name, fail := range map[string]func(s *fixture.KeyService, on bool){
		"refuses": func(s *fixture.KeyService, on bool) { s.Down.Store(on) },
		"hangs":   func(s *fixture.KeyService, on bool) { s.Hangs.Store(on) },
	} {
		t.Run(name, func(t *testing.T) {
			r := fixture.NewWorld(t)
			service := fixture.NewKeyService(t, fixture.ServiceSecret)
			keys := fixture.NewCache(t, service.Key(t, "kms1", crypto.KMSOptions{Timeout: time.Millisecond, Now: r.Now}), &crypto.CacheOptions{Now: r.Now})
			host := r.On(t, r.Store, keys)
			r.Fill(t, host, 6)
			uninstall := func(id string, final bool) {
				t.Helper()
				if _, err := host.Uninstall(t.Context(), installation.UninstallRequest{ID: id, Final: final}); err != nil {
					t.Errorf("uninstall %s: %v", id, err)
				}
			}
			uninstall("i-5", false)
			keys.Clear()
			fixture.WantReadable(t, host, "i-0")

			fail(service, true)
			fixture.WantReadable(t, host, "i-0")
			i, err := host.Get(t.Context(), "i-1")
			fixture.WantErr(t, "get", err, installation.ErrKeyUnavailable)
			if i == nil || i.ID != "i-1" || i.Status != installation.StatusInstalled || i.Extension.ID != "EXT-1" {
				t.Errorf("what is plain is not shown: %+v", i)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the text of the service is in the error: %v", err)
			}
			list, err := host.List(t.Context(), installation.ListRequest{})
			if err != nil || len(list.Installations) != 6 {
				t.Errorf("list: %+v, %v", list, err)
			}
			patch := installation.PatchRequest{ID: "i-1", Parts: installation.Parts{Name: installation.Value("new")}}
			_, err = host.Patch(t.Context(), patch)
			fixture.WantErr(t, "patch", err, installation.ErrKeyUnavailable)
			_, err = host.Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"})
			fixture.WantErr(t, "rekey of a cached one", err, installation.ErrKeyUnavailable)
			_, err = host.Upsert(t.Context(), installation.UpsertRequest{Parts: fixture.Parts()})
			fixture.WantErr(t, "create", err, installation.ErrKeyUnavailable)

			uninstall("i-1", false)
			uninstall("i-2", true)
			if _, err := host.Delete(t.Context(), installation.DeleteRequest{ID: "i-3"}); err != nil {
				t.Errorf("delete: %v", err)
			}
			r.Advance(25 * time.Hour) // the cache forgets, and the graces of i-1 and i-5 end
			report, err := host.Sweep(t.Context(), 0)
			if err != nil || report.Purged != 2 {
				t.Errorf("sweep: %+v, %v; want 2 purged", report, err)
			}
			_, err = host.Get(t.Context(), "i-0")
			fixture.WantErr(t, "get after the time of the cache", err, installation.ErrKeyUnavailable)

			fail(service, false)
			r.Advance(time.Second)
			fixture.WantReadable(t, host, "i-0")
			if _, err := host.Patch(t.Context(), installation.PatchRequest{ID: "i-4", Parts: installation.Parts{Name: installation.Value("new")}}); err != nil {
				t.Errorf("patch, the service is back: %v", err)
			}
			_, err = host.Get(t.Context(), "i-1")
			fixture.WantErr(t, "purged without a key", err, installation.ErrShredded)
			if check, err := host.Check(t.Context()); err != nil || !check.OK() || len(check.Findings) != 0 {
				t.Errorf("check: %+v, %v", check, err)
			}
		})
	}
}

// From a keyring to a key service and back, and what happens where one of the two is out of reach.
func TestRewrapToKeyService(t *testing.T) {
	r := fixture.NewWorld(t)
	const n = 7
	r.Fill(t, r.With(t, r.K1), n)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	kms := service.Key(t, "kms1", crypto.KMSOptions{})
	forth := r.On(t, r.Store, fixture.NewKeySet(t, fixture.NewCache(t, kms, nil), fixture.RingOf(t, r.K1)))
	back := r.On(t, r.Store, fixture.NewKeySet(t, fixture.RingOf(t, r.K1), fixture.NewCache(t, kms, nil)))

	service.Down.Store(true)
	report, err := forth.Rewrap(t.Context(), installation.RewrapRequest{})
	if report.Failed != 0 || report.Rewrapped != 0 || service.Calls.Load() != 1 {
		t.Errorf("primary out of reach: %+v after %d calls, want an end after one", report, service.Calls.Load())
	}
	fixture.WantErr(t, "primary out of reach", err, installation.ErrKeyUnavailable)
	service.Down.Store(false)
	if report, err = forth.Rewrap(t.Context(), installation.RewrapRequest{}); err != nil || report.Rewrapped != n || !report.Done() {
		t.Errorf("forth: %+v, %v", report, err)
	}
	if err := forth.CanRetire(t.Context(), "k1"); err != nil {
		t.Error(err)
	}
	for i := range n {
		fixture.WantReadable(t, r.On(t, r.Store, kms), fmt.Sprintf("i-%d", i))
		fixture.WantReadable(t, back, fmt.Sprintf("i-%d", i)) // and is cached
	}
	service.Down.Store(true)
	report, err = back.Rewrap(t.Context(), installation.RewrapRequest{})
	if report.Failed != 5 || report.Rewrapped != 0 {
		t.Errorf("old key out of reach: %+v, want an end after five records, cached or not", report)
	}
	fixture.WantErr(t, "old key out of reach", err, installation.ErrKeyUnavailable)
	service.Down.Store(false)
	if report, err = back.Rewrap(t.Context(), installation.RewrapRequest{}); err != nil || report.Rewrapped != n {
		t.Errorf("back: %+v, %v", report, err)
	}
}

// flapping is a key service of which every third call fails.
type flapping struct {
	*fixture.KeyService
	calls atomic.Int64
}

func (s *flapping) fails() error {
	if s.calls.Add(1)%3 == 0 {
		return errors.New("503")
	}
	return nil
}

func (s *flapping) WrapKey(ctx context.Context, key []byte, at crypto.EncryptionContext) ([]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.KeyService.WrapKey(ctx, key, at)
}

func (s *flapping) UnwrapKey(ctx context.Context, blob []byte, at crypto.EncryptionContext) ([]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.KeyService.UnwrapKey(ctx, blob, at)
}

// A key service that comes and goes slows a rotation down and loses nothing: whatever is asked for either works or may be asked for again.
func TestRewrapToFlappingKeyService(t *testing.T) {
	r := fixture.NewWorld(t)
	const n = 40
	r.Fill(t, r.With(t, r.K1), n)
	kms, err := crypto.NewKMS("kms1", &flapping{KeyService: fixture.NewKeyService(t, fixture.ServiceSecret)}, &crypto.KMSOptions{Suite: fixture.Ring(t).Suite()})
	if err != nil {
		t.Fatal(err)
	}
	host := r.On(t, r.Store, fixture.NewKeySet(t, fixture.NewCache(t, kms, &crypto.CacheOptions{Size: 5}), fixture.RingOf(t, r.K1)))
	var traffic sync.WaitGroup
	stop := make(chan struct{})
	patches := make([]int64, n)
	for worker := range 2 {
		traffic.Go(func() {
			for i := worker; ; i = (i + 2) % n {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("i-%d", i)
				if _, err := host.Get(context.Background(), id); err != nil && !errors.Is(err, installation.ErrKeyUnavailable) {
					t.Errorf("get %s: %v", id, err)
				}
				_, err := host.Patch(context.Background(), installation.PatchRequest{ID: id, Operations: []installation.Operation{
					patch.Set("/n", installation.JSON(fmt.Sprint(patches[i]+1))),
				}})
				if err == nil {
					patches[i]++
				} else if !errors.Is(err, installation.ErrKeyUnavailable) {
					t.Errorf("patch %s: %v", id, err)
				}
			}
		})
	}
	rewrapped, runs := 0, 0
	for report := (installation.RewrapReport{}); !report.Done() && runs < 1000; runs++ {
		report, err = host.Rewrap(t.Context(), installation.RewrapRequest{})
		rewrapped += report.Rewrapped
		if err != nil && !errors.Is(err, installation.ErrKeyUnavailable) {
			t.Errorf("rewrap: %v", err)
		}
	}
	close(stop)
	traffic.Wait()
	t.Logf("%d rewrapped in %d runs", rewrapped, runs)
	if rewrapped != n {
		t.Errorf("%d rewrapped, want %d", rewrapped, n)
	}
	steady := r.On(t, r.Store, fixture.NewKeyService(t, fixture.ServiceSecret).Key(t, "kms1", crypto.KMSOptions{}))
	for i := range n {
		id := fmt.Sprintf("i-%d", i)
		fixture.WantReadable(t, steady, id)
		if got := revisionsOf(t, steady)[id]; got != 2+patches[i] {
			t.Errorf("%s is at revision %d, want %d: made, rewrapped, and %d writes", id, got, 2+patches[i], patches[i])
		}
	}
}

// The suite is chosen by option, and records of both stand side by side.
func TestBothSuites(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("about XChaCha20-Poly1305, which this process may not use")
	}
	r := fixture.NewWorld(t)
	first := fixture.RingOf(t, r.K1)
	second, err := first.WithSuite(crypto.SuiteAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	r.Add(t, r.On(t, r.Store, first), "one")
	r.Add(t, r.On(t, r.Store, second), "two")
	for _, keys := range []crypto.KeyWrapper{first, second} {
		host := r.On(t, r.Store, keys)
		fixture.WantReadable(t, host, "one")
		fixture.WantReadable(t, host, "two")
		if _, err := host.Patch(t.Context(), installation.PatchRequest{ID: "one", Operations: []installation.Operation{
			patch.Set("/token", installation.JSON(`"t"`)), patch.Set("/n", installation.JSON(`1`)),
		}}); err != nil {
			t.Error(err)
		}
		fixture.WantReadable(t, host, "one")
	}
}
