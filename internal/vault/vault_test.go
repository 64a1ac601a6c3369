package vault_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/vault"
	"github.com/google/go-cmp/cmp"
)

var binding = crypto.Binding{Tenant: "t", Record: "r"}

const (
	accessToken  = "credential/access_token"
	refreshToken = "credential/refresh_token"
)

func newKey(t *testing.T, number uint32) *crypto.DataKey {
	t.Helper()
	k, err := crypto.NewDataKey(number, crypto.SuiteAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Destroy)
	return k
}

// filled returns a vault with these secrets, by name. The epoch is 0.
func filled(t *testing.T, secrets ...string) *vault.Vault {
	t.Helper()
	v := vault.New(binding, newKey(t, 1), 0, 0)
	for _, name := range secrets {
		seal(t, v, name)
	}
	return v
}

// seal puts a secret into v that has its own name as value.
func seal(t *testing.T, v *vault.Vault, name string) {
	t.Helper()
	if err := v.Seal(name, []byte(`"`+name+`"`)); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, v *vault.Vault, name string) string {
	t.Helper()
	b, err := v.Open(name)
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	return string(b)
}

// The numbers of credentials grow, also after a removal, and are at least the epoch.
func TestNumbers(t *testing.T) {
	v := vault.New(binding, newKey(t, 1), 4, 0)
	seal(t, v, accessToken)
	v.Remove(accessToken)
	seal(t, v, accessToken)
	seal(t, v, "config/key")
	got := []int64{v.Number(accessToken), v.Number("config/key"), v.Number("none"), v.Newest()}
	if diff := cmp.Diff([]int64{6, 0, 0, 6}, got); diff != "" {
		t.Error(diff)
	}
	v = vault.New(binding, newKey(t, 1), 4, 100)
	seal(t, v, accessToken)
	seal(t, v, refreshToken)
	got = []int64{v.Number(accessToken), v.Number(refreshToken)}
	if diff := cmp.Diff([]int64{100, 101}, got); diff != "" {
		t.Errorf("after a restore: %s", diff)
	}
}

// What Stored returns is sorted, and a vault that loads it has the same secrets and numbers.
func TestStoredLoads(t *testing.T) {
	k := newKey(t, 1)
	v := vault.New(binding, k, 0, 0)
	seal(t, v, refreshToken)
	seal(t, v, "config/b")
	seal(t, v, "config/a")
	values, table := v.Stored()
	var names []string
	for i, value := range values {
		names = append(names, value.Ref)
		if table[i].Ref != value.Ref || table[i].Tag != string(crypto.Tag(value.Sealed)) {
			t.Errorf("entry %d does not describe %s", i, value.Ref)
		}
	}
	if diff := cmp.Diff([]string{"config/a", "config/b", refreshToken}, names); diff != "" {
		t.Error(diff)
	}
	again := vault.New(binding, k, v.Newest(), 0)
	again.Load(values, table)
	if got := text(t, again, "config/a"); got != `"config/a"` || again.Number(refreshToken) != 1 {
		t.Errorf("got %s and number %d", got, again.Number(refreshToken))
	}
	for _, value := range values {
		if !again.Keeps(value) {
			t.Errorf("%s: changed by a load", value.Ref)
		}
	}
	seal(t, again, "config/a")
	again.Remove("config/b")
	if again.Keeps(values[0]) || again.Keeps(values[1]) {
		t.Error("a secret that was sealed again or removed counts as kept")
	}
}

// A secret opens only at its own place.
func TestSecretAtAnotherPlace(t *testing.T) {
	k := newKey(t, 1)
	v := vault.New(binding, k, 0, 0)
	seal(t, v, "config/a")
	values, table := v.Stored()
	values[0].Ref = "config/b"
	moved := vault.New(binding, k, 0, 0)
	moved.Load(values, table)
	for _, name := range []string{"config/b", "config/none"} {
		if _, err := moved.Open(name); !errors.Is(err, crypto.ErrSealed) {
			t.Errorf("open %s: got %v, want ErrSealed", name, err)
		}
	}
}

func TestKinds(t *testing.T) {
	v := filled(t, "config/a", "config/b/0", "connection/c", accessToken)
	got := v.Pointers("config")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"/a", "/b/0"}, got); diff != "" {
		t.Error(diff)
	}
	removed := v.RemoveKind("config")
	slices.Sort(removed)
	if diff := cmp.Diff([]string{"config/a", "config/b/0"}, removed); diff != "" {
		t.Error(diff)
	}
	if v.HasKind("config", "extra") || !v.HasKind("extra", "connection") || !v.Has(accessToken) {
		t.Error("another kind was removed, or not all of this one")
	}
}

// Replace keeps, moves, seals and removes secrets of one kind.
func TestReplace(t *testing.T) {
	v := filled(t, "config/stays", "config/moves", "config/goes", "extra/other")
	values, _ := v.Stored()
	value, err := jsontree.Parse([]byte("7"), jsontree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	removed, moved, err := v.Replace("config", masked.Result{
		Keep: []masked.Move{{From: "/stays", To: "/stays"}, {From: "/moves", To: "/there"}},
		Seal: []masked.Plain{{Pointer: "/new", Value: value}},
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(removed)
	if want := []string{"config/goes", "config/moves", "config/stays"}; !moved ||
		!slices.Equal(removed, want) {
		t.Errorf("got %v, moved %v, want %v", removed, moved, want)
	}
	if text(t, v, "config/there") != `"config/moves"` || text(t, v, "config/new") != "7" {
		t.Error("wrong values")
	}
	got := v.Pointers("config")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"/new", "/stays", "/there"}, got); diff != "" {
		t.Error(diff)
	}
	if i := slices.IndexFunc(values, v.Keeps); values[i].Ref != "config/stays" {
		t.Error("a secret that stays was sealed again")
	}
	missing := masked.Result{Keep: []masked.Move{{From: "/none", To: "/there"}}}
	if _, _, err := v.Replace("config", missing); !errors.Is(err, crypto.ErrSealed) {
		t.Errorf("a move of nothing: got %v, want ErrSealed", err)
	}
}

// All secrets open under the new key alone, with the same numbers.
func TestNewKey(t *testing.T) {
	v := filled(t, "config/a", accessToken, refreshToken)
	plain, failed, err := v.OpenAll()
	if err != nil {
		t.Fatal(failed, err)
	}
	v.Use(newKey(t, 2))
	if _, failed, err := v.OpenAll(); failed != "config/a" || !errors.Is(err, crypto.ErrSealed) {
		t.Errorf("before they are sealed again: got %q, %v", failed, err)
	}
	if err := v.SealAgain(plain); err != nil {
		t.Fatal(err)
	}
	if text(t, v, accessToken) != `"`+accessToken+`"` || v.Number(refreshToken) != 2 {
		t.Errorf("got %s and number %d", text(t, v, accessToken), v.Number(refreshToken))
	}
	plain.Wipe()
	for name, text := range plain {
		if slices.ContainsFunc(text, func(b byte) bool { return b != 0 }) {
			t.Errorf("%s is not overwritten", name)
		}
	}
}
