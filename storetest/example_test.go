package storetest_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/storetest"
)

// open stands for the function that opens your store on a server.
func open(_ string) installation.Store { return memstore.New() }

// The tests of a store make these two calls, each in a test function of its own.
func Example() {
	var t *testing.T // the argument of the test function

	// In TestStore, the server runs, and each case gets an empty database.
	storetest.Run(t, func(t *testing.T) installation.Store {
		return open("localhost:5432/" + t.Name())
	})

	// In TestUnavailable, no server listens at the address.
	storetest.RunUnavailable(t, func(*testing.T) installation.Store {
		return open("localhost:1")
	})
}
