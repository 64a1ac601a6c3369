package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// host is a [testing.TB] for a program, with the methods that package redistest calls. The embedded
// interface is nil, so other methods panic.
type host struct {
	testing.TB
	ctx      context.Context
	cleanups []func()
}

// stopped is the value that Fatal panics with, to end the calling function.
type stopped struct{ err error }

// withServers calls f with a host and runs the cleanups afterwards.
func withServers(ctx context.Context, f func(testing.TB) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	h := &host{ctx: ctx}
	defer func() {
		r := recover()
		if s, ok := r.(stopped); ok {
			err = s.err
		} else if r != nil {
			panic(r)
		}
	}()
	defer func() {
		for _, f := range slices.Backward(h.cleanups) {
			f()
		}
	}()
	defer cancel()
	return f(h)
}

// Helper implements testing.TB.
func (h *host) Helper() {}

// Context implements testing.TB.
func (h *host) Context() context.Context { return h.ctx }

// Cleanup implements testing.TB.
func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }

// TempDir implements testing.TB.
func (h *host) TempDir() string {
	dir := must(os.MkdirTemp("", "bench-"))(h)
	h.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Fatal implements testing.TB.
func (h *host) Fatal(args ...any) { panic(stopped{errors.New(fmt.Sprint(args...))}) }

// Fatalf implements testing.TB.
func (h *host) Fatalf(format string, args ...any) { panic(stopped{fmt.Errorf(format, args...)}) }

// Skip implements testing.TB. Without a server there is nothing to measure.
func (h *host) Skip(args ...any) { h.Fatal(args...) }
