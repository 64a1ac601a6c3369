package outcomes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// forger is a store that returns one outcome for every idempotency key.
type forger struct {
	installation.Store
	outcome *installation.Outcome // nil = as stored
}

func (s *forger) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	if s.outcome == nil {
		return s.Store.Outcome(ctx, tenant, d)
	}
	return s.outcome, ctx.Err()
}

func (s *forger) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	if s.outcome == nil || c.Idempotency == nil {
		return s.Store.Commit(ctx, c)
	}
	return installation.Receipt{Revision: c.If, Outcome: s.outcome}, ctx.Err()
}

// forgery is an installation "i" and an invitation "j", each with an outcome.
type forgery struct {
	*fixture.World
	store     *forger
	host      *installation.Service
	i, j      *installation.Outcome
	installed installation.UpsertRequest // that led to i
}

func newForgery(t *testing.T) *forgery {
	w := fixture.NewWorld(t)
	f := &forgery{World: w, store: &forger{Store: w.Store}}
	f.host = w.On(t, f.store, fixture.Ring(t))
	f.installed = installation.UpsertRequest{Guard: guard, ID: "i", Parts: fixture.Parts()}
	last := func() *installation.Outcome {
		all := w.Store.Changes()
		return all[len(all)-1].Idempotency
	}
	if _, err := f.host.Upsert(t.Context(), f.installed); err != nil {
		t.Fatal(err)
	}
	f.i = last()
	req := invitation("j")
	req.IdempotencyKey = "another"
	if _, err := f.host.Invite(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	f.j = last()
	return f
}

// send sends the request for "i" again, to a store that returns an edited outcome.
func (f *forgery) send(
	t *testing.T, edit func(o *installation.Outcome),
) (*installation.Result, error) {
	t.Helper()
	o := *f.i
	o.Data = bytes.Clone(o.Data)
	edit(&o)
	f.store.outcome = &o
	defer func() { f.store.outcome = nil }()
	var res *installation.Result
	err := fixture.Call(t, "send", func() (err error) {
		res, err = f.host.Upsert(t.Context(), f.installed)
		return err
	})
	return res, err
}

// rejected fails the test unless an edited outcome is ErrSealed or ErrUnknownKey.
func (f *forgery) rejected(t *testing.T, what string, edit func(o *installation.Outcome)) {
	t.Helper()
	res, err := f.send(t, edit)
	if !errors.Is(err, installation.ErrSealed) && !errors.Is(err, installation.ErrUnknownKey) ||
		res != nil {
		t.Errorf("%s: got %v, %v, want ErrSealed", what, res, err)
	}
}

// edited returns an edit of a decoded outcome.
func edited(t *testing.T, change func(o *record.Outcome)) func(o *installation.Outcome) {
	return func(o *installation.Outcome) {
		t.Helper()
		stored, err := record.DecodeOutcome(o.Data)
		if err != nil {
			t.Fatal(err)
		}
		change(stored)
		o.Data = stored.Append(nil)
	}
}

// An outcome opens as it was stored, and the digest that the store returns does not matter.
func TestStoredOutcomeOpens(t *testing.T) {
	f := newForgery(t)
	res, err := f.send(t, func(*installation.Outcome) {})
	if err != nil || !res.Replayed || res.Revision != 1 {
		t.Fatalf("as it was stored: %+v, %v", res, err)
	}
	res, err = f.send(t, func(o *installation.Outcome) { o.Digest[0] ^= 1 })
	if err != nil || !res.Replayed {
		t.Errorf("another digest from the store: %v", err)
	}
}

// rejectedOutcomes are edits of an outcome as anyone with access to the store could make them.
var rejectedOutcomes = map[string]func(o *installation.Outcome){
	"longer":        func(o *installation.Outcome) { o.Data = append(o.Data, 0) },
	"no data":       func(o *installation.Outcome) { o.Data = nil },
	"until later":   func(o *installation.Outcome) { o.Until = o.Until.Add(time.Hour) },
	"until earlier": func(o *installation.Outcome) { o.Until = o.Until.Add(-time.Hour) },
	"until later by a microsecond": func(o *installation.Outcome) {
		o.Until = o.Until.Add(time.Microsecond)
	},
}

// An outcome that was edited is ErrSealed, and never success.
func TestForgedOutcomeIsNeverSuccess(t *testing.T) {
	f := newForgery(t)
	for n := range f.i.Data {
		f.rejected(t, fmt.Sprintf("cut to %d bytes", n), func(o *installation.Outcome) {
			o.Data = o.Data[:n]
		})
		f.rejected(t, fmt.Sprintf("byte %d", n), func(o *installation.Outcome) {
			o.Data[n] ^= 0x01
		})
	}
	for what, edit := range rejectedOutcomes {
		f.rejected(t, what, edit)
	}
	_, err := f.send(t, func(o *installation.Outcome) { o.Data[0] = 3 })
	fixture.WantErr(t, "another version", err, installation.ErrSealed)
}

// Parts of another outcome, or of a record, do not open in an outcome.
func TestOutcomeOfForeignPartsIsNeverSuccess(t *testing.T) {
	f := newForgery(t)
	f.rejected(t, "outcome of another key", func(o *installation.Outcome) { *o = *f.j })
	f.rejected(t, "data of another key", func(o *installation.Outcome) { o.Data = f.j.Data })
	other, err := record.DecodeOutcome(f.j.Data)
	if err != nil {
		t.Fatal(err)
	}
	body := fixture.DecodeBody(t, f.Store.Last(fixture.KeyAt("i")).Body)
	for what, change := range map[string]func(o *record.Outcome){
		"answer of another key":  func(o *record.Outcome) { o.Sealed = other.Sealed },
		"key of the record":      func(o *record.Outcome) { o.Key = body.Key },
		"manifest of the record": func(o *record.Outcome) { o.Sealed = body.Manifest },
		"manifest and key of the record": func(o *record.Outcome) {
			o.Sealed, o.Key = body.Manifest, body.Key
		},
	} {
		f.rejected(t, what, edited(t, change))
	}
}

// Parts of an outcome do not open in a record.
func TestRecordOfOutcomePartsDoesNotOpen(t *testing.T) {
	f := newForgery(t)
	own, err := record.DecodeOutcome(f.i.Data)
	if err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]func(b *fixture.Body){
		"key":      func(b *fixture.Body) { b.Key = own.Key },
		"manifest": func(b *fixture.Body) { b.Manifest = own.Sealed },
		"both":     func(b *fixture.Body) { b.Key, b.Manifest = own.Key, own.Sealed },
	} {
		w := newForgery(t)
		w.EditRecord(t, "i", func(r *installation.Record) {
			b := fixture.DecodeBody(t, r.Body)
			edit(b)
			r.Body = fixture.EncodeBody(b)
		})
		_, err := w.host.Get(t.Context(), "i")
		fixture.WantErr(t, what+" of an outcome in a record", err, installation.ErrSealed)
	}
}

