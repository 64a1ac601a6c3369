// Hostapp is a host application: one HTTP server for the installations of three platforms. Each
// platform has a path of its own. All platforms share one service and one store.
//
//	go run ./examples/hostapp -dev
//	go run ./examples/hostapp -dev -store redis://127.0.0.1:6379
//	hostapp -addr :8443 -keys installation.keys -config hostapp.json \
//		-store redis://redis.internal.example:6379 -store-id 9f86d081884c7d659a2feaa0c55ad015
//
// By default it keeps installations in the file hostapp.db, so that a restart loses none. What the
// host itself has, such as Ampersand's connections, is in memory and begins anew.
//
// With -dev it generates keys and tokens. It keeps them beside the file with the installations, in
// hostapp.db.dev, and logs that when it creates this file. It never creates new keys for
// installations that exist. In memory and in Redis, -dev generates new ones at each start. Without
// -dev the program needs -keys, a keyring in the format of crypto.KeyringFromFile, and -config, a
// JSON file with the fields of config.
//
// Start once without -store-id. The log then has the ID of the new data. With -store-id the program
// never begins anew with a missing file or on an empty or wrong server.
//
// The first line on standard output is JSON. It has the address and the mounted platforms, and with
// -dev the credentials to try them. The log goes to standard error. "/" is a page for people, and
// "/healthz" is for probes. On SIGTERM or SIGINT, the program finishes the running requests and
// ends. The server speaks plain HTTP, so put it behind a proxy that terminates TLS.
//
// With -dev, the page lists the newest installations. Ampersand's API is also at /v1, where its
// React library expects it in a browser, and -pages serves a folder for a page that uses it.
//
// Vercel's webhook is at /vercel/webhook if its secret is configured. Service.Run expires
// invitations and purges uninstalled installations when they are due.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(program(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are the flags of the command line.
type settings struct {
	addr, store, storeID, keys, config, pages string
	dev                                       bool
}

// program serves until the context ends. It returns the exit status.
func program(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var set settings
	flags := flag.NewFlagSet("hostapp", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&set.addr, "addr", "127.0.0.1:8080",
		"`host:port` to listen on; port 0 takes a free one")
	flags.StringVar(&set.store, "store", "bolt:hostapp.db",
		"keep installations in this `store`: bolt:FILE, a URL such as redis://127.0.0.1:6379, "+
			"or memory, where they end with the program")
	flags.StringVar(&set.storeID, "store-id", "",
		"`ID` that the data in the store must have; the first start logs it")
	flags.StringVar(&set.keys, "keys", "",
		"`file` with the keys that protect secrets, the primary first")
	flags.StringVar(&set.config, "config", "",
		"`file` with what the platforms know of this host, as JSON")
	flags.BoolVar(&set.dev, "dev", false,
		"generate keys, customers and tokens; never use it where others can reach the server")
	flags.StringVar(&set.pages, "pages", "",
		"with -dev, also serve the files of this `folder` at "+devPagesPath)
	if err := flags.Parse(args); err != nil {
		return 2
	}
	switch {
	case flags.NArg() > 0, set.dev && set.config != "", !set.dev && set.pages != "",
		set.storeID != "" && set.store == "memory":
		flags.Usage()
		return 2
	case !set.dev && (set.keys == "" || set.config == ""):
		fmt.Fprintln(stderr, "hostapp: -keys and -config are needed unless -dev is given: "+
			"a service needs keys, and an API needs to know its callers")
		return 2
	}
	if err := serve(ctx, set, stdout, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintln(stderr, "hostapp:", err)
		return 1
	}
	return 0
}

// newServer returns the server of an app. The handlers of the platforms have shorter time limits.
func newServer(app http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: app, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// reachable returns the address at which clients on this machine reach a listener.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// serve listens, prints the first line, and serves until the context ends and requests finish.
func serve(ctx context.Context, set settings, stdout io.Writer, log *slog.Logger) error {
	listener, err := net.Listen("tcp", set.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	base := "http://" + reachable(listener.Addr())
	app, err := newApp(ctx, set, base, log)
	if err != nil {
		return err
	}
	defer app.close()
	line, err := json.Marshal(app.mounted)
	if err != nil {
		return err
	}
	server := newServer(app, log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(stdout, "%s\n", line); err != nil {
		return errors.Join(err, server.Close())
	}
	go app.run(ctx)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("draining")
	drain, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return server.Shutdown(drain)
}
