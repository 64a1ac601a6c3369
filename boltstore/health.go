package boltstore

import (
	"context"
	"fmt"

	"github.com/go-installation/installation/health"
)

// Rules of the findings of [Store.Health].
const (
	ruleFile       = "file"       // its size, and how much of it is free
	ruleDurability = "durability" // commits survive a crash of the machine
	ruleRoom       = "room"       // the disk has room
)

// Health implements [installation.HealthChecker].
func (s *Store) Health(ctx context.Context) (findings []health.Finding, err error) {
	err = s.view(ctx, func(t *tx) error {
		findings = append(findings, finding(health.OK, ruleFile, "%s has %d bytes",
			t.file.path, t.Size()))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	return findings, nil
}

func finding(level health.Level, rule, format string, args ...any) health.Finding {
	return health.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