// An outcome that was moved to another tenant, or to another idempotency key, does not open
// there.
func TestMovedOutcomeDoesNotOpen(t *testing.T) {
	f := newForgery(t)
	f.store.outcome = f.i
	elsewhere := f.host.In("tenant-2")
	_, err := elsewhere.Upsert(t.Context(), f.installed)
	fixture.WantErr(t, "another tenant", err, installation.ErrSealed)
	req := f.installed
	req.IdempotencyKey = "another"
	_, err = f.host.Upsert(t.Context(), req)
	fixture.WantErr(t, "another idempotency key", err, installation.ErrSealed)
	user := installation.Actor{
		Kind: installation.Host, User: installation.Reference{ID: "USR-2"},
	}
	_, err = f.host.As(user).Upsert(t.Context(), f.installed)
	fixture.WantErr(t, "another user", err, installation.ErrSealed)
	// A rejected request looks its outcome up first.
	_, err = f.host.Delete(t.Context(), installation.DeleteRequest{Guard: req.Guard, ID: "none"})
	fixture.WantErr(t, "another idempotency key, absent record", err, installation.ErrSealed)
	f.store.outcome = nil
	if res, err := f.host.Upsert(t.Context(), f.installed); err != nil || !res.Replayed {
		t.Errorf("where it belongs: %+v, %v", res, err)
	}
}
