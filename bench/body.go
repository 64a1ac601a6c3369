package main

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/go-installation/installation"
)

// bodyRows measure what a stored body costs, encoded and decoded. The other side keeps the same parts as JSON.
func bodyRows(tb testing.TB, w *world) []Row {
	tb.Helper()
	seen := &recorder{Store: w.store}
	onSeen := &world{ctx: w.ctx, store: seen, ids: w.ids}
	onSeen.svc = onSeen.service(tb, newRing(tb, "k1"), nil)
	check(tb, onSeen.create())
	record := *seen.last.Record

	type parts struct {
		Status, KeyID string
		Generation    int64
		Key, Manifest []byte
		Values        map[string][]byte
	}
	same := parts{"installed", "k1", 1, make([]byte, 110), make([]byte, storedManifest(tb, record.Body)), map[string][]byte{}}
	for _, name := range []string{"/client_secret", "/api_token", "/webhook_secret", "/db_password"} {
		same.Values[name] = make([]byte, 110)
	}
	text, err := json.Marshal(same)
	check(tb, err)

	// A read without the key decodes the body, finds that the key is missing, and says what is known in plain.
	stranger := &world{ctx: w.ctx, ids: []string{record.Key.ID}}
	stranger.store = one{Store: w.store, record: record, body: record.Body.Bytes()}
	stranger.svc = stranger.service(tb, newRing(tb, "k9"), nil)
	return []Row{
		{Name: "encode a body", Against: "encoding/json", Lacks: "limits", Ours: func() error { record.Body.Bytes(); return nil }, Base: func() error { _, err := json.Marshal(same); return err }},
		{
			Name: "decode a body (a read without its key)", Against: "encoding/json", Lacks: "limits, duplicate keys", Base: func() error { return json.Unmarshal(text, new(parts)) },
			Ours: func() error {
				if err := stranger.get(); !errors.Is(err, installation.ErrUnknownKey) {
					return err
				}
				return nil
			},
		},
	}
}

// recorder is a store that remembers the last change.
type recorder struct {
	installation.Store
	last installation.Change
}

// Commit implements [installation.Store].
func (r *recorder) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	r.last = c
	return r.Store.Commit(ctx, c)
}

// one is a store that answers with one record, from its stored bytes each time.
type one struct {
	installation.Store
	record installation.Record
	body   []byte
}

// Get implements [installation.Store].
func (o one) Get(context.Context, installation.Key) (*installation.Record, error) {
	r := o.record
	r.Body = installation.BodyFromBytes(o.body)
	return &r, nil
}
