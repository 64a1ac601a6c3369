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

	key := installation.Key{Tenant: "project-1", ID: "none"}
	_, err = store.Get(ctx, key)
	fmt.Println("not found:", errors.Is(err, installation.ErrNotFound))
	server.FlushAll()
	_, err = store.Get(ctx, key)
	fmt.Println("not found after a flush:", errors.Is(err, installation.ErrNotFound))
	fmt.Println("unavailable after a flush:", errors.Is(err, installation.ErrUnavailable))
	// Output:
	// not found: true
	// not found after a flush: false
	// unavailable after a flush: true
}
