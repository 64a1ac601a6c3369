// Package memory is a host for the handler of package ampersand that keeps everything in memory. It
// is for development and tests: credentials are in plain text, and are lost when the process ends.
package memory

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
)

// Host implements all interfaces of a host: [ampersand.Identities], [ampersand.Projects],
// [ampersand.Connections], and those of the options of a handler. It is safe for concurrent use.
type Host struct {
	now func() time.Time

	mu        sync.RWMutex
	projects  []*project
	apiKeys   map[[sha256.Size]byte]ampersand.APIKey // by the hash of the key
	keys      map[string]ampersand.PublicKey         // by key id
	providers map[string]ampersand.Provider          // by name
	flows     map[string]flow                        // by the state in the URL; see Consent
	consent   string                                 // URL of Consent

	// deleting is locked while a connection is deleted. Lookups wait until the deletion ends, as
	// [ampersand.Connections] requires.
	deleting sync.RWMutex
}

// project is a project with its content.
type project struct {
	ampersand.Project
	integrations []ampersand.Integration
	groups       map[string]installation.Account  // by groupRef
	consumers    map[string]installation.Consumer // by consumerRef
	connections  []*connection                    // oldest first
	apps         []*installation.ProviderApp
	reveals      []Reveal
}

type connection struct {
	ampersand.Connection
	credentials ampersand.Credentials
}

// Reveal records that the credentials of a connection were shown.
type Reveal struct {
	ampersand.Disclosure
	Connection string // id
	At         time.Time
}

// New returns a host without projects. now is the clock of the host; nil = time.Now.
func New(now func() time.Time) *Host {
	if now == nil {
		now = time.Now
	}
	return &Host{
		now: now, apiKeys: make(map[[sha256.Size]byte]ampersand.APIKey),
		keys:      make(map[string]ampersand.PublicKey),
		providers: make(map[string]ampersand.Provider), flows: make(map[string]flow),
	}
}

// Host returns h in the form that [ampersand.NewHandler] takes.
func (h *Host) Host() ampersand.Host {
	return ampersand.Host{Identities: h, Projects: h, Connections: h}
}

// AddProject adds a project, whose id and name must be new.
func (h *Host) AddProject(p ampersand.Project) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.projects = append(h.projects, &project{
		Project: p, groups: make(map[string]installation.Account),
		consumers: make(map[string]installation.Consumer),
	})
}

// AddAPIKey adds a key for a project. The host stores only a hash of it.
func (h *Host) AddAPIKey(key crypto.Secret, k ampersand.APIKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.apiKeys[hash(key)] = k
}

// AddPublicKey adds the public key with this ID. It verifies tokens of a project.
func (h *Host) AddPublicKey(id, project string, key *rsa.PublicKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys[id] = ampersand.PublicKey{Project: project, Key: key}
}

// AddProvider adds or replaces a provider.
func (h *Host) AddProvider(p ampersand.Provider) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.providers[p.Name] = p
}

// SetIntegration adds an integration to a project, or replaces the one with the same ID. It does
// nothing if there is no such project.
func (h *Host) SetIntegration(project string, i ampersand.Integration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.find(project)
	if p == nil {
		return
	}
	for at, old := range p.integrations {
		if old.ID == i.ID {
			p.integrations[at] = i
			return
		}
	}
	p.integrations = append(p.integrations, i)
}

// find returns the project with this ID or name, or nil if none matches.
func (h *Host) find(idOrName string) *project {
	for _, p := range h.projects {
		if p.ID == idOrName || p.Name == idOrName {
			return p
		}
	}
	return nil
}

func hash(key crypto.Secret) [sha256.Size]byte {
	text := key.Reveal()
	defer clear(text)
	return sha256.Sum256(text)
}

// APIKey implements [ampersand.Identities].
func (h *Host) APIKey(_ context.Context, key crypto.Secret) (*ampersand.APIKey, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return found(h.apiKeys[hash(key)])
}

// PublicKey implements [ampersand.Identities].
func (h *Host) PublicKey(_ context.Context, id string) (*ampersand.PublicKey, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return found(h.keys[id])
}

// found returns a pointer to v. If v is the zero value, found returns [ampersand.ErrNotFound].
func found[T comparable](v T) (*T, error) {
	var zero T
	if v == zero {
		return nil, ampersand.ErrNotFound
	}
	return &v, nil
}

// Project implements [ampersand.Projects].
func (h *Host) Project(_ context.Context, idOrName string) (*ampersand.Project, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if p := h.find(idOrName); p != nil {
		return found(p.Project)
	}
	return nil, ampersand.ErrNotFound
}

