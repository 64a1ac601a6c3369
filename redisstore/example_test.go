package redisstore_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/redisstore"
)

func ExampleOpen() {
	server, err := miniredis.Run() // a stand-in for a server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer client.Close()
	store, err := redisstore.Open(ctx, client, &redisstore.Options{Namespace: "example"})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = store.Get(ctx, installation.Key{Tenant: "project-1", ID: "none"})
	fmt.Println("before:", errors.Is(err, installation.ErrNotFound), errors.Is(err, installation.ErrUnavailable))
	server.FlushAll()
	_, err = store.Get(ctx, installation.Key{Tenant: "project-1", ID: "none"})
	fmt.Println("after the data was flushed:", errors.Is(err, installation.ErrNotFound), errors.Is(err, installation.ErrUnavailable))
	// Output:
	// before: true false
	// after the data was flushed: false true
}
