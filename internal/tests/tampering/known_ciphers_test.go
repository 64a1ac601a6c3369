package tampering

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

var cipherFailures = []failure{
	{
		"gibbz00/rops#40",
		"similar pointers name different secrets",
		similarPointers,
	},
	{
		"getsops/sops#221 #657",
		"a renamed, removed or doubled value is detected",
		renamedKeys,
	},
	{
		"CVE-2023-4680 CVE-2019-1543",
		"no caller chooses a nonce",
		noChosenNonce,
	},
	{
		"ruby/openssl#63 nodejs setAuthTag",
		"a value cut short is rejected at every length, without a panic",
		cutValues,
	},
	{
		"CVE-2020-8897",
		"only the key with the id is tried, and a wrong key does not unwrap",
		oneKeyByID,
	},
	{
		"CVE-2022-2582",
		"stored bytes show neither length nor equality",
		lengthAndEquality,
	},
	{
		"rails/rails ActiveRecord::Encryption",
		"a value copied to another place, record or tenant does not open",
		copiedValues,
	},
	{
		"NangoHQ/nango rails jenkinsci",
		"plain text is never a sealed value, and sealed text in a document is plain",
		plainForSealed,
	},
}

func similarPointers(t *testing.T) {
	w := fixture.NewWorld(t)
	configure(t, w,
		`{"a":{"token":"one"},"a/token":{"token":"two"},"a~1token":{"token":"three"}}`)
	for at, want := range map[string]string{
		"/a/token": "one", "/a~1token/token": "two", "/a~01token/token": "three",
	} {
		if got := w.Reveal(t, "i", installation.Ref("config"+at)); got != want {
			t.Errorf("%s is %q, want %q", at, got, want)
		}
	}
}

func renamedKeys(t *testing.T) {
	x := attacked(t)
	x.bodyDetected(t, "renamed", func(body *fixture.Body) {
		body.ValueAt(t, "config/adobe_secret").Ref = "config/region"
	})
	x.bodyDetected(t, "removed", func(body *fixture.Body) {
		body.Values = slices.DeleteFunc(body.Values, func(v record.Value) bool {
			return v.Ref == "config/adobe_secret"
		})
	})
	x.bodyDetected(t, "doubled", func(body *fixture.Body) {
		body.Values = append(body.Values, body.Values[0])
	})
}

func noChosenNonce(t *testing.T) {
	for _, v := range []any{&crypto.DataKey{}, &crypto.Keyring{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumMethod() {
			name := strings.ToLower(typ.Method(i).Name)
			if strings.Contains(name, "nonce") ||
				strings.Contains(name, "iv") && !strings.Contains(name, "private") {
				t.Errorf("%v has a method %s", typ, name)
			}
		}
	}
	x := attacked(t)
	first := x.sealedAt(t, "/adobe_secret")
	if second := x.sealedAt(t, "/nested/clientSecret"); slices.Equal(first[6:18], second[6:18]) {
		t.Error("two values have the same nonce")
	}
}

func cutValues(t *testing.T) {
	x := attacked(t)
	sealed := x.sealedAt(t, "/adobe_secret")
	for n := range sealed {
		x.detected(t, fmt.Sprintf("cut to %d bytes", n), x.put(t, "/adobe_secret", sealed[:n]))
	}
}

func oneKeyByID(t *testing.T) {
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	wrong := h.HostWith(fixture.RingWith(t, "k1", strings.Repeat("x7", 16)))
	if _, err := wrong.Get(t.Context(), "EXI-1"); !errors.Is(err, installation.ErrSealed) {
		t.Errorf("another key of the same id: %v", err)
	}
	wantWrongKey(t, wrong)
	other := h.HostWith(fixture.RingWith(t, "k2", fixture.KEK))
	if _, err := other.Get(t.Context(), "EXI-1"); !errors.Is(err, installation.ErrUnknownKey) {
		t.Errorf("the same key of another id: %v", err)
	}
	key, err := crypto.NewKey("k1", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := crypto.NewKeyring(key, key); err == nil {
		t.Error("a keyring accepted two keys with one id")
	}
}

func lengthAndEquality(t *testing.T) {
	w := fixture.NewWorld(t)
	seen := map[string]bool{}
	size := 0
	for n := range 62 {
		configure(t, w, fmt.Sprintf(`{"token":%q}`, "x"+strings.Repeat("y", n)))
		sealed := w.SealedValue(t, "config/token")
		if size == 0 {
			size = len(sealed)
		}
		if len(sealed) != size || seen[sealed] {
			t.Fatalf("a secret of %d bytes takes %d, another one %d", n+1, len(sealed), size)
		}
		seen[sealed] = true
	}
	for range 2 {
		configure(t, w, `{"token":"the same"}`)
		if sealed := w.SealedValue(t, "config/token"); seen[sealed] {
			t.Error("the same secret has the same bytes")
		} else {
			seen[sealed] = true
		}
	}
}

func copiedValues(t *testing.T) {
	x := attacked(t)
	x.detected(t, "another place", x.put(t, "/adobe_secret", x.sealedAt(t, "/nested/clientSecret")))
	x.h.Install("EXI-2", "ACC-2")
	other := newTamperTarget(t, x.h, "EXI-2").sealedAt(t, "/adobe_secret")
	x.detected(t, "another record", x.put(t, "/adobe_secret", other))
}

func plainForSealed(t *testing.T) {
	x := attacked(t)
	for _, plain := range []string{"", "s3cr3t", `"s3cr3t"`, "isv2.AgEAAAAB"} {
		x.detected(t, "plain "+plain, x.put(t, "/adobe_secret", []byte(plain)))
	}
	if _, err := installation.New(memstore.New(), nil, nil); err == nil {
		t.Error("a service without keys was made")
	}
	w := fixture.NewWorld(t)
	text := "isv2.AgEAAAABQEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX"
	configure(t, w, `{"token":"`+text+`","note":"`+text+`"}`)
	got := w.Reveal(t, "i", "config/token")
	if got != text || !strings.Contains(w.Configuration(t), text) {
		t.Errorf("it became %q", got)
	}
}
