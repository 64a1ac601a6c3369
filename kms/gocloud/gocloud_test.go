package gocloud_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"
	"gocloud.dev/secrets/driver"
	"gocloud.dev/secrets/localsecrets"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/kms/gocloud"
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
	if err != nil || got.Number() != 5 {
		t.Fatalf("got %v, %v", got, err)
	}
	sealed, err := data.Seal(nil, crypto.Place{Record: "r"}, []byte(`"s3cr3t"`))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := got.Open(nil, crypto.Place{Record: "r"}, sealed)
	if err != nil || string(plain) != `"s3cr3t"` {
		t.Errorf("got %q, %v", plain, err)
	}

}

// TestWrappedKeyOpensNowhereElse moves and changes a wrapped key.
func TestWrappedKeyOpensNowhereElse(t *testing.T) {
	keys := newKey(t, local(t))
	data, err := crypto.NewDataKey(5, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := keys.Wrap(t.Context(), data, binding)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]crypto.Binding{
		"tenant":  {Tenant: "ACC-1234-1235", Record: binding.Record},
		"record":  {Tenant: binding.Tenant, Record: "EXI-1234-1234-0002"},
		"shifted": {Tenant: binding.Tenant + "E", Record: binding.Record[1:]},
	} {
		k, err := keys.Unwrap(t.Context(), w, b)
		if k != nil || !errors.Is(err, crypto.ErrSealed) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	for name, edit := range map[string]func(b []byte){
		"suite":  func(b []byte) { b[2] ^= 3 },
		"number": func(b []byte) { b[6]++ },
	} {
		m := crypto.Wrapped{KeyID: w.KeyID, Bytes: bytes.Clone(w.Bytes)}
		edit(m.Bytes)
		k, err := keys.Unwrap(t.Context(), m, binding)
		if k != nil || !errors.Is(err, crypto.ErrSealed) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	other := newKey(t, local(t))
	if k, err := other.Unwrap(t.Context(), w, binding); k != nil || err == nil {
		t.Errorf("another key: got %v, %v", k, err)
	}
	for bit := range len(w.Bytes) * 8 {
		m := crypto.Wrapped{KeyID: w.KeyID, Bytes: bytes.Clone(w.Bytes)}
		m.Bytes[bit/8] ^= 1 << (bit % 8)
		if k, err := keys.Unwrap(t.Context(), m, binding); k != nil || err == nil {
			t.Errorf("bit %d: got %v, %v", bit, k, err)
		}
	}
}

// replies is a driver with fixed answers.
type replies struct {
	driver.Keeper
	plain []byte
	err   error
	code  gcerrors.ErrorCode
}

func (r *replies) Encrypt(context.Context, []byte) ([]byte, error) {
	return []byte("blob"), r.err
}

func (r *replies) Decrypt(context.Context, []byte) ([]byte, error) { return r.plain, r.err }
func (r *replies) ErrorCode(error) gcerrors.ErrorCode              { return r.code }
func (r *replies) ErrorAs(error, any) bool                         { return false }
func (r *replies) Close() error                                    { return nil }

// TestErrors: an invalid argument is final; a retry after any other code may succeed.
func TestErrors(t *testing.T) {
	failed := errors.New("canary")
	for _, test := range []struct {
		code gcerrors.ErrorCode
		want error
	}{
		{gcerrors.InvalidArgument, crypto.ErrSealed},
		{gcerrors.PermissionDenied, crypto.ErrKeyUnavailable},
		{gcerrors.NotFound, crypto.ErrKeyUnavailable},
		{gcerrors.ResourceExhausted, crypto.ErrKeyUnavailable},
		{gcerrors.DeadlineExceeded, crypto.ErrKeyUnavailable},
		{gcerrors.Unknown, crypto.ErrKeyUnavailable},
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
		shown := errors.Is(err, failed) || strings.Contains(err.Error(), "canary")
		if !errors.Is(err, test.want) || shown {
			t.Errorf("%v: got %v, want %v without the text", test.code, err, test.want)
		}
		_, err = keys.Wrap(t.Context(), data, binding)
		if !errors.Is(err, crypto.ErrKeyUnavailable) {
			t.Errorf("wrap, %v: got %v", test.code, err)
		}
	}
}

// TestUnwrapRejectsOtherSizes: the plain text has the size of a digest and a data key.
func TestUnwrapRejectsOtherSizes(t *testing.T) {
	digest := sha256.Sum256(crypto.EncryptionContext{}.Bytes())
	for n := range 130 {
		r := &replies{plain: append(digest[:], make([]byte, 100)...)[:n]}
		k := gocloud.New(secrets.NewKeeper(r))
		key, err := k.UnwrapKey(t.Context(), []byte("blob"), crypto.EncryptionContext{})
		want, size := crypto.ErrSealed, 0
		if n == 96 {
			want, size = nil, 64
		}
		if len(key) != size || !errors.Is(err, want) {
			t.Errorf("%d bytes: got %d, %v", n, len(key), err)
		}
	}
}

// retaining is a driver that keeps what passes through it, as one that logs might.
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

// TestPlainKeysAreWiped: the plain bytes of a data key are wiped on both ways, but not the
// caller's.
func TestPlainKeysAreWiped(t *testing.T) {
	r := &retaining{}
	k := gocloud.New(secrets.NewKeeper(r))
	key := bytes.Repeat([]byte{7}, 64)
	blob, err := k.WrapKey(t.Context(), key, crypto.EncryptionContext{})
	if err != nil || len(r.given) != 96 || bytes.Contains(r.given, key[:8]) {
		t.Errorf("the driver was given %x, %v", r.given, err)
	}
	got, err := k.UnwrapKey(t.Context(), blob, crypto.EncryptionContext{})
	if err != nil || !bytes.Equal(got, key) || bytes.Contains(r.returned, key[:8]) {
		t.Errorf("got %x, %v; the driver still has %x", got, err, r.returned)
	}
}
