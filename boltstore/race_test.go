package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
)

// TestEverythingAtOnce calls all methods while commits grow the file, and closes the store under
// them. Every answer is right or says that the store is closed.
func TestEverythingAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path, &boltstore.Options{NoSync: true})
	commit(t, s, change(installation.Key{ID: "first"}, 1))
	ctx := t.Context()
	var wait sync.WaitGroup
	loop := func(call func(i int) error) {
		wait.Go(func() {
			for i := 0; ; i++ {
				err := call(i)
				if errors.Is(err, installation.ErrUnavailable) &&
					strings.Contains(err.Error(), "is closed") {
					return
				}
				if err != nil {
					t.Errorf("got error %v", err)
					return
				}
			}
		})
	}
	written := make(chan struct{})
	loop(func(i int) error {
		if i == 200 {
			close(written)
		}
		c := change(installation.Key{ID: fmt.Sprint(i)}, 1)
		c.Record.Body = installation.BodyFromBytes(strings.Repeat("b", 5000))
		_, err := s.Commit(ctx, c)
		return err
	})
	for range 2 {
		loop(func(int) error { _, err := s.Get(ctx, installation.Key{ID: "first"}); return err })
	}
	loop(func(int) error {
		page, err := s.List(ctx, installation.Query{Term: "all", Limit: 50})
		if err == nil && len(page.Records) == 0 {
			err = errors.New("an empty list")
		}
		return err
	})
	loop(func(int) error {
		for _, err := range s.Scan(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	loop(func(int) error { _, err := s.Health(ctx); return err })
	loop(func(i int) error {
		report, err := s.Verify(ctx)
		if err == nil && !report.Clean() {
			err = fmt.Errorf("problems: %v", report.Problems)
		}
		return err
	})
	<-written
	closeStore(t, s)
	wait.Wait()
	if _, err := s.Get(context.Background(), installation.Key{ID: "first"}); !errors.Is(err,
		installation.ErrUnavailable) {
		t.Errorf("get: error %v, want %v", err, installation.ErrUnavailable)
	}
}
