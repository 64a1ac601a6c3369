package boltstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/internal/tests/rotationtest"
)

// TestRotationLosesNothingUnderTraffic interrupts the rotation and starts it again several times.
func TestRotationLosesNothingUnderTraffic(t *testing.T) {
	store := open(t, &boltstore.Options{NoSync: true}) // nothing here loses what was not synced
	s := rotationtest.New(t, func() installation.Store { return store })
	s.UnderTraffic(t, 300, func(interruptAt int) (interrupted bool) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := rotationtest.Rotate(ctx, s.Switched, func(done int) {
			if done == interruptAt {
				cancel()
			}
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		return err != nil
	})
}
