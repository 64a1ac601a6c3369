package installation

import "github.com/go-installation/installation/internal/jsontree"

// WithOldRule returns the service with a rule that finds nothing sensitive, as in an older
// release.
func (s *Service) WithOldRule() *Service {
	c := *s
	c.rule = oldRule{}
	return &c
}

// oldRule finds nothing sensitive.
type oldRule struct{}

func (oldRule) ID() string                        { return "old/1" }
func (oldRule) Sensitive(*jsontree.Node) []string { return nil }
