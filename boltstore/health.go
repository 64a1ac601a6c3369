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
	ruleRoom       = "room"       // the disk has room for the file to grow
)

// minRoom is how much room there should be on the disk, in bytes. A commit with everything at its
// bounds needs less than half of it.
const minRoom = 64 << 20

// Health implements [installation.HealthChecker]. The rules are "file", "durability" and "room".
// Where the room on the disk cannot be read, its finding has the level unknown.
func (s *Store) Health(ctx context.Context) (findings []health.Finding, err error) {
	err = s.viewMeta(ctx, func(t *tx, m boltMeta) error {
		if err := t.file.inPlace(); err != nil {
			return err
		}
		size, free, err := t.sizes(m)
		if err == nil {
			findings = append(findings, finding(health.OK, ruleFile, "%s has %d bytes, of which "+
				"%d are free for reuse", t.file.path, size, free))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	durability := finding(health.OK, ruleDurability, "every commit is synced")
	if s.opts.NoSync {
		durability = finding(health.Warning, ruleDurability, "NoSync is set: a crash of the "+
			"machine can lose commits and damage the whole file")
	}
	return append(findings, durability, checkRoom(s.path)), nil
}

// sizes returns the bytes of the file, and how many of them are in free pages.
func (t *tx) sizes(m boltMeta) (size, free int64, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return 0, 0, unavailable(t.file.path, err)
	}
	pages, err := t.snapshot().root.pages.freelist(m.freelist)
	if err != nil {
		return 0, 0, damaged(t.file.path, "the list of free pages: %v", err)
	}
	unused := max(0, info.Size()-t.Size()) // the file grows ahead
	return info.Size(), int64(len(pages))*int64(t.file.pageSize) + unused, nil
}

func checkRoom(path string) health.Finding {
	room, err := roomOf(path)
	switch {
	case err != nil:
		return finding(health.Unknown, ruleRoom, "the room on the disk of %s is unknown: %v",
			path, err)
	case room < minRoom:
		return finding(health.Warning, ruleRoom, "the disk of %s has only %d bytes left: commits "+
			"fail when it is full", path, room)
	}
	return finding(health.OK, ruleRoom, "the disk of %s has %d bytes left", path, room)
}

func finding(level health.Level, rule, format string, args ...any) health.Finding {
	return health.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
