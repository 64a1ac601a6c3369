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

	"github.com/redis/go-redis/v9"
)

func main() {
	quick := flag.Bool("quick", false, "fewer records and rounds; ends well within two minutes")
	file := flag.String("json", "", "write the rows to this `file` too")
	flag.Parse()
	redis.SetLogger(quiet{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Stderr, *quick, *file); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// quiet keeps the client of Redis from writing between the lines of progress, above all that a server is not up yet.
type quiet struct{}

// Printf implements the client's logger.
func (quiet) Printf(context.Context, string, ...any) {}

// run measures all rows. What was measured before an error is printed too.
func run(ctx context.Context, table, progress io.Writer, quick bool, file string) error {
	scale, meter := full, Meter{Rounds: 101, Budget: 1500 * time.Millisecond, Slice: 3 * time.Millisecond}
	if quick {
		scale, meter = small, Meter{Rounds: 21, Budget: 150 * time.Millisecond, Slice: 1500 * time.Microsecond}
	}
	line := newLine(progress)
	results, err := measureAll(ctx, meter, scale, line)
	line.end()
	fmt.Fprintf(table, "%s, %s/%s, %d cores, %s.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), scale)
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

// measureAll sets up one group after the other, so that each has the machine to itself.
func measureAll(ctx context.Context, meter Meter, scale Scale, line *line) (results []Result, err error) {
	for i, g := range groups {
		err := withServers(ctx, func(tb testing.TB) error {
			line.show("%d/%d %s: prepare", i+1, len(groups), g.name)
			rows := g.rows(tb, scale)
			for _, r := range rows {
				line.show("%d/%d %s: %s", i+1, len(groups), g.name, r.Name)
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
	return results, nil
}

// groups are all rows, by what has to be set up for them.
var groups = []struct {
	name string
	rows func(testing.TB, Scale) []Row
}{
	{"crypto", cryptoRows},
	{"memory", memoryRows},
	{"redis", redisRows},
	{"round trips", tripRows},
	{"1 ms away", farRows},
	{"cluster", clusterRows},
	{"growth", growthRows},
	{"peers in memory", memoryPeerRows},
	{"peers on redis", redisPeerRows},
	{"http", httpRows},
	{"size", sizeRows},
}

// Scale is how much is stored for the rows.
type Scale struct {
	Records int   // in the stores that rows work on
	Growth  []int // sizes of stores that are compared with the first of them
}

var (
	full  = Scale{Records: 100_000, Growth: []int{1_000, 100_000, 1_000_000}}
	small = Scale{Records: 5_000, Growth: []int{1_000, 5_000, 20_000}}
)

// String describes the scale in the heading of the table.
func (s Scale) String() string {
	return fmt.Sprintf("%d records of %d bytes, for growth up to %d", s.Records, bodySize, s.Growth[len(s.Growth)-1])
}
