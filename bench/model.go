package main

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"

	"github.com/go-installation/installation/internal/redistest"
)

// node is what one Redis server can do. The figures come from 64 callers on the machine of the
// server, so a server with a core of its own can do more.
type node struct {
	bytes                   float64 // for each record
	reads, creates, updates float64 // a second
}

// nodeOf takes a node from the results. It returns false if a row is missing.
func nodeOf(results []Result) (n node, ok bool) {
	ours := func(group, name string) float64 {
		for _, r := range results {
			if r.Group == group && r.Name == name {
				return r.Ours
			}
		}
		return 0
	}
	const second = 1e9
	n = node{
		bytes:   ours("size", "redisstore, each record"),
		reads:   second / max(1, ours("redis", "Store.Get, 64 goroutines")),
		creates: second / max(1, ours("redis", "Store.Commit create, 64 goroutines")),
		updates: second / max(1, ours("redis", "Store.Commit update, 64 goroutines")),
	}
	return n, n.bytes > 0 && max(n.reads, n.creates, n.updates) < second
}

// spread says how installations are spread over a cluster.
type spread struct {
	masters, buckets, tenants int

	// If skewed is true, the tenant at rank r has 1/r as many installations as the first tenant. If
	// it is false, all tenants have the same number.
	skewed bool
}

// spreads are the rows that printModel prints. They have the default number of buckets or the
// largest.
var spreads = []spread{
	{masters: 1, buckets: 1, tenants: 10_000},
	{masters: 3, buckets: 16, tenants: 10_000},
	{masters: 3, buckets: 16, tenants: 10_000, skewed: true},
	{masters: 30, buckets: 64, tenants: 10_000},
	{masters: 30, buckets: 64, tenants: 10_000, skewed: true},
}

// size returns how many installations the tenant at a rank has, as a fraction of the first tenant.
func (s spread) size(rank int) float64 {
	if s.skewed {
		return 1 / float64(rank)
	}
	return 1
}

// fullest returns the fraction of all installations that the fullest master has. It is the median
// over a hundred namespaces, because the name of a namespace decides in which slots its buckets
// are.
func (s spread) fullest() float64 {
	parts := make([]float64, 101)
	for i := range parts {
		parts[i] = s.fullestIn(fmt.Sprintf("installation-%d", i))
	}
	return quantile(parts, 0.5)
}

// fullestIn returns this fraction for one namespace. It assigns tenants to buckets as redisstore
// does, and buckets to masters as a cluster does.
func (s spread) fullestIn(namespace string) float64 {
	masters := make([]float64, s.masters)
	total := 0.0
	for rank := 1; rank <= s.tenants; rank++ {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s-tenant-%d", namespace, rank)
		bucket := h.Sum64() % uint64(s.buckets)
		slot := int(redistest.Slot(fmt.Sprintf("%s:%02d", namespace, bucket)))
		masters[slot*s.masters/slots] += s.size(rank)
		total += s.size(rank)
	}
	return slices.Max(masters) / total
}

// slots is the number of slots of a cluster.
const slots = 16384

// largest returns the fraction of all installations that the largest tenant has.
func (s spread) largest() float64 {
	total := 0.0
	for rank := 1; rank <= s.tenants; rank++ {
		total += s.size(rank)
	}
	return 1 / total
}

// printModel writes how much memory the fullest master needs, and how many requests all masters
// together serve when the fullest one is busy.
func printModel(w io.Writer, n node) {
	fmt.Fprintf(w, "One server: %.0f bytes a record; at least %.0f reads, %.0f creations or "+
		"%.0f updates a second.\n\n", n.bytes, n.reads, n.creates, n.updates)
	rows := [][]string{{
		"masters", "buckets", "tenants", "sizes", "largest tenant", "fullest master", "1 million",
		"10 million", "100 million", "reads/s", "creations/s", "updates/s",
	}}
	for _, s := range spreads {
		sizes := "equal"
		if s.skewed {
			sizes = "1/rank"
		}
		part := s.fullest()
		memory := func(records float64) string {
			return fmt.Sprintf("%.1f GB", records*part*n.bytes/1e9)
		}
		rate := func(each float64) string { return fmt.Sprintf("%.0fk", each/part/1e3) }
		rows = append(rows, []string{
			fmt.Sprint(s.masters), fmt.Sprint(s.buckets), fmt.Sprint(s.tenants), sizes,
			percent(s.largest()), percent(part), memory(1e6), memory(1e7), memory(1e8),
			rate(n.reads), rate(n.creates), rate(n.updates),
		})
	}
	printAligned(w, rows)
}

func percent(part float64) string { return fmt.Sprintf("%.3g %%", part*100) }
