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
	"github.com/go-installation/installation/memstore"
)

// Only the answer to Invite has the code. Send it to the person you invite.
func ExampleService_Invite() {
	ctx := context.Background()
	host := exampleHost()

	res, err := host.Invite(ctx, installation.InviteRequest{
		ID: "EXI-1",
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
		},
		Message:  "Join the pilot",
		Validity: "1m",
	})
	if err != nil {
		log.Fatal(err)
	}
	link := res.AcceptURL.RevealString()
	fmt.Println(res.Status, "until", res.Invitation.Expires.Format(time.DateOnly))
	fmt.Println(strings.HasPrefix(link, "https://portal.example/accept?code=inv_"), res.AcceptURL)
	// Output:
	// invited until 2026-04-02
	// true ***
}

// A new code replaces the old one.
func ExampleService_Resend() {
	ctx := context.Background()
	host := exampleHost()
	first := exampleInvite(host, "EXI-1")

	second, err := host.Resend(ctx, installation.ResendRequest{ID: "EXI-1"})
	if err != nil {
		log.Fatal(err)
	}
	account := installation.Account{ID: "ACC-2"}
	customer := host.As(installation.Actor{Kind: installation.Customer, ID: account.ID})
	for _, code := range []crypto.Secret{first.Code, second.Code} {
		_, err := customer.Accept(ctx, installation.AcceptRequest{
			ID: "EXI-1", Code: code, Account: account,
		})
		fmt.Println(err)
	}
	// Output:
	// installation: invitation not valid
	// <nil>
}

// The first account that accepts the code gets the installation. A second accept of the same
// account returns the same answer.
func ExampleService_Accept() {
	ctx := context.Background()
	host := exampleHost()
	code := exampleInvite(host, "EXI-1").Code

	for _, account := range []installation.Account{{ID: "ACC-2"}, {ID: "ACC-2"}, {ID: "ACC-3"}} {
		customer := host.As(installation.Actor{Kind: installation.Customer, ID: account.ID})
		res, err := customer.Accept(ctx, installation.AcceptRequest{
			ID: "EXI-1", Code: code, Account: account,
		})
		if err != nil {
			fmt.Println(account.ID, err)
			continue
		}
		fmt.Println(account.ID, res.Status, "replayed:", res.Replayed)
	}
	// Output:
	// ACC-2 installed replayed: false
	// ACC-2 installed replayed: true
	// ACC-3 installation: invitation not valid
}

// A platform installs again under the same ID. Its events come twice or late, so the host passes
// on the time of each.
func ExampleUpsertRequest_installedAt() {
	ctx := context.Background()
	host := exampleHost()
	for _, event := range []struct {
		kind string
		hour int // the platform's time
	}{
		{"install", 5},
		{"install", 7}, // the uninstall before it is late
		{"uninstall", 6},
		{"install", 7}, // delivered again
		{"install", 5}, // delivered again, late
	} {
		at := time.Date(2026, time.March, 2, event.hour, 0, 0, 0, time.UTC)
		var res *installation.Result
		var err error
		switch event.kind {
		case "install":
			res, err = host.Upsert(ctx, installation.UpsertRequest{
				ID: "shop-1", InstalledAt: at,
				Parts: installation.Parts{
					Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
					Account:   installation.Value(installation.Account{ID: "ACC-2"}),
				},
			})
		case "uninstall":
			res, err = host.Uninstall(ctx, installation.UninstallRequest{
				ID: "shop-1", Guard: installation.Guard{InstalledBefore: at},
			})
		}
		switch {
		case errors.Is(err, installation.ErrStale):
			fmt.Println(event.kind, "of hour", event.hour, "is stale") // answer 200: do not retry
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(event.kind, "of hour", event.hour, "leaves generation", res.Generation,
				res.Status, "changed:", res.Changed)
		}
	}
	// Output:
	// install of hour 5 leaves generation 1 installed changed: true
	// install of hour 7 leaves generation 2 installed changed: true
	// uninstall of hour 6 is stale
	// install of hour 7 leaves generation 2 installed changed: false
	// install of hour 5 is stale
}

