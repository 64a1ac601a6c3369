package rotation

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// With a cache, 10,000 reads and reveals of 1,000 installations call the key service 1,000
// times. A hundred concurrent first reads of one installation call it once.
func TestCacheLimitsKeyServiceCalls(t *testing.T) {
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
	t.Logf("%d reads of %d installations, every fifth with a reveal: %d calls", reads, n, calls)
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

// outage is a world whose key service can fail.
type outage struct {
	*fixture.World
	keys *crypto.Cache
	host *installation.Service
	fail func(on bool)
}

// newOutage makes the installations i-0 to i-5. The last is uninstalled, and only the key of
// i-0 is cached.
func newOutage(t *testing.T, fail func(s *fixture.KeyService, on bool)) *outage {
	t.Helper()
	r := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	kms := service.Key(t, "kms1", crypto.KMSOptions{Timeout: time.Millisecond, Now: r.Now})
	keys := fixture.NewCache(t, kms, &crypto.CacheOptions{Now: r.Now})
	o := &outage{
		World: r, keys: keys, host: r.On(t, r.Store, keys),
		fail: func(on bool) { fail(service, on) },
	}
	r.Fill(t, o.host, 6)
	o.uninstall(t, "i-5", false)
	keys.Clear()
	fixture.WantReadable(t, o.host, "i-0")
	return o
}

func (o *outage) uninstall(t *testing.T, id string, final bool) {
	t.Helper()
	req := installation.UninstallRequest{ID: id, Final: final}
	if _, err := o.host.Uninstall(t.Context(), req); err != nil {
		t.Errorf("uninstall %s: %v", id, err)
	}
}

// wantUnavailable fails the test unless calls that need another key than that of i-0 fail.
func (o *outage) wantUnavailable(t *testing.T) {
	t.Helper()
	i, err := o.host.Get(t.Context(), "i-1")
	fixture.WantErr(t, "get", err, installation.ErrKeyUnavailable)
	if i == nil || i.ID != "i-1" || i.Status != installation.StatusInstalled ||
		i.Extension.ID != "EXT-1" {
		t.Errorf("the plain fields are missing: %+v", i)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error has the text of the key service: %v", err)
	}
	_, err = o.host.Patch(t.Context(), installation.PatchRequest{
		ID: "i-1", Parts: installation.Parts{Name: installation.Value("new")},
	})
	fixture.WantErr(t, "patch", err, installation.ErrKeyUnavailable)
	_, err = o.host.Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"})
	fixture.WantErr(t, "rekey of a cached one", err, installation.ErrKeyUnavailable)
	_, err = o.host.Upsert(t.Context(), installation.UpsertRequest{Parts: fixture.Parts()})
	fixture.WantErr(t, "create", err, installation.ErrKeyUnavailable)
}

// wantEnding fails the test unless calls that end an installation work.
func (o *outage) wantEnding(t *testing.T) {
	t.Helper()
	o.uninstall(t, "i-1", false)
	o.uninstall(t, "i-2", true)
	_, err := o.host.Delete(t.Context(), installation.DeleteRequest{ID: "i-3"})
	if err != nil {
		t.Errorf("delete: %v", err)
	}
	o.Advance(25 * time.Hour) // the cache expires, and the grace of i-5 is over
	report, err := o.host.Sweep(t.Context(), installation.SweepRequest{})
	if err != nil || report.Waiting != 2 || report.Purged != 0 {
		t.Errorf("sweep: %+v, %v; want i-1 and i-5 to wait", report, err)
	}
}

// Without its key service, the service reads cached installations and ends any. Other calls
// return ErrKeyUnavailable until the key service is back.
func TestKeyServiceDown(t *testing.T) {
	for name, fail := range map[string]func(s *fixture.KeyService, on bool){
		"refuses": func(s *fixture.KeyService, on bool) { s.Down.Store(on) },
		"hangs":   func(s *fixture.KeyService, on bool) { s.Hangs.Store(on) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutage(t, fail)
			o.fail(true)
			fixture.WantReadable(t, o.host, "i-0")
			list, err := o.host.List(t.Context(), installation.ListRequest{})
			if err != nil || len(list.Installations) != 6 {
				t.Errorf("list: %+v, %v", list, err)
			}
			o.wantUnavailable(t)
			o.wantEnding(t)
			_, err = o.host.Get(t.Context(), "i-0")
			fixture.WantErr(t, "get after the cache expired", err, installation.ErrKeyUnavailable)

			o.fail(false)
			o.Advance(time.Second)
			fixture.WantReadable(t, o.host, "i-0")
			if _, err := o.host.Patch(t.Context(), installation.PatchRequest{
				ID: "i-4", Parts: installation.Parts{Name: installation.Value("new")},
			}); err != nil {
				t.Errorf("patch, the key service is back: %v", err)
			}
			report, err := o.host.Sweep(t.Context(), installation.SweepRequest{})
			if err != nil || report.Vouched != 1 || report.Purged != 1 {
				t.Errorf("sweep: %+v, %v; want i-1 vouched for and i-5 purged", report, err)
			}
			_, err = o.host.Get(t.Context(), "i-2")
			fixture.WantErr(t, "purged without a key", err, installation.ErrShredded)
			check, err := o.host.Check(t.Context())
			if err != nil || !check.OK() || len(check.Findings) != 0 {
				t.Errorf("check: %+v, %v", check, err)
			}
		})
	}
}

