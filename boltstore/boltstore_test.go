package boltstore_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) installation.Store { return open(t, nil) })
}

func TestClosed(t *testing.T) {
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		s := open(t, nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s
	})
}
