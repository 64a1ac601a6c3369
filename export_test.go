package installation

import (
	"context"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
)

// WithOldRule returns the service under a rule that finds nothing sensitive, as an older release might have had.
func (s *Service) WithOldRule() *Service {
	c := *s
	c.rule = oldRule{}
	return &c
}

type oldRule struct{}

func (oldRule) ID() string                        { return "old/1" }
func (oldRule) Sensitive(*jsontree.Node) []string { return nil }

// Reencoded is something as it was stored, and as this version writes what it reads there.
type Reencoded struct{ Stored, Written []byte }

// ReencodeBody reads a body, and its manifest where there is one.
func ReencodeBody(ctx context.Context, keys crypto.KeyWrapper, key Key, raw []byte) (all []Reencoded, err error) {
	f, err := decodeForm(raw)
	if err != nil {
		return nil, err
	}
	all = []Reencoded{{raw, f.encode()}}
	if f.manifest == nil {
		return all, nil
	}
	k, err := keys.Unwrap(ctx, f.key, crypto.Binding{Tenant: key.Tenant, Record: key.ID})
	if err != nil {
		return nil, err
	}
	plain, err := k.OpenBinary(nil, crypto.Place{Record: key.ID, Kind: kindManifest}, f.manifest)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(plain)
	if err != nil {
		return nil, err
	}
	return append(all, Reencoded{plain, m.encode()}), nil
}

// ReencodeOutcome reads the data of an outcome.
func ReencodeOutcome(data []byte) (Reencoded, error) {
	var a answer
	if err := decode(data[1:], &a); err != nil {
		return Reencoded{}, err
	}
	return Reencoded{data, append([]byte{answerVersion}, encode(a)...)}, nil
}
