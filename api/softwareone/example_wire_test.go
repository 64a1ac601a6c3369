package softwareone_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"regexp"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// The object of testdata/seeds, as the vendor of the extension reads it from the service.
func ExampleInstallationOf() {
	svc := seeded()
	ctx := context.Background()

	inst, err := svc.Get(ctx, "EXI-1234-1234-0001")
	if err != nil {
		log.Fatal(err)
	}
	show(softwareone.InstallationOf(inst))
	// Output:
	// {
	//   "id": "EXI-1234-1234-0001",
	//   "revision": 3,
	//   "status": "Installed",
	//   "extension": { "id": "EXT-6822-9898-4256", "name": "Cloud Partner Sync" },
	//   "account": {
	//     "id": "ACC-1234-1234",
	//     "name": "Harbor Foods",
	//     "icon": "/static/ACC-1234-1234/account.png"
	//   },
	//   "modules": [
	//     { "id": "MOD-123" },
	//     { "id": "MOD-433" }
	//   ],
	//   "configuration": { "adobe_secret": "***", "mpt_token": "***", "vendor": "ACC-123-123" },
	//   "invitation": {
	//     "message": "",
	//     "status": "Installed",
	//     "validity": { "period": "7d" },
	//     "url": "https://client.example/accept-invite?installation=EXI-1234-1234-0001"
	//   },
	//   "audit": {
	//     "created": {
	//       "at": "2026-03-02T09:00:00.000Z",
	//       "by": { "id": "USR-0001", "name": "Vendor desk" }
	//     },
	//     "updated": {
	//       "at": "2026-03-02T09:00:00.000Z",
	//       "by": { "id": "USR-0001", "name": "Vendor desk" },
	//       "of": {
	//         "id": "ACC-1234-1234",
	//         "name": "Harbor Foods",
	//         "icon": "/static/ACC-1234-1234/account.png"
	//       }
	//     },
	//     "invited": {
	//       "at": "2026-03-02T09:00:00.000Z",
	//       "by": { "id": "USR-0001", "name": "Vendor desk" }
	//     },
	//     "installed": {
	//       "at": "2026-03-02T09:00:00.000Z",
	//       "of": {
	//         "id": "ACC-1234-1234",
	//         "name": "Harbor Foods",
	//         "icon": "/static/ACC-1234-1234/account.png"
	//       }
	//     }
	//   }
	// }
}

var (
	innermost = regexp.MustCompile(`[{\[][^{}\[\]]*[}\]]`)
	newline   = regexp.MustCompile(`\n *`)
)

// show prints a value as JSON, with short objects and arrays on one line.
func show(v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	check(err)
	fmt.Println(innermost.ReplaceAllStringFunc(string(text), func(s string) string {
		if line := newline.ReplaceAllString(s, " "); len(line) < 80 {
			return line
		}
		return s
	}))
}

// seeded returns a service that acts for the vendor, with the installation of testdata/seeds. It
// takes each part of the installation from the platform's object.
func seeded() *installation.Service {
	ctx := context.Background()
	key, err := crypto.GenerateKey("k1")
	check(err)
	keys, err := crypto.NewKeyring(key)
	check(err)
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		AcceptURL: "https://client.example/accept-invite",
		Now:       func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) },
		Owner: func(context.Context, string, string) (string, error) {
			return "ACC-123-123", nil
		},
	})
	check(err)
	text, err := os.ReadFile("../../testdata/seeds/softwareone.json")
	check(err)
	var object softwareone.Installation
	check(json.Unmarshal(text, &object))
	parts := object.Parts()

	vendor := svc.As(installation.Actor{Kind: installation.Vendor, ID: "ACC-123-123",
		User: installation.Reference{ID: "USR-0001", Name: "Vendor desk"}})
	invited, err := vendor.Invite(ctx, installation.InviteRequest{
		ID: object.ID, Parts: installation.Parts{Extension: parts.Extension},
	})
	check(err)
	account, _ := parts.Account.Get()
	customer := svc.As(installation.Actor{Kind: installation.Customer, ID: account.ID})
	_, err = customer.Accept(ctx, installation.AcceptRequest{
		ID: object.ID, Code: invited.Code, Account: account, Consent: parts.Consent,
	})
	check(err)
	_, err = vendor.Patch(ctx, installation.PatchRequest{
		ID: object.ID, Parts: installation.Parts{Configuration: parts.Configuration},
	})
	check(err)
	return vendor
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
