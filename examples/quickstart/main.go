// Quickstart follows installations of three platforms from creation to deletion. It starts from
// payloads as the platforms send them and prints each step. It needs no server, no network and no
// configuration:
//
//	go run ./examples/quickstart
//
// With -redis it runs the same steps on a Redis server.
//
// Each step checks the claims that it prints about its result. If a claim is false, the program
// says so and exits with status 1.
//
// Start reading in story.go, then lifecycle.go. The files ampersand.go, vercel.go and
// softwareone.go map the payloads in the directory payloads to the types of the library.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

func main() {
	redisURL := flag.String("redis", "", "store installations in the Redis server at this `URL`, "+
		"such as redis://127.0.0.1:6379, in a new namespace")
	flag.Parse()
	ctx := context.Background()
	store, err := newStore(ctx, *redisURL)
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
	os.Exit(program(ctx, store, os.Stdout, os.Stderr))
}

// newStore returns a store in memory, or in Redis if there is a URL. No other code depends on the
// choice. The story begins with nothing installed, so each run on Redis uses a new namespace.
func newStore(ctx context.Context, redisURL string) (installation.Store, error) {
	if redisURL == "" {
		return memstore.New(), nil
	}
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, errors.New("-redis is no URL of a Redis server")
	}
	options.ContextTimeoutEnabled = true
	return redisstore.Open(ctx, redis.NewClient(options), &redisstore.Options{
		Namespace: "quickstart-" + uuid.NewString(),
	})
}

// program runs the story on a store and returns the exit status.
func program(ctx context.Context, store installation.Store, stdout, stderr io.Writer) int {
	if err := tell(ctx, store, stdout); err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	return 0
}
