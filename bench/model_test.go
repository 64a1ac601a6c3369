package main

import (
	"math"
	"testing"
)

// TestFullest checks the model where the answer is known.
func TestFullest(t *testing.T) {
	if got := (spread{masters: 1, buckets: 1, tenants: 10}).fullest(); math.Abs(got-1) > 1e-9 {
		t.Errorf("one master has %g of all", got)
	}
	if got := (spread{masters: 30, buckets: 64, tenants: 1}).fullest(); got != 1 {
		t.Errorf("one tenant is spread: the fullest master has %g", got)
	}
	even := spread{masters: 3, buckets: 64, tenants: 10_000}
	skewed := even
	skewed.skewed = true
	if got := even.fullest(); got < 1./3 || got > 0.5 {
		t.Errorf("of three masters the fullest has %g", got)
	}
	if even.fullest() >= skewed.fullest() || skewed.fullest() < skewed.largest() {
		t.Errorf("equal tenants %g, others %g with one of %g",
			even.fullest(), skewed.fullest(), skewed.largest())
	}
}

// TestNodeOf checks that a node needs all of its rows.
func TestNodeOf(t *testing.T) {
	results := []Result{
		{Group: "size", Row: Row{Name: "redisstore, each record"}, Ours: 5000},
		{Group: "redis", Row: Row{Name: "Store.Get, 64 goroutines"}, Ours: 20_000},
		{Group: "redis", Row: Row{Name: "Store.Commit create, 64 goroutines"}, Ours: 50_000},
	}
	if n, ok := nodeOf(results); ok {
		t.Errorf("%v without a measure of updates", n)
	}
	update := Row{Name: "Store.Commit update, 64 goroutines"}
	results = append(results, Result{Group: "redis", Row: update, Ours: 25_000})
	if n, ok := nodeOf(results); !ok || n != (node{5000, 50_000, 20_000, 40_000}) {
		t.Errorf("%v, %v", n, ok)
	}
}
