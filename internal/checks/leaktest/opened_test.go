package leaktest

import (
	"context"
	"sync"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// configuration is what the canary of an opened installation is decoded into.
type configuration struct {
	Token crypto.Secret `json:"token"`
}

// opened returns an opened installation with the canary, and the configuration decoded from it.
var opened = sync.OnceValues(func() (*installation.Opened, configuration) {
	o, cfg, err := open(context.Background())
	if err != nil {
		panic(err)
	}
	return o, cfg
})

func open(ctx context.Context) (o *installation.Opened, cfg configuration, err error) {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		return nil, cfg, err
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		return nil, cfg, err
	}
	svc, err := installation.New(memstore.New(), keys, nil)
	if err != nil {
		return nil, cfg, err
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	_, err = host.Upsert(ctx, installation.UpsertRequest{ID: "i", Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "E"}),
		Account:   installation.Value(installation.Account{ID: "A"}),
		Configuration: installation.Value(installation.Configuration{
			Document: installation.JSON(`{"token":"` + canary + `"}`),
		}),
		Connection: installation.Value(installation.Connection{
			APIKey: crypto.NewSecret(canary),
		}),
	}})
	if err != nil {
		return nil, cfg, err
	}
	o, err = host.Open(ctx, installation.OpenRequest{ID: "i", Reason: "test"})
	if err != nil {
		return nil, cfg, err
	}
	return o, cfg, o.Decode(&cfg)
}
