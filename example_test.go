package installation_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/patch"
)

func Example() {
	ctx := context.Background()
	// This example makes a new key. In production an operator makes the key once, and the program
	// reads it with crypto.KeyringFromFile.
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})

	inst, err := host.Upsert(ctx, installation.UpsertRequest{
		ID: "EXI-1",
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-1"}),
			Account: installation.Value(installation.Account{
				ID: "ACC-2", Name: "Harbor Foods",
			}),
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(`{"url":"https://shop.example","api_key":"k-93f0"}`),
			}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.ID, inst.Status, inst.Configuration.Document)

	opened, err := host.Open(ctx, installation.OpenRequest{ID: "EXI-1", Reason: "list orders"})
	if err != nil {
		log.Fatal(err)
	}
	defer opened.Close()
	var cfg struct {
		URL    string        `json:"url"`
		APIKey crypto.Secret `json:"api_key"`
	}
	if err := opened.Decode(&cfg); err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.URL+"/orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+cfg.APIKey.RevealString())
	fmt.Println(req.Method, req.URL, "with", cfg)
	// Output:
	// EXI-1 installed {"url":"https://shop.example","api_key":"***"}
	// GET https://shop.example/orders with {https://shop.example ***}
}

// Options change the defaults. A store and keys are required, since secrets are never stored
// as plain text.
func ExampleNew() {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	_, err = installation.New(memstore.New(), keys, &installation.Options{
		AcceptURL: "https://portal.example/accept",
		Grace:     72 * time.Hour,
	})
	fmt.Println(err)

	_, err = installation.New(memstore.New(), nil, nil)
	fmt.Println(err != nil)
	// Output:
	// <nil>
	// true
}

// With Options.Owner, vendors can install and invite for their own extensions. The host looks the
// owner up in its catalogue.
func ExampleOptions_owner() {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	owners := map[string]string{"EXT-1": "ACC-1"}
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		Owner: func(_ context.Context, _, extension string) (string, error) {
			return owners[extension], nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"ACC-1", "ACC-9"} {
		vendor := svc.As(installation.Actor{Kind: installation.Vendor, ID: id})
		res, err := vendor.Invite(context.Background(), installation.InviteRequest{
			Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
			},
		})
		if err != nil {
			fmt.Println(id, err)
			continue
		}
		fmt.Println(id, res.Status, "owner", res.Extension.Owner)
	}
	// Output:
	// ACC-1 invited owner ACC-1
	// ACC-9 invite: installation: forbidden
}

// An installation of one tenant does not exist for another.
func ExampleService_In() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host.In("project-1"), "EXI-1", "ACC-2")

	_, err := host.In("project-1").Get(ctx, "EXI-1")
	fmt.Println(err)
	_, err = host.In("project-2").Get(ctx, "EXI-1")
	fmt.Println(err)
	// Output:
	// <nil>
	// get EXI-1: installation: not found
}

// An actor sees only its own installations, and the parts that the policy allows.
func ExampleService_As() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	for _, actor := range []installation.Actor{
		{Kind: installation.Vendor, ID: "ACC-1"},
		{Kind: installation.Customer, ID: "ACC-2"},
		{Kind: installation.Customer, ID: "ACC-3"},
	} {
		inst, err := host.As(actor).Get(ctx, "EXI-1")
		if err != nil {
			fmt.Println(actor.Kind, actor.ID, "gets:", err)
			continue
		}
		fmt.Println(actor.Kind, actor.ID, "sees the configuration:", inst.Configuration != nil)
	}
	// Output:
	// vendor ACC-1 sees the configuration: true
	// customer ACC-2 sees the configuration: false
	// customer ACC-3 gets: get EXI-1: installation: not found
}

// The first call creates the installation. Later calls change the given parts and keep the
// rest.
func ExampleService_Upsert() {
	ctx := context.Background()
	host := exampleHost()

	for _, parts := range []installation.Parts{
		{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:   installation.Value(installation.Account{ID: "ACC-2"}),
		},
		{Health: installation.Value(installation.Unhealthy)},
		{Health: installation.Value(installation.Unhealthy)},
	} {
		res, err := host.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("created %t, changed %t: revision %d, account %s, health %q\n",
			res.Created, res.Changed, res.Revision, res.Account.ID, res.Health)
	}
	// Output:
	// created true, changed true: revision 1, account ACC-2, health ""
	// created false, changed true: revision 2, account ACC-2, health "unhealthy"
	// created false, changed false: revision 2, account ACC-2, health "unhealthy"
}

