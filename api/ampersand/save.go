package ampersand

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"

	"github.com/google/uuid"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
)

// change is what a request changes in an installation. Zero fields change nothing.
type change struct {
	guard        installation.Guard
	integration  *Integration
	inst         *installation.Installation // as it was read last, or saved
	connectionID string
	connection   *Connection              // with connectionID
	replaced     *installation.Connection // what connection replaced, with plain secrets
	createdBy    string                   // of the configuration
	ops          []installation.Operation
	edits        []edit // with a mask: what ops do, in a form for sampling
}

// edit replaces the value at a path in the content.
type edit struct {
	kind  masked.OpKind // Put, or Set if the place must exist
	path  []string      // names of members, outermost first
	value *jsontree.Node
}

func (e edit) operation() installation.Operation {
	text := e.value.Append(nil)
	defer clear(text)
	return operation.New(e.kind, jsontree.JoinPointer(e.path...), crypto.SecretFromBytes(text))
}

// load reads the installation to change, its integration and the condition of the request.
func (ch *change) load(c *call, id string) (err error) {
	if ch.guard, err = httpapi.Condition(c.Request); err != nil {
		return err
	}
	if ch.integration, err = c.integration(); err != nil {
		return err
	}
	if ch.inst, err = c.find(id); err != nil {
		return err
	}
	if ch.guard.Revision != 0 && ch.guard.Revision != ch.inst.Revision {
		return installation.ErrConflict
	}
	return nil
}

// save applies a change to its installation and stores the result. If another writer was faster,
// save reads the installation again and retries, unless the guard has a revision.
func (h *Handler) save(c *call, ch *change) error {
	return h.retryOnConflict(c, ch.inst.ID, ch.guard, func(attempt int) (err error) {
		if attempt > 0 {
			if ch.inst, err = c.find(ch.inst.ID); err != nil {
				return err
			}
		}
		req := installation.PatchRequest{Guard: ch.guard, ID: ch.inst.ID, Operations: ch.ops}
		if err := ch.setConnection(c, &req); err != nil {
			return err
		}
		if err := ch.addNotes(&req); err != nil {
			return err
		}
		res, err := c.svc.Patch(c.Context(), req)
		if err == nil {
			ch.inst = res.Installation
		}
		return err
	})
}

// setConnection adds the new connection to a request. A host can have stored secrets in the
// connection of an installation. The same connection keeps them, so it is not written again. Those
// of another connection are opened first, because a mask could not bring them back.
func (ch *change) setConnection(c *call, req *installation.PatchRequest) error {
	if ch.connection == nil {
		return nil
	}
	ch.replaced = ch.inst.Connection
	if slices.ContainsFunc(ch.inst.Sealed, func(ref installation.Ref) bool {
		return ref.Kind() == "credential" || ref.Kind() == "connection"
	}) {
		if ch.connection.ID == connectionID(ch.inst) {
			return nil
		}
		req.Revision = ch.inst.Revision
		opened, err := c.hostSvc.Open(c.Context(), installation.OpenRequest{
			ID: ch.inst.ID, Revision: ch.inst.Revision,
			Reason: "to restore the connection if the new one is deleted meanwhile",
		})
		if err != nil {
			return err
		}
		defer opened.Close()
		if ch.replaced, err = opened.Credentials(); err != nil {
			return err
		}
	}
	req.Connection = installation.Value(ch.connection.stored())
	return nil
}

// retryOnConflict calls write until write does not conflict with another writer. If the guard has a
// revision, retryOnConflict calls write once. It holds the lock of the installation meanwhile.
func (h *Handler) retryOnConflict(
	c *call, id string, guard installation.Guard, write func(attempt int) error,
) error {
	unlock, err := h.locks.lock(c.Context(), id)
	if err != nil {
		return err
	}
	defer unlock()
	for attempt := 0; ; attempt++ {
		if err := write(attempt); guard.Revision != 0 || !httpapi.Raced(err) {
			return err
		}
	}
}

// confirmSwap fails if the new connection of an updated installation was deleted meanwhile. It then
// restores the connection that the update replaced, with its secrets.
func (h *Handler) confirmSwap(c *call, ch *change) error {
	if ch.connection == nil {
		return nil
	}
	gone := h.checkConnection(c, ch.connection.ID)
	if gone == nil || ch.replaced == nil || ch.replaced.ID == ch.connection.ID {
		return gone
	}
	_, err := c.hostSvc.Patch(c.Context(), installation.PatchRequest{
		Guard: installation.Guard{Revision: ch.inst.Revision}, ID: ch.inst.ID,
		Parts: installation.Parts{Connection: installation.Value(*ch.replaced)},
	})
	if err != nil && !httpapi.Raced(err) {
		return err
	}
	return gone
}

// notes are fields of answers that [installation.Installation] has no fields for. They are members
// of Installation.Extra, which can also have members of the host.
//
// Each change of the content makes a new configuration for the platform. The field config.id of
// answers is Configuration.RevisionID of the service. The field config.revisionId is the revision
// of the integration, and is in the notes.
type notes struct {
	CreatedBy string      `json:"createdBy"` // of the installation
	Config    configNotes `json:"config"`
}

type configNotes struct {
	RevisionID string `json:"revisionId"`
	CreatedBy  string `json:"createdBy"`
}

// notesOf returns the notes of an installation. They are empty if the host made the installation.
func notesOf(inst *installation.Installation) notes {
	var n notes
	if inst.Extra.Decode(&n) != nil {
		return notes{}
	}
	return n
}

// members returns the notes for [httpapi.WithMembers].
func (n notes) members() map[string]any {
	return map[string]any{"createdBy": n.CreatedBy, "config": n.Config}
}

// addNotes adds notes to a request if they change. A write replaces Extra as a whole. So addNotes
// also sets the revision of the request: if another writer changes Extra, the request fails.
func (ch *change) addNotes(req *installation.PatchRequest) error {
	inst, conf := ch.inst, ch.inst.Configuration
	if len(ch.ops) == 0 && ch.createdBy == "" || conf == nil {
		return nil
	}
	n := notesOf(inst)
	before := n
	creator := cmp.Or(n.Config.CreatedBy, conf.CreatedBy)
	n.Config = configNotes{ch.integration.Latest.ID, cmp.Or(ch.createdBy, creator)}
	if n == before {
		return nil
	}
	extra, err := httpapi.WithMembers(inst.Extra, n.members())
	if err != nil {
		return err
	}
	req.Revision, req.Extra = inst.Revision, extra
	if n.Config.CreatedBy != creator {
		// A new creator makes a new configuration, even with the same content.
		req.Configuration = installation.Value(installation.Configuration{
			ID: conf.ID, RevisionID: uuid.NewString(), CreatedBy: ch.createdBy,
			Document: conf.Document,
		})
	}
	return nil
}

// lockset has the locks of installations. A writer locks an installation, so that no other writer
// of this process works on the installation at the same time. Without locks, most attempts of many
// concurrent writers would fail with conflicts. Several installations share a lock, so some writers
// wait without need.
type lockset struct {
	seed  maphash.Seed
	locks [64]chan struct{} // full while locked
}

func newLockset() *lockset {
	l := &lockset{seed: maphash.MakeSeed()}
	for i := range l.locks {
		l.locks[i] = make(chan struct{}, 1)
	}
	return l
}

// lock waits for the lock of an installation until the context ends.
func (l *lockset) lock(ctx context.Context, id string) (unlock func(), err error) {
	lock := l.locks[maphash.String(l.seed, id)%uint64(len(l.locks))]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
