package pgstore_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) installation.Store { return newStore(t, newOptions()) })
}
