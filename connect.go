package installation

import (
	"bytes"
	"context"
	"slices"

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

// guardConnection is the destination rule for a connection: its provider, that of its app, its workspace and the addresses in its metadata
// say where the credentials go. One that changes any of them must bring the credentials along, and one that changes a provider or the
// workspace also the secrets in the metadata; among themselves these are looked after where a document is written.
//
// Everything else of a connection may change alone, as nothing is sent there: ID, ExternalRef and ConsumerRef are names for the provider and
// the host to tell things apart, ClientID and Scheme say as whom and how, and are of use only at the same provider. Neither is a token sent
// to the URL of the account, which is for people.
func guardConnection(l *validate.List, before *Connection, kept []string, next *Connection, metadata written) {
	if before == nil {
		return
	}
	var changed []string
	for _, field := range []struct{ path, was, is string }{
		{"connection.provider", before.Provider, next.Provider},
		{"connection.app.provider", before.App.provider(), next.App.provider()},
		{"connection.workspaceRef", before.WorkspaceRef, next.WorkspaceRef},
	} {
		if field.was != field.is {
			changed = append(changed, field.path)
		}
	}
	if len(changed) > 0 {
		kept = append(kept, metadata.kept...)
	}
	refuseKept(l, kept, append(changed, metadata.redirected...))
}

// refuseKept reports each secret that is kept though a destination changed.
func refuseKept(l *validate.List, kept, changed []string) {
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

// provider returns the provider of an app, "" if there is none.
func (a *ProviderApp) provider() string {
	if a == nil {
		return ""
	}
	return a.Provider
}

// sealedCredentials returns the credentials as they are sealed.
func (st *state) sealedCredentials() map[Ref][]byte {
	sealed := make(map[Ref][]byte)
	for ref, value := range st.secrets() {
		if ref.Kind == RefCredential {
			sealed[ref] = value
		}
	}
	return sealed
}

// keptCredentials returns the paths of the credentials that a write left as they were.
func (st *state) keptCredentials(before map[Ref][]byte) []string {
	var kept []string
	for ref, value := range st.sealedCredentials() {
		if was, ok := before[ref]; ok && bytes.Equal(was, value) {
			kept = append(kept, "connection"+ref.Pointer)
		}
	}
	slices.Sort(kept)
	return kept
}
