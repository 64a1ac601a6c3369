package installation

import (
	"bytes"
	"context"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// applyConnection replaces or removes the connection. A masked credential keeps the one that is stored.
func (s *Service) applyConnection(ctx context.Context, st *state, part Optional[Connection]) ([]string, error) {
	if part.IsZero() {
		return nil, nil
	}
	before := st.inst.Connection
	next, ok := part.Get()
	if !ok {
		st.inst.Connection = nil
		st.dropSecrets(RefConnection)
		st.dropSecrets(RefCredential)
		return changedIf(before != nil, "connection"), nil
	}
	var l validate.List
	changed, kept, err := st.applyCredentials(&l, &next)
	if err != nil {
		return nil, err
	}
	document, written, err := s.applyDocument(ctx, st, RefConnection, "connection.metadata", next.Metadata)
	if err := l.Merge(err); err != nil {
		return nil, err
	}
	next.Metadata = document
	st.inst.Connection = &next
	guardConnection(&l, before, kept, &next, written)
	changed = append(changed, written.changed...)
	differs := !bytes.Equal(encode(connectionToV1(before)), encode(connectionToV1(&next)))
	return append(changed, changedIf(differs, "connection")...), l.Err()
}

// applyCredentials seals the credentials given in a connection and leaves it masked. It returns the names of what changed and the
// paths of what was kept.
func (st *state) applyCredentials(l *validate.List, next *Connection) (changed, kept []string, err error) {
	for _, c := range next.credentials() {
		ref := Ref{RefCredential, c.pointer}
		path := "connection" + c.pointer
		_, stored := st.secrets()[ref]
		switch {
		case c.value.IsMasked() && stored:
			kept = append(kept, path)
		case c.value.IsMasked():
			l.Add(path, validate.RuleMaskWithoutStoredValue, "a mask keeps what is stored, and nothing is")
		case c.value.IsZero() && !stored:
		case c.value.IsZero():
			delete(st.secrets(), ref)
			changed = append(changed, ref.String())
		case !checkSecret(l, path, *c.value):
		default:
			text := jsonString(*c.value)
			if err := st.seal(ref, text); err != nil {
				return nil, nil, err
			}
			clear(text)
			*c.value = crypto.Masked()
			changed = append(changed, ref.String())
		}
	}
	return changed, kept, nil
}

// guardConnection is the destination rule for a connection: its provider, its workspace and the addresses in its metadata say where
// the credentials go. One that changes any of them must bring the credentials along, and one that changes provider or workspace
// also the secrets in the metadata; among themselves these are looked after where a document is written.
func guardConnection(l *validate.List, before *Connection, kept []string, next *Connection, metadata written) {
	if before == nil {
		return
	}
	var changed []string
	if before.Provider != next.Provider {
		changed = append(changed, "connection.provider")
	}
	if before.WorkspaceRef != next.WorkspaceRef {
		changed = append(changed, "connection.workspaceRef")
	}
	if len(changed) > 0 {
		kept = append(kept, metadata.kept...)
	}
	changed = append(changed, metadata.redirected...)
	if len(changed) == 0 {
		return
	}
	for _, path := range kept {
		l.AddViolation(validate.Violation{
			Path: path, Related: changed[0], Rule: validate.RuleDestination,
			Detail: "goes to a destination that this write changes: give it again",
		})
	}
}
