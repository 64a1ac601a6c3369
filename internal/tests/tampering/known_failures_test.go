package tampering

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// failure is a way in which another product lost, damaged or showed a secret.
type failure struct {
	source string // where it was reported
	what   string // the behaviour here
	check  func(t *testing.T)
}

// Other products failed in these ways with masked configurations and stored secrets. Each case
// names its source, and proves that the failure cannot happen here.
func TestFailuresOfOtherProductsAreRejected(t *testing.T) {
	for _, f := range slices.Concat(cipherFailures, maskFailures, accessFailures) {
		t.Run(f.source+" "+f.what, f.check)
	}
}

// sealedAt returns the stored bytes of a secret in the record.
func (x *tamperTarget) sealedAt(t testing.TB, pointer string) []byte {
	t.Helper()
	ref := installation.Ref("config" + pointer)
	return fixture.DecodeBody(t, x.record.Body).ValueAt(t, ref).Sealed
}

// put returns an edit that replaces the stored bytes of a secret.
func (x *tamperTarget) put(t testing.TB, pointer string, sealed []byte) recordEdit {
	return x.edited(t, func(body *fixture.Body) {
		body.ValueAt(t, installation.Ref("config"+pointer)).Sealed = sealed
	})
}

// configure writes the configuration of "i".
func configure(t testing.TB, w *fixture.World, document string) {
	t.Helper()
	if _, err := w.Configure("i", document); err != nil {
		t.Fatal(err)
	}
}

func attacked(t *testing.T) *tamperTarget {
	t.Helper()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	return newTamperTarget(t, h, "EXI-1")
}

// wantWrongKey fails the test unless reads and Check report that k1 has the wrong bytes.
func wantWrongKey(t *testing.T, host *installation.Service) {
	t.Helper()
	_, getErr := host.Get(t.Context(), "EXI-1")
	list, err := host.List(t.Context(), installation.ListRequest{})
	if err != nil || len(list.Installations) != 1 {
		t.Fatalf("list: %+v, %v", list, err)
	}
	_, revealErr := host.Reveal(t.Context(), installation.RevealRequest{
		ID: "EXI-1", Reason: "test", Refs: []installation.Ref{"config/adobe_secret"},
	})
	for what, err := range map[string]error{
		"get": getErr, "list": list.Installations[0].Err, "reveal": revealErr,
	} {
		if wrong, ok := errors.AsType[*crypto.WrongKeyError](err); !ok || wrong.KeyID != "k1" {
			t.Errorf("%s: %v, want *crypto.WrongKeyError for k1", what, err)
		}
	}
	report, err := host.Check(t.Context())
	if err != nil || report.OK() || !strings.Contains(fmt.Sprint(report.Findings), "k1") {
		t.Errorf("check: %+v, %v", report, err)
	}
}
