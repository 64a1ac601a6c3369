package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
)

// AddConnection adds a connection with an ID. It does nothing if there is no such project.
func (h *Host) AddConnection(project, id string, n ampersand.NewConnection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.find(project); p != nil {
		h.add(p, id, n).Status = ampersand.ConnectionWorking
	}
}

// SetStatus sets the status of a connection. It does nothing if there is no such connection.
func (h *Host) SetStatus(project, id string, s ampersand.ConnectionStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, _ := h.connection(project, id); c != nil {
		c.Status = s
	}
}

// Reveals returns one record for each time that credentials of a project were shown, oldest first.
func (h *Host) Reveals(project string) []Reveal {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if p := h.find(project); p != nil {
		return slices.Clone(p.reveals)
	}
	return nil
}

// add makes a connection, and its group and consumer if they are new.
func (h *Host) add(p *project, id string, n ampersand.NewConnection) *connection {
	now := h.now()
	n.Group.Created = cmp.Or(n.Group.Created, now)
	n.Consumer.Created = cmp.Or(n.Consumer.Created, now)
	c := &connection{
		Connection: ampersand.Connection{
			ID: id, Provider: n.Provider, Scheme: n.Scheme, Status: ampersand.ConnectionCreated,
			Group:        first(p.groups, n.Group.ID, n.Group),
			Consumer:     first(p.consumers, n.Consumer.ID, n.Consumer),
			WorkspaceRef: n.WorkspaceRef, Metadata: maps.Clone(n.Metadata), Created: now,
		},
		credentials: n.Credentials,
	}
	p.connections = append(p.connections, c)
	return c
}

// first returns the value of a key in m. If m lacks the key, it stores v and returns v.
func first[V any](m map[string]V, key string, v V) V {
	if old, ok := m[key]; ok {
		return old
	}
	m[key] = v
	return v
}

// connection returns a connection and its project, or nil if one of them does not exist.
func (h *Host) connection(projectID, id string) (*connection, *project) {
	p := h.find(projectID)
	if p == nil {
		return nil, nil
	}
	for _, c := range p.connections {
		if c.ID == id {
			return c, p
		}
	}
	return nil, nil
}

// public returns a copy of the connection without its credentials.
func (c *connection) public() *ampersand.Connection {
	out := c.Connection
	out.Metadata = maps.Clone(c.Metadata)
	return &out
}

// Connection implements [ampersand.Connections].
func (h *Host) Connection(_ context.Context, project, id string) (*ampersand.Connection, error) {
	h.deleting.RLock()
	defer h.deleting.RUnlock()
	h.mu.RLock()
	defer h.mu.RUnlock()
	if c, _ := h.connection(project, id); c != nil {
		return c.public(), nil
	}
	return nil, ampersand.ErrNotFound
}

// Connections implements [ampersand.Connections].
func (h *Host) Connections(
	_ context.Context, project string, f ampersand.ConnectionFilter,
) ([]*ampersand.Connection, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	p := h.find(project)
	if p == nil {
		return nil, ampersand.ErrNotFound
	}
	is := func(want, have string) bool { return want == "" || want == have }
	var all []*ampersand.Connection
	for _, c := range p.connections {
		if is(f.Provider, c.Provider) && is(f.Group, c.Group.ID) &&
			is(f.Consumer, c.Consumer.ID) {
			all = append(all, c.public())
		}
	}
	return all, nil
}

// Generate implements [ampersand.Connections]. It accepts any credentials.
func (h *Host) Generate(
	_ context.Context, project string, n ampersand.NewConnection,
) (*ampersand.Connection, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.find(project)
	if p == nil {
		return nil, ampersand.ErrNotFound
	}
	return h.add(p, uuid.NewString(), n).public(), nil
}

// Update implements [ampersand.Connections].
func (h *Host) Update(
	_ context.Context, project, id string, u ampersand.ConnectionUpdate,
) (*ampersand.Connection, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, _ := h.connection(project, id)
	if c == nil {
		return nil, ampersand.ErrNotFound
	}
	if u.WorkspaceRef != nil {
		c.WorkspaceRef = *u.WorkspaceRef
	}
	if u.Metadata != nil {
		c.Metadata = maps.Clone(u.Metadata)
	}
	if has(u.Credentials) {
		c.credentials, c.Status = u.Credentials, ampersand.ConnectionCreated
	}
	c.Updated = h.now()
	return c.public(), nil
}

func has(c ampersand.Credentials) bool {
	return c.AuthorizationCode != nil || !c.APIKey.IsZero() || c.Basic != nil ||
		c.ClientCredentials != nil || c.Password != nil || c.Custom != nil
}

// Refresh implements [ampersand.Connections]. It generates the token, since there is no provider to
// ask.
func (h *Host) Refresh(_ context.Context, project, id string, force bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, _ := h.connection(project, id)
	if c == nil {
		return ampersand.ErrNotFound
	}
	code, now := c.credentials.AuthorizationCode, h.now()
	if code == nil || !force &&
		(code.AccessToken.Expires.IsZero() || now.Before(code.AccessToken.Expires)) {
		return nil
	}
	fresh := *code
	fresh.AccessToken = accessToken(now)
	c.credentials.AuthorizationCode = &fresh
	c.Status, c.Updated = ampersand.ConnectionCreated, now
	return nil
}

// Reveal implements [ampersand.Connections]. It records each call; see [Host.Reveals].
func (h *Host) Reveal(
	_ context.Context, project, id string, d ampersand.Disclosure,
) (*ampersand.Credentials, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, p := h.connection(project, id)
	if c == nil {
		return nil, ampersand.ErrNotFound
	}
	p.reveals = append(p.reveals, Reveal{Disclosure: d, Connection: id, At: h.now()})
	out := c.credentials
	return &out, nil
}

// Delete implements [ampersand.Connections].
func (h *Host) Delete(
	ctx context.Context, project, id string, inUse func(context.Context) (bool, error),
) error {
	h.deleting.Lock()
	defer h.deleting.Unlock()
	h.mu.RLock()
	c, p := h.connection(project, id)
	h.mu.RUnlock()
	if c == nil {
		return ampersand.ErrNotFound
	}
	if used, err := inUse(ctx); err != nil {
		return err
	} else if used {
		return ampersand.ErrInUse
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.connections = slices.DeleteFunc(p.connections, func(c *connection) bool { return c.ID == id })
	return nil
}

// accessToken generates a token that expires in an hour.
func accessToken(now time.Time) installation.Token {
	value := crypto.NewSecret("access-" + rand.Text())
	return installation.Token{Value: value, Issued: now, Expires: now.Add(time.Hour)}
}

// demoConnection returns the demo consumer's connection to a provider.
func demoConnection(provider string, made time.Time) ampersand.NewConnection {
	return ampersand.NewConnection{
		Provider: provider, Scheme: ampersand.SchemeAuthorizationCode,
		WorkspaceRef: "harbor-" + provider,
		Group:        installation.Account{ID: DemoGroup, Name: "Harbor Foods", Created: made},
		Consumer:     installation.Consumer{ID: DemoConsumer, Name: "Mara Lind", Created: made},
		Credentials: ampersand.Credentials{AuthorizationCode: &ampersand.AuthorizationCode{
			AccessToken: accessToken(made),
			RefreshToken: installation.Token{
				Value: crypto.NewSecret("refresh-" + rand.Text()), Issued: made,
			},
			Scopes: []string{"api", "refresh_token"},
		}},
	}
}