// Records move from a keyring to a key service and back. A run ends soon when one of the two
// is out of reach.
func TestRewrapToKeyService(t *testing.T) {
	r := fixture.NewWorld(t)
	const n = 7
	r.Fill(t, r.With(t, r.K1), n)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	kms := service.Key(t, "kms1", crypto.KMSOptions{})
	ring := fixture.RingOf(t, r.K1)
	forth := r.On(t, r.Store, fixture.NewKeySet(t, fixture.NewCache(t, kms, nil), ring))
	back := r.On(t, r.Store, fixture.NewKeySet(t, ring, fixture.NewCache(t, kms, nil)))

	service.Down.Store(true)
	report, err := rewrap(t, forth)
	if report.Failed != 0 || report.Rewrapped != 0 || service.Calls.Load() != 1 {
		t.Errorf("primary out of reach: %+v after %d calls, want an end after one",
			report, service.Calls.Load())
	}
	fixture.WantErr(t, "primary out of reach", err, installation.ErrKeyUnavailable)
	service.Down.Store(false)
	report, err = rewrap(t, forth)
	if err != nil || report.Rewrapped != n || !report.Done() {
		t.Errorf("forth: %+v, %v", report, err)
	}
	if err := forth.CanRetire(t.Context(), "k1"); err != nil {
		t.Error(err)
	}
	for i := range n {
		fixture.WantReadable(t, r.On(t, r.Store, kms), fmt.Sprintf("i-%d", i))
		fixture.WantReadable(t, back, fmt.Sprintf("i-%d", i)) // which caches its key
	}
	service.Down.Store(true)
	report, err = rewrap(t, back)
	if report.Failed != 5 || report.Rewrapped != 0 {
		t.Errorf("old key out of reach: %+v, want an end after five records, cached or not",
			report)
	}
	fixture.WantErr(t, "old key out of reach", err, installation.ErrKeyUnavailable)
	service.Down.Store(false)
	report, err = rewrap(t, back)
	if err != nil || report.Rewrapped != n {
		t.Errorf("back: %+v, %v", report, err)
	}
}

// flapping is a key service that fails a third of its calls, always in the same order. The order is
// that of a random generator: if every third call failed, a run of three calls could fail at the
// same one for ever.
type flapping struct {
	*fixture.KeyService
	mu    sync.Mutex
	order *rand.Rand
}

func newFlapping(t *testing.T) *flapping {
	return &flapping{
		KeyService: fixture.NewKeyService(t, fixture.ServiceSecret),
		order:      rand.New(rand.NewPCG(1, 2)),
	}
}

