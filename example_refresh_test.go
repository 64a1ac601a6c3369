package installation_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/refresh"
)

// askProvider is a RefreshFunc: it asks the provider for new tokens. Package oauth has one for
// OAuth 2.0.
func askProvider(
	_ context.Context, inst *installation.Opened,
) (installation.Tokens, error) {
	c, err := inst.Credentials()
	if err != nil {
		return installation.Tokens{}, err
	}
	if c.RefreshToken.Value.RevealString() != "refresh-1" { // the answer of the provider
		return installation.Tokens{}, &refresh.Error{
			Answer: refresh.Permanent, Reason: "invalid_grant",
		}
	}
	return installation.Tokens{
		Access: installation.Token{
			Value: crypto.NewSecret("access-2"), Expires: time.Now().Add(time.Hour),
		},
		Refresh: installation.Token{Value: crypto.NewSecret("refresh-2")},
	}, nil
}

// connected returns a service with an installation whose access token has expired.
func connected(opts *installation.Options) *installation.Service {
	svc, err := installation.New(memstore.New(), exampleKeys(), opts)
	if err != nil {
		log.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	_, err = host.Upsert(context.Background(), installation.UpsertRequest{
		ID: "inst-1",
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "stock-sync"}),
			Account:   installation.Value(installation.Account{ID: "harbor-foods"}),
			Connection: installation.Value(installation.Connection{
				Provider: "crm",
				AccessToken: installation.Token{
					Value: crypto.NewSecret("access-1"), Expires: time.Now().Add(-time.Minute),
				},
				RefreshToken: installation.Token{Value: crypto.NewSecret("refresh-1")},
			}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return host
}

// A worker asks for a valid access token before each call. Only one worker refreshes it.
func ExampleService_Refresh() {
	ctx, host := context.Background(), connected(nil)

	inst, err := host.Refresh(ctx, installation.RefreshRequest{ID: "inst-1"}, askProvider)
	if err != nil {
		log.Fatal(err)
	}
	defer inst.Close()
	c, err := inst.Credentials()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Authorization: Bearer", c.AccessToken.Value.RevealString())
	// Output: Authorization: Bearer access-2
}

// A host runs one loop for everything that is due. It usually leaves Rounds out: Run then goes on
// until its context ends.
func ExampleService_Run() {
	host := connected(&installation.Options{Refresh: askProvider})

	report, err := host.Run(context.Background(), installation.RunOptions{Rounds: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("refreshed:", report.Refreshed, "failed:", report.Failed)
	// Output: refreshed: 1 failed: 0
}

// After an uninstall, Run tells the provider that the tokens must not work any more.
func ExampleOptions_revoke() {
	ctx := context.Background()
	host := connected(&installation.Options{
		Revoke: func(_ context.Context, inst *installation.Opened) error {
			c, err := inst.Credentials()
			if err == nil {
				fmt.Println("revoke", c.RefreshToken.Value.RevealString()) // ask the provider
			}
			return err
		},
	})

	if _, err := host.Uninstall(ctx, installation.UninstallRequest{ID: "inst-1"}); err != nil {
		log.Fatal(err)
	}
	report, err := host.Run(ctx, installation.RunOptions{Rounds: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("revoked:", report.Revoked)
	// Output:
	// revoke refresh-1
	// revoked: 1
}

// exampleKeys returns a new key. In production an operator makes the key once.
func exampleKeys() *crypto.Keyring {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	return keys
}
