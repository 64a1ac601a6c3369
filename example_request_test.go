package installation_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// With an idempotency key a request can be sent again when its answer got lost.
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
			fmt.Println(account, "is refused:", errors.Is(err, installation.ErrIdempotencyMismatch))
			continue
		}
		fmt.Println(account, "revision", res.Revision, "replayed:", res.Replayed)
	}
	// Output:
	// ACC-2 revision 1 replayed: false
	// ACC-2 revision 1 replayed: true
	// ACC-3 is refused: true
}

// A revision makes a write wait for nobody: it is refused if another writer came between.
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
			fmt.Println(name, "is refused: the stored revision is", conflict.Revision)
			continue
		}
		fmt.Println(name, err)
	}
	// Output:
	// Berth <nil>
	// Quay is refused: the stored revision is 2
}

// A message that speaks of an earlier install does not hurt the one made since.
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

// A client that knows nothing of masks reads a configuration, changes one value, and writes all of it back. The secret behind the mask
// stays.
func ExampleDocument_roundTrip() {
	ctx := context.Background()
	host := exampleHost()
	read := exampleInstall(host, "EXI-1", "ACC-2")

	text := strings.Replace(read.Configuration.Document.String(), "eu-2", "us-1", 1)
	res, err := host.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(text)}),
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Configuration.Document)

	secrets, err := host.Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Refs: res.Sealed, Reason: "example"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secrets[0].Value.RevealString())
	// Output:
	// {"region":"us-1","api_key":"***"}
	// k-93f0
}

// An Optional has three states: left out, given, removed.
func ExampleOptional() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	notice := installation.Notification{Level: "warn", Title: "Storage is nearly full"}
	for _, part := range []installation.Optional[installation.Notification]{
		installation.Value(notice),
		{}, // leaves it as it is
		installation.Remove[installation.Notification](),
	} {
		res, err := host.Patch(ctx, installation.PatchRequest{ID: "EXI-1", Parts: installation.Parts{Notification: part}})
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

// A policy of one's own usually widens or narrows the default one. This one lets customers see their configuration, masked.
func ExamplePolicy() {
	policy := func(a installation.Actor, do installation.Action, inst *installation.Installation) bool {
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

// Bad input is reported all at once: where, which rule, and a sentence. The value is never in it.
func ExampleErrInvalid() {
	_, err := exampleHost().Upsert(context.Background(), installation.UpsertRequest{
		Guard: installation.Guard{Revision: -1},
		Parts: installation.Parts{
			Account: installation.Value(installation.Account{ID: "ACC\n2", URL: "javascript:alert(1)"}),
			Health:  installation.Value(installation.Health("so-so")),
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

// A schema says what is a secret whatever its name, and what a configuration may be. What is wrong is said by place and keyword.
func ExampleOptions_schema() {
	ctx := context.Background()
	host := exampleDescribed(`{
		"required": ["region"],
		"properties": {
			"region":        {"enum": ["eu-2", "us-1"]},
			"authorization": {"type": "string", "writeOnly": true, "minLength": 8},
			"token_count":   {"type": "integer", "x-sensitive": false},
			"retries":       {"type": "integer", "default": 3}
		}
	}`)
	inst, err := exampleConfigure(host, `{"region":"eu-2","authorization":"Basic dTpw"}`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)

	_, err = host.Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{
		patch.Set("/region", installation.JSON(`"mars"`)),
		patch.SetSecret("/authorization", crypto.NewSecret("short")),
	}})
	if refused, ok := errors.AsType[*validate.Error](err); ok {
		for _, v := range refused.Violations {
			fmt.Println(v.Path, v.Rule, v.Keyword)
		}
	}
	// Output:
	// {"region":"eu-2","authorization":"***","retries":3}
	// configuration/authorization schema minLength
	// configuration/region schema enum
}

// Where x-key names the member that tells the elements of an array apart, each keeps its secret when the array is sent back in another
// order, or with one element less.
func ExampleOptions_schemaKey() {
	ctx := context.Background()
	host := exampleDescribed(`{"properties":{"targets":{"x-key":"id"}}}`)
	if _, err := exampleConfigure(host, `{"targets":[{"id":"a","token":"t-a"},{"id":"b","token":"t-b"},{"id":"c","token":"t-c"}]}`); err != nil {
		log.Fatal(err)
	}
	inst, err := exampleConfigure(host, `{"targets":[{"id":"c","token":"***"},{"id":"b","token":"***","note":"new"}]}`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	secrets, err := host.Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Refs: inst.Sealed, Reason: "example"})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range secrets {
		fmt.Println(s.Ref, s.Value.RevealString())
	}
	// Output:
	// {"targets":[{"id":"c","token":"***"},{"id":"b","token":"***","note":"new"}]}
	// config/targets/0/token t-c
	// config/targets/1/token t-b
}

// A write that sends a kept secret elsewhere is refused. To change the address rightfully, reveal the secret and give it again with it.
func ExampleOperation_destination() {
	ctx := context.Background()
	host := exampleHost()
	if _, err := exampleConfigure(host, `{"url":"https://acme.example","api_key":"k-93f0"}`); err != nil {
		log.Fatal(err)
	}
	move := patch.Set("/url", installation.JSON(`"https://eu.acme.example"`))
	_, err := host.Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{move}})
	if refused, ok := errors.AsType[*validate.Error](err); ok {
		fmt.Println(refused.Violations[0])
	}

	key := installation.Ref("config/api_key")
	secrets, err := host.Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Refs: []installation.Ref{key}, Reason: "moves to another region"})
	if err != nil {
		log.Fatal(err)
	}
	inst, err := host.Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{
		move, patch.SetSecret(key.Pointer(), secrets[0].Value),
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	// Output:
	// configuration/api_key: goes to a destination that this write changes: give it again (destination: configuration/url)
	// {"url":"https://eu.acme.example","api_key":"***"}
}

// A JSON Patch is applied as a whole or not at all. What it does not name stays, secrets among it.
func Example_jsonPatch() {
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	ops, err := patch.FromJSON([]byte(`[
		{"op": "test", "path": "/region", "value": "eu-2"},
		{"op": "replace", "path": "/region", "value": "us-1"},
		{"op": "add", "path": "/channels", "value": ["orders"]},
		{"op": "add", "path": "/channels/0", "value": "offers"}
	]`))
	if err != nil {
		log.Fatal(err)
	}
	inst, err := host.Patch(context.Background(), installation.PatchRequest{ID: "EXI-1", Operations: ops})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)

	_, err = patch.FromJSON([]byte(`[{"op":"move","from":"/api_key","path":"/old_key"}]`))
	fmt.Println(errors.Is(err, installation.ErrInvalid))
	// Output:
	// {"region":"us-1","api_key":"***","channels":["offers","orders"]}
	// true
}

