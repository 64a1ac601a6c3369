package installation

import (
	"context"
	"fmt"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/accesslog"
	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/opened"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/internal/vault"
	"github.com/go-installation/installation/validate"
)

// OpenRequest is the request of [Service.Open].
type OpenRequest struct {
	ID     string
	Reason string // for the event; required

	// Revision is the revision to open. If the present revision differs, the error is
	// [ErrConflict]. 0 = the present revision.
	Revision int64
}

func (req OpenRequest) guard() Guard { return Guard{Present: true, Revision: req.Revision} }

func (req OpenRequest) check(l *validate.List) { checkReason(l, req.Reason) }

func checkReason(l *validate.List, reason string) {
	l.Required("reason", reason != "")
	l.Text("reason", reason, validate.MaxMessage)
}

// Opened is an installation with its plain secrets, both of one revision. Close it after use. No
// printer, encoder or logger shows its secrets. Its methods are safe for concurrent use.
type Opened struct {
	*Installation // masked, as Get returns it

	secrets       *opened.Secrets
	configuration Document // as it is stored
	hidden        bool     // the actor may not see the configuration
	metadata      Document // as it is stored
	connection    []byte   // masked, in its stored form; nil = none
	view          lease.View
	renewAt       time.Time
	revoked       bool // no revocation is due
}

// Open returns an installation and its secrets, for a program that uses them: one that calls a
// service with a stored key, for example. Document and secrets are of one revision, so a program
// never sends a secret to the address of another revision. Open needs the right to reveal, and a
// reason.
//
// The first Open of an installation by an actor in Options.AccessInterval commits an event before
// it returns. Later ones record nothing, and make one read. The caller must call [Opened.Close].
//
// Errors: [ErrInvalid], [ErrNotFound], [ErrForbidden], [ErrConflict] if OpenRequest.Revision is not
// the present revision, [ErrSealed] if a secret does not open, [ErrShredded], [ErrUnsupported] in a
// transaction of the host, and those of keys and of the store.
func (s *Service) Open(ctx context.Context, req OpenRequest) (*Opened, error) {
	return s.openFor(ctx, "open", req)
}

// openFor is Open as a part of a method, which is "" if the caller adds its name to errors.
func (s *Service) openFor(ctx context.Context, method string, req OpenRequest) (*Opened, error) {
	w := write{method: method, id: req.ID}
	if err := s.outsideTransaction(); err != nil {
		return nil, w.explain(err)
	}
	if o := s.openAgain(ctx, req); o != nil {
		return o, nil
	}
	o := &Opened{}
	done := func(bool) {}
	recorded := false
	defer func() { done(recorded) }()
	res, err := s.write(ctx, write{
		method: method, id: req.ID, guard: req.guard(),
		check: req.check, actions: []Action{ActionReveal},
		apply: func(ctx context.Context, d *draft) (err error) {
			done(false) // of an attempt that lost a race
			if err := s.fill(o, &d.snapshot, d.namespace, d.now); err != nil {
				return err
			}
			key := s.accessKey(d.namespace, &d.snapshot)
			var due bool
			due, done, err = s.accesses.Begin(ctx, key, d.now, s.opts.AccessInterval)
			if due {
				d.reason, d.effect = req.Reason, effectEvent
				d.events = append(d.events, event.Opened)
			}
			return err
		},
	})
	if err != nil {
		o.secrets.Wipe()
		return nil, err
	}
	recorded, o.Installation = true, res.Installation
	return o, nil
}

// openAgain is Open for an access that was recorded before. It makes one read. It returns nil if
// Open has to record the access or return an error.
func (s *Service) openAgain(ctx context.Context, req OpenRequest) *Opened {
	if s.admit(checkID(req.ID), req.guard().checkGuard, req.check) != nil {
		return nil
	}
	in, err := s.namespace(ctx)
	if err != nil {
		return nil
	}
	snap, err := s.load(ctx, req.ID)
	if err != nil {
		return nil
	}
	defer snap.wipe()
	now, o := s.now(), &Opened{}
	if snap.inst == nil || snap.unvouched || s.allow(snap.inst, ActionReveal) != nil ||
		req.guard().compare(snap) != nil ||
		!s.accesses.Recorded(s.accessKey(in, snap), now, s.opts.AccessInterval) {
		return nil
	}
	if s.fill(o, snap, in, now) != nil {
		return nil
	}
	o.Installation = s.show(ctx, snap, now)
	return o
}