// Expire ends an invitation before its deadline.
func ExampleService_Expire() {
	ctx := context.Background()
	host := exampleHost()
	exampleInvite(host, "EXI-1")

	res, err := host.Expire(ctx, installation.ExpireRequest{ID: "EXI-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, res.Changed)

	res, err = host.Expire(ctx, installation.ExpireRequest{ID: "EXI-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, res.Changed)
	// Output:
	// expired true
	// expired false
}

// An invitation expires without a job. Sweep stores the expiry, and purges secrets after the
// grace period.
func ExampleService_Sweep() {
	ctx := context.Background()
	svc, now := exampleService()
	host := svc.As(installation.Actor{Kind: installation.Host})
	exampleInvite(host, "EXI-1")

	*now = now.AddDate(0, 0, 8)
	inst, err := host.Get(ctx, "EXI-1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("before: %s, revision %d\n", inst.Status, inst.Revision)

	report, err := host.Sweep(ctx, installation.SweepRequest{})
	fmt.Printf("%+v %v\n", report, err)
	// Output:
	// before: expired, revision 1
	// {Expired:1 Vouched:0 Purged:0 Shredded:0 Waiting:0 Skipped:0 Failed:0} <nil>
}

// AcceptRestore is called after a restore from a backup. It makes open invitations void.
// VoidInvitations lists them, and Resend gives each a new code.
func ExampleService_AcceptRestore() {
	ctx := context.Background()
	host := exampleHost()
	exampleInvite(host, "EXI-1")

	in, err := host.AcceptRestore(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("epoch", in.Epoch)

	for after, more := "", true; more; more = after != "" {
		page, err := host.VoidInvitations(ctx, after)
		if err != nil {
			log.Fatal(err)
		}
		for _, key := range page.Keys {
			res, err := host.In(key.Tenant).Resend(ctx, installation.ResendRequest{ID: key.ID})
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("resent", res.ID, "at revision", res.Revision)
		}
		after = page.Next
	}
	// Output:
	// epoch 1772442000000000
	// resent EXI-1 at revision 1772442000000000
}

// An uninstall keeps the record. It keeps the secrets for the grace period, or purges them at
// once with Final.
func ExampleService_Uninstall() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	for _, final := range []bool{false, true, true} {
		res, err := host.Uninstall(ctx, installation.UninstallRequest{
			ID: "EXI-1", Final: final, Reason: "trial is over",
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.Status, "changed:", res.Changed,
			"purged:", res.Purged, "secrets:", len(res.Sealed))
	}
	// Output:
	// uninstalled changed: true purged: false secrets: 1
	// uninstalled changed: true purged: true secrets: 0
	// uninstalled changed: false purged: true secrets: 0
}

// A deleted installation is not found.
func ExampleService_Delete() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	for range 2 {
		_, err := host.Delete(ctx, installation.DeleteRequest{ID: "EXI-1"})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// delete EXI-1: installation: not found
}

// The change log has the places that changed, without values. A follower continues from
// Next.
func ExampleService_Events() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")
	if _, err := host.Upsert(ctx, installation.UpsertRequest{
		ID: "EXI-1",
		Parts: installation.Parts{
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(`{"language":"de","api_key":"***"}`),
			}),
		},
	}); err != nil {
		log.Fatal(err)
	}

	for after := ""; ; {
		page, err := host.Events(ctx, after, 1)
		if err != nil || len(page.Events) == 0 {
			fmt.Println("end of the log", err)
			break
		}
		for _, e := range page.Events {
			fmt.Println(e.Key.ID, e.Type, e.Revision, e.Actor.Kind, e.Changed)
		}
		after = page.Next
	}
	// Output:
	// EXI-1 created 1 host [account configuration extension]
	// EXI-1 updated 2 host [config/language]
	// end of the log <nil>
}

// Check serves start-up checks and health endpoints.
func ExampleService_Check() {
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	report, err := host.Check(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ok:", report.OK())
	for _, f := range report.Findings {
		fmt.Println(f.Level, f.Rule)
	}
	fmt.Printf("%+v\n", report.Keys)
	// Output:
	// ok: true
	// warning durability
	// [{ID:k1 Primary:true Records:1}]
}

// exampleRotation returns two services of the host on one store with one installation. k1 is
// the primary key of the first, and k2 of the second.
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

// Rewrap moves the records to the primary key.
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

// CanRetire returns an error while records need the key.
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

// Rekey seals a record again under a new data key.
func ExampleService_Rekey() {
	ctx := context.Background()
	host := exampleHost()
	exampleInstall(host, "EXI-1", "ACC-2")

	res, err := host.Rekey(ctx, installation.RekeyRequest{
		ID: "EXI-1", Reason: "an employee left",
	})
	if err != nil {
		log.Fatal(err)
	}
	secrets, err := host.Reveal(ctx, installation.RevealRequest{
		ID: "EXI-1", Refs: res.Sealed, Reason: "check",
	})
	if err != nil {
		log.Fatal(err)
	}
	s := secrets[0]
	fmt.Println("revision", res.Revision, "revealed", s.Ref, s.Value.RevealString())
	// Output:
	// revision 2 revealed config/api_key k-93f0
}
