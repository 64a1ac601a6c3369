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
	first := installation.Key{ID: "first"}
	commit(t, s, change(first, 1))
	written := make(chan struct{})
	var wait sync.WaitGroup
	for name, call := range allCalls(s, first, written) {
		wait.Go(func() {
			for i := 0; ; i++ {
				err := call(t.Context(), i)
				if errors.Is(err, installation.ErrUnavailable) &&
					strings.Contains(err.Error(), "is closed") {
					return
				}
				if err != nil {
					t.Errorf("%s: got error %v", name, err)
					return
				}
			}
		})
	}
	<-written
	closeStore(t, s)
	wait.Wait()
	if _, err := s.Get(t.Context(), first); !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("get: error %v, want %v", err, installation.ErrUnavailable)
	}
}

// allCalls returns calls by name. The commits close written after some time.
func allCalls(
	s *boltstore.Store, first installation.Key, written chan struct{},
) map[string]func(ctx context.Context, i int) error {
	return map[string]func(ctx context.Context, i int) error{
		"commit": func(ctx context.Context, i int) error {
			if i == 60 {
				close(written)
			}
			c := change(installation.Key{ID: fmt.Sprint(i)}, 1)
			c.Record.Body = installation.BodyFromBytes(strings.Repeat("b", 5000))
			_, err := s.Commit(ctx, c)
			return err
		},
		"get": func(ctx context.Context, _ int) error { _, err := s.Get(ctx, first); return err },
		"list": func(ctx context.Context, _ int) error {
			page, err := s.List(ctx, installation.Query{Term: "all", Limit: 50})
			if err == nil && len(page.Records) == 0 {
				err = errors.New("an empty list")
			}
			return err
		},
		"scan": func(ctx context.Context, _ int) error {
			for _, err := range s.Scan(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"health": func(ctx context.Context, _ int) error { _, err := s.Health(ctx); return err },
		"verify": func(ctx context.Context, _ int) error {
			report, err := s.Verify(ctx)
			if err == nil && !report.Clean() {
				err = fmt.Errorf("problems: %v", report.Problems)
			}
			return err
		},
	}
}
