package vercel_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// A partner serves more of the Partner API than this package does. Its own routes stand beside the
// handler, and its own code checks their tokens with the same verifier.
func Example_hostRoutes() {
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
	mux, err := partner(svc, verifier)
	if err != nil {
		log.Fatal(err)
	}
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodPost,
		"/v1/installations/icfg_9aXw3LmQ7vBn2TzK5rYd8PcH/resources", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 401 {"error":{"code":"unauthorized","message":"Unauthorized"}}
}

// partner mounts the handler, and the host's route that provisions a resource. The pattern of the
// route is more specific, so it gets the request.
func partner(svc *installation.Service, verifier *vercel.Verifier) (http.Handler, error) {
	handler, err := vercel.NewHandler(svc, verifier, nil)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.HandleFunc("POST /v1/installations/{installationId}/resources",
		func(w http.ResponseWriter, r *http.Request) {
			id := r.PathValue("installationId")
			token, _ := httpapi.Bearer(r) // "" is not valid
			claims, err := verifier.Verify(r.Context(), token)
			switch {
			case errors.Is(err, vercel.ErrToken):
				refuse(w, http.StatusUnauthorized, "unauthorized")
				return
			case err != nil:
				refuse(w, http.StatusServiceUnavailable, "unavailable")
				return
			case claims.InstallationID != id || claims.UserRole != vercel.RoleAdmin:
				refuse(w, http.StatusForbidden, "forbidden")
				return
			}
			// The actor sees only the installations of its account.
			inst, err := svc.In(verifier.ClientID()).As(claims.Actor()).Get(r.Context(), id)
			if err != nil || inst.Status != installation.StatusInstalled {
				refuse(w, http.StatusNotFound, "not_found")
				return
			}
			w.Header().Set("Content-Type", httpapi.JSON)
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]string{
				"id": "db-1", "name": "The database of " + inst.Account.Name,
			})
		})
	return mux, nil
}

// refuse writes an error in the form of the Partner API.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", httpapi.JSON)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":%q}}`, code, http.StatusText(status))
}
