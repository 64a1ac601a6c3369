package installation

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/validate"
)

// Upsert creates an installation, or changes the given parts of an existing one and leaves the
// rest. It installs an uninstalled or expired installation again, as a new generation that keeps
// only ID, name, extension and the time of creation. An invited installation stays invited.
//
// To change an installation only if it has not ended, use [Service.Patch], or name its generation
// in the guard. Otherwise Upsert installs it again. To install again what was not reported as
// uninstalled, set InstalledAt.
//
// A write that changes Account.ID must not keep a stored secret, because the secret was given for
// another account: it has to remove the secrets, give them again, or set MoveSecrets.
//
// A request that changes nothing writes nothing. Errors: [ErrInvalid], [ErrForbidden],
// [ErrNotFound] (the ID belongs to another actor), [ErrExists] (another live installation has the
// extension and account), [ErrConflict] and [ErrStale] from the guard, [ErrIdempotencyMismatch],
// and those of keys and of the store.
func (s *Service) Upsert(ctx context.Context, req UpsertRequest) (*Result, error) {
	return s.write(ctx, write{
		method: "upsert", request: req, guard: req.Guard,
		id: cmp.Or(req.ID, newID()), minted: req.ID == "",
		check: req.check(s.now), actions: req.actions(), access: accessKeyless,
		apply: func(ctx context.Context, d *draft) error {
			d.allowed = req.AllowDestination
			return s.upsert(ctx, d, req)
		},
	})
}

func (s *Service) upsert(ctx context.Context, d *draft, req UpsertRequest) error {
	what := event.Updated
	switch status := d.status(); {
	case !d.exists:
		what = event.Created
	case status.over():
		what = event.Installed
	case d.err != nil:
		return d.err
	}
	if d.exists && !req.InstalledAt.IsZero() {
		if newer, err := d.newInstall(req.InstalledAt); !newer {
			return err
		}
		what = event.Installed
	} else if what == event.Installed {
		if err := d.mayReinstall(req.Guard); err != nil {
			return err
		}
	}
	if what != event.Updated {
		if err := s.begin(ctx, d, StatusInstalled); err != nil {
			return err
		}
	}
	if err := s.applyParts(ctx, d, req.Parts); err != nil {
		return err
	}
	if err := d.checkMove(req.MoveSecrets); err != nil {
		return err
	}
	if d.created {
		d.inst.Audit.Installed = s.audit(d)
		d.inst.Audit.Installed.At = cmp.Or(storedTime(req.InstalledAt), d.now)
	} else if len(d.changed) == 0 {
		return nil
	}
	d.effect, d.events = effectSealed, append(d.events, what)
	d.recordRedirect()
	return nil
}

// Patch changes the given parts of an existing installation and applies operations to its
// configuration, and to the metadata and single credentials of its connection, all in one commit.
// It rejects an uninstalled or expired installation with [ErrConflict].
//
// Errors: those of [Service.Upsert], and [ErrNotFound] if nothing is stored under the ID.
func (s *Service) Patch(ctx context.Context, req PatchRequest) (*Result, error) {
	req.Present = true
	return s.write(ctx, write{
		method: "patch", request: req, guard: req.Guard, id: req.ID,
		check: req.check, actions: req.actions(), access: accessOpened,
		apply: func(ctx context.Context, d *draft) error {
			d.allowed = req.AllowDestination
			if status := d.status(); status.over() {
				return d.noMove(status, StatusInstalled)
			}
			if err := s.applyParts(ctx, d, req.Parts, req.Operations...); err != nil {
				return err
			}
			if err := d.checkMove(req.MoveSecrets); err != nil {
				return err
			}
			if len(d.changed) > 0 {
				d.effect, d.events = effectSealed, append(d.events, event.Updated)
				d.recordRedirect()
			}
			return nil
		},
	})
}

// addChanged adds the names of what was changed or revealed, for the event.
func (d *draft) addChanged(names ...string) {
	for _, name := range names {
		d.changed = append(d.changed, redact.Path(name))
	}
	slices.Sort(d.changed)
	d.changed = slices.Compact(d.changed)
}

