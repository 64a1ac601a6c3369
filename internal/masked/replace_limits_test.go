package masked_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// A rule may mark a container, which is then one secret, and may change between two writes.
func TestReplaceWithMarkedContainer(t *testing.T) {
	rule := pointers{"/creds"}
	const plain = `{"creds":{"user":"u","password":"p","n":1,"on":true,"deep":{"x":null,` +
		`"e":{}}},"z":1}`

	v := store(t, plain, rule)
	if got, want := text(v.stored.Doc), `{"creds":"***","z":1}`; got != want {
		t.Fatalf("stored %s, want %s", got, want)
	}
	if got := v.plain(t); got != plain {
		t.Fatalf("holds %s, want %s", got, plain)
	}

	t.Run("stays one under a rule that marks only a part", func(t *testing.T) {
		r, err := masked.Replace("c", v.stored, parse(t, `{"creds":"***","z":2}`),
			classify.NameRule{})
		want := outcome{Doc: `{"creds":"***","z":2}`, Keep: []string{"/creds"},
			Changed: []string{"/z"}}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("newly marked around a sealed value: each part on its own", func(t *testing.T) {
		v := store(t, plain, classify.NameRule{})
		view := masked.Mask(v.stored.Doc, v.stored.Sealed, rule)
		const all = `{"creds":{"user":"***","password":"***","n":"***","on":"***",` +
			`"deep":{"x":"***","e":{}}},"z":1}`
		if text(view) != all {
			t.Fatalf("a reader sees %s, want %s", text(view), all)
		}
		r, err := masked.Replace("c", v.stored, view, rule)
		want := outcome{
			Doc: all, Keep: []string{"/creds/password"},
			Seal: map[string]string{"/creds/user": `"u"`, "/creds/n": `1`, "/creds/on": `true`,
				"/creds/deep/x": `null`},
		}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
		if got := v.adopt(t, r).plain(t); got != plain {
			t.Errorf("holds %s, want %s", got, plain)
		}

		r, err = masked.Replace("c", v.stored,
			parse(t,
				`{"creds":{"user":"***","password":"***","new":"***","more":"m"},"z":1}`), rule)
		want = outcome{Rejected: []string{"c/creds/new mask-without-stored-value"}}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
		r, err = masked.Replace("c", v.stored, parse(t, `{"creds":{"user":"w"},"z":1}`), rule)
		want = outcome{Doc: `{"creds":{"user":"***"},"z":1}`,
			Seal: map[string]string{"/creds/user": `"w"`}, Changed: []string{
				"/creds/deep", "/creds/n", "/creds/on", "/creds/password", "/creds/user",
			}}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReplaceRejectsDamagedStored(t *testing.T) {
	for _, sealed := range [][]string{{"/b"}, {"/a", "/a/x"}, {"/a", "/a"}, {"a"}, {"/l/9"},
		{"/plain"}} {
		stored := masked.Stored{Doc: parse(t, `{"a":"***","l":[],"plain":"x"}`), Sealed: sealed}
		if _, err := masked.Replace("c", stored, parse(t, `{}`),
			classify.NameRule{}); !errors.Is(err, masked.ErrStored) {
			t.Errorf("Replace with %q sealed: %v", sealed, err)
		}
		if _, err := masked.Apply("c", stored, nil, classify.NameRule{}); !errors.Is(err,
			masked.ErrStored) {
			t.Errorf("Apply with %q sealed: %v", sealed, err)
		}
	}
	if _, err := masked.Replace("c", masked.Stored{Sealed: []string{""}}, nil,
		classify.NameRule{}); !errors.Is(err, masked.ErrStored) {
		t.Errorf("nothing stored and something sealed: %v", err)
	}
}

func TestReplaceLimits(t *testing.T) {
	secrets := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(`"token_%d":"x"`, i))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	tests := []struct {
		name, incoming string
		want           string // violation; "" = accepted
	}{
		{"as many secrets as allowed", secrets(validate.MaxSecrets), ""},
		{"one more", secrets(validate.MaxSecrets + 1), "c too-many"},
		{"large plain document", `{"x":"` + strings.Repeat("x", validate.MaxDocument-8) + `"}`,
			""},
		{"large secret", `{"token":"` + strings.Repeat("x", validate.MaxDocument-12) + `"}`,
			""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := masked.Parse("c", []byte(tt.incoming))
			if err != nil {
				t.Fatal(err)
			}
			r, err := masked.Replace("c", masked.Stored{}, doc, classify.NameRule{})
			if tt.want != "" {
				if diff := diffOutcome(outcome{Rejected: []string{tt.want}},
					outcomeOf(t, r, err)); diff != "" {
					t.Error(diff)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
			if _, err := masked.Parse("c", r.Doc.Append(nil)); err != nil {
				t.Errorf("the masked document cannot be sent back: %v", err)
			}
		})
	}
}

// One plain value changes in a configuration of 2 KiB with ten values, four of them secret.
func BenchmarkReplace(b *testing.B) {
	var members []string
	for i := range 6 {
		members = append(members, fmt.Sprintf(`"field_%d":"%s"`, i, strings.Repeat("x", 300)))
	}
	for i := range 4 {
		members = append(members, fmt.Sprintf(`"secret_%d":"s3cr3t"`, i))
	}
	v := store(b, "{"+strings.Join(members, ",")+"}", classify.NameRule{})
	incoming := parse(b, strings.Replace(text(v.stored.Doc), "x", "y", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := masked.Replace("c", v.stored, incoming, classify.NameRule{}); err != nil {
			b.Fatal(err)
		}
	}
}
