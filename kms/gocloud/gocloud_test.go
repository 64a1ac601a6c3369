package gocloud_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"
	"gocloud.dev/secrets/driver"
	"gocloud.dev/secrets/localsecrets"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/kms/gocloud"
	"github.com/go-installation/installation/memstore"
)

// local returns a keeper of the local driver with a key of its own.
func local(t testing.TB) *secrets.Keeper {
	t.Helper()
	key, err := localsecrets.NewRandomKey()
	if err != nil {
		t.Fatal(err)
	}
	keeper := localsecrets.NewKeeper(key)
	t.Cleanup(func() { _ = keeper.Close() })
	return keeper
}

func newKey(t testing.TB, keeper *secrets.Keeper) *crypto.KMSKey {
	t.Helper()
	k, err := crypto.NewKMS("cloud1", gocloud.New(keeper), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var binding = crypto.Binding{Tenant: "ACC-1234-1234", Record: "EXI-1234-1234-0001"}

func TestWrap(t *testing.T) {
	keys := newKey(t, local(t))
	data, err := crypto.NewDataKey(5, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := keys.Wrap(t.Context(), data, binding)
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.Unwrap(t.Context(), w, binding)
	if err != nil || got.Generation() != 5 {
		t.Fatalf("got %v, %v", got, err)
	}
	sealed, err := data.Seal(nil, crypto.Place{Record: "r"}, []byte(`"s3cr3t"`))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := got.Open(nil, crypto.Place{Record: "r"}, sealed); err != nil || string(plain) != `"s3cr3t"` {
		t.Errorf("got %q, %v", plain, err)
	}

	// A wrapped key opens nowhere else.
	for name, b := range map[string]crypto.Binding{
		"tenant": {Tenant: "ACC-1234-1235", Record: binding.Record}, "record": {Tenant: binding.Tenant, Record: "EXI-1234-1234-0002"},
		"shifted": {Tenant: binding.Tenant + "E", Record: binding.Record[1:]},
	} {
		if k, err := keys.Unwrap(t.Context(), w, b); k != nil || !errors.Is(err, installation.ErrSealed) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	generation := bytes.Clone(w.Bytes)
	generation[5]++
	if k, err := keys.Unwrap(t.Context(), crypto.Wrapped{KeyID: w.KeyID, Bytes: generation}, binding); k != nil || !errors.Is(err, installation.ErrSealed) {
		t.Errorf("generation: got %v, %v", k, err)
	}
	other, err := crypto.NewKMS("cloud2", gocloud.New(local(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := other.Unwrap(t.Context(), crypto.Wrapped{KeyID: "cloud2", Bytes: w.Bytes}, binding); k != nil || err == nil {
		t.Errorf("another key: got %v, %v", k, err)
	}
	for bit := range len(w.Bytes) * 8 {
		m := bytes.Clone(w.Bytes)
		m[bit/8] ^= 1 << (bit % 8)
		if k, err := keys.Unwrap(t.Context(), crypto.Wrapped{KeyID: w.KeyID, Bytes: m}, binding); k != nil || err == nil {
			t.Errorf("bit %d: got %v, %v", bit, k, err)
		}
	}
}

// replies is a driver that answers with what it is told.
type replies struct {
	driver.Keeper
	plain []byte
	err   error
	code  gcerrors.ErrorCode
}

func (r *replies) Encrypt(context.Context, []byte) ([]byte, error) { return []byte("blob"), r.err }
func (r *replies) Decrypt(context.Context, []byte) ([]byte, error) { return r.plain, r.err }
func (r *replies) ErrorCode(error) gcerrors.ErrorCode              { return r.code }
func (r *replies) ErrorAs(error, any) bool                         { return false }
func (r *replies) Close() error                                    { return nil }

// Codes that are final are told from those that may pass.
func TestErrors(t *testing.T) {
	failed := errors.New("canary")
	for _, test := range []struct {
		code gcerrors.ErrorCode
		want error
	}{
		{gcerrors.InvalidArgument, installation.ErrSealed}, {gcerrors.PermissionDenied, installation.ErrKeyUnavailable},
		{gcerrors.NotFound, installation.ErrKeyUnavailable}, {gcerrors.ResourceExhausted, installation.ErrKeyUnavailable},
		{gcerrors.DeadlineExceeded, installation.ErrKeyUnavailable}, {gcerrors.Unknown, installation.ErrKeyUnavailable},
	} {
		r := &replies{}
		keys := newKey(t, secrets.NewKeeper(r))
		data, err := crypto.NewDataKey(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		w, err := keys.Wrap(t.Context(), data, binding)
		if err != nil {
			t.Fatal(err)
		}
		r.err, r.code = failed, test.code
		_, err = keys.Unwrap(t.Context(), w, binding)
		if !errors.Is(err, test.want) || errors.Is(err, failed) || err.Error() == "" || bytes.Contains([]byte(err.Error()), []byte("canary")) {
			t.Errorf("%v: got %v, want %v without the text", test.code, err, test.want)
		}
		if _, err = keys.Wrap(t.Context(), data, binding); !errors.Is(err, installation.ErrKeyUnavailable) {
			t.Errorf("wrap, %v: got %v", test.code, err)
		}
	}
	digest := sha256.Sum256(crypto.EncryptionContext{}.Bytes())
	for n := range 100 {
		r := &replies{plain: append(digest[:], make([]byte, 100)...)[:n]}
		k := gocloud.New(secrets.NewKeeper(r))
		key, err := k.UnwrapKey(t.Context(), []byte("blob"), crypto.EncryptionContext{})
		if good := n == 64; good != (len(key) == 32) || good != (err == nil) || !good && !errors.Is(err, installation.ErrSealed) {
			t.Errorf("%d bytes: got %d, %v", n, len(key), err)
		}
	}
}

// An installation with its data key under a key of a cloud.
func TestService(t *testing.T) {
	keeper := local(t)
	cache, err := crypto.NewCache(newKey(t, keeper), nil)
	if err != nil {
		t.Fatal(err)
	}
	store := memstore.New()
	svc, err := installation.New(store, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	_, err = host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{
		Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
		Account:       installation.Value(installation.Account{ID: "ACC-1"}),
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"secret":"s3cr3t"}`)}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := host.Reveal(t.Context(), installation.RevealRequest{
		ID: "i", Reason: "test", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: "/secret"}},
	})
	if err != nil || answers[0].Value.RevealString() != "s3cr3t" {
		t.Errorf("got %v, %v", answers, err)
	}
	unavailable := func(f installation.Finding) bool { return f.Rule == "key-unavailable" }
	if report, err := host.Check(t.Context()); err != nil || !report.OK() || slices.ContainsFunc(report.Findings, unavailable) {
		t.Errorf("check: %+v, %v", report, err)
	}
	if err := keeper.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Get(t.Context(), "i"); err != nil {
		t.Errorf("cached, and the key service is gone: %v", err)
	}
	report, err := host.Check(t.Context())
	if err != nil || !slices.ContainsFunc(report.Findings, unavailable) {
		t.Errorf("check without the key service: %+v, %v", report, err)
	}
}

func ExampleNew() {
	key, err := localsecrets.NewRandomKey() // a program opens a keeper of its cloud
	if err != nil {
		fmt.Println(err)
		return
	}
	keeper := localsecrets.NewKeeper(key)
	defer keeper.Close()

	kms, err := crypto.NewKMS("cloud1", gocloud.New(keeper), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := crypto.NewCache(kms, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	svc, err := installation.New(memstore.New(), keys, nil)
	fmt.Println(svc != nil, err)
	// Output: true <nil>
}

// retaining is a driver that holds on to what passes through it, as one that logs might.
type retaining struct {
	replies
	given, returned []byte
}

func (r *retaining) Encrypt(_ context.Context, plain []byte) ([]byte, error) {
	r.given = plain
	return bytes.Clone(plain), nil
}

func (r *retaining) Decrypt(_ context.Context, blob []byte) ([]byte, error) {
	r.returned = bytes.Clone(blob)
	return r.returned, nil
}

// The plain bytes of a data key are wiped on both ways, and not those of the caller.
func TestWipes(t *testing.T) {
	r := &retaining{}
	k := gocloud.New(secrets.NewKeeper(r))
	key := bytes.Repeat([]byte{7}, 32)
	blob, err := k.WrapKey(t.Context(), key, crypto.EncryptionContext{})
	if err != nil || len(r.given) != 64 || bytes.Contains(r.given, key[:8]) {
		t.Errorf("the driver was given %x, %v", r.given, err)
	}
	got, err := k.UnwrapKey(t.Context(), blob, crypto.EncryptionContext{})
	if err != nil || !bytes.Equal(got, key) || bytes.Contains(r.returned, key[:8]) {
		t.Errorf("got %x, %v; the driver still has %x", got, err, r.returned)
	}
}