// applyParts puts the given parts into the draft, applies the operations and seals the secrets. A
// part that equals the stored part changes nothing. The error lists the violations of all parts, or
// else those of the operations.
func (s *Service) applyParts(
	ctx context.Context, d *draft, p Parts, ops ...Operation,
) error {
	i, before := d.inst, *d.inst
	var l validate.List
	replaceValue(d, "name", p.Name, &i.Name)
	replaceValue(d, "health", p.Health, &i.Health)
	err := errors.Join(
		replacePart(d, "account", p.Account, &i.Account, codeAccount),
		replacePart(d, "consent", p.Consent, &i.Consent, codeConsent),
		replacePointer(d, "billingPlan", p.BillingPlan, &i.BillingPlan, codeBillingPlan),
		replacePointer(d, "notification", p.Notification, &i.Notification, codeNotification),
	)
	if err != nil {
		return err
	}
	begins := d.created || d.lifecycle.status != d.before.lifecycle.status
	extension, err := s.withOwner(ctx, d, p.Extension, begins)
	if err != nil {
		return err
	}
	replaceValue(d, "extension", extension, &i.Extension)
	l.Required("extension.id", i.Extension.ID != "")
	if d.lifecycle.status == StatusInstalled {
		l.Required("account.id", i.Account.ID != "")
	}
	s.checkOwners(&l, d, before)
	if err := l.Merge(s.applyConfiguration(ctx, d, p.Configuration)); err != nil {
		return err
	}
	if err := l.Merge(s.applyConnection(ctx, d, p.Connection)); err != nil {
		return err
	}
	if err := l.Merge(s.applyExtra(ctx, d, p.Extra)); err != nil {
		return err
	}
	if l.Err() == nil {
		if err := l.Merge(s.applyOperations(ctx, d, ops)); err != nil {
			return err
		}
	}
	d.checkDestinations(&l)
	return l.Err()
}

// checkOwners rejects a write that hands an installation to somebody else. The extension cannot
// change. The owner and the account decide who sees the installation, so only the host and the
// platform may change them. Options.Owner speaks for the host.
func (s *Service) checkOwners(l *validate.List, d *draft, before Installation) {
	fixed := func(path, was, is string) {
		if was != "" && was != is {
			l.Add(path, validate.RuleImmutable, "cannot change")
		}
	}
	fixed("extension.id", before.Extension.ID, d.inst.Extension.ID)
	if s.actor.ownsAll() || !d.exists {
		return
	}
	if s.opts.Owner == nil {
		fixed("extension.owner", before.Extension.Owner, d.inst.Extension.Owner)
	}
	if !d.created && d.lifecycle.status == d.before.lifecycle.status {
		fixed("account.id", before.Account.ID, d.inst.Account.ID)
	}
}

// replaceValue sets *to to the value of a given part. A part that removes sets the zero value.
func replaceValue[T comparable](d *draft, name string, part Optional[T], to *T) {
	if part.IsZero() {
		return
	}
	next, _ := part.Get()
	if *to != next {
		d.addChanged(name)
	}
	*to = next
}

// replacePart is replaceValue for a part with times, lists or pointers. It copies the part through
// its stored form. So the draft shares no memory with the request, and a part with the stored
// content compares equal to the stored part.
func replacePart[T any](
	d *draft, name string, part Optional[T], to *T, fields func(*record.Coder, *T),
) error {
	if part.IsZero() {
		return nil
	}
	given, _ := part.Get()
	next, err := storedCopy(&given, fields)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(*to, *next) {
		d.addChanged(name)
	}
	*to = *next
	return nil
}

// replacePointer is replacePart for a part that can be absent.
func replacePointer[T any](
	d *draft, name string, part Optional[T], to **T, fields func(*record.Coder, *T),
) error {
	pointer := Optional[*T]{given: part.given, value: &part.value}
	return replacePart(d, name, pointer, to, func(c *record.Coder, v **T) {
		record.Pointer(c, 1, v, fields)
	})
}

// applyConfiguration replaces or removes the configuration. A mask in it keeps the secret that is
// stored at its place.
func (s *Service) applyConfiguration(
	ctx context.Context, d *draft, part Optional[Configuration],
) error {
	if part.IsZero() {
		return nil
	}
	next, ok := part.Get()
	if !ok {
		if d.inst.Configuration != nil {
			d.addChanged("configuration")
		}
		d.inst.Configuration = nil
		d.vault().RemoveKind(kindConfig)
		return nil
	}
	if next.Document.IsZero() {
		return invalid("configuration", validate.RuleRequired, "needs a document")
	}
	w, err := s.replaceDocument(ctx, d, kindConfig, "configuration", next.Document)
	if err != nil {
		return err
	}
	s.setConfiguration(d, next, w)
	return nil
}

