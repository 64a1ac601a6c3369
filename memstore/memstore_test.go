package memstore_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) installation.Store { return memstore.New() })
}

// TestDecoratedStore runs the suite on a memstore in two decorators.
func TestDecoratedStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) installation.Store {
		return installation.Decorator{Store: &installation.Decorator{Store: memstore.New()}}
	})
}
