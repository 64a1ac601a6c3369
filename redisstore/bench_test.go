package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// Benchmarks compare a method of the store with a raw command on the same connections,
// alternating in the same run, and report the ratio. Records have bodies of 2 KiB, the terms of
// the service, and a claim.

const bodySize = 2 << 10

// compare reports the time of ours relative to theirs, for several numbers of goroutines.
func compare(b *testing.B, ours, theirs func(n int64) error) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			var n, ourTime, theirTime atomic.Int64
			turn := func() {
				i := n.Add(1)
				began := time.Now()
				if err := ours(i); err != nil {
					b.Error(err)
				}
				between := time.Now()
				if err := theirs(i); err != nil {
					b.Error(err)
				}
				ourTime.Add(int64(between.Sub(began)))
				theirTime.Add(int64(time.Since(between)))
			}
			if goroutines == 1 {
				for b.Loop() {
					turn()
				}
			} else {
				b.SetParallelism(goroutines / 2)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						turn()
					}
				})
			}
			ours, theirs := float64(ourTime.Load()), float64(theirTime.Load())
			b.ReportMetric(ours/max(1, theirs), "ratio")
			b.ReportMetric(ours/float64(n.Load())/1e3, "µs/call")
		})
	}
}

// typical returns the change that makes a record as the service makes it.
func typical(key installation.Key) installation.Change {
	c := create(key, "")
	c.Record.Index = []string{
		"@all", "@kek=key-2026-01", "acc=ACC-1234-5678", "all",
		"ext+acc=13:EXT-1234-5678ACC-1234-5678", "ext=EXT-1234-5678", "own=VND-1234",
		"phase=installed",
	}
	c.Record.Body = installation.BodyFromBytes([]byte(strings.Repeat("x", bodySize)))
	return c
}

func BenchmarkGet(b *testing.B) {
	client := redistest.Start(b).Client(b)
	s := open(b, client, &redisstore.Options{Namespace: "bench"})
	must(b, s, typical(id("a")))
	compare(b,
		func(int64) error { _, err := s.Get(b.Context(), id("a")); return err },
		func(int64) error {
			return client.Get(b.Context(), "{bench:00}:r:6:tenant:a").Err()
		},
	)
}

func BenchmarkCommitCreate(b *testing.B) {
	client := redistest.Start(b).Client(b)
	s := open(b, client, nil)
	raw := set(b, client)
	var ids atomic.Int64
	compare(b, func(n int64) error {
		c := typical(id("%d", ids.Add(1)))
		c.Idempotency = &installation.Outcome{
			Digest: installation.Digest([]byte(fmt.Sprintf("%032d", ids.Add(1)))),
			Until:  c.Now.Add(time.Hour), Data: make([]byte, 40),
		}
		_, err := s.Commit(b.Context(), c)
		return err
	}, raw)
}

func BenchmarkCommitUpdate(b *testing.B) {
	client := redistest.Start(b).Client(b)
	s := open(b, client, nil)
	records := make(chan *installation.Record, 64) // one for each goroutine
	for i := range cap(records) {
		records <- must(b, s, typical(id("%d", i)))
	}
	compare(b, func(int64) error {
		c := update(<-records, "")
		_, err := s.Commit(b.Context(), c)
		records <- c.Record
		return err
	}, set(b, client))
}

func BenchmarkList100(b *testing.B) {
	client := redistest.Start(b).Client(b)
	s := open(b, client, &redisstore.Options{Namespace: "bench"})
	for i := range 1000 {
		must(b, s, typical(id("%d", i)))
	}
	q := installation.Query{Tenant: "tenant", Term: "all", Limit: 100}
	compare(b,
		func(int64) error { _, err := s.List(b.Context(), q); return err },
		func(int64) error {
			err := client.ZRange(b.Context(), "{bench:00}:x", 0, int64(q.Limit)).Err()
			if err != nil {
				return err
			}
			pipe := client.Pipeline()
			for i := range q.Limit {
				pipe.Get(b.Context(), "{bench:00}:r:6:tenant:"+strconv.Itoa(i))
			}
			_, err = pipe.Exec(b.Context())
			return err
		},
	)
}

// set returns a call of SET with as many bytes as a body has.
func set(b *testing.B, client redis.UniversalClient) func(int64) error {
	value := strings.Repeat("x", bodySize)
	return func(n int64) error {
		return client.Set(b.Context(), "raw-"+strconv.FormatInt(n%10_000, 10), value, 0).Err()
	}
}

// BenchmarkMemory reports the server memory of a typical record with its index members and an
// event.
func BenchmarkMemory(b *testing.B) {
	const records = 20_000
	client := redistest.Start(b).Client(b)
	s := open(b, client, nil)
	used := func() float64 {
		n, _ := strconv.ParseFloat(redistest.Info(b.Context(), client, "used_memory"), 64)
		return n
	}
	for b.Loop() {
		before := used()
		for i := range records {
			must(b, s, typical(installation.Key{
				Tenant: "project-1234", ID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", i),
			}))
		}
		b.ReportMetric((used()-before)/records, "B/record")
		if err := client.FlushDB(b.Context()).Err(); err != nil {
			b.Fatal(err)
		}
		s = open(b, client, nil)
	}
}
