package tampering

import (
	"context"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// hostile is a store that returns the same record and outcome for everything, and commits
// nothing.
type hostile struct {
	installation.Store
	record  *installation.Record
	outcome *installation.Outcome
}

func (s *hostile) Get(context.Context, installation.Key) (*installation.Record, error) {
	return fixture.CopyRecord(s.record), nil
}

func (s *hostile) List(context.Context, installation.Query) (installation.Page, error) {
	return installation.Page{Records: []*installation.Record{fixture.CopyRecord(s.record)}}, nil
}

func (s *hostile) Outcome(
	context.Context, string, installation.Digest,
) (*installation.Outcome, error) {
	return s.outcome, nil
}

func (s *hostile) Commit(_ context.Context, c installation.Change) (installation.Receipt, error) {
	if c.Idempotency != nil {
		return installation.Receipt{Revision: c.If, Outcome: s.outcome}, nil
	}
	return installation.Receipt{}, installation.ErrUnavailable
}

// readErrors are the errors that a call on a damaged record may return.
var readErrors = []error{
	installation.ErrSealed, installation.ErrShredded, installation.ErrUnknownKey,
	installation.ErrNotFound, installation.ErrForbidden, installation.ErrConflict,
	installation.ErrUnavailable, installation.ErrInvitation, installation.ErrExists,
	installation.ErrIdempotencyMismatch, installation.ErrStale,
}

// anyBytes is a service on a hostile store, and the installation that was sealed.
type anyBytes struct {
	store          *hostile
	host, stranger *installation.Service
	req            installation.InviteRequest // that led to change
	change         installation.Change
	want           *installation.Installation
}

func newAnyBytes(f *testing.F) *anyBytes {
	w := fixture.NewWorld(f)
	req := installation.InviteRequest{ID: "i", Parts: fixture.SecretParts("ACC-1", "s3cr3t")}
	req.IdempotencyKey = "k"
	if _, err := w.Host.Invite(f.Context(), req); err != nil {
		f.Fatal(err)
	}
	store := &hostile{Store: memstore.New()}
	svc, err := installation.New(store, fixture.Ring(f), &installation.Options{Now: w.Now})
	if err != nil {
		f.Fatal(err)
	}
	svc = svc.In(fixture.Tenant)
	want := w.Get(f, "i")
	want.Invitation.URL = "" // svc has no Options.AcceptURL
	return &anyBytes{
		store: store, host: svc.As(fixture.HostActor), stranger: svc.As(fixture.StrangerActor),
		req: req, change: w.Store.Changes()[0], want: want,
	}
}

// seed adds valid and damaged inputs.
func (a *anyBytes) seed(f *testing.F) {
	body, outcome := a.change.Record.Body.Bytes(), a.change.Idempotency.Data
	f.Add(body, outcome)
	f.Add([]byte{}, []byte{})
	f.Add([]byte{record.Version}, []byte{record.Version})
	edit := fixture.DecodeBody(f, a.change.Record.Body)
	edit.Manifest, edit.Values = nil, nil
	edit.Lifecycle.Status, edit.Lifecycle.Purged = "uninstalled", true
	f.Add(fixture.EncodeBody(edit).Bytes(), body)
	edit.Key.Bytes, edit.Key.KeyID = nil, ""
	f.Add(fixture.EncodeBody(edit).Bytes(), outcome[:len(outcome)/2])
}

// FuzzServiceReadsAnyBytes proves that a service returns the sealed content or an error for any
// body and any outcome. It never panics, and never shows the row to another account.
func FuzzServiceReadsAnyBytes(f *testing.F) {
	a := newAnyBytes(f)
	a.seed(f)
	f.Fuzz(func(t *testing.T, rawBody, rawOutcome []byte) {
		a.store.record = fixture.CopyRecord(a.change.Record)
		a.store.record.Body = installation.BodyFromBytes(rawBody)
		a.store.outcome = &installation.Outcome{
			Until: a.change.Idempotency.Until, Data: rawOutcome,
		}
		a.checkReads(t)
		a.checkCalls(t)
	})
}

func (a *anyBytes) checkReads(t *testing.T) {
	t.Helper()
	got, err := a.host.Get(t.Context(), "i")
	if got == nil || got.ID != "i" || (err == nil) != (got.Configuration != nil) {
		t.Fatalf("get: %+v, %v", got, err)
	}
	// Another process of the fuzzer may have sealed the body, with the same keys and content but
	// with other random ids.
	if c := got.Configuration; c != nil {
		c.ID, c.RevisionID = a.want.Configuration.ID, a.want.Configuration.RevisionID
	}
	if d := fixture.Diff(a.want, got); err == nil && d != "" {
		t.Fatalf("a body that nobody sealed opens (-want +got):\n%s", d)
	}
	got, err = a.stranger.Get(t.Context(), "i")
	if got != nil || !errors.Is(err, installation.ErrNotFound) {
		t.Fatalf("a stranger reads %+v, %v", got, err)
	}
	list, err := a.host.List(t.Context(), installation.ListRequest{})
	if err != nil || len(list.Installations) != 1 {
		t.Fatalf("list: %+v, %v", list, err)
	}
}

func (a *anyBytes) checkCalls(t *testing.T) {
	t.Helper()
	for _, m := range fixture.Methods("i") {
		err := m.Call(t.Context(), a.host)
		if err != nil && !isOne(err, readErrors) {
			t.Fatalf("%s: %v", m.Name, err)
		}
	}
	res, err := a.host.Invite(t.Context(), a.req)
	switch {
	case err != nil && !isOne(err, readErrors):
		t.Fatalf("sent again: %v", err)
	case err == nil && (!res.Replayed || res.ID != "i"):
		t.Fatalf("an outcome returns %+v", res)
	}
	if res, err := a.stranger.Invite(t.Context(), a.req); err == nil && res.Connection != nil {
		t.Fatalf("a stranger receives %+v", res)
	}
}

func isOne(err error, known []error) bool {
	for _, k := range known {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
