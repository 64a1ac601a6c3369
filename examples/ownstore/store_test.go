package ownstore_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/examples/ownstore"
	"github.com/go-installation/installation/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) installation.Store { return new(ownstore.Store) })
}

func TestStoreIsClosed(t *testing.T) {
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		s := new(ownstore.Store)
		s.Close()
		return s
	})
}
