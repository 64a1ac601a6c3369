package vercel_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

func Example() {
	// made once, by an operator; a program reads it with crypto.KeyringFromFile
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), keys,
		&installation.Options{Policy: vercel.Policy, Claims: vercel.NoClaims})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := vercel.NewVerifier("oac_5pQ2sVx8", nil)
	if err != nil {
		log.Fatal(err)
	}
	plans, err := vercel.NewCatalogue(billing.Plan{
		ID: "team", Type: "subscription", Scope: "installation", Name: "Team",
		Description: "Five projects", Cost: "$20.00/month",
	})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := vercel.NewHandler(svc, verifier, &vercel.Options{Plans: plans})
	if err != nil {
		log.Fatal(err)
	}
	webhook, err := handler.Webhook(crypto.NewSecret("the client secret"))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/vercel/", http.StripPrefix("/vercel", handler))
	mux.Handle("/hooks/vercel", webhook)

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet,
		"/vercel/v1/installations/icfg_9aXw3LmQ7vBn2TzK5rYd8PcH", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 401 {"error":{"code":"unauthorized","message":"The request has no valid credentials."}}
}
