package ampersand

import (
	"context"
	"hash/maphash"
)

// turns lets the writers of one installation in this process go one after the other. The service would apply a write that met another one again
// until it gets through; of many at once most tries would be in vain, and each takes the whole content through its schema. Installations share
// the places, so that some wait without need.
type turns struct {
	seed   maphash.Seed
	places [64]chan struct{} // each holds something while somebody writes
}

func newTurns() *turns {
	t := &turns{seed: maphash.MakeSeed()}
	for i := range t.places {
		t.places[i] = make(chan struct{}, 1)
	}
	return t
}

// take waits for the turn to write an installation, until the context ends. The function that it returns gives the turn back.
func (t *turns) take(ctx context.Context, id string) (done func(), err error) {
	place := t.places[maphash.String(t.seed, id)%uint64(len(t.places))]
	select {
	case place <- struct{}{}:
		return func() { <-place }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
