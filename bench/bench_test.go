package main

import "testing"

// BenchmarkRows runs both sides of every row that is timed, under names that benchstat can compare by side:
//
//	go test -bench . -count 10 | benchstat -col /side -
func BenchmarkRows(b *testing.B) {
	for _, g := range groups {
		b.Run(g.name, func(b *testing.B) {
			for _, r := range g.rows(b, small) {
				if r.Ours != nil {
					b.Run(r.Name+"/against="+r.Against+"/side=ours", func(b *testing.B) { benchmark(b, r, r.Ours, r.Prepare) })
					b.Run(r.Name+"/against="+r.Against+"/side=theirs", func(b *testing.B) { benchmark(b, r, r.Base, nil) })
				}
			}
		})
	}
}

func benchmark(b *testing.B, r Row, work Work, prepare func(int) error) {
	b.ReportAllocs()
	if _, err := (side{work, max(1, r.Goroutines), prepare}).run(b.N, b.ResetTimer); err != nil {
		b.Fatal(err)
	}
}
