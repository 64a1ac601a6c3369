package main

import (
	"testing"

	"github.com/go-installation/installation/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// BenchmarkRows runs both sides of every timed row, under names that benchstat can compare:
//
//	go test -bench . -count 10 | benchstat -col /side -
func BenchmarkRows(b *testing.B) {
	for _, g := range groups {
		b.Run(g.name, func(b *testing.B) {
			for _, r := range g.rows(b, small) {
				if r.Ours != nil {
					name := r.Name + "/against=" + r.Against + "/side="
					b.Run(name+"ours", func(b *testing.B) { benchmark(b, r, r.Ours, r.Prepare) })
					b.Run(name+"theirs", func(b *testing.B) { benchmark(b, r, r.Base, nil) })
				}
			}
		})
	}
}

func benchmark(b *testing.B, r Row, work Work, prepare func(int) error) {
	b.ReportAllocs()
	s := side{work: work, goroutines: max(1, r.Goroutines), prepare: prepare}
	if _, err := s.run(b.N, b.ResetTimer); err != nil {
		b.Fatal(err)
	}
}
