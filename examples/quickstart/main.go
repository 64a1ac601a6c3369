// Quickstart follows installations of three platforms from creation to deletion. It starts from
// payloads as the platforms send them and prints each step. It needs no server, no network and no
// configuration:
//
//	go run ./examples/quickstart
//
// With -store it runs the same steps on a new file or on a Redis server.
//
// Each step checks the claims that it prints about its result. If a claim is false, the program
// says so and exits with status 1.
//
// Start reading in story.go, then lifecycle.go. The files ampersand.go, vercel.go and
// softwareone.go turn the payloads in the directory payloads into types of the library.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

func main() {
	where := flag.String("store", "memory", "keep installations in this `store`: memory, "+
		"bolt:FILE for a new file, or a URL such as redis://127.0.0.1:6379 for a new namespace "+
		"in Redis")
	flag.Parse()
	ctx := context.Background()
	store, err := newStore(ctx, *where)
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
	os.Exit(program(ctx, store, os.Stdout, os.Stderr))
}

// newStore returns the store that the flag names. No other code depends on the choice. The story
// begins with nothing installed, so each run uses a new file, or a new namespace in Redis.
func newStore(ctx context.Context, where string) (installation.Store, error) {
	if where == "memory" {
		return memstore.New(), nil
	}
	if file, ok := strings.CutPrefix(where, "bolt:"); ok {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("-store %s: the file exists, and the story begins with nothing "+
				"installed: name a new file", where)
		}
		return boltstore.Open(file, nil)
	}
	options, err := redis.ParseURL(where)
	if err != nil {
		// The error of the client quotes the URL with its password.
		return nil, errors.New("-store is not memory, bolt:FILE or the URL of a Redis server")
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
