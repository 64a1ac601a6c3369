package secrets

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Canary secrets pass through every operation, with success and with every kind
// of failure. None may appear in an error, log, dump, JSON, event, audit entry,
// panic text or stored byte.
func TestInvariant13NothingLeaks(t *testing.T) {
	s := newLeakScenario(t)
	s.writesThatSucceed()
	s.invitations()
	s.badDocuments()
	s.badOperations()
	s.badValues()
	s.failingGuards()
	s.refusedCodes()
	s.everyActor()
	s.failingStore()
	s.cancelledContext()
	s.unknownKey()
	s.tamperedRecords()
	s.panickingOptions()
	s.endOfLife()

	s.addGeneratedSecrets()
	s.seeStoredChanges()
	s.log.see("service", s.h.Service)
	s.log.see("store", s.h.Store.Store)
	s.log.see("keys", s.h.Keys)
	s.log.search()
}

// leakScenario is a service under attack and the log of everything it returned.
type leakScenario struct {
	t     *testing.T
	ctx   context.Context
	log   *leakLog
	h     *fixture.Attack
	host  *installation.Service
	refs  []installation.Ref
	codes []crypto.Secret // every invitation code so far
	code  crypto.Secret   // the valid code of EXI-2
}

func newLeakScenario(t *testing.T) *leakScenario {
	s := &leakScenario{t: t, ctx: t.Context(), log: newLeakLog(t), h: fixture.NewAttack(t)}
	for name, secret := range leakCanaries {
		s.log.finder.add(name, secret)
	}
	s.log.finder.add("idempotency key", leakIdempotencyKey)
	s.log.finder.add("key-encryption key", fixture.KEK)
	s.host = s.h.Host()
	s.refs = []installation.Ref{"config/adobe_secret", "config/none", "credential/access_token"}
	return s
}

// leakGuard returns a guard with an idempotency key of its own for each suffix.
func leakGuard(suffix string) installation.Guard {
	return installation.Guard{IdempotencyKey: leakIdempotencyKey + suffix}
}

func (s *leakScenario) wantErr(name string, err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("%s: got error %v, want %v", name, err, want)
	}
}

func (s *leakScenario) upsert(
	name string, svc *installation.Service, r installation.UpsertRequest,
) error {
	return s.log.call(name, r, func() (any, error) { return svc.Upsert(s.ctx, r) })
}

func (s *leakScenario) patch(
	name string, g installation.Guard, ops ...installation.Operation,
) error {
	r := installation.PatchRequest{ID: "EXI-1", Guard: g, Operations: ops}
	return s.log.call(name, r, func() (any, error) { return s.host.Patch(s.ctx, r) })
}

// reveal asks for a secret of the configuration, for one of the connection, and
// for one that does not exist.
func (s *leakScenario) reveal(name string, svc *installation.Service) error {
	r := installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: s.refs}
	return s.log.call(name, r, func() (any, error) { return svc.Reveal(s.ctx, r) })
}

func (s *leakScenario) accept(name string, r installation.AcceptRequest) error {
	customer := s.h.As(fixture.CustomerActor)
	return s.log.call(name, r, func() (any, error) { return customer.Accept(s.ctx, r) })
}

func (s *leakScenario) list(name string, svc *installation.Service) {
	_ = s.log.call(name, nil, func() (any, error) {
		return svc.List(s.ctx, installation.ListRequest{})
	})
}

func (s *leakScenario) events(svc *installation.Service) {
	_ = s.log.call("events", nil, func() (any, error) { return svc.Events(s.ctx, "", 0) })
}

// issue runs a call that returns an invitation code, and keeps the code.
func (s *leakScenario) issue(
	name string, r any, f func() (*installation.Result, error),
) (res *installation.Result) {
	_ = s.log.call(name, r, func() (any, error) {
		var err error
		if res, err = f(); err == nil {
			s.codes = append(s.codes, res.Code)
		}
		return res, err
	})
	return res
}

// addGeneratedSecrets adds the secrets that the service made itself: data keys
// and invitation codes.
func (s *leakScenario) addGeneratedSecrets() {
	for _, k := range append(s.h.Keys.Copies(), s.h.Keys.OutcomeKeys()...) {
		raw, err := k.Reveal()
		if err != nil {
			s.t.Fatal(err)
		}
		s.log.finder.add("data key", string(raw))
	}
	for i, code := range s.codes {
		text := strings.TrimPrefix(code.RevealString(), "inv_")
		s.log.finder.add(fmt.Sprintf("invitation code %d", i), text)
	}
	if len(s.codes) < 4 || len(s.h.Keys.Copies()) < 4 {
		s.t.Errorf("got only %d codes and %d data keys: the scenario skips a part",
			len(s.codes), len(s.h.Keys.Copies()))
	}
}

// seeStoredChanges adds everything that the store received.
func (s *leakScenario) seeStoredChanges() {
	for i, change := range s.h.Store.Changes() {
		where := fmt.Sprintf("stored change %d", i)
		s.log.text(where, fmt.Sprintf("%+v", change))
		var d leakDumper
		d.dump(reflect.ValueOf(change), 0)
		s.log.text(where+" dump", d.out.String())
		if r := change.Record; r != nil {
			s.log.text(where+" body", string(r.Body.Bytes()))
			s.log.see(where+" index", r.Index)
		}
		if o := change.Idempotency; o != nil {
			s.log.text(where+" outcome", string(o.Data))
		}
		for _, e := range change.Events {
			b, _ := e.MarshalBinary()
			s.log.text(where+" event", string(b))
			s.log.see(where+" event", e)
		}
	}
}
