package memory_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// The handler takes all that the host has.
var (
	_ ampersand.Catalogue      = (*memory.Host)(nil)
	_ ampersand.Sampler        = (*memory.Host)(nil)
	_ ampersand.OAuth          = (*memory.Host)(nil)
	_ ampersand.CustomAuth     = (*memory.Host)(nil)
	_ ampersand.ProviderApps   = (*memory.Host)(nil)
	_ ampersand.ObjectMetadata = (*memory.Host)(nil)
)

func demo() *memory.Host {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	return memory.Demo(crypto.NewSecret("k3y"), func() time.Time { return at })
}

// TestDemo: what the documentation promises of it.
func TestDemo(t *testing.T) {
	h := demo()
	key, err := h.APIKey(t.Context(), crypto.NewSecret("k3y"))
	if err != nil || key.Project != memory.DemoProject {
		t.Error(key, err)
	}
	for _, other := range []string{"", "k3", "k3y ", "K3Y"} {
		if _, err := h.APIKey(t.Context(), crypto.NewSecret(other)); !errors.Is(err,
			ampersand.ErrNotFound) {
			t.Errorf("%q: %v", other, err)
		}
	}
	byName, err := h.Project(t.Context(), memory.DemoProjectName)
	if err != nil || byName.ID != memory.DemoProject {
		t.Error(byName, err)
	}
	i, err := h.Integration(t.Context(), memory.DemoProject, memory.DemoIntegration)
	if err != nil || i.Provider != "salesforce" || i.Latest.ID == "" {
		t.Error(i, err)
	}
	all, err := h.Connections(t.Context(), memory.DemoProject,
		ampersand.ConnectionFilter{Group: memory.DemoGroup, Consumer: memory.DemoConsumer})
	if err != nil || len(all) != 2 || all[0].Provider != "salesforce" ||
		all[1].Provider != "hubspot" {
		t.Fatal(all, err)
	}
	for _, c := range all {
		code, err := h.Reveal(t.Context(), memory.DemoProject, c.ID,
			ampersand.Disclosure{By: "test"})
		if err != nil || c.Scheme != ampersand.SchemeAuthorizationCode ||
			c.Status != ampersand.ConnectionWorking ||
			code.AuthorizationCode.AccessToken.Value.IsZero() ||
			code.AuthorizationCode.RefreshToken.Value.IsZero() {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if n := len(h.Reveals(memory.DemoProject)); n != 2 {
		t.Errorf("%d records", n)
	}
	if err := h.Sample(t.Context(), ampersand.Sample{}); err != nil {
		t.Error(err)
	}
}

// TestNothingThere: what a project that is not there has is not found, and nothing comes to be
// by looking.
func TestNothingThere(t *testing.T) {
	h := demo()
	h.SetIntegration("nope", ampersand.Integration{ID: "x"})
	h.AddConnection("nope", "x", ampersand.NewConnection{})
	h.SetStatus("nope", "x", ampersand.ConnectionWorking)
	unused := func(context.Context) (bool, error) { return false, nil }
	_, project := h.Project(t.Context(), "nope")
	_, integrations := h.Integrations(t.Context(), "nope")
	_, integration := h.Integration(t.Context(), "nope", "x")
	_, hydrated := h.Hydrated(t.Context(), "nope", "x", "x", nil)
	_, connection := h.Connection(t.Context(), "nope", "x")
	_, connections := h.Connections(t.Context(), "nope", ampersand.ConnectionFilter{})
	_, generated := h.Generate(t.Context(), "nope", ampersand.NewConnection{})
	_, updated := h.Update(t.Context(), memory.DemoProject, "nope", ampersand.ConnectionUpdate{})
	_, revealed := h.Reveal(t.Context(), memory.DemoProject, "nope", ampersand.Disclosure{})
	_, key := h.PublicKey(t.Context(), "nope")
	_, provider := h.Provider(t.Context(), "nope")
	for name, err := range map[string]error{
		"project": project, "integrations": integrations, "integration": integration,
		"hydrated": hydrated, "connection": connection,
		"connections": connections, "generated": generated, "updated": updated,
		"revealed": revealed, "key": key, "provider": provider,
		"refresh": h.Refresh(t.Context(), "nope", "x", true),
		"delete":  h.Delete(t.Context(), "nope", "x", unused),
	} {
		if !errors.Is(err, ampersand.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.Reveals("nope") != nil || len(h.Reveals(memory.DemoProject)) != 0 {
		t.Error("records of what was not shown")
	}
}

// TestDeleteAsksFirst: a connection that is in use, or may be, stays; a look at it while it is
// asked waits for the outcome.
func TestDeleteAsksFirst(t *testing.T) {
	h := demo()
	const id = "connection-salesforce"
	trouble := errors.New("trouble")
	err := h.Delete(t.Context(), memory.DemoProject, id,
		func(context.Context) (bool, error) { return true, nil })
	if !errors.Is(err, ampersand.ErrInUse) {
		t.Error(err)
	}
	err = h.Delete(t.Context(), memory.DemoProject, id,
		func(context.Context) (bool, error) { return false, trouble })
	if !errors.Is(err, trouble) {
		t.Error(err)
	}
	if _, err := h.Connection(t.Context(), memory.DemoProject, id); err != nil {
		t.Error(err)
	}

	var looked sync.WaitGroup
	var seen error
	started := make(chan struct{})
	err = h.Delete(t.Context(), memory.DemoProject, id, func(context.Context) (bool, error) {
		looked.Go(func() {
			close(started)
			_, seen = h.Connection(context.Background(), memory.DemoProject, id)
		})
		<-started
		return false, nil
	})
	looked.Wait()
	if err != nil || !errors.Is(seen, ampersand.ErrNotFound) {
		t.Errorf("deleted: %v; seen while it was: %v", err, seen)
	}
}
