package installation_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// A schema marks secrets of any name and limits the values of a configuration. A violation
// has the place and the keyword of the schema.
func ExampleOptions_schema() {
	ctx := context.Background()
	host := exampleDescribed(`{
		"required": ["language"],
		"properties": {
			"language":        {"enum": ["en", "de"]},
			"authorization": {"type": "string", "writeOnly": true, "minLength": 8},
			"token_count":   {"type": "integer", "x-sensitive": false},
			"retries":       {"type": "integer", "default": 3}
		}
	}`)
	inst, err := exampleConfigure(host, `{"language":"en","authorization":"Basic dTpw"}`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)

	_, err = host.Patch(ctx, installation.PatchRequest{
		ID: "EXI-1",
		Operations: []installation.Operation{
			patch.Set("/language", installation.JSON(`"mars"`)),
			patch.SetSecret("/authorization", crypto.NewSecret("short")),
		},
	})
	if invalid, ok := errors.AsType[*validate.Error](err); ok {
		for _, v := range invalid.Violations {
			fmt.Println(v.Path, v.Rule, v.Keyword)
		}
	}
	// Output:
	// {"language":"en","authorization":"***","retries":3}
	// configuration/authorization schema minLength
	// configuration/language schema enum
}

// With an x-key, an element of an array keeps its secret when the array is sent back in
// another order or without some elements. x-key names the member that identifies an element.
func ExampleOptions_schemaKey() {
	ctx := context.Background()
	host := exampleDescribed(`{"properties":{"targets":{"x-key":"id"}}}`)
	_, err := exampleConfigure(host, `{"targets":[
		{"id":"a","token":"t-a"},
		{"id":"b","token":"t-b"},
		{"id":"c","token":"t-c"}
	]}`)
	if err != nil {
		log.Fatal(err)
	}
	inst, err := exampleConfigure(host,
		`{"targets":[{"id":"c","token":"***"},{"id":"b","token":"***","note":"new"}]}`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	secrets, err := host.Reveal(ctx, installation.RevealRequest{
		ID: "EXI-1", Refs: inst.Sealed, Reason: "example",
	})
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

// A write that may send a stored secret elsewhere is rejected. Give the secret again in the same
// write, or say why the write is right, if you may reveal the secret.
func ExampleOperation_destination() {
	ctx := context.Background()
	host := exampleHost()
	_, err := exampleConfigure(host, `{"url":"https://acme.example","api_key":"k-93f0"}`)
	if err != nil {
		log.Fatal(err)
	}
	move := installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{
		patch.Set("/url", installation.JSON(`"https://eu.acme.example"`)),
	}}
	_, err = host.Patch(ctx, move)
	if invalid, ok := errors.AsType[*validate.Error](err); ok {
		v := invalid.Violations[0]
		fmt.Println(v.Path, v.Rule, v.Related)
	}

	move.AllowDestination = "Acme moved its API, see ticket 42"
	inst, err := host.Patch(ctx, move)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	// Output:
	// configuration/api_key destination configuration/url
	// {"url":"https://eu.acme.example","api_key":"***"}
}

// A JSON Patch is applied as a whole or not at all. Members that it does not name stay,
// secrets included.
func Example_jsonPatch() {
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	ops, err := patch.FromJSON([]byte(`[
		{"op": "test", "path": "/language", "value": "en"},
		{"op": "replace", "path": "/language", "value": "de"},
		{"op": "add", "path": "/channels", "value": ["orders"]},
		{"op": "add", "path": "/channels/0", "value": "offers"}
	]`))
	if err != nil {
		log.Fatal(err)
	}
	inst, err := host.Patch(context.Background(), installation.PatchRequest{
		ID: "EXI-1", Operations: ops,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)

	_, err = patch.FromJSON([]byte(`[{"op":"move","from":"/api_key","path":"/old_key"}]`))
	fmt.Println(errors.Is(err, installation.ErrInvalid))
	// Output:
	// {"language":"de","api_key":"***","channels":["offers","orders"]}
	// true
}

// In a merge patch null removes a member. Members that it does not name stay.
func Example_mergePatch() {
	host := exampleHost()
	_, err := exampleConfigure(host,
		`{"language":"en","limits":{"orders":10,"offers":5},"api_key":"k-93f0"}`)
	if err != nil {
		log.Fatal(err)
	}
	ops, err := patch.FromMerge([]byte(`{"limits":{"orders":20,"offers":null}}`))
	if err != nil {
		log.Fatal(err)
	}
	inst, err := host.Patch(context.Background(), installation.PatchRequest{
		ID: "EXI-1", Operations: ops,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	// Output: {"language":"en","limits":{"orders":20},"api_key":"***"}
}

// An update mask limits a write to the named places of a document.
func Example_updateMask() {
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	document := []byte(`{"language":"de","limits":{"orders":20,"offers":1},"api_key":"ignored"}`)
	ops, err := patch.FromMask(document, "language", "limits.orders")
	if err != nil {
		log.Fatal(err)
	}
	inst, err := host.Patch(context.Background(), installation.PatchRequest{
		ID: "EXI-1", Operations: ops,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inst.Configuration.Document)
	// Output: {"language":"de","api_key":"***","limits":{"orders":20}}
}

// A Test makes the write depend on a stored value. It never confirms the value of a secret.
func ExampleTest() {
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	for _, test := range []installation.Operation{
		patch.Test("/language", installation.JSON(`"en"`)),
		patch.Test("/language", installation.JSON(`"de"`)),
		patch.Test("/api_key", installation.JSON(`"k-93f0"`)),
	} {
		_, err := host.Patch(context.Background(), installation.PatchRequest{
			ID: "EXI-1",
			Operations: []installation.Operation{
				test, patch.Set("/checked", installation.JSON(`true`)),
			},
		})
		if invalid, ok := errors.AsType[*validate.Error](err); ok {
			fmt.Println(invalid.Violations[0].Path, invalid.Violations[0].Rule)
		} else {
			fmt.Println(err)
		}
	}
	// Output:
	// <nil>
	// configuration/language test-failed
	// configuration/api_key sealed
}

// exampleDescribed returns a service of the host on an empty store. Configurations of EXT-1
// have the schema.
func exampleDescribed(schema string) *installation.Service {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	// The source is made once. Its revision is a hash of the text.
	sources := map[string]validate.SchemaSource{"EXT-1": validate.SchemaText([]byte(schema))}
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		Schema: func(
			_ context.Context, _ string, ext installation.Extension,
		) (validate.SchemaSource, error) {
			return sources[ext.ID], nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return svc.As(installation.Actor{Kind: installation.Host})
}

// exampleConfigure writes the configuration of EXI-1 and installs it if needed.
func exampleConfigure(host *installation.Service, document string) (*installation.Result, error) {
	return host.Upsert(context.Background(), installation.UpsertRequest{
		ID: "EXI-1",
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{
				ID: "EXT-1", Owner: "ACC-1",
			}),
			Account: installation.Value(installation.Account{ID: "ACC-2"}),
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(document),
			}),
		},
	})
}

// A worker opens an installation to use its secrets. Open returns configuration and secrets of one
// revision, so the key is never sent to the address of another revision.
func ExampleService_Open() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	extension := host.As(installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"})

	opened, err := extension.Open(ctx, installation.OpenRequest{ID: "EXI-1", Reason: "nightly run"})
	if err != nil {
		log.Fatal(err)
	}
	defer opened.Close()
	var cfg struct {
		Language string        `json:"language"`
		APIKey   crypto.Secret `json:"api_key"`
	}
	if err := opened.Decode(&cfg); err != nil {
		log.Fatal(err)
	}
	call, err := http.NewRequest(http.MethodGet, "https://shop.example/"+cfg.Language, nil)
	if err != nil {
		log.Fatal(err)
	}
	call.Header.Set("Authorization", "Bearer "+cfg.APIKey.RevealString())
	fmt.Println(call.Method, call.URL, call.Header)
	fmt.Printf("%+v\n", cfg)
	// Output:
	// GET https://shop.example/en map[Authorization:[Bearer k-93f0]]
	// {Language:en APIKey:***}
}

// Credentials of a connection come with the address that they belong to.
func ExampleOpened_Credentials() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	_, err := host.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{
		Connection: installation.Value(installation.Connection{
			WorkspaceRef: "https://harbor.crm.example",
			AccessToken:  installation.Token{Value: crypto.NewSecret("t-1")},
		}),
	}})
	if err != nil {
		log.Fatal(err)
	}

	opened, err := host.Open(ctx, installation.OpenRequest{ID: "EXI-1", Reason: "nightly run"})
	if err != nil {
		log.Fatal(err)
	}
	defer opened.Close()
	c, err := opened.Credentials()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("call", c.WorkspaceRef, "with", c.AccessToken.Value.RevealString())
	// Output: call https://harbor.crm.example with t-1
}

// Reveal returns secrets in plain text. It needs the place of each and a reason.
func ExampleService_Reveal() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	extension := host.As(installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"})

	secrets, err := extension.Reveal(ctx, installation.RevealRequest{
		ID:     "EXI-1",
		Refs:   []installation.Ref{installation.Ref("config/api_key")},
		Reason: "nightly synchronisation",
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range secrets {
		fmt.Println(s.Ref, "prints as", s.Value, "and reveals", s.Value.RevealString(), s.Err)
	}
	// Output: config/api_key prints as *** and reveals k-93f0 <nil>
}
