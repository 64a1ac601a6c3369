// Rotate brings every installation of a Redis namespace under the primary key of a keyring, while the programs that use them run on. It is
// the third step of a rotation:
//
//   - add: put the new key into the keyring of every program, behind the old one;
//   - promote: put it first, everywhere;
//   - rewrap: run this program with that keyring;
//   - retire: ask this program with -retire whether the old key may go, then take it out everywhere.
//
// It is called as
//
//	rotate -keyring file [-namespace name] [-rate n] [-dry-run | -retire id]
//
// The server is the one in REDIS_URL, by default redis://127.0.0.1:6379. The keyring is a file that only its owner may read, with the primary
// key first.
//
// It can be interrupted or killed at any moment and started again, and several may run at once: each record is one atomic step, and
// what is done is not done again. The status is 0 if no record is left under another key, or -retire says yes; 1 if something is
// left or failed; 2 for a mistake in the call.
package main

import (
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

// settings are what the command line says.
type settings struct {
	keyring, namespace, retire string
	rate                       int
	dryRun                     bool
}

// program does what args say, and returns the status to exit with.
func program(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var set settings
	flags := flag.NewFlagSet("rotate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&set.keyring, "keyring", "", "file with the keys, the primary first")
	flags.StringVar(&set.namespace, "namespace", redisstore.DefaultNamespace, "of the installations")
	flags.IntVar(&set.rate, "rate", 0, "records a second at most; 0 is as fast as it goes")
	flags.BoolVar(&set.dryRun, "dry-run", false, "check the keys and count, and change nothing")
	flags.StringVar(&set.retire, "retire", "", "say whether the key with this id may be taken out, and change nothing")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if set.keyring == "" || set.rate < 0 || set.rate > maxRate || flags.NArg() > 0 || set.dryRun && set.retire != "" {
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

// maxRate is the highest -rate: beyond it, a pause between two records would be none.
const maxRate = 1_000_000

// tell prints what went wrong, with an interrupt after what failed before it.
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

// rotate reports whether what was asked for is so now.
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
		fmt.Fprintf(out, "no record needs key %s: it may be taken out of every keyring\n", set.retire)
		return true, nil
	}
	total, ready, err := check(ctx, host, out)
	if err != nil || !ready || set.dryRun {
		return ready && total == 0, err
	}
	return rewrap(ctx, host, set.rate, total, out)
}

// connect returns a client of the server in the environment. What is wrong with a URL is not repeated: it may hold a password.
func connect() (*redis.Client, error) {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = "redis://127.0.0.1:6379"
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL is not of the form redis://user:password@host:port/db")
	}
	if strings.Contains(url, "#") {
		return nil, errors.New("REDIS_URL has a # in it, which would cut off what follows: a password is written with %23 for it")
	}
	opts.ContextTimeoutEnabled = true // an interrupt does not wait for a reply
	return redis.NewClient(opts), nil
}

// check prints what is wrong with the store and the keys, and how many records are under which key. It returns how many are to be
// rewrapped, and whether the keys are good to start with.
func check(ctx context.Context, host *installation.Service, out io.Writer) (total int64, ready bool, err error) {
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
		return total, false, errors.New("not started, for what is said above")
	}
	return total, true, nil
}

// rewrap does the work and prints how far it is, a hundred times in all.
func rewrap(ctx context.Context, host *installation.Service, rate int, total int64, out io.Writer) (done bool, err error) {
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
	fmt.Fprintf(out, "%d rewrapped, %d left to another process, %d failed\n", report.Rewrapped, report.Skipped, report.Failed)
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

// table prints how many records are under each key.
func table(out io.Writer, keys []installation.KeyCount) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, k := range keys {
		role := "old"
		if k.Primary {
			role = "primary"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t\n", k.ID, role, k.Records)
	}
	_ = w.Flush() // to standard output, where nothing can be done about an error
}
