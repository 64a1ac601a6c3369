package boltstore

import (
	"errors"
	"fmt"

	"github.com/go-installation/installation"
)

// errReplaced means that another file has the name of the file that Open opened.
var errReplaced = errors.New("another file replaced the file while the store was open: put the " +
	"first one back, or save its data with Copy, and open the store again")

// damaged returns the error for a file whose content is not what this package wrote.
func damaged(path, format string, args ...any) error {
	return fmt.Errorf("%w: %s is damaged: %s: run Verify, or restore a copy",
		installation.ErrUnavailable, path, fmt.Sprintf(format, args...))
}

// unavailable returns the error for a file that cannot be used because of err.
func unavailable(path string, err error) error {
	return fmt.Errorf("%w: %s: %w", installation.ErrUnavailable, path, err)
}
