package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-installation/installation/internal/pgtest"
)

func main() {
	quick := flag.Bool("quick", false, "fewer records and rounds; ends within two minutes")
	only := flag.String("only", "", "measure this `group` of rows alone")
	file := flag.String("json", "", "write the rows to this `file` too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	pgtest.Use(func() { err = run(ctx, os.Stdout, os.Stderr, *quick, *only, *file) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run measures all rows and prints them. After an error it prints the rows that it has.
func run(ctx context.Context, table, progress io.Writer, quick bool, only, file string) error {
	const ms = time.Millisecond
	scale, meter := full, Meter{Rounds: 101, Budget: 1500 * ms, Slice: 3 * ms}
	if quick {
		scale, meter = small, Meter{Rounds: 5, Budget: 50 * ms, Slice: 3 * ms / 2}
	}
	began := time.Now()
	results, err := measureAll(ctx, meter, scale, only, func(group, doing string) {
		fmt.Fprintf(progress, "%3.0f s  %s: %s\n", time.Since(began).Seconds(), group, doing)
	})
	fmt.Fprintf(table, "%s, %s/%s, %d cores, %s.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), scale)
	printTable(table, results)
	if n, ok := nodeOf(results); ok {
		fmt.Fprintln(table)
		printModel(table, n)
	}
	if file != "" {
		err = errors.Join(err, writeJSON(file, results))
	}
	return err
}

// measureAll measures one group of rows after the other, so that each group has the machine to
// itself.
func measureAll(
	ctx context.Context, meter Meter, scale Scale, only string, show func(group, doing string),
) (results []Result, err error) {
	known := only == ""
	for _, g := range groups {
		if only != "" && only != g.name {
			continue
		}
		known = true
		err := withServers(ctx, func(tb testing.TB) error {
			show(g.name, "prepare")
			for _, r := range g.rows(tb, scale) {
				show(g.name, r.Name)
				result, err := meter.Measure(tb.Context(), r)
				if err != nil {
					return fmt.Errorf("%s: %w", r.Name, err)
				}
				result.Group = g.name
				results = append(results, result)
			}
			return nil
		})
		if err != nil {
			return results, fmt.Errorf("%s: %w", g.name, err)
		}
	}
	if !known {
		return nil, fmt.Errorf("no group is called %q", only)
	}
	return results, nil
}

// groups has all rows, grouped by the setup that they need.
var groups = []struct {
	name string
	rows func(testing.TB, Scale) []Row
}{
	{"crypto", cryptoRows},
	{"memory", memoryRows},
	{"redis", redisRows},
	{"file", fileRows},
	{"postgres", postgresRows},
	{"rewrap", rewrapRows},
	{"round trips", tripRows},
	{"1 ms away", farRows},
	{"growth", growthRows},
	{"http", httpRows},
	{"size", sizeRows},
	{"file-size", fileSizeRows},
}

// Scale is how much is stored.
type Scale struct {
	Records int   // in the stores that rows work on
	Counted int   // in the store whose records are counted
	Growth  []int // sizes of stores; the first is what the others are compared with
}

var (
	full  = Scale{Records: 100_000, Counted: 400_000, Growth: []int{1_000, 100_000, 1_000_000}}
	small = Scale{Records: 1_000, Counted: 4_000, Growth: []int{500, 4_000}}
)

// String describes the scale in the heading of the table.
func (s Scale) String() string {
	largest := s.Growth[len(s.Growth)-1]
	return fmt.Sprintf("%d records of 2 KiB, for growth up to %d", s.Records, largest)
}
