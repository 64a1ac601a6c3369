// Rotate rewraps every installation of a Redis namespace: it encrypts the data key of the
// installation with the primary key of a keyring. The programs that use the installations keep
// running. Rotate is the third of four steps of a key rotation:
//
//   - add: put the new key into the keyring of every program, behind the old one;
//   - promote: put it first, everywhere;
//   - rewrap: run this program with that keyring;
//   - retire: run this program with -retire to ask whether a record still needs
//     the old key. If none does, remove it everywhere.
//
// Usage:
//
//	rotate -keyring file [-namespace name] [-rate n] [-dry-run | -retire id]
//
// The environment variable REDIS_URL names the server, by default redis://127.0.0.1:6379. The
// keyring file has to be readable by its owner only. The first key in the file is the primary key.
//
// You can interrupt or kill the program at any moment and start it again, and you can run several
// at once. Each record is rewrapped in one atomic step, and only once.
//
// The exit status is 0 if no record is left under another key, or if the key of -retire can be
// removed. It is 1 if records are left, if the key is still needed, or if something failed. It is 2
// if the arguments are wrong.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/redisstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(program(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are the parsed arguments.
type settings struct {
	keyring, namespace, retire string
	rate                       int
	dryRun                     bool
}

// program runs the command with these arguments and returns the exit status.
func program(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var set settings
	flags := flag.NewFlagSet("rotate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&set.keyring, "keyring", "", "`file` with the keys, the primary first")
	flags.StringVar(&set.namespace, "namespace", redisstore.DefaultNamespace,
		"`name` of the namespace of the installations")
	flags.IntVar(&set.rate, "rate", 0, "at most this many records a second; 0 means no limit")
	flags.BoolVar(&set.dryRun, "dry-run", false,
		"check the keys and count the records, but change nothing")
	flags.StringVar(&set.retire, "retire", "",
		"report whether the key with this `id` can be removed, but change nothing")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if set.keyring == "" || set.rate < 0 || set.rate > maxRate ||
		flags.NArg() > 0 || set.dryRun && set.retire != "" {
		flags.Usage()
		return 2
	}
	done, err := rotate(ctx, set, stdout)
	tell(stderr, err)
	if err != nil || !done {
		return 1
	}
	return 0
}

// maxRate is the highest -rate. Above it, the pause between two records would round to nothing.
const maxRate = 1_000_000

// tell prints the errors of a run. If the run was interrupted, tell prints the errors from before
// the interrupt, and then how to go on.
func tell(stderr io.Writer, err error) {
	if !errors.Is(err, context.Canceled) {
		if err != nil {
			fmt.Fprintln(stderr, "rotate:", err)
		}
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if !errors.Is(err, context.Canceled) {
				fmt.Fprintln(stderr, "rotate:", err)
			}
		}
	}
	fmt.Fprintln(stderr, "rotate: interrupted; start it again to go on")
}

// rotate runs the command. done is false if records are left under another key.
func rotate(ctx context.Context, set settings, out io.Writer) (done bool, err error) {
	keys, err := crypto.KeyringFromFile(set.keyring)
	if err != nil {
		return false, err
	}
	client, err := connect()
	if err != nil {
		return false, err
	}
	defer client.Close()
	store, err := redisstore.Open(ctx, client, &redisstore.Options{Namespace: set.namespace})
	if err != nil {
		return false, err
	}
	svc, err := installation.New(store, keys, nil)
	if err != nil {
		return false, err
	}
	host := svc.As(installation.Actor{Kind: installation.Host, ID: "rotate"})

	if set.retire != "" {
		if err := host.CanRetire(ctx, set.retire); err != nil {
			return false, err
		}
		fmt.Fprintf(out, "no record needs key %s: remove it from every keyring\n", set.retire)
		return true, nil
	}
	total, ready, err := check(ctx, host, out)
	if err != nil || !ready || set.dryRun {
		return ready && total == 0, err
	}
	return rewrap(ctx, host, set.rate, total, out)
}

// connect returns a client of the server in REDIS_URL. Its errors do not repeat the URL, which can
// contain a password.
func connect() (*redis.Client, error) {
	url := cmp.Or(os.Getenv("REDIS_URL"), "redis://127.0.0.1:6379")
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL is not of the form redis://user:password@host:port/db")
	}
	if strings.Contains(url, "#") {
		return nil, errors.New("REDIS_URL contains a #, which cuts off the rest of the URL: " +
			"write it as %23 in a password")
	}
	opts.ContextTimeoutEnabled = true // an interrupt does not wait for a reply
	return redis.NewClient(opts), nil
}

// check prints problems of the store and the keys, and the number of records under each key. It
// returns how many records need rewrapping, and whether the rotation can start.
func check(
	ctx context.Context, host *installation.Service, out io.Writer,
) (total int64, ready bool, err error) {
	report, err := host.Check(ctx)
	if err != nil {
		return 0, false, err
	}
	for _, f := range report.Findings {
		if f.Level != health.OK {
			fmt.Fprintf(out, "%s: %s: %s\n", f.Level, f.Rule, f.Detail)
		}
	}
	for _, k := range report.Keys {
		if !k.Primary {
			total += k.Records
		}
	}
	fmt.Fprintf(out, "%d records, %d of them to be rewrapped\n", report.Records, total)
	table(out, report.Keys)
	if !report.OK() {
		return total, false, errors.New("not started: fix the problems above first")
	}
	return total, true, nil
}

// rewrap rewraps the records and prints its progress about a hundred times.
func rewrap(
	ctx context.Context, host *installation.Service, rate int, total int64, out io.Writer,
) (done bool, err error) {
	req := installation.RewrapRequest{Progress: func(r installation.RewrapReport) {
		n := int64(r.Rewrapped + r.Skipped + r.Failed)
		if n%max(1, total/100) == 0 {
			fmt.Fprintf(out, "%d of %d\n", n, total)
		}
	}}
	if rate > 0 {
		req.Interval = time.Second / time.Duration(rate)
	}
	report, err := host.Rewrap(ctx, req)
	fmt.Fprintf(out, "%d rewrapped, %d left to another process, %d failed\n",
		report.Rewrapped, report.Skipped, report.Failed)
	if report.After != nil {
		table(out, report.After)
	}
	if report.Elsewhere > 0 {
		fmt.Fprintf(out, "%d records are under none of these keys\n", report.Elsewhere)
	}
	if report.Done() {
		fmt.Fprintln(out, "done: no record is left under another key than the primary")
	}
	return report.Done(), err
}

// table prints the number of records under each key.
func table(out io.Writer, keys []installation.KeyCount) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, k := range keys {
		role := "old"
		if k.Primary {
			role = "primary"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t\n", k.ID, role, k.Records)
	}
	_ = w.Flush() // an error of standard output has nowhere to go
}
