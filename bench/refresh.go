package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// connected returns a world on the same service, with installations that have a connection whose
// access token is good for years. Each has been opened once.
func (w *world) connected(tb testing.TB) *world {
	tb.Helper()
	other := &world{ctx: w.ctx, store: w.store, svc: w.svc, ids: make([]string, 64)}
	for i := range other.ids {
		parts := parts(numbers.Add(1))
		parts.Connection = installation.Value(installation.Connection{
			Provider: "crm",
			AccessToken: installation.Token{
				Value:   crypto.NewSecret("an access token of the usual size"),
				Expires: time.Now().AddDate(10, 0, 0),
			},
			RefreshToken: installation.Token{
				Value: crypto.NewSecret("a refresh token of the usual size"),
			},
		})
		other.ids[i] = must(w.svc.Upsert(w.ctx, installation.UpsertRequest{Parts: parts}))(tb).ID
	}
	check(tb, other.openAll(0))
	return other
}

// refresh asks for a valid token, which is stored already.
func (w *world) refresh() error {
	o, err := w.svc.Refresh(w.ctx, installation.RefreshRequest{ID: w.id()}, notNeeded)
	if err != nil {
		return err
	}
	return o.Close()
}

func notNeeded(context.Context, *installation.Opened) (installation.Tokens, error) {
	return installation.Tokens{}, errors.New("a valid token was refreshed")
}
