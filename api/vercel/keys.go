package vercel

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
)

// Times and sizes of the key set.
const (
	keyAge       = time.Hour        // after which keys are read anew, so that one that was withdrawn ends
	keyGrace     = 24 * time.Hour   // since they were read, for which keys are good while none can be read
	keyPause     = 30 * time.Second // between two reads, however many tokens name keys that are not there
	troublePause = time.Second      // after a read that failed
	fetchTimeout = 10 * time.Second
	maxKeySet    = 256 << 10
)

// remoteKeys is the key set at a URL. The library's own keeps keys for ever; this one replaces it from time to time, and goes back to the one
// before while the new one cannot be read.
type remoteKeys struct {
	url     string
	client  http.Client
	fetcher *fetcher
	now     func() time.Time

	mu     sync.Mutex
	set    *keySet
	before *keySet // the last one before set that was read; nil = none
}

// keySet is one set of the library's, from its first read until it is replaced.
type keySet struct {
	*oidc.RemoteKeySet
	made time.Time
	read atomic.Pointer[time.Time] // when what it holds was read; nil = it holds nothing yet
}

func newRemoteKeys(url string, client *http.Client, now func() time.Time) *remoteKeys {
	k := &remoteKeys{url: url, client: http.Client{Timeout: fetchTimeout}, now: now}
	if client != nil {
		k.client = *client
	}
	k.fetcher = &fetcher{next: cmp.Or(k.client.Transport, http.DefaultTransport), now: now}
	return k
}

// VerifySignature implements [oidc.KeySet].
func (k *remoteKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // the keys may be there before the end of the context is noticed
	}
	set, before := k.current()
	payload, err := set.VerifySignature(ctx, jwt)
	// Once the set was read, a key that is not in it was withdrawn, and the one before says nothing any more.
	if before == nil || set.read.Load() != nil || !errors.Is(err, ErrKeysUnavailable) {
		return payload, err
	}
	if payload, goneBy := before.VerifySignature(ctx, jwt); goneBy == nil {
		return payload, nil
	}
	return nil, err
}

// current returns the set, and the one before if its keys may still be used.
func (k *remoteKeys) current() (set, before *keySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.set == nil || now.Sub(k.set.made) >= keyAge {
		if k.set != nil && k.set.read.Load() != nil {
			k.before = k.set
		}
		k.set = k.make(now)
	}
	if k.before != nil && now.Sub(*k.before.read.Load()) >= keyGrace {
		k.before = nil
	}
	return k.set, k.before
}

// make returns a set that holds nothing yet.
func (k *remoteKeys) make(now time.Time) *keySet {
	set, client := &keySet{made: now}, k.client
	client.Transport = transport(func(r *http.Request) (*http.Response, error) {
		resp, at, err := k.fetcher.get(r)
		if err == nil {
			set.read.Store(&at)
		}
		return resp, err
	})
	set.RemoteKeySet = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &client), k.url)
	return set
}

// transport is a function as an [http.RoundTripper].
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// fetcher is what the library reads the key set by. The library asks whenever a token names a key it does not have, and anyone can send
// such a token, so within a pause the fetcher answers what it answered before.
type fetcher struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	body []byte
	err  error
}

// get returns the key set and when it was read. The request is always the same.
func (f *fetcher) get(r *http.Request) (*http.Response, time.Time, error) {
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
		return nil, time.Time{}, f.err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(f.body)), Body: io.NopCloser(bytes.NewReader(f.body)),
	}, f.at, nil
}

// keysError is [ErrKeysUnavailable] for a reason that quotes nothing of what was read.
type keysError struct{ reason error }

func (e *keysError) Error() string { return fmt.Sprintf("%v: %v", ErrKeysUnavailable, e.reason) }

func (e *keysError) Is(target error) bool { return target == ErrKeysUnavailable }

func (e *keysError) Unwrap() error { return e.reason }

// fetch reads a key set. What is no key set is [ErrKeysUnavailable], an error page and a redirect included.
func (f *fetcher) fetch(r *http.Request) ([]byte, error) {
	resp, err := f.next.RoundTrip(r)
	if err != nil {
		return nil, &keysError{httpapi.HostError(err)}
	}
	defer func() { _ = resp.Body.Close() }() // read only
	if resp.StatusCode != http.StatusOK {
		return nil, &keysError{fmt.Errorf("status %d", resp.StatusCode)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, &keysError{httpapi.HostError(err)}
	}
	tree, err := jsontree.Parse(body, jsontree.Limits{Bytes: maxKeySet})
	if err != nil {
		return nil, &keysError{err}
	}
	if keys := tree.Child("keys"); keys == nil || keys.Kind() != jsontree.Array {
		return nil, &keysError{errors.New("no keys in it")}
	}
	return body, nil
}
