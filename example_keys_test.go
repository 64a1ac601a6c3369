package installation_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// exampleRotation returns the service of a host twice, on one store with one installation: as it was with the key k1, and as it is with k2
// as the primary key and k1 beside it.
func exampleRotation() (before, after *installation.Service) {
	var keys [2]crypto.Key
	for i, id := range []string{"k1", "k2"} {
		var err error
		if keys[i], err = crypto.GenerateKey(id); err != nil {
			log.Fatal(err)
		}
	}
	store := memstore.New()
	host := func(primary crypto.Key, others ...crypto.Key) *installation.Service {
		ring, err := crypto.NewKeyring(primary, others...)
		if err != nil {
			log.Fatal(err)
		}
		svc, err := installation.New(store, ring, nil)
		if err != nil {
			log.Fatal(err)
		}
		return svc.As(installation.Actor{Kind: installation.Host})
	}
	before, after = host(keys[0], keys[1]), host(keys[1], keys[0])
	exampleInstall(before, "EXI-1", "ACC-2")
	return before, after
}

func ExampleService_Rewrap() {
	_, host := exampleRotation()

	report, err := host.Rewrap(context.Background(), installation.RewrapRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("before %+v\nafter  %+v\n", report.Before, report.After)
	fmt.Println("done:", report.Done())
	// Output:
	// before [{ID:k1 Primary:false Records:1} {ID:k2 Primary:true Records:0}]
	// after  [{ID:k1 Primary:false Records:0} {ID:k2 Primary:true Records:1}]
	// done: true
}

func ExampleService_CanRetire() {
	ctx := context.Background()
	_, host := exampleRotation()

	fmt.Println("in use:", errors.Is(host.CanRetire(ctx, "k1"), installation.ErrKeyInUse))
	if _, err := host.Rewrap(ctx, installation.RewrapRequest{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("after rewrapping:", host.CanRetire(ctx, "k1"))
	// Output:
	// in use: true
	// after rewrapping: <nil>
}

func ExampleService_Rekey() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	res, err := host.Rekey(ctx, installation.RekeyRequest{ID: "EXI-1", Reason: "an employee left"})
	if err != nil {
		log.Fatal(err)
	}
	secrets, err := host.Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Refs: res.Sealed, Reason: "check"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("revision", res.Revision, "revealed", secrets[0].Ref, secrets[0].Value.RevealString())
	// Output:
	// revision 2 revealed config/api_key k-93f0
}
