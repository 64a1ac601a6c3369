// Package runner does jobs in rounds, several at a time.
package runner

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"time"
)

// Result is what came of a job.
type Result int

// The results.
const (
	Skipped   Result = iota // there was nothing to do
	Refreshed               // there are new tokens
	Revoked                 // the credentials are revoked
	Refused                 // the connection failed, for good
	Left                    // for another round
	Broken                  // an error of the store or of the keys
)

// Job does one thing. The error is for the result Broken.
type Job func(ctx context.Context) (Result, error)

// maxErrors is how many errors of one round are kept.
const maxErrors = 100

// Round does all jobs of a list, up to parallel at a time, and calls tell after each. It returns
// when all of them are done. It starts no more jobs once ctx has ended or the list has failed. If a
// job panics, Round waits for the others and then panics with the same value, in the goroutine of
// the caller.
func Round(
	ctx context.Context, jobs iter.Seq2[Job, error], parallel int, tell func(Result),
) error {
	var (
		workers  sync.WaitGroup
		mu       sync.Mutex
		failed   []error
		panicked any
		free     = make(chan struct{}, parallel)
	)
	note := func(r Result, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil && len(failed) < maxErrors {
			failed = append(failed, err)
		}
		tell(r)
	}
	for job, err := range jobs {
		if err == nil {
			err = enter(ctx, free)
		}
		if err != nil {
			mu.Lock()
			failed = append(failed, err)
			mu.Unlock()
			break
		}
		workers.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					mu.Lock()
					panicked = v
					mu.Unlock()
				}
				<-free
			}()
			note(job(ctx))
		})
	}
	workers.Wait()
	if panicked != nil {
		panic(panicked)
	}
	return errors.Join(failed...)
}

// enter waits for a free worker.
func enter(ctx context.Context, free chan<- struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case free <- struct{}{}:
		return nil
	}
}

// Pause waits between two rounds. Chance makes the pause up to a fifth shorter than length, so that
// processes that started together do not stay together.
func Pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length - rand.N(length/5+1)):
		return nil
	}
}
