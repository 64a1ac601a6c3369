package installation

import (
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/masked"
)

// A record whose parts do not fit each other is damaged, whoever sealed it, and no write goes on from it.
func TestWritesRefuseWhatDoesNotAddUp(t *testing.T) {
	s := &Service{rule: masked.NameRule{}, schemas: newSchemaCache()}
	sealed := map[Ref][]byte{{RefConfig, "/token"}: nil}
	for name, c := range map[string]struct {
		document string
		values   map[Ref][]byte
		given    string
		want     error
	}{
		"a secret without a place":  {`{"a":1}`, sealed, `{"a":2}`, ErrSealed},
		"a place that is no mask":   {`{"a":1,"token":"x"}`, sealed, `{"a":2}`, ErrSealed},
		"a document that is none":   {`{"a":`, map[Ref][]byte{}, `{"a":2}`, ErrSealed},
		"a data key that is gone":   {`{"a":1}`, map[Ref][]byte{}, `{"token":"x"}`, crypto.ErrDestroyed},
		"a data key, not needed":    {`{"a":1}`, map[Ref][]byte{}, `{"a":2}`, nil},
		"a secret that stays there": {`{"token":"***"}`, sealed, `{"token":"***","a":2}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fresh := func() *state {
				return &state{inst: &Installation{Configuration: &Configuration{Document: maskedDocument([]byte(c.document))}}, values: c.values}
			}
			_, _, err := s.replace(t.Context(), fresh(), RefConfig, "configuration", JSON(c.given))
			if !errors.Is(err, c.want) {
				t.Errorf("replace: got %v, want %v", err, c.want)
			}
			_, err = s.applyOperations(t.Context(), fresh(), []Operation{Set("", JSON(c.given))}, time.Time{})
			if !errors.Is(err, c.want) {
				t.Errorf("operations: got %v, want %v", err, c.want)
			}
			_, err = s.applyConfiguration(t.Context(), fresh(), Value(Configuration{Document: JSON(c.given)}), time.Time{})
			if !errors.Is(err, c.want) {
				t.Errorf("configuration: got %v, want %v", err, c.want)
			}
		})
	}
	refreshed := &state{inst: &Installation{Extra: maskedDocument([]byte(`{"a":1}`))}, values: map[Ref][]byte{{RefExtra, "/token"}: nil}}
	if err := s.refresh(t.Context(), refreshed); !errors.Is(err, ErrSealed) {
		t.Errorf("refresh: got %v", err)
	}
	refreshed.inst.Extra = maskedDocument([]byte(`{`))
	if err := s.refresh(t.Context(), refreshed); !errors.Is(err, ErrSealed) {
		t.Errorf("refresh of no document: got %v", err)
	}
}
