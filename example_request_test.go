package installation_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// A request with an idempotency key can be sent again when its answer was lost.
func ExampleGuard_idempotencyKey() {
	ctx := context.Background()
	host := exampleHost()

	for _, account := range []string{"ACC-2", "ACC-2", "ACC-3"} {
		res, err := host.Upsert(ctx, installation.UpsertRequest{
			Guard: installation.Guard{IdempotencyKey: "order-5521"},
			Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
				Account:   installation.Value(installation.Account{ID: account}),
			},
		})
		if err != nil {
			mismatch := errors.Is(err, installation.ErrIdempotencyMismatch)
			fmt.Println(account, "is rejected:", mismatch)
			continue
		}
		fmt.Println(account, "revision", res.Revision, "replayed:", res.Replayed)
	}
	// Output:
	// ACC-2 revision 1 replayed: false
	// ACC-2 revision 1 replayed: true
	// ACC-3 is rejected: true
}

// A write with a revision is rejected if another caller wrote since that revision.
func ExampleGuard_revision() {
	ctx := context.Background()
	host := exampleHost()
	read := exampleInstall(host, "EXI-1", "ACC-2")

	for _, name := range []string{"Berth", "Quay"} {
		_, err := host.Patch(ctx, installation.PatchRequest{
			ID:    "EXI-1",
			Guard: installation.Guard{Revision: read.Revision},
			Parts: installation.Parts{Name: installation.Value(name)},
		})
		if conflict, ok := errors.AsType[*installation.ConflictError](err); ok {
			fmt.Println(name, "is rejected: the stored revision is", conflict.Revision)
			continue
		}
		fmt.Println(name, err)
	}
	// Output:
	// Berth <nil>
	// Quay is rejected: the stored revision is 2
}

// A late message about an earlier generation does not end the present one.
func ExampleGuard_generation() {
	ctx := context.Background()
	host := exampleHost()
	first := exampleInstall(host, "EXI-1", "ACC-2")
	if _, err := host.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1"}); err != nil {
		log.Fatal(err)
	}
	second := exampleInstall(host, "EXI-1", "ACC-2")
	fmt.Println("generations", first.Generation, second.Generation)

	_, err := host.Uninstall(ctx, installation.UninstallRequest{
		ID: "EXI-1", Guard: installation.Guard{Generation: first.Generation},
	})
	fmt.Println(errors.Is(err, installation.ErrStale))
	// Output:
	// generations 1 2
	// true
}

// A client may read a configuration, change one value and write all of it back. A mask keeps
// its stored secret.
func ExampleDocument_roundTrip() {
	ctx := context.Background()
	host := exampleHost()
	read := exampleInstall(host, "EXI-1", "ACC-2")

	text := strings.Replace(read.Configuration.Document.String(), "en", "de", 1)
	res, err := host.Upsert(ctx, installation.UpsertRequest{
		ID: "EXI-1",
		Parts: installation.Parts{
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(text),
			}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Configuration.Document)

	secrets, err := host.Reveal(ctx, installation.RevealRequest{
		ID: "EXI-1", Refs: res.Sealed, Reason: "example",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secrets[0].Value.RevealString())
	// Output:
	// {"language":"de","api_key":"***"}
	// k-93f0
}

// An Optional keeps, replaces or removes a part.
func ExampleOptional() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	notice := installation.Notification{Level: "warn", Title: "Storage is nearly full"}
	for _, part := range []installation.Optional[installation.Notification]{
		installation.Value(notice),
		{}, // keeps it
		installation.Remove[installation.Notification](),
	} {
		res, err := host.Patch(ctx, installation.PatchRequest{
			ID: "EXI-1", Parts: installation.Parts{Notification: part},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("shown:", res.Notification != nil)
	}
	// Output:
	// shown: true
	// shown: true
	// shown: false
}

// A policy usually extends or limits the default policy. This one lets customers see their
// configuration, with its secrets masked.
func ExamplePolicy() {
	policy := func(
		a installation.Actor, do installation.Action, inst *installation.Installation,
	) bool {
		if a.Kind == installation.Customer && do == installation.ActionSeeConfiguration {
			do = installation.ActionSee
		}
		return installation.DefaultPolicy(a, do, inst)
	}
	customer := installation.Actor{Kind: installation.Customer, ID: "ACC-2"}
	own := &installation.Installation{Account: installation.Account{ID: "ACC-2"}}

	fmt.Println(installation.DefaultPolicy(customer, installation.ActionSeeConfiguration, own))
	fmt.Println(policy(customer, installation.ActionSeeConfiguration, own))
	// Output:
	// false
	// true
}

// An error lists all violations, each with its path, rule and detail. It never has the value.
func ExampleErrInvalid() {
	_, err := exampleHost().Upsert(context.Background(), installation.UpsertRequest{
		Guard: installation.Guard{Revision: -1},
		Parts: installation.Parts{
			Account: installation.Value(installation.Account{
				ID: "ACC\n2", URL: "javascript:alert(1)",
			}),
			Health: installation.Value(installation.Health("so-so")),
		},
	})
	if bad, ok := errors.AsType[*validate.Error](err); ok {
		for _, v := range bad.Violations {
			fmt.Println(v.Path, v.Rule)
		}
	}
	// Output:
	// revision range
	// account.id control-character
	// account.url format
	// health unknown
}

// A refresh writes two tokens and their times. The API key, the metadata and everything else stay.
// A connection that is given as a whole says which secrets it removed.
func ExampleService_Patch_credential() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	token := func(value string) installation.Token {
		return installation.Token{
			Value:   crypto.NewSecret(value),
			Expires: time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC),
		}
	}
	_, err := host.Patch(ctx, installation.PatchRequest{
		ID: "EXI-1",
		Parts: installation.Parts{Connection: installation.Value(installation.Connection{
			Provider: "crm", AccessToken: token("t-1"), RefreshToken: token("r-1"),
			APIKey: crypto.NewSecret("k-1"),
		})},
	})
	if err != nil {
		log.Fatal(err)
	}

	res, err := host.Patch(ctx, installation.PatchRequest{
		ID: "EXI-1", Operations: []installation.Operation{
			patch.SetCredential("credential/access_token", token("t-2")),
			patch.SetCredential("credential/refresh_token", token("r-2")),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stored", res.Sealed)

	res, err = host.Patch(ctx, installation.PatchRequest{
		ID: "EXI-1",
		Parts: installation.Parts{Connection: installation.Value(installation.Connection{
			Provider: "crm", AccessToken: token("t-3"),
		})},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("dropped", res.Dropped)
	// Output:
	// stored [config/api_key credential/access_token credential/api_key credential/refresh_token]
	// dropped [credential/api_key credential/refresh_token]
}