// In a merge patch null removes a member, and what is not named stays.
func Example_mergePatch() {
	host := exampleHost()
	if _, err := exampleConfigure(host, `{"region":"eu-2","limits":{"orders":10,"offers":5},"api_key":"k-93f0"}`); err != nil {
		log.Fatal(err)
	}
	ops, err := patch.FromMerge([]byte(`{"limits":{"orders":20,"offers":null}}`))
	if err != nil {
		log.Fatal(err)
	}
	inst, err := host.Patch(context.Background(), installation.PatchRequest{ID: "EXI-1", Operations: ops})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	// Output: {"region":"eu-2","limits":{"orders":20},"api_key":"***"}
}

// Of a document that comes with an update mask only the named places are written.
func Example_updateMask() {
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	document := []byte(`{"region":"us-1","limits":{"orders":20,"offers":1},"api_key":"ignored"}`)
	ops, err := patch.FromMask(document, "region", "limits.orders")
	if err != nil {
		log.Fatal(err)
	}
	inst, err := host.Patch(context.Background(), installation.PatchRequest{ID: "EXI-1", Operations: ops})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	// Output: {"region":"us-1","api_key":"***","limits":{"orders":20}}
}

// A Test makes the write depend on what is there. It never answers a question about a secret.
func ExampleTest() {
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	for _, test := range []installation.Operation{
		patch.Test("/region", installation.JSON(`"eu-2"`)),
		patch.Test("/region", installation.JSON(`"us-1"`)),
		patch.Test("/api_key", installation.JSON(`"k-93f0"`)),
	} {
		_, err := host.Patch(context.Background(), installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{
			test, patch.Set("/checked", installation.JSON(`true`)),
		}})
		if refused, ok := errors.AsType[*validate.Error](err); ok {
			fmt.Println(refused.Violations[0].Path, refused.Violations[0].Rule)
		} else {
			fmt.Println(err)
		}
	}
	// Output:
	// <nil>
	// configuration/region test-failed
	// configuration/api_key sealed
}

// exampleDescribed returns a service in the name of the host, on an empty store, for which the configurations of EXT-1 have a schema.
func exampleDescribed(schema string) *installation.Service {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	sources := map[string]validate.SchemaSource{"EXT-1": validate.SchemaText([]byte(schema))} // made once; the revision is a hash of the text
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		Schema: func(_ context.Context, _ string, ext installation.Extension) (validate.SchemaSource, error) {
			return sources[ext.ID], nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return svc.As(installation.Actor{Kind: installation.Host})
}

// exampleConfigure writes the configuration of EXI-1, which it installs if it is not.
func exampleConfigure(host *installation.Service, document string) (*installation.Result, error) {
	return host.Upsert(context.Background(), installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{
		Extension:     installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-1"}),
		Account:       installation.Value(installation.Account{ID: "ACC-2"}),
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(document)}),
	}})
}
