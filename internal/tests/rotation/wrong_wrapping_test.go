package rotation

import (
	"context"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// swappingKeys wraps another data key than the given one for the record "i", as a key service with
// a fault might.
type swappingKeys struct{ crypto.KeyWrapper }

func (s swappingKeys) Wrap(
	ctx context.Context, k *crypto.DataKey, b crypto.Binding,
) (crypto.Wrapped, error) {
	if b.Record == "i" {
		var err error
		if k, err = crypto.NewDataKey(k.Number(), k.Suite()); err != nil {
			return crypto.Wrapped{}, err
		}
	}
	return s.KeyWrapper.Wrap(ctx, k, b)
}

// A record is not rewrapped unless what the new wrapping contains opens it.
func TestRewrapRejectsWrappingOfAnotherKey(t *testing.T) {
	store := memstore.New()
	k1 := fixture.NewKey(t, "k1", fixture.KEK)
	k2 := fixture.NewKey(t, "k2", fixture.OtherKEK)
	service := func(keys crypto.KeyWrapper) *installation.Service {
		svc, err := installation.New(store, keys, nil)
		if err != nil {
			t.Fatal(err)
		}
		return svc.As(installation.Actor{Kind: installation.Host})
	}
	before := service(fixture.RingOf(t, k1))
	req := installation.UpsertRequest{ID: "i", Parts: fixture.Parts()}
	if _, err := before.Upsert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	host := service(swappingKeys{fixture.RingOf(t, k2, k1)})
	report, err := host.Rewrap(t.Context(), installation.RewrapRequest{})
	if report.Rewrapped != 0 || report.Failed != 1 {
		t.Errorf("rewrapped %d, failed %d", report.Rewrapped, report.Failed)
	}
	fixture.WantErr(t, "rewrap", err, installation.ErrSealed)
	secrets, err := before.Reveal(t.Context(), installation.RevealRequest{
		ID: "i", Reason: "test", Refs: []installation.Ref{"config/api_secret"},
	})
	if err != nil || secrets[0].Err != nil {
		t.Errorf("the secret is lost: %v, %v", err, secrets)
	}
}

// failingHealth is a store whose health cannot be checked.
type failingHealth struct{ installation.Store }

func (failingHealth) Health(context.Context) ([]health.Finding, error) {
	return nil, installation.ErrNotFound
}

// Whatever error a health check of a store has, Check does not report a healthy store.
func TestCheckReportsFailedHealthCheck(t *testing.T) {
	svc, err := installation.New(failingHealth{memstore.New()}, fixture.Ring(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	if report, err := host.Check(t.Context()); err == nil {
		t.Errorf("got %+v without an error", report)
	}
}
