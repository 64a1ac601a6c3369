package softwareone_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
	"github.com/go-installation/installation/memstore"
)

// exampleData is a directory with a vendor, its extension and a client.
var exampleData = static.Data{
	Accounts: []softwareone.Account{
		{ID: "ACC-2205-6611", Name: "Tidewater Software", Type: softwareone.AccountVendor,
			Status: "Enabled"},
		{ID: "ACC-8834-0012", Name: "Harbor Foods", Type: softwareone.AccountClient,
			Status: "Enabled"},
	},
	Extensions: []softwareone.Extension{{
		ID: "EXT-4410-7725", Name: "Stock Sync", Status: softwareone.ExtensionPublic,
		Owner: "ACC-2205-6611", Modules: []softwareone.Module{{ID: "MOD-0478"}},
	}},
	Tokens: []softwareone.Token{{ID: "TKN-0002-0001", Account: "ACC-8834-0012"}},
	TokenSecrets: map[string]crypto.Secret{
		"TKN-0002-0001": crypto.NewSecret("made-up-client-secret"),
	},
}

func Example() {
	directory, err := static.New(exampleData)
	if err != nil {
		log.Fatal(err)
	}
	// made once, by an operator; a program reads it with crypto.KeyringFromFile
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		Policy: softwareone.Policy, Owner: softwareone.Owners(directory),
		Schema: softwareone.Schemas(directory),
	})
	if err != nil {
		log.Fatal(err)
	}
	signingKey := crypto.NewSecret("made-up-signing-key-of-32-bytes-or-more")
	issuer, err := softwareone.NewIssuer(signingKey, nil)
	if err != nil {
		log.Fatal(err)
	}
	handler, err := softwareone.NewHandler(svc, directory, issuer, nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/public/v1/integration/", http.StripPrefix("/public/v1/integration", handler))

	send := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/public/v1/integration"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer idt:TKN-0002-0001:made-up-client-secret")
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		return rec
	}
	fmt.Println(send("POST", "/installations",
		`{"extension":{"id":"EXT-4410-7725"},"modules":[{"id":"MOD-0478"}]}`).Code)
	fmt.Println(send("POST", "/installations", `{"extension":{"id":"EXT-4410-7725"}}`).Code)
	fmt.Println(send("GET",
		"/installations?and(eq(extension.id,'EXT-4410-7725'),status=Installed)&limit=0", "").Body)
	// Output:
	// 201
	// 409
	// {"data":[],"$meta":{"pagination":{"limit":0,"offset":0,"total":1},"omitted":["audit"]}}
}
