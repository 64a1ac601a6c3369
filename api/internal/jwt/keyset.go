package jwt

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
)

// Times and sizes of a key set.
const (
	keyAge       = time.Hour        // age at which to fetch the keys again; withdrawn keys end then
	keyGrace     = 24 * time.Hour   // age at which keys expire that could not be fetched again
	readPause    = 30 * time.Second // between fetches, however many tokens name unknown keys
	failurePause = time.Second      // after a failed fetch
	fetchTimeout = 10 * time.Second
	maxKeySet    = 256 << 10 // bytes of the response
	maxKeys      = 100
)

// KeySet fetches the public keys of a JSON Web Key Set from a URL, and caches them. It fetches them
// again when they are old, or when a token names an unknown key. A KeySet is safe for concurrent
// use.
type KeySet struct {
	url         string
	client      http.Client
	now         func() time.Time
	unavailable error

	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	read    time.Time     // start of the fetch that returned keys; zero = none
	tried   time.Time     // start of the last fetch, failed or not; zero = none
	failure error         // of the last fetch; nil = it succeeded
	fetch   chan struct{} // closed at the end of the fetch in progress; nil = no fetch
}

// NewKeySet returns the key set at a URL. With a nil client, it uses the default transport. It
// never follows redirects, and limits each request to 10 seconds. If the keys cannot be fetched,
// [KeySet.Key] returns an error that matches unavailable and quotes nothing of the response.
func NewKeySet(url string, client *http.Client, now func() time.Time, unavailable error) *KeySet {
	s := &KeySet{
		url: url, client: *cmp.Or(client, &http.Client{}), now: now, unavailable: unavailable,
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return s
}

// Key returns the RSA public key with an ID. It is a [KeyFunc].
func (s *KeySet) Key(ctx context.Context, id string) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if fetch := s.refresh(id); fetch != nil {
		select {
		case <-fetch:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := s.cached(id); key != nil {
		return key, nil
	}
	return nil, s.failure
}

// cached returns the cached key with an ID, or nil if the key is unknown or has expired. The
// caller holds the lock.
func (s *KeySet) cached(id string) *rsa.PublicKey {
	if s.now().Sub(s.read) >= keyGrace {
		return nil
	}
	return s.keys[id]
}

// refresh starts a fetch if the key with an ID is unknown or old, and enough time has passed since
// the last fetch. It returns a channel that is closed when the fetch ends, or nil if the caller
// does not need to wait.
func (s *KeySet) refresh(id string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, known := s.now(), s.cached(id) != nil
	switch {
	case known && now.Sub(s.read) < keyAge:
		return nil
	case s.fetch != nil && known: // only one request waits; others use the old key
		return nil
	case s.fetch != nil:
		return s.fetch
	}
	pause := readPause
	if s.failure != nil {
		pause = failurePause
	}
	if !s.tried.IsZero() && now.Sub(s.tried) < pause {
		return nil
	}
	s.tried, s.fetch = now, make(chan struct{})
	go s.update(now, s.fetch)
	return s.fetch
}

// update fetches the keys and closes done. All requests that wait for done share the fetch, so it
// does not end with the request that started it.
func (s *KeySet) update(now time.Time, done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keys, err := s.get(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys, s.read, s.failure = keys, now, nil
	} else {
		s.failure = fmt.Errorf("%w: %w", s.unavailable, err)
	}
	s.fetch = nil
	close(done)
}

// get fetches the key set with one request.
func (s *KeySet) get(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, httpapi.HostError(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, httpapi.HostError(err)
	}
	defer func() { _ = resp.Body.Close() }() // cannot lose anything, since the body is only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, httpapi.HostError(err)
	}
	return parseKeys(body)
}

// parseKeys parses a JSON Web Key Set and returns its public keys for RS256, by ID. It skips keys
// without an ID, keys for encryption or another algorithm, private keys and short keys.
func parseKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	tree, err := jsontree.Parse(body, jsontree.Limits{Bytes: maxKeySet})
	if err != nil {
		return nil, err
	}
	list := tree.Child("keys")
	if list == nil || list.Kind() != jsontree.Array || list.Len() > maxKeys {
		return nil, errors.New("the key set has no list of keys, or too many keys")
	}
	keys := make(map[string]*rsa.PublicKey)
	for _, n := range list.Children() {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(n.Append(nil)) != nil || k.KeyID == "" ||
			k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != string(RS256) {
			continue
		}
		if key, ok := k.Key.(*rsa.PublicKey); ok && usable(key, RS256) {
			keys[k.KeyID] = key
		}
	}
	return keys, nil
}