// maxAccesses bounds the bytes of the accesses that a process remembers, see
// Options.AccessInterval.
const maxAccesses = 1 << 20

func (s *Service) accessKey(in Namespace, snap *snapshot) accesslog.Key {
	return accesslog.Key{
		Era: in.Era, Tenant: snap.key.Tenant, ID: snap.key.ID, Generation: snap.stored.Generation,
		Kind: string(s.actor.Kind), Actor: s.actor.ID, User: s.actor.User.ID,
	}
}

// checkGrace returns ErrShredded if the secrets should have been purged by now.
func (snap *snapshot) checkGrace(now time.Time) error {
	if snap.lifecycle.status == StatusUninstalled && !now.Before(snap.lifecycle.purgeAt) {
		return ErrShredded // Sweep has not purged it yet
	}
	return nil
}

// fill opens all secrets of a snapshot. On an error o has none.
func (s *Service) fill(o *Opened, snap *snapshot, in Namespace, now time.Time) error {
	o.secrets.Wipe()
	if err := snap.checkGrace(now); err != nil {
		return err
	}
	o.secrets = opened.New(len(snap.body.Values))
	for _, v := range snap.body.Values {
		text, err := snap.dataKey.Open(nil, vault.Place(bindingOf(snap.key), v.Ref), v.Sealed)
		if err != nil {
			o.secrets.Wipe()
			return fmt.Errorf("%s: %w", redact.Path(v.Ref), ErrSealed)
		}
		o.secrets.Add(v.Ref, text)
	}
	o.hidden = !s.can(ActionSeeConfiguration, snap.inst)
	o.configuration, o.metadata, o.connection = Document{}, Document{}, nil
	if c := snap.inst.Configuration; c != nil {
		o.configuration = c.Document
	}
	if c := snap.inst.Connection; c != nil {
		o.metadata, o.connection = c.Metadata, record.Append(nil, c, codeConnection)
	}
	o.view, o.renewAt = snap.leaseView(in), snap.lifecycle.renewAt
	o.revoked = snap.lifecycle.revokeAt.IsZero()
	return nil
}

// leaseView returns what the protocol of the lease needs to know of the snapshot.
func (snap *snapshot) leaseView(in Namespace) lease.View {
	v := lease.View{
		State: snap.lifecycle.refresh, Generation: snap.stored.Generation, Epoch: in.Epoch,
	}
	for _, e := range snap.table {
		v.Newest = max(v.Newest, e.Number)
		switch Ref(e.Ref) {
		case accessToken:
			v.Token = e.Number
		case refreshToken:
			v.Credential = e.Number
		}
	}
	if c := snap.inst.Connection; c != nil {
		v.Provider = c.Provider
	}
	return v
}

// Close overwrites the secrets that o holds. Decode, DecodePlain and Credentials then fail. What
// they returned before stays as it is. Close can be repeated, and always returns nil.
func (o *Opened) Close() error {
	o.secrets.Wipe()
	return nil
}

// Decode decodes the configuration into v, which is a pointer, by the rules of [json.Unmarshal]. A
// secret goes into a [crypto.Secret], which prints as "***". It holds the string itself if the
// stored JSON is a string, else its JSON text. If v has another type at the place of a secret, such
// as a string or any, Decode returns an error and leaves v as it is; see [Opened.DecodePlain]. A
// type with a method UnmarshalJSON has to keep secrets in a crypto.Secret too.
//
// Errors: [ErrNotFound] if there is no configuration, [ErrForbidden] if the actor has no right to
// see it. No error quotes a value.
func (o *Opened) Decode(v any) error {
	if err := o.checkConfiguration(); err != nil {
		return err
	}
	return o.secrets.Decode(kindConfig, o.configuration.masked, v)
}

// DecodePlain is Decode for a v that has strings, numbers or other types at the places of secrets.
// They get the plain values, which every printer, encoder and logger shows.
func (o *Opened) DecodePlain(v any) error {
	if err := o.checkConfiguration(); err != nil {
		return err
	}
	return o.secrets.DecodePlain(kindConfig, o.configuration.masked, v)
}

func (o *Opened) checkConfiguration() error {
	switch {
	case o.hidden:
		return fmt.Errorf("%w: no right to see the configuration", ErrForbidden)
	case o.configuration.IsZero():
		return fmt.Errorf("%w: the installation has no configuration", ErrNotFound)
	}
	return nil
}

