package vercel

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/go-installation/installation/internal/jsontree"
)

// Times and sizes of the key set.
const (
	keyAge       = time.Hour        // after which keys are read anew, so that one that was withdrawn ends
	keyPause     = 30 * time.Second // between two reads, however many tokens name keys that are not there
	troublePause = time.Second      // after a read that failed
	fetchTimeout = 10 * time.Second
	maxKeySet    = 256 << 10
)

// remoteKeys is the key set at a URL. The library's own keeps keys for ever; this one replaces it from time to time.
type remoteKeys struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu   sync.Mutex
	set  *oidc.RemoteKeySet
	made time.Time
}

func newRemoteKeys(url string, client *http.Client, now func() time.Time) *remoteKeys {
	c := &http.Client{Timeout: fetchTimeout}
	if client != nil {
		*c = *client
	}
	c.Transport = &fetcher{next: cmp.Or(c.Transport, http.DefaultTransport), now: now}
	return &remoteKeys{url: url, client: c, now: now}
}

// VerifySignature implements [oidc.KeySet].
func (k *remoteKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // the keys may be there before the end of the context is noticed
	}
	return k.current().VerifySignature(ctx, jwt)
}

func (k *remoteKeys) current() *oidc.RemoteKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); k.set == nil || now.Sub(k.made) >= keyAge {
		k.set = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), k.client), k.url)
		k.made = now
	}
	return k.set
}

// fetcher is the transport that the library reads the key set by. The library asks whenever a token names a key it does not have, and anyone can send
// such a token, so within a pause the fetcher answers what it answered before.
type fetcher struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	body []byte
	err  error
}

// RoundTrip implements [http.RoundTripper]. The request is always the same.
func (f *fetcher) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pause := keyPause
	if f.err != nil {
		pause = troublePause
	}
	if now := f.now(); f.at.IsZero() || now.Sub(f.at) >= pause {
		f.body, f.err = f.fetch(r)
		f.at = now
	}
	if f.err != nil {
		return nil, f.err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(f.body)), Body: io.NopCloser(bytes.NewReader(f.body)),
	}, nil
}

// fetch reads a key set. What is no key set is [ErrKeysUnavailable], an error page and a redirect included.
func (f *fetcher) fetch(r *http.Request) ([]byte, error) {
	resp, err := f.next.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", ErrKeysUnavailable, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	tree, err := jsontree.Parse(body, jsontree.Limits{Bytes: maxKeySet})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	if keys := tree.Child("keys"); keys == nil || keys.Kind() != jsontree.Array {
		return nil, fmt.Errorf("%w: no keys in it", ErrKeysUnavailable)
	}
	return body, nil
}
