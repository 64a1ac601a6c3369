package ampersand_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// failingHost is a host with one method that fails, or panics.
type failingHost struct {
	*memory.Host
	at  string // the method; see hostRequests
	err error  // nil = panic
}

// newFailing returns a world with a host that can fail.
func newFailing(t *testing.T) (*world, *failingHost) {
	t.Helper()
	f := new(failingHost)
	w := newWorld(t, anyStore, func(o *choices) {
		o.wrap = func(h ampersand.Host) ampersand.Host {
			f.Host = h.Identities.(*memory.Host)
			return ampersand.Host{Identities: f, Projects: f, Connections: f}
		}
		o.handler.Catalogue, o.handler.Operations = f, f
		o.handler.OAuth, o.handler.CustomAuth = f, f
		o.handler.Apps, o.handler.Metadata = f, f
	})
	return w, f
}

func (f *failingHost) fail(at string) error {
	if f.at != at {
		return nil
	}
	if f.err == nil {
		panic("c4nary")
	}
	return f.err
}

// failOr fails if the host is to fail there, and calls run otherwise.
func failOr[T any](f *failingHost, at string, run func() (*T, error)) (*T, error) {
	if err := f.fail(at); err != nil {
		return nil, err
	}
	return run()
}

func (f *failingHost) APIKey(
	ctx context.Context, key crypto.Secret,
) (*ampersand.APIKey, error) {
	return failOr(f, "key", func() (*ampersand.APIKey, error) {
		return f.Host.APIKey(ctx, key)
	})
}

func (f *failingHost) PublicKey(ctx context.Context, id string) (*ampersand.PublicKey, error) {
	return failOr(f, "token", func() (*ampersand.PublicKey, error) {
		return f.Host.PublicKey(ctx, id)
	})
}

func (f *failingHost) Project(ctx context.Context, id string) (*ampersand.Project, error) {
	return failOr(f, "project", func() (*ampersand.Project, error) {
		return f.Host.Project(ctx, id)
	})
}

func (f *failingHost) Integration(
	ctx context.Context, project, id string,
) (*ampersand.Integration, error) {
	return failOr(f, "integration", func() (*ampersand.Integration, error) {
		return f.Host.Integration(ctx, project, id)
	})
}

func (f *failingHost) Integrations(
	ctx context.Context, project string,
) ([]*ampersand.Integration, error) {
	if err := f.fail("integrations"); err != nil {
		return nil, err
	}
	return f.Host.Integrations(ctx, project)
}

func (f *failingHost) Connection(
	ctx context.Context, project, id string,
) (*ampersand.Connection, error) {
	return failOr(f, "connection", func() (*ampersand.Connection, error) {
		return f.Host.Connection(ctx, project, id)
	})
}

func (f *failingHost) Connections(
	ctx context.Context, project string, by ampersand.ConnectionFilter,
) ([]*ampersand.Connection, error) {
	if err := f.fail("connections"); err != nil {
		return nil, err
	}
	return f.Host.Connections(ctx, project, by)
}

func (f *failingHost) Reveal(
	ctx context.Context, project, id string, d ampersand.Disclosure,
) (*ampersand.Credentials, error) {
	return failOr(f, "reveal", func() (*ampersand.Credentials, error) {
		return f.Host.Reveal(ctx, project, id, d)
	})
}

func (f *failingHost) Refresh(ctx context.Context, project, id string, force bool) error {
	if err := f.fail("refresh"); err != nil {
		return err
	}
	return f.Host.Refresh(ctx, project, id, force)
}

func (f *failingHost) Generate(
	ctx context.Context, project string, n ampersand.NewConnection,
) (*ampersand.Connection, error) {
	return failOr(f, "generate", func() (*ampersand.Connection, error) {
		return f.Host.Generate(ctx, project, n)
	})
}

func (f *failingHost) Update(
	ctx context.Context, project, id string, u ampersand.ConnectionUpdate,
) (*ampersand.Connection, error) {
	return failOr(f, "update", func() (*ampersand.Connection, error) {
		return f.Host.Update(ctx, project, id, u)
	})
}

func (f *failingHost) Delete(
	ctx context.Context, project, id string, inUse func(context.Context) (bool, error),
) error {
	if err := f.fail("delete"); err != nil {
		return err
	}
	return f.Host.Delete(ctx, project, id, inUse)
}

func (f *failingHost) Provider(ctx context.Context, name string) (*ampersand.Provider, error) {
	return failOr(f, "provider", func() (*ampersand.Provider, error) {
		return f.Host.Provider(ctx, name)
	})
}

func (f *failingHost) Operations(
	context.Context, string, string, int, string,
) ([]json.RawMessage, string, error) {
	const one = `{"id":"op-1","configId":"config-1","actionType":"read","status":"success"}`
	bad := json.RawMessage(`{"id":7}`) // no client could read the page with it
	return []json.RawMessage{bad, json.RawMessage(one)}, "page-2", f.fail("operations")
}

func (f *failingHost) Backfill(
	context.Context, string, string, string,
) (json.RawMessage, error) {
	progress := json.RawMessage(`{"operationId":"op-1","recordsProcessed":7}`)
	return progress, f.fail("backfill")
}

func (f *failingHost) ConnectURL(
	context.Context, string, ampersand.NewConnection,
) (string, error) {
	return "https://host.example/consent", f.fail("oauth")
}

func (f *failingHost) UpdateURL(context.Context, string, string) (string, error) {
	return "https://host.example/consent", f.fail("oauthAgain")
}

func (f *failingHost) Connect(
	ctx context.Context, project string, n ampersand.NewConnection,
) (*ampersand.Connection, *ampersand.Visit, error) {
	if err := f.fail("custom"); err != nil {
		return nil, nil, err
	}
	return f.Host.Connect(ctx, project, n)
}

func (f *failingHost) ProviderApps(
	context.Context, string,
) ([]*installation.ProviderApp, error) {
	return nil, f.fail("apps")
}

func (f *failingHost) ObjectMetadata(
	context.Context, ampersand.ObjectRequest,
) (json.RawMessage, error) {
	return json.RawMessage(`{"fields":{}}`), f.fail("metadata")
}