// editConfiguration edits the configuration in place. If there is no configuration, it edits an
// empty object.
func (s *Service) editConfiguration(ctx context.Context, d *draft, edits []masked.Op) error {
	var next Configuration
	if c := d.inst.Configuration; c != nil {
		next = *c
	}
	w, err := s.editDocument(ctx, d, kindConfig, "configuration", edits)
	if err != nil {
		return err
	}
	s.setConfiguration(d, next, w)
	return nil
}

// setConfiguration puts a written configuration into the draft. If the document changed, the
// configuration gets a new revision ID, unless next has a revision ID that differs from the stored
// one.
func (s *Service) setConfiguration(d *draft, next Configuration, w documentWrite) {
	old := d.inst.Configuration
	if old == nil {
		old = &Configuration{}
		w.changed = append(w.changed, "configuration")
	}
	renamed := next.ID != "" && next.ID != old.ID ||
		next.RevisionID != "" && next.RevisionID != old.RevisionID
	if len(w.changed) == 0 && !renamed {
		d.inst.setDocument(kindConfig, w.document) // today's rule can seal more values
		return
	}
	if next.RevisionID == old.RevisionID {
		next.RevisionID, next.Created, next.CreatedBy = "", time.Time{}, ""
	}
	by := cmp.Or(next.CreatedBy, s.actor.User.ID, s.actor.ID, string(s.actor.Kind))
	d.inst.Configuration = &Configuration{
		ID:         cmp.Or(next.ID, old.ID, newID()),
		RevisionID: cmp.Or(next.RevisionID, newID()),
		Created:    cmp.Or(storedTime(next.Created), d.now),
		CreatedBy:  by,
		Document:   w.document,
	}
	d.addChanged(w.changed...)
	if renamed {
		d.addChanged("configuration")
	}
}

// applyConnection replaces or removes the connection. A masked credential keeps the stored one.
func (s *Service) applyConnection(ctx context.Context, d *draft, part Optional[Connection]) error {
	if part.IsZero() {
		return nil
	}
	before := d.inst.Connection
	given, ok := part.Get()
	if !ok {
		if before != nil {
			d.addChanged("connection")
		}
		d.inst.Connection = nil
		d.dropped = slices.Concat(
			d.vault().RemoveKind(kindConnection), d.vault().RemoveKind(kindCredential))
		return nil
	}
	var l validate.List
	if err := d.sealCredentials(&l, &given); err != nil {
		return err
	}
	metadata, err := s.replaceOptional(ctx, d, kindConnection, metadataPath, given.Metadata)
	if err := l.Merge(err); err != nil {
		return err
	}
	given.Metadata = metadata.document
	next, err := storedCopy(&given, codeConnection)
	if err != nil {
		return err
	}
	if before != nil {
		next.Failure = before.Failure // a write cannot change it
	}
	if !reflect.DeepEqual(before, next) {
		d.addChanged("connection")
	}
	d.addChanged(metadata.changed...)
	d.dropped = append(d.dropped, metadata.dropped...)
	d.inst.Connection = next
	return l.Err()
}

// metadataPath is the path of the metadata in violations.
const metadataPath = "connection.metadata"

// applyExtra replaces or removes the extra fields.
func (s *Service) applyExtra(ctx context.Context, d *draft, part Optional[Document]) error {
	if part.IsZero() {
		return nil
	}
	given, _ := part.Get()
	w, err := s.replaceOptional(ctx, d, kindExtra, "extra", given)
	if err != nil {
		return err
	}
	var l validate.List
	if err := rejectKnownNames(&l, w.document); err != nil {
		return err
	}
	d.addChanged(w.changed...)
	d.inst.Extra = w.document
	return l.Err()
}

// replaceOptional is replaceDocument, except that a zero document removes the stored one.
func (s *Service) replaceOptional(
	ctx context.Context, d *draft, kind, path string, given Document,
) (documentWrite, error) {
	if given.IsZero() {
		return s.removeDocument(ctx, d, kind, path)
	}
	return s.replaceDocument(ctx, d, kind, path, given)
}

// storedCopy encodes v in its stored form and decodes it again. The copy shares no memory with v
// and equals what a later read returns. The error means that v is too large.
func storedCopy[T any](v *T, fields func(*record.Coder, *T)) (*T, error) {
	copied := new(T)
	// The text was validated, so only a limit of the format can be exceeded.
	if record.Decode(record.Append(nil, v, fields), copied, fields) != nil {
		return nil, errTooLarge()
	}
	return copied, nil
}