// Integrations implements [ampersand.Projects]; they are in the order in which they were added.
func (h *Host) Integrations(_ context.Context, project string) ([]*ampersand.Integration, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	p := h.find(project)
	if p == nil {
		return nil, ampersand.ErrNotFound
	}
	var all []*ampersand.Integration
	for _, i := range p.integrations {
		all = append(all, &i)
	}
	return all, nil
}

// Integration implements [ampersand.Projects].
func (h *Host) Integration(
	ctx context.Context, project, id string,
) (*ampersand.Integration, error) {
	all, err := h.Integrations(ctx, project)
	for _, i := range all {
		if i.ID == id {
			return i, nil
		}
	}
	return nil, cmp.Or(err, ampersand.ErrNotFound)
}

// Hydrated implements [ampersand.Projects]. It returns the latest revision unchanged, since there
// is no provider to ask.
func (h *Host) Hydrated(
	ctx context.Context, project, integration, revision string, _ *ampersand.Connection,
) (*ampersand.Revision, error) {
	i, err := h.Integration(ctx, project, integration)
	if err != nil || i.Latest.ID != revision {
		return nil, ampersand.ErrNotFound
	}
	return &i.Latest, nil
}

// Provider implements [ampersand.Catalogue].
func (h *Host) Provider(_ context.Context, name string) (*ampersand.Provider, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if p, ok := h.providers[name]; ok {
		return &p, nil
	}
	return nil, ampersand.ErrNotFound
}

// IDs of the content of [Demo].
const (
	DemoProject     = "project-456"
	DemoProjectName = "harbor-app"
	DemoIntegration = "integration-789"
	DemoGroup       = "group-123"
	DemoConsumer    = "consumer-123"
)

// Demo returns a host with a project to try. The project has an integration with Salesforce, a
// consumer with connections to Salesforce and HubSpot, and apiKey. now is the clock of the host;
// nil = time.Now.
func Demo(apiKey crypto.Secret, now func() time.Time) *Host {
	h := New(now)
	h.AddProject(ampersand.Project{
		ID: DemoProject, Name: DemoProjectName, AppName: "Harbor", OrgID: "org-harbor",
		Created: h.now(),
	})
	h.AddAPIKey(apiKey, ampersand.APIKey{Project: DemoProject, ID: "demo"})
	made := h.now()
	for _, p := range []ampersand.Provider{
		{
			Name: "salesforce", Scheme: ampersand.SchemeAuthorizationCode,
			Info: json.RawMessage(`{"displayName":"Salesforce"}`),
		},
		{Name: "hubspot", Info: json.RawMessage(`{"displayName":"HubSpot"}`)},
		{Name: "anthropic", Scheme: ampersand.SchemeAPIKey},
		{Name: "freshdesk", Scheme: ampersand.SchemeBasic},
		{Name: "marketo", Scheme: ampersand.SchemeClientCredentials},
	} {
		h.AddProvider(p)
	}
	h.SetIntegration(DemoProject, ampersand.Integration{
		ID: DemoIntegration, Name: "crm-sync", Provider: "salesforce", Created: made,
		Latest: ampersand.Revision{
			ID: "revision-123", Created: made, Content: json.RawMessage(demoManifest),
		},
	})
	h.AddApp(DemoProject, installation.ProviderApp{
		ID: "app-salesforce", Provider: "salesforce", ClientID: "harbor-client",
		Scopes: []string{"api", "refresh_token"}, Created: made,
	})
	for _, provider := range []string{"salesforce", "hubspot"} {
		h.AddConnection(DemoProject, "connection-"+provider, demoConnection(provider, made))
	}
	return h
}

// demoManifest reads two objects. A page offers the optional fields, and a request can select any.
const demoManifest = `{"name":"crm-sync","displayName":"CRM sync","provider":"salesforce",` +
	`"read":{"objects":[` +
	`{"objectName":"account","destination":"accountHook","schedule":"*/30 * * * *",` +
	`"requiredFields":[{"fieldName":"name"}],` +
	`"optionalFields":[{"fieldName":"website"}],"optionalFieldsAuto":"all"},` +
	`{"objectName":"contact","destination":"contactHook","schedule":"*/30 * * * *",` +
	`"requiredFields":[{"fieldName":"email"}],` +
	`"optionalFields":[{"fieldName":"name"},{"fieldName":"phone"}],"optionalFieldsAuto":"all"}]},` +
	`"proxy":{"enabled":true}}`

// Sample implements [ampersand.Sampler]. It accepts everything, since there is no provider to ask.
func (h *Host) Sample(context.Context, ampersand.Sample) error { return nil }
