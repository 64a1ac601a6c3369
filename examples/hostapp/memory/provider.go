package memory

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
)

// AddApp adds a provider app to a project. It does nothing if there is no such project.
func (h *Host) AddApp(project string, a installation.ProviderApp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.find(project); p != nil {
		p.apps = append(p.apps, &a)
	}
}

// ProviderApps implements [ampersand.ProviderApps].
func (h *Host) ProviderApps(
	_ context.Context, project string,
) ([]*installation.ProviderApp, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	p := h.find(project)
	if p == nil {
		return nil, ampersand.ErrNotFound
	}
	var all []*installation.ProviderApp
	for _, a := range p.apps {
		copied := *a
		all = append(all, &copied)
	}
	return all, nil
}

// demoFields are the fields of the objects that ObjectMetadata knows, with their names to display.
var demoFields = map[string]map[string]string{
	"account": {"name": "Account Name", "website": "Website", "createdat": "Created"},
	"contact": {"email": "Email", "name": "Full Name", "phone": "Phone", "createdat": "Created"},
}

// ObjectMetadata implements [ampersand.ObjectMetadata] for the objects account and contact of any
// provider. The field createdat is read-only.
func (h *Host) ObjectMetadata(
	_ context.Context, r ampersand.ObjectRequest,
) (json.RawMessage, error) {
	names := demoFields[r.Object]
	if names == nil {
		return nil, ampersand.ErrNotFound
	}
	fields := make(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		readOnly := name == "createdat"
		if !readOnly || !r.ExcludeReadOnly {
			fields[name] = map[string]any{
				"displayName": names[name], "valueType": "string", "readOnly": readOnly,
			}
		}
	}
	return json.Marshal(map[string]any{"fields": fields})
}

// Connect implements [ampersand.CustomAuth]. It accepts any credentials at once.
func (h *Host) Connect(
	ctx context.Context, project string, n ampersand.NewConnection,
) (*ampersand.Connection, *ampersand.Visit, error) {
	c, err := h.Generate(ctx, project, n)
	return c, nil, err
}

// Continue implements [ampersand.CustomAuth]. No connection needs a visit, so no session exists.
func (h *Host) Continue(
	context.Context, string, string, map[string]string, ampersand.ConnectionFilter,
) (*ampersand.Connection, *ampersand.Visit, error) {
	return nil, nil, ampersand.ErrNotFound
}
