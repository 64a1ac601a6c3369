package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/memstore"
)

// TestRoundTrips checks the number of round trips of each operation.
func TestRoundTrips(t *testing.T) {
	for _, r := range tripRows(t, small) {
		ours, base, err := r.Count(0)
		if err != nil || ours/base != r.Reach {
			t.Errorf("%s: %g round trips, want %g; %v", r.Name, ours/base, r.Reach, err)
		}
	}
}

// TestPayload checks what all rows store: ten values, four of them sensitive, in a body of 2 KiB.
func TestPayload(t *testing.T) {
	w := newWorld(t, memstore.New(), newRing(t, "k1"), 1)
	inst, err := w.svc.Get(t.Context(), w.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	err = inst.Configuration.Document.Decode(&values)
	if err != nil || len(values) != 10 || len(inst.Sealed) != 4 {
		t.Errorf("%d values, %d sealed; %v", len(values), len(inst.Sealed), err)
	}
	record := must(w.store.Get(t.Context(), installation.Key{Tenant: tenant, ID: w.ids[0]}))(t)
	if n := len(record.Body.Bytes()); n < base.BodySize-128 || n > base.BodySize+128 {
		t.Errorf("a body of %d bytes", n)
	}
}

// TestWork makes each call of a service once, and checks that masks keep secrets.
func TestWork(t *testing.T) {
	w := newWorld(t, memstore.New(), newRing(t, "k1"), base.PageSize)
	before, err := w.svc.Get(t.Context(), w.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	invited := &invitations{world: w}
	if err := invited.prepare(1); err != nil {
		t.Fatal(err)
	}
	for name, work := range map[string]Work{
		"get": w.get, "store get": w.storeGet, "create": w.create, "update": w.update,
		"patch": w.patch, "reveal": w.reveal, "page": w.page, "count": w.count, "open": w.open,
		"open all":            func() error { return w.openAll(0) },
		"refresh":             w.connected(t).refresh,
		"get and open values": w.getAndOpenValues(t),
		"accept":              invited.accept, "commit creations": creating(t, w.store),
		"commit updates": updating(t, w.store, 1),
	} {
		if err := work(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	fresh := parts(numbers.Add(1))
	fresh.Configuration = installation.Value(installation.Configuration{Document: masked(1)})
	_, err = w.svc.Upsert(t.Context(), installation.UpsertRequest{Parts: fresh})
	if !errors.Is(err, installation.ErrInvalid) {
		t.Errorf("what updates send back has no masks: error %v", err)
	}
	w.ids = w.ids[:1]
	if err := w.update(); err != nil {
		t.Fatal(err)
	}
	answers, err := w.svc.Reveal(t.Context(), installation.RevealRequest{
		ID: w.ids[0], Refs: before.Sealed, Reason: "compare",
	})
	if err != nil || len(answers) != 4 {
		t.Fatal(answers, err)
	}
	for _, a := range answers {
		if a.Err != nil || a.Value.RevealString() == "***" {
			t.Errorf("%s did not survive an update with masks: %v", a.Ref.Pointer(), a.Err)
		}
	}
}

// TestDelayed sends more through the proxy than one piece.
func TestDelayed(t *testing.T) {
	sent := make([]byte, 1<<20)
	rand.Read(sent)
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		c, err := echo.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", delayed(t, echo.Addr().String(), time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = c.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what came back is something else; %v", err)
	}
}
