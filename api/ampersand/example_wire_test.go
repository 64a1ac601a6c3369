package ampersand_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// The object of testdata/seeds, as the service returns it. Only the secrets differ.
func ExampleInstallationOf() {
	svc, seed := seeded()
	ctx := context.Background()

	inst, err := svc.Get(ctx, "0d6c2b1e-58f4-4b7a-9c35-7e1a90d2f846")
	if err != nil {
		log.Fatal(err)
	}
	compare(ampersand.InstallationOf(inst), seed)
	// Output:
	// connection.apiKey: "***"
	// connection.oauth2AuthorizationCode.accessToken.token: "***"
	// connection.oauth2AuthorizationCode.refreshToken.token: "***"
	// 47 members are as in the seed
}

// seeded returns a service that stores the object of testdata/seeds, and the text of the object.
func seeded() (*installation.Service, []byte) {
	text, err := os.ReadFile("../../testdata/seeds/ampersand.json")
	if err != nil {
		log.Fatal(err)
	}
	var in ampersand.Installation
	if err := json.Unmarshal(text, &in); err != nil {
		log.Fatal(err)
	}
	key, err := crypto.GenerateKey("example")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		Policy: ampersand.Policy, Owner: ampersand.Owner, Schema: ampersand.Schema,
		Now: func() time.Time { return in.CreateTime.Time },
	})
	if err != nil {
		log.Fatal(err)
	}
	svc = svc.In(in.ProjectID).As(installation.Actor{Kind: installation.Host})
	_, err = svc.Upsert(context.Background(),
		installation.UpsertRequest{ID: in.ID, Parts: in.Parts()})
	if err != nil {
		log.Fatal(err)
	}
	return svc, text
}

// compare prints the members of an object that differ from the seed, and counts the others.
func compare(object *ampersand.Installation, seed []byte) {
	text, err := json.Marshal(object)
	if err != nil {
		log.Fatal(err)
	}
	same := 0
	got, want := members(text), members(seed)
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if got[path] == want[path] {
			same++
		} else {
			fmt.Printf("%s: %s\n", path, got[path])
		}
		delete(want, path)
	}
	for path := range want {
		fmt.Println(path, "is missing")
	}
	fmt.Println(same, "members are as in the seed")
}

// members returns the values in an object by their paths. Times are in one form.
func members(text []byte) map[string]string {
	var object any
	if err := json.Unmarshal(text, &object); err != nil {
		log.Fatal(err)
	}
	out := make(map[string]string)
	var add func(path string, v any)
	add = func(path string, v any) {
		if object, ok := v.(map[string]any); ok {
			for name, member := range object {
				add(strings.TrimPrefix(path+"."+name, "."), member)
			}
			return
		}
		out[path] = string(marshal(v))
	}
	add("", times(object))
	return out
}
