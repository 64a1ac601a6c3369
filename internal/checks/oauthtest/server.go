package oauthtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Counters are what a server counted since it started.
type Counters struct {
	Requests    int // at the token endpoint
	Refreshes   int // refresh tokens that were rotated
	Spent       int // requests with a refresh token that was spent before
	Revocations int // requests that reached the revocation endpoint
	Held        int // requests that wait now
	Faults      map[FaultKind]int
}

// server is the OAuth server, its faults, and its control endpoint.
type server struct {
	grants *grants
	faults *faults
	oauth  http.Handler
}

// newServer returns the handler of a new server.
func newServer() (http.Handler, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	s := &server{grants: newGrants(), faults: newFaults()}
	config := &op.Config{AuthMethodPost: true, GrantTypeRefreshToken: true}
	rand.Read(config.CryptoKey[:])
	s.oauth, err = op.NewProvider(config, &storage{grants: s.grants, key: key},
		op.StaticIssuer("http://auth.example"), op.WithAllowInsecure())
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+TokenPath, s.token)
	mux.HandleFunc("POST "+RevokePath, s.revoke)
	mux.Handle("/", s.oauth)
	mux.HandleFunc("GET /control/counters", s.counters)
	mux.HandleFunc("GET /control/grants", s.list)
	mux.HandleFunc("POST /control/grants", s.add)
	mux.HandleFunc("POST /control/end", s.end)
	mux.HandleFunc("POST /control/faults", s.setFaults)
	mux.HandleFunc("POST /control/lifetime", s.setLifetime)
	mux.HandleFunc("GET /control/held", s.held)
	return mux, nil
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	s.grants.mu.Lock()
	s.grants.counters.Requests++
	s.grants.mu.Unlock()
	s.through(w, r, "refresh_token")
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	s.through(w, r, "token")
}

// through passes a request to the OAuth server, with the faults of the grant whose refresh token is
// a parameter.
func (s *server) through(w http.ResponseWriter, r *http.Request, parameter string) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if r.ParseForm() != nil {
		http.Error(w, "not a form", http.StatusBadRequest)
		return
	}
	id := ""
	s.grants.mu.Lock()
	if t := s.grants.refresh[r.PostForm.Get(parameter)]; t != nil {
		id = t.grant.ID
	}
	s.grants.mu.Unlock()
	s.faults.serve(w, r, id, s.oauth)
}

func (s *server) counters(w http.ResponseWriter, _ *http.Request) {
	s.grants.mu.Lock()
	c := s.grants.counters
	s.grants.mu.Unlock()
	c.Faults, c.Held = s.faults.counts()
	answer(w, c)
}

func (s *server) list(w http.ResponseWriter, _ *http.Request) { answer(w, s.grants.list()) }

func (s *server) add(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil || n < 0 || n > 100_000 {
		http.Error(w, "n must be 0 to 100000", http.StatusBadRequest)
		return
	}
	answer(w, s.grants.add(n))
}

func (s *server) end(w http.ResponseWriter, r *http.Request) {
	if !s.grants.end(r.FormValue("id")) {
		http.Error(w, "no such grant", http.StatusNotFound)
		return
	}
	answer(w, nil)
}

func (s *server) setFaults(w http.ResponseWriter, r *http.Request) {
	var list []Fault
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.faults.replace(list)
	answer(w, nil)
}

func (s *server) setLifetime(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("d"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.grants.mu.Lock()
	s.grants.lifetime = d
	s.grants.mu.Unlock()
	answer(w, nil)
}

func (s *server) held(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.faults.awaitHeld(r.Context(), n) == nil {
		answer(w, nil)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone if it fails
}