// Credentials returns a copy of the connection with plain tokens and API key, each a
// [crypto.Secret], and with plain Metadata. All of them print as "***".
//
// Errors: [ErrNotFound] if there is no connection.
func (o *Opened) Credentials() (*Connection, error) {
	if o.connection == nil {
		return nil, fmt.Errorf("%w: the installation has no connection", ErrNotFound)
	}
	c := new(Connection)
	if record.Decode(o.connection, c, codeConnection) != nil {
		return nil, ErrSealed
	}
	for _, credential := range c.credentials() {
		value, ok, err := o.secrets.Value(string(refOf(kindCredential, credential.pointer)))
		if err != nil {
			return nil, err
		}
		if ok {
			*credential.value = value
		}
	}
	if !o.metadata.IsZero() {
		text, err := o.secrets.Fill(kindConnection, o.metadata.masked)
		if err != nil {
			return nil, err
		}
		c.Metadata = JSON(text)
		clear(text)
	}
	return c, nil
}

// RevealRequest is the request of [Service.Reveal].
type RevealRequest struct {
	ID     string
	Refs   []Ref  // which secrets, 1 to 256; see Installation.Sealed
	Reason string // for the event; required

	// Revision is the revision to read. If the present revision differs, the error is
	// [ErrConflict]. 0 = the present revision.
	Revision int64
}

// Revealed is one answer of [Service.Reveal].
type Revealed struct {
	Ref      Ref
	Revision int64         // of the installation when the secret was read
	Value    crypto.Secret // the string itself if the stored JSON is a string, else its JSON text
	Err      error         // ErrNotFound if no secret is stored there, ErrSealed if damaged
}

func (req RevealRequest) check(l *validate.List) {
	checkReason(l, req.Reason)
	l.Required("refs", len(req.Refs) > 0)
	l.Count("refs", len(req.Refs), maxReveal)
	for i, ref := range req.Refs {
		validate.Enum(l, fmt.Sprintf("refs[%d].kind", i), ref.Kind(),
			kindConfig, kindCredential, kindConnection, kindExtra)
		checkPointer(l, fmt.Sprintf("refs[%d].pointer", i), ref.Pointer())
	}
}

// maxReveal is the largest number of secrets that one Reveal can name.
const maxReveal = 256

// Reveal returns plain secrets of an installation, for a person who has to see them. A program that
// uses them calls [Service.Open]. Reveal needs a right of its own, a reason, and the [Ref] of each
// secret. Before it returns a value, it commits an event with the Refs of the revealed secrets.
//
// The answers are in the order of the request and of one revision. Each has its own error, so that
// one damaged secret does not hide the others: [ErrNotFound], or [ErrSealed].
//
// Errors: [ErrInvalid], [ErrNotFound], [ErrForbidden], [ErrConflict] if RevealRequest.Revision is
// not the present revision, [ErrShredded], [ErrUnsupported] in a transaction of the host, and those
// of keys and of the store.
func (s *Service) Reveal(ctx context.Context, req RevealRequest) ([]Revealed, error) {
	if err := s.outsideTransaction(); err != nil {
		return nil, fmt.Errorf("reveal %s: %w", req.ID, err)
	}
	var answers []Revealed
	_, err := s.write(ctx, write{
		method: "reveal", id: req.ID, guard: Guard{Present: true, Revision: req.Revision},
		check: req.check, actions: []Action{ActionReveal},
		apply: func(_ context.Context, d *draft) error {
			if err := d.checkGrace(d.now); err != nil {
				return err
			}
			answers = make([]Revealed, len(req.Refs))
			for i, ref := range req.Refs {
				answers[i] = d.reveal(ref)
				if answers[i].Err == nil {
					d.addChanged(string(ref))
				}
			}
			d.reason, d.effect = req.Reason, effectEvent
			d.events = append(d.events, event.Revealed)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (d *draft) reveal(ref Ref) Revealed {
	answer := Revealed{Ref: ref, Revision: d.stored.Revision}
	text, err := d.vault().Open(string(ref))
	switch {
	case !d.vault().Has(string(ref)):
		answer.Err = ErrNotFound
	case err != nil:
		answer.Err = ErrSealed
	default:
		answer.Value = opened.FromJSON(text)
	}
	clear(text)
	return answer
}