// Operations change single places of a configuration in one commit.
func ExampleService_Patch() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	res, err := host.Patch(ctx, installation.PatchRequest{
		ID: "EXI-1",
		Operations: []installation.Operation{
			patch.Test("/language", installation.JSON(`"en"`)),
			patch.Set("/language", installation.JSON(`"de"`)),
			patch.SetSecret("/pass_phrase", crypto.NewSecret("correct horse")),
			patch.Unset("/api_key"),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Configuration.Document)
	// Output: {"language":"de","pass_phrase":"***"}
}

// Get returns masks, and the places of the secrets.
func ExampleService_Get() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	inst, err := host.Get(ctx, "EXI-1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Extension.ID, "in", inst.Account.ID, "is", inst.Status)
	fmt.Println(inst.Configuration.Document, inst.Sealed)

	_, err = host.Get(ctx, "EXI-9")
	fmt.Println(errors.Is(err, installation.ErrNotFound))
	// Output:
	// EXT-1 in ACC-2 is installed
	// {"language":"en","api_key":"***"} [config/api_key]
	// true
}

// List returns pages, the oldest installation first.
func ExampleService_List() {
	ctx := context.Background()
	host := exampleHost()
	for n := range 3 {
		exampleInstall(host, fmt.Sprint("EXI-", n), fmt.Sprint("ACC-", n))
	}

	req := installation.ListRequest{
		Extension: "EXT-1", Status: []installation.Status{installation.StatusInstalled},
		Limit: 2,
	}
	for {
		page, err := host.List(ctx, req)
		if err != nil {
			log.Fatal(err)
		}
		for _, inst := range page.Installations {
			fmt.Println(inst.ID)
		}
		fmt.Println("--")
		if req.After = page.Next; req.After == "" {
			break
		}
	}
	// Output:
	// EXI-0
	// EXI-1
	// --
	// EXI-2
	// --
}

// All reads all pages.
func ExampleService_All() {
	ctx := context.Background()
	host := exampleHost()
	for n := range 3 {
		exampleInstall(host, fmt.Sprint("EXI-", n), fmt.Sprint("ACC-", n))
	}

	for inst, err := range host.All(ctx, installation.ListRequest{Reverse: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(inst.ID, inst.Account.ID)
	}
	// Output:
	// EXI-2 ACC-2
	// EXI-1 ACC-1
	// EXI-0 ACC-0
}

// Count counts the installations that the actor may see.
func ExampleService_Count() {
	ctx := context.Background()
	host := exampleHost()
	for n := range 3 {
		exampleInstall(host, fmt.Sprint("EXI-", n), fmt.Sprint("ACC-", n))
	}
	customer := host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})

	for _, svc := range []*installation.Service{host, customer} {
		n, err := svc.Count(ctx, installation.ListRequest{Extension: "EXT-1"})
		fmt.Println(n, err)
	}
	// Output:
	// 3 <nil>
	// 1 <nil>
}

// exampleService returns a service on an empty store and its clock, which the caller moves.
func exampleService() (*installation.Service, *time.Time) {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		Now:       func() time.Time { return now },
		AcceptURL: "https://portal.example/accept",
	})
	if err != nil {
		log.Fatal(err)
	}
	return svc, &now
}

// exampleHost returns the service of [exampleService] for the host.
func exampleHost() *installation.Service {
	svc, _ := exampleService()
	return svc.As(installation.Actor{Kind: installation.Host})
}

// exampleInstall installs EXT-1 of the vendor ACC-1 in an account, with a secret in its
// configuration.
func exampleInstall(host *installation.Service, id, account string) *installation.Result {
	res, err := host.Upsert(context.Background(), installation.UpsertRequest{
		ID: id,
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{
				ID: "EXT-1", Owner: "ACC-1",
			}),
			Account: installation.Value(installation.Account{ID: account}),
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(`{"language":"en","api_key":"k-93f0"}`),
			}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return res
}

// exampleInvite makes an invitation to EXT-1 of the vendor ACC-1, for any account.
func exampleInvite(host *installation.Service, id string) *installation.Result {
	res, err := host.Invite(context.Background(), installation.InviteRequest{
		ID: id,
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-1"}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return res
}
