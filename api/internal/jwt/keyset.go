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
	keyAge       = time.Hour        // until the keys are read again, which ends withdrawn ones
	keyGrace     = 24 * time.Hour   // until the keys expire if they cannot be read again
	readPause    = 30 * time.Second // between reads, however many tokens name unknown keys
	failurePause = time.Second      // after a failed read
	fetchTimeout = 10 * time.Second
	maxKeySet    = 256 << 10 // bytes
	maxKeys      = 100
)

// KeySet has the public keys at a URL. It caches them, and reads them again when they are old or a
// token names an unknown key. It is safe for concurrent use.
type KeySet struct {
	url         string
	client      http.Client
	now         func() time.Time
	unavailable error

	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	read    time.Time     // of keys; zero = never
	tried   time.Time     // of the last read, failed or not; zero = never
	failure error         // of the last read
	fetch   chan struct{} // closed at the end of the fetch in progress; nil = no fetch
}

// NewKeySet returns the key set at a URL. A nil client has the default transport. Redirects are
// never followed, and each request is limited to 10 seconds. The errors of the key set match
// unavailable, and have nothing of what was read.
func NewKeySet(url string, client *http.Client, now func() time.Time, unavailable error) *KeySet {
	s := &KeySet{
		url: url, client: *cmp.Or(client, &http.Client{}), now: now, unavailable: unavailable,
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return s
}

// Key is the [KeyFunc] of the key set.
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

// cached returns the cached key with this ID, or nil if it is unknown or has expired. The caller
// holds the lock.
func (s *KeySet) cached(id string) *rsa.PublicKey {
	if s.now().Sub(s.read) >= keyGrace {
		return nil
	}
	return s.keys[id]
}

// refresh starts a fetch if the key is unknown or old, and enough time has passed since the
// last one. It returns a channel to wait on, or nil if the cache has the answer.
func (s *KeySet) refresh(id string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, known := s.now(), s.cached(id) != nil
	switch {
	case known && now.Sub(s.read) < keyAge:
		return nil
	case s.fetch != nil && known: // one request waits, the others go on with the old key
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

// update reads the keys for everyone who waits for done. It does not end with the request that
// started it.
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

// get reads the key set once.
func (s *KeySet) get(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, httpapi.HostError(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, httpapi.HostError(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, httpapi.HostError(err)
	}
	return parseKeys(body)
}

// parseKeys returns the keys for RS256 of a JSON Web Key Set, by ID. It skips all others: keys
// without an ID, keys for encryption or another algorithm, private and short ones.
func parseKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	tree, err := jsontree.Parse(body, jsontree.Limits{Bytes: maxKeySet})
	if err != nil {
		return nil, err
	}
	list := tree.Child("keys")
	if list == nil || list.Kind() != jsontree.Array || list.Len() > maxKeys {
		return nil, errors.New("it has no list of keys, or a very long one")
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
