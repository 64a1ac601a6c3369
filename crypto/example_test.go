package crypto_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/go-installation/installation/crypto"
)

// An operator makes a key once and puts its text where the program finds it: a file that nobody
// else may read.
func ExampleGenerateKey() {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key)
	fmt.Println(len(key.Reveal()), "characters to keep")
	// Output:
	// k1:***
	// 46 characters to keep
}

// The first key is the primary: it wraps. The others unwrap keys from before a rotation.
func ExampleParseKeyring() {
	ring, err := crypto.ParseKeyring([]byte(`
		k2:rHIfMnFOZe7VJ0VJq8DPcUX5Vo3k7JFMpWKx_GzZbf4
		k1:gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8
	`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ring)
	fmt.Println(ring.Primary(), ring.KeyIDs())
	// Output:
	// keyring k2 k1
	// k2 [k1 k2]
}

// A value is sealed under the data key of its installation, for one place.
func ExampleDataKey() {
	key, err := crypto.NewDataKey(1, crypto.SuiteAES256GCM)
	if err != nil {
		log.Fatal(err)
	}
	defer key.Destroy()
	at := crypto.Place{
		Tenant: "ACC-1234-1234", Record: "EXI-1234-1234-0001",
		Kind: "config", Pointer: "/adobe_secret",
	}
	sealed, err := key.Seal(nil, at, []byte(`"s3cr3t"`))
	if err != nil {
		log.Fatal(err)
	}
	value, err := key.Open(nil, at, sealed)
	fmt.Printf("%s %v\n", value, err)

	at.Pointer = "/webhook_url"
	_, err = key.Open(nil, at, sealed)
	fmt.Println(err, errors.Is(err, crypto.ErrSealed))
	// Output:
	// "s3cr3t" <nil>
	// installation: sealed data does not open true
}

// A data key is stored wrapped, bound to its tenant and installation.
func ExampleKeyring() {
	ctx := context.Background()
	k1, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	ring, err := crypto.NewKeyring(k1)
	if err != nil {
		log.Fatal(err)
	}
	if ring, err = ring.WithSuite(crypto.SuiteAES256GCM); err != nil { // for FIPS 140
		log.Fatal(err)
	}
	data, err := crypto.NewDataKey(1, ring.Suite())
	if err != nil {
		log.Fatal(err)
	}
	binding := crypto.Binding{Tenant: "ACC-1234-1234", Record: "EXI-1234-1234-0001"}
	wrapped, err := ring.Wrap(ctx, data, binding)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(wrapped.KeyID, len(wrapped.Bytes))

	again, err := ring.Unwrap(ctx, wrapped, binding)
	fmt.Println(again.Number(), err)

	binding.Tenant = "ACC-9999-9999"
	_, err = ring.Unwrap(ctx, wrapped, binding)
	fmt.Println(err)
	// Output:
	// k1 131
	// 1 <nil>
	// installation: sealed data does not open
}

// A client can read a masked document, change it and send it back. "***" then means that the
// value exists and is not shown.
func ExampleSecret() {
	type config struct {
		URL   string        `json:"url"`
		Token crypto.Secret `json:"token,omitzero"`
	}
	stored := config{URL: "https://api.example.com", Token: crypto.NewSecret("hunter2")}
	shown, err := json.Marshal(stored)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(shown))
	fmt.Printf("%v %+v %q\n", stored, stored, stored.Token)

	var sent config
	if err := json.Unmarshal(shown, &sent); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sent.Token.IsMasked()) // so revealing it would panic
	fmt.Println(stored.Token.RevealString())
	// Output:
	// {"url":"https://api.example.com","token":"***"}
	// {https://api.example.com ***} {URL:https://api.example.com Token:***} ***
	// true
	// hunter2
}
