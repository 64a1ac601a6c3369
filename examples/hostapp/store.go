package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

// file returns the file of the store, or "" if the store is no file.
func (s settings) file() string {
	file, _ := strings.CutPrefix(s.store, "bolt:")
	if file == s.store {
		return ""
	}
	return file
}

// openStore opens the store that the flags select. It also returns a function that closes the
// store.
func openStore(
	ctx context.Context, set settings, log *slog.Logger,
) (installation.Store, func(), error) {
	if set.store == "memory" {
		return memstore.New(), func() {}, nil
	}
	if set.file() != "" {
		return openFile(ctx, set, log)
	}
	options, err := redis.ParseURL(set.store)
	if err != nil {
		// The error of the client quotes the URL with its password.
		return nil, nil, errors.New("-store is not memory, bolt:FILE or the URL of a Redis server")
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	store, err := redisstore.Open(ctx, client, &redisstore.Options{
		Namespace: namespace(set), Logger: log, Expect: redisstore.Expect{ID: set.storeID},
	})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	if in, err := store.Namespace(ctx); err == nil {
		log.Info("opened Redis", "id", in.ID, "epoch", in.Epoch)
	}
	return store, func() { _ = client.Close() }, nil
}

func openFile(
	ctx context.Context, set settings, log *slog.Logger,
) (installation.Store, func(), error) {
	store, err := boltstore.Open(set.file(), &boltstore.Options{
		Expect: boltstore.Expect{ID: set.storeID},
	})
	if err != nil {
		return nil, nil, err
	}
	if in, err := store.Namespace(ctx); err == nil {
		log.Info("opened the file", "file", set.file(), "id", in.ID, "epoch", in.Epoch)
	}
	return store, func() {
		if err := store.Close(); err != nil {
			log.Error("close", "error", err)
		}
	}, nil
}

// namespace returns the namespace in Redis. Each run with generated keys gets a namespace of its
// own, because no other run can read its records.
func namespace(set settings) string {
	if set.keys != "" {
		return redisstore.DefaultNamespace
	}
	return "dev-" + uuid.NewString()
}
