package tampering

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// sealedObject is one sealed value, with the key and the place that it was sealed for.
type sealedObject struct {
	key    int // among the keys
	at     crypto.Place
	sealed []byte
}

// wrappedKey is one wrapped key, with what it was wrapped for.
type wrappedKey struct {
	key     int
	binding crypto.Binding
	wrapped crypto.Wrapped
}

// pasted is everything that two tenants with two records each have in the store.
type pasted struct {
	keys    []*crypto.DataKey
	objects []sealedObject
	wrapped []wrappedKey
}

func newPasted(t *testing.T, h *fixture.Attack) *pasted {
	t.Helper()
	p := &pasted{}
	for _, tenant := range []string{fixture.Tenant, "tenant-2"} {
		for n, id := range []string{"EXI-1", "EXI-2"} {
			parts := fixture.SecretParts(fmt.Sprint("ACC-", n), "s3cr3t")
			req := installation.InviteRequest{ID: id, Parts: parts}
			req.IdempotencyKey = id
			host := h.Service.In(tenant).As(fixture.HostActor)
			if _, err := host.Invite(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			changes := h.Store.Changes()
			p.addChange(t, h.Keys.KeyWrapper, changes[len(changes)-1])
		}
	}
	return p
}

// addChange adds the keys and sealed values of an invitation and its outcome.
func (p *pasted) addChange(t *testing.T, keys crypto.KeyWrapper, c installation.Change) {
	t.Helper()
	tenant, id := c.Key.Tenant, c.Key.ID
	body := fixture.DecodeBody(t, c.Record.Body)
	k := p.addKey(t, keys, body.Key, crypto.Binding{Tenant: tenant, Record: id})
	p.addBinary(t, k, fixture.ManifestPlace(c.Record.Key), body.Manifest)
	for _, v := range body.Values {
		at := placeOf(id, v.Ref)
		at.Tenant = tenant
		_, err := p.keys[k].Open(nil, at, v.Sealed)
		p.add(t, k, at, v.Sealed, err)
	}
	o, err := record.DecodeOutcome(c.Idempotency.Data)
	if err != nil {
		t.Fatal(err)
	}
	outcomeKey := p.addKey(t, keys, o.Key, crypto.Binding{})
	plain := p.addBinary(t, outcomeKey, fixture.OutcomePlace(tenant, c.Idempotency), o.Sealed)
	answer, err := record.DecodeAnswer(plain)
	if err != nil {
		t.Fatal(err)
	}
	at := crypto.Place{
		Tenant: tenant, Record: id, Kind: "answer", Pointer: string(c.Idempotency.Digest[:]),
	}
	p.addBinary(t, k, at, answer.Content)
	at.Kind = "code"
	p.addBinary(t, k, at, answer.Code)
}

// addKey unwraps a key and returns its index.
func (p *pasted) addKey(
	t *testing.T, keys crypto.KeyWrapper, w crypto.Wrapped, b crypto.Binding,
) int {
	t.Helper()
	k, err := keys.Unwrap(t.Context(), w, b)
	if err != nil {
		t.Fatal(err)
	}
	p.wrapped = append(p.wrapped, wrappedKey{len(p.keys), b, w})
	p.keys = append(p.keys, k)
	return len(p.keys) - 1
}

// addBinary adds a binary value and returns its content.
func (p *pasted) addBinary(t *testing.T, k int, at crypto.Place, sealed []byte) []byte {
	t.Helper()
	plain, err := p.keys[k].OpenBinary(nil, at, sealed)
	p.add(t, k, at, sealed, err)
	return plain
}

// add adds a sealed value that opened with err.
func (p *pasted) add(t *testing.T, k int, at crypto.Place, sealed []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v does not open at its own place: %v", at, err)
	}
	p.objects = append(p.objects, sealedObject{k, at, sealed})
}

// A sealed value does not open at another place, or under the key of another record or outcome.
// A wrapped key does not open for another record, for another tenant, or as an outcome key.
func TestNothingOpensElsewhere(t *testing.T) {
	p := newPasted(t, fixture.NewAttack(t))
	if len(p.objects) < 40 || len(p.wrapped) != 8 {
		t.Fatalf("%d sealed objects and %d wrapped keys: some are missing",
			len(p.objects), len(p.wrapped))
	}
	opens := func(k *crypto.DataKey, at crypto.Place, sealed []byte) bool {
		t.Helper()
		_, binaryErr := k.OpenBinary(nil, at, sealed)
		_, err := k.Open(nil, at, sealed)
		for _, err := range []error{binaryErr, err} {
			if err != nil && !errors.Is(err, installation.ErrSealed) {
				t.Errorf("%+v: %v, want ErrSealed", at, err)
			}
		}
		return binaryErr == nil || err == nil
	}
	// The outcomes of one process and day share their key.
	same := func(a, b int) bool {
		return a == b ||
			p.wrapped[a].binding == crypto.Binding{} && p.wrapped[b].binding == crypto.Binding{}
	}
	for i, object := range p.objects {
		for _, other := range p.objects {
			for n, k := range p.keys {
				if same(n, object.key) && other.at == object.at {
					continue // where it belongs
				}
				if opens(k, other.at, object.sealed) {
					t.Errorf("object %d of %+v opens under key %d at %+v",
						i, object.at, n, other.at)
				}
			}
		}
	}
	ring := fixture.RingWith(t, "k1", fixture.KEK)
	for _, w := range p.wrapped {
		for _, other := range p.wrapped {
			k, err := ring.Unwrap(t.Context(), w.wrapped, other.binding)
			if home := other.binding == w.binding; home != (err == nil) ||
				!home && !errors.Is(err, installation.ErrSealed) {
				t.Errorf("the key of %+v for %+v: %v, %v", w.binding, other.binding, k, err)
			}
		}
	}
}
