package ampersand_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/memstore"
)

func Example() {
	// An operator makes the key once. A program reads it with crypto.KeyringFromFile.
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), keys, &installation.Options{
		Policy: ampersand.Policy, Owner: ampersand.Owner, Schema: ampersand.Schema,
	})
	if err != nil {
		log.Fatal(err)
	}
	host := memory.Demo(crypto.NewSecret("an API key"), nil)
	handler, err := ampersand.NewHandler(svc, host.Host(), &ampersand.Options{Catalogue: host,
		Sampler: host})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ampersand/v1/", http.StripPrefix("/ampersand/v1", handler))

	request := httptest.NewRequest(http.MethodGet,
		"/ampersand/v1/projects/harbor-app/installations", nil)
	request.Header.Set("X-Api-Key", "an API key")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	fmt.Println(answer.Code, answer.Body)
	// Output: 200 []
}
