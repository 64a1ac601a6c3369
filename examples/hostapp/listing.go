package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
)

// Limits of what the page reads for each tenant when it is requested.
const (
	maxListed = 50
	maxEvents = 5 * installation.MaxPage
)

// listing is what the page shows of the installations of a platform.
type listing struct {
	Rows    []*row
	More    bool // there are older ones
	Failed  bool // some could not be read; the log says why
	Partial bool // the change log goes on after what was read, so a last event can be missing
}

// row is an installation on the page. It has no documents, and so no secrets.
type row struct {
	ID, Name, Account, Status, Health string
	Event                             event.Type
	At                                time.Time
}

// add adds the newest installations of a tenant, with the last event of each.
func (l *listing) add(ctx context.Context, svc *installation.Service, tenant string) error {
	host := svc.In(tenant).As(installation.Actor{Kind: installation.Host})
	list, err := host.List(ctx, installation.ListRequest{Limit: maxListed, Reverse: true})
	if err != nil {
		return fmt.Errorf("list installations of %q: %w", tenant, err)
	}
	rows := make(map[string]*row, len(list.Installations))
	for _, inst := range list.Installations {
		rows[inst.ID] = newRow(inst)
		l.Rows = append(l.Rows, rows[inst.ID])
	}
	l.More = l.More || list.Next != ""
	if len(rows) == 0 {
		return nil
	}
	ended, err := addEvents(ctx, host, rows, maxEvents)
	l.Partial = l.Partial || !ended
	return err
}

func newRow(inst *installation.Installation) *row {
	r := &row{
		ID: inst.ID, Name: cmp.Or(inst.Extension.Name, inst.Extension.ID),
		Account: cmp.Or(inst.Account.Name, inst.Account.ID), Status: string(inst.Status),
		Health: cmp.Or(string(inst.Health), "unknown"),
	}
	if inst.Err != nil {
		r.Health = "cannot be opened"
	}
	return r
}

// addEvents reads the change log, at most limit entries, and adds the last event of each row. It
// reports whether the log ended before the limit.
func addEvents(
	ctx context.Context, host *installation.Service, rows map[string]*row, limit int,
) (bool, error) {
	after := ""
	for limit > 0 {
		size := min(limit, installation.MaxPage)
		page, err := host.Events(ctx, after, size)
		if err != nil {
			return false, fmt.Errorf("read events: %w", err)
		}
		for _, e := range page.Events {
			if r := rows[e.Key.ID]; r != nil {
				r.Event, r.At = e.Type, e.Time
			}
		}
		if len(page.Events) < size {
			return true, nil
		}
		after, limit = page.Next, limit-size
	}
	return false, nil
}