func (s *flapping) fails() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order.IntN(3) == 0 {
		return errors.New("503")
	}
	return nil
}

func (s *flapping) WrapKey(
	ctx context.Context, key []byte, at crypto.EncryptionContext,
) ([]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.KeyService.WrapKey(ctx, key, at)
}

func (s *flapping) UnwrapKey(
	ctx context.Context, blob []byte, at crypto.EncryptionContext,
) ([]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.KeyService.UnwrapKey(ctx, blob, at)
}

// getAndPatch reads and writes the installations i-0 to i-(n-1) from two workers until stop
// is closed. It returns the number of writes by installation. A call may fail for lack of a
// key, and in no other way.
func getAndPatch(
	t *testing.T, host *installation.Service, n int, stop <-chan struct{}, wait *sync.WaitGroup,
) []int64 {
	t.Helper()
	writes := make([]int64, n)
	ctx := context.Background()
	for worker := range 2 {
		wait.Go(func() {
			for i := worker; ; i = (i + 2) % n {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("i-%d", i)
				_, err := host.Get(ctx, id)
				if err != nil && !errors.Is(err, installation.ErrKeyUnavailable) {
					t.Errorf("get %s: %v", id, err)
				}
				next := installation.JSON(fmt.Sprint(writes[i] + 1))
				_, err = host.Patch(ctx, installation.PatchRequest{
					ID: id, Operations: []installation.Operation{patch.Set("/n", next)},
				})
				if err == nil {
					writes[i]++
				} else if !errors.Is(err, installation.ErrKeyUnavailable) {
					t.Errorf("patch %s: %v", id, err)
				}
			}
		})
	}
	return writes
}

// A key service that fails now and then slows a rotation down and loses nothing. Every call
// works or can be retried.
func TestRewrapToFlappingKeyService(t *testing.T) {
	r := fixture.NewWorld(t)
	const n = 40
	r.Fill(t, r.With(t, r.K1), n)
	service := newFlapping(t)
	kms, err := crypto.NewKMS("kms1", service, &crypto.KMSOptions{Suite: fixture.Ring(t).Suite()})
	if err != nil {
		t.Fatal(err)
	}
	cache := fixture.NewCache(t, kms, &crypto.CacheOptions{Size: 5})
	host := r.On(t, r.Store, fixture.NewKeySet(t, cache, fixture.RingOf(t, r.K1)))
	var traffic sync.WaitGroup
	stop := make(chan struct{})
	writes := getAndPatch(t, host, n, stop, &traffic)
	rewrapped, runs := 0, 0
	// A run ends early after failures, and the traffic takes its share of them, so the number of
	// runs depends on the scheduler. The deadline only ends a hang.
	deadline := time.Now().Add(2 * time.Minute)
	for done := false; !done && time.Now().Before(deadline); runs++ {
		var report installation.RewrapReport
		report, err = rewrap(t, host)
		done = report.Done()
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
	steady := r.On(t, r.Store, service.KeyService.Key(t, "kms1", crypto.KMSOptions{}))
	revisions := revisionsOf(t, steady)
	for i := range n {
		id := fmt.Sprintf("i-%d", i)
		fixture.WantReadable(t, steady, id)
		// Each was made, rewrapped and written.
		if want := 2 + writes[i]; revisions[id] != want {
			t.Errorf("%s is at revision %d after %d writes, want %d",
				id, revisions[id], writes[i], want)
		}
	}
}

// Either suite reads and writes records of both.
func TestEachSuiteReadsRecordsOfBoth(t *testing.T) {
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
		if _, err := host.Patch(t.Context(), installation.PatchRequest{
			ID: "one",
			Operations: []installation.Operation{
				patch.Set("/token", installation.JSON(`"t"`)),
				patch.Set("/n", installation.JSON(`1`)),
			},
		}); err != nil {
			t.Error(err)
		}
		fixture.WantReadable(t, host, "one")
	}
}
