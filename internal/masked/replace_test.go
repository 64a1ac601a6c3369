package masked_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// The table of the package comment, row by row, and the edges between the rows.
func TestReplace(t *testing.T) {
	const doc = `{"vendor":"Adobe","adobe_secret":"***","mpt_token":"***"}`
	both := []string{"/adobe_secret", "/mpt_token"}
	tests := []struct {
		name     string
		stored   string
		sealed   []string
		incoming string
		want     outcome
	}{
		{
			name:     "create seals what is sensitive",
			incoming: `{"vendor":"Adobe","adobe_secret":"s3cr3t","port":8080}`,
			want: outcome{
				Doc: `{"vendor":"Adobe","adobe_secret":"***","port":8080}`, Seal: map[string]string{"/adobe_secret": `"s3cr3t"`},
				Changed: []string{""},
			},
		},
		{
			name: "echo keeps all", stored: doc, sealed: both, incoming: doc,
			want: outcome{Doc: doc, Keep: both},
		},
		{
			name: "echo in another order keeps all", stored: doc, sealed: both,
			incoming: `{"mpt_token":"***","vendor":"Adobe","adobe_secret":"***"}`,
			want: outcome{
				Doc: `{"mpt_token":"***","vendor":"Adobe","adobe_secret":"***"}`, Keep: []string{"/mpt_token", "/adobe_secret"},
			},
		},
		{
			name: "plain value changes alone", stored: doc, sealed: both,
			incoming: `{"vendor":"Other","adobe_secret":"***","mpt_token":"***"}`,
			want: outcome{
				Doc: `{"vendor":"Other","adobe_secret":"***","mpt_token":"***"}`, Keep: both, Changed: []string{"/vendor"},
			},
		},
		{
			name: "secret changes alone", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","adobe_secret":"new","mpt_token":"***"}`,
			want: outcome{
				Doc: doc, Keep: []string{"/mpt_token"}, Seal: map[string]string{"/adobe_secret": `"new"`},
				Changed: []string{"/adobe_secret"},
			},
		},
		{
			name: "absent deletes", stored: doc, sealed: both, incoming: `{"vendor":"Adobe","mpt_token":"***"}`,
			want: outcome{
				Doc: `{"vendor":"Adobe","mpt_token":"***"}`, Keep: []string{"/mpt_token"}, Changed: []string{"/adobe_secret"},
			},
		},
		{
			name: "null deletes, with the member", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","adobe_secret":null,"mpt_token":"***"}`,
			want: outcome{
				Doc: `{"vendor":"Adobe","mpt_token":"***"}`, Keep: []string{"/mpt_token"}, Changed: []string{"/adobe_secret"},
			},
		},
		{
			name: "null at a sensitive place without a secret comes to the same", stored: `{"vendor":"Adobe"}`,
			incoming: `{"vendor":"Adobe","adobe_secret":null}`,
			want:     outcome{Doc: `{"vendor":"Adobe"}`},
		},
		{
			name: "null at a plain place stays null", stored: `{"vendor":"Adobe"}`, incoming: `{"vendor":null}`,
			want: outcome{Doc: `{"vendor":null}`, Changed: []string{"/vendor"}},
		},
		{
			name: "null from before the rule stays", stored: `{"a":1,"adobe_secret":null}`, incoming: `{"a":2,"adobe_secret":null}`,
			want: outcome{Doc: `{"a":2,"adobe_secret":null}`, Changed: []string{"/a"}},
		},
		{
			name: "empty string in place of a secret", stored: doc, sealed: both,
			incoming: `{"adobe_secret":"","mpt_token":"***"}`,
			want:     outcome{Refused: []string{"configuration/adobe_secret empty-secret"}},
		},
		{
			name: "empty string without a secret is one", incoming: `{"adobe_secret":""}`,
			want: outcome{Doc: `{"adobe_secret":"***"}`, Seal: map[string]string{"/adobe_secret": `""`}, Changed: []string{""}},
		},
		{
			name: "mask on create", incoming: `{"vendor":"***","adobe_secret":"***"}`,
			want: outcome{Refused: []string{"configuration/adobe_secret mask-without-stored-value", "configuration/vendor mask-without-stored-value"}},
		},
		{
			name: "mask under a new plain name, as of a renamed member", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","note":"***","mpt_token":"***"}`,
			want:     outcome{Refused: []string{"configuration/note mask-without-stored-value"}},
		},
		{
			name: "mask where the secret is gone meanwhile", stored: `{"vendor":"Adobe"}`, incoming: `{"vendor":"Adobe","source":"***"}`,
			want: outcome{Refused: []string{"configuration/source mask-without-stored-value"}},
		},
		{
			name: "plain mask at another place", stored: `{"vendor":"***"}`, incoming: `{"other":"***"}`,
			want: outcome{Refused: []string{"configuration/other mask-without-stored-value"}},
		},
		{
			name: "mask under a new sensitive name", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","other_secret":"***","mpt_token":"***"}`,
			want:     outcome{Refused: []string{"configuration/other_secret mask-without-stored-value"}},
		},
		{
			name: "mask at a plain place", stored: doc, sealed: both,
			incoming: `{"vendor":"***","adobe_secret":"***","mpt_token":"***"}`,
			want:     outcome{Refused: []string{"configuration/vendor mask-without-stored-value"}},
		},
		{
			name: "plain mask survives the next round trip", stored: `{"vendor":"***","mpt_token":"***","n":1}`,
			sealed: []string{"/mpt_token"}, incoming: `{"vendor":"***","mpt_token":"***","n":2}`,
			want: outcome{
				Doc: `{"vendor":"***","mpt_token":"***","n":2}`, Keep: []string{"/mpt_token"}, Changed: []string{"/n"},
			},
		},
		{
			name: "almost a mask is a value", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","adobe_secret":"****","mpt_token":"*** "}`,
			want: outcome{
				Doc: doc, Seal: map[string]string{"/adobe_secret": `"****"`, "/mpt_token": `"*** "`}, Changed: both,
			},
		},
		{
			name: "an escaped mask is a mask", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","adobe_secret":"\u002a**","mpt_token":"***"}`,
			want:     outcome{Doc: doc, Keep: both},
		},
		{
			name: "other letter case is another member", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","Adobe_Secret":"***","mpt_token":"***"}`,
			want:     outcome{Refused: []string{"configuration/Adobe_Secret mask-without-stored-value"}},
		},
		{
			name: "all that is wrong, by path", stored: doc, sealed: both,
			incoming: `{"z_token":"***","adobe_secret":"","mpt_token":["***"],"a_token":"***"}`,
			want: outcome{Refused: []string{
				"configuration/a_token mask-without-stored-value", "configuration/adobe_secret empty-secret",
				"configuration/mpt_token mask-without-stored-value", "configuration/z_token mask-without-stored-value",
			}},
		},

		{
			name: "sealed stays sealed though no rule names it", stored: `{"vendor":"***"}`, sealed: []string{"/vendor"},
			incoming: `{"vendor":"Adobe"}`,
			want: outcome{
				Doc: `{"vendor":"***"}`, Seal: map[string]string{"/vendor": `"Adobe"`}, Changed: []string{"/vendor"},
			},
		},
		{
			name: "mask keeps what no rule names any more", stored: `{"vendor":"***","n":1}`, sealed: []string{"/vendor"},
			incoming: `{"vendor":"***","n":2}`,
			want:     outcome{Doc: `{"vendor":"***","n":2}`, Keep: []string{"/vendor"}, Changed: []string{"/n"}},
		},
		{
			name: "booleans and numbers under a sealed pointer are sealed", stored: doc, sealed: both,
			incoming: `{"vendor":"Adobe","adobe_secret":true,"mpt_token":12.50}`,
			want: outcome{
				Doc: doc, Seal: map[string]string{"/adobe_secret": `true`, "/mpt_token": `12.50`}, Changed: both,
			},
		},
		{
			name: "stored plain, newly sensitive: echo seals it", stored: `{"adobe_secret":"s3cr3t","n":1}`,
			incoming: `{"adobe_secret":"***","n":1}`,
			want:     outcome{Doc: `{"adobe_secret":"***","n":1}`, Seal: map[string]string{"/adobe_secret": `"s3cr3t"`}},
		},
		{
			name: "stored plain, newly sensitive: the same value says nothing", stored: `{"adobe_secret":"s3cr3t"}`,
			incoming: `{"adobe_secret":"s3cr3t"}`,
			want: outcome{
				Doc: `{"adobe_secret":"***"}`, Seal: map[string]string{"/adobe_secret": `"s3cr3t"`},
				Changed: []string{"/adobe_secret"},
			},
		},
		{
			name: "stored plain, newly sensitive: absent deletes", stored: `{"adobe_secret":"s3cr3t","n":1}`, incoming: `{"n":1}`,
			want: outcome{Doc: `{"n":1}`, Changed: []string{"/adobe_secret"}},
		},
		{
			name: "stored plain mask, newly sensitive: it was the value", stored: `{"adobe_secret":"***"}`,
			incoming: `{"adobe_secret":"***"}`,
			want:     outcome{Doc: `{"adobe_secret":"***"}`, Seal: map[string]string{"/adobe_secret": `"***"`}},
		},

		{
			name: "object in place of a secret is sealed as one", stored: `{"token":"***"}`, sealed: []string{"/token"},
			incoming: `{"token":{"a":"x","b":1,"c":null}}`,
			want: outcome{
				Doc: `{"token":"***"}`, Seal: map[string]string{"/token": `{"a":"x","b":1,"c":null}`}, Changed: []string{"/token"},
			},
		},
		{
			name: "object with a mask in place of a secret", stored: `{"token":"***"}`, sealed: []string{"/token"},
			incoming: `{"token":{"a":["***"],"b":"***"}}`,
			want:     outcome{Refused: []string{"configuration/token mask-without-stored-value"}},
		},
		{
			name: "secret in place of an object with secrets", stored: `{"credentials":{"user":"***","n":1}}`,
			sealed: []string{"/credentials/user"}, incoming: `{"credentials":"abc"}`,
			want: outcome{
				Doc: `{"credentials":"***"}`, Seal: map[string]string{"/credentials": `"abc"`}, Changed: []string{"/credentials"},
			},
		},
		{
			name: "mask in place of an object with secrets", stored: `{"db":{"password":"***"}}`, sealed: []string{"/db/password"},
			incoming: `{"db":"***"}`,
			want:     outcome{Refused: []string{"configuration/db mask-without-stored-value"}},
		},
		{
			name: "mask in place of an object without secrets", stored: `{"db":{"name":"x"}}`, incoming: `{"db":"***"}`,
			want: outcome{Refused: []string{"configuration/db mask-without-stored-value"}},
		},
		{
			name: "null in place of an object with secrets", stored: `{"db":{"password":"***"}}`, sealed: []string{"/db/password"},
			incoming: `{"db":null}`,
			want:     outcome{Doc: `{"db":null}`, Changed: []string{"/db"}},
		},
		{
			name: "array in place of an object with a mask", stored: `{"db":{"password":"***"}}`, sealed: []string{"/db/password"},
			incoming: `{"db":[{"password":"***"}]}`,
			want:     outcome{Refused: []string{"configuration/db/0/password ambiguous-mask"}},
		},
		{
			name: "object in place of an array with a mask at the same pointer", stored: `{"db":[{"x":"***"}]}`,
			sealed: []string{"/db/0/x"}, incoming: `{"db":{"0":{"x":"***"}}}`,
			want: outcome{Refused: []string{"configuration/db/0/x ambiguous-mask"}},
		},
		{
			name: "secret that moved to another object", stored: `{"a":{"token":"***"},"b":{}}`, sealed: []string{"/a/token"},
			incoming: `{"a":{},"b":{"token":"***"}}`,
			want:     outcome{Refused: []string{"configuration/b/token mask-without-stored-value"}},
		},

		{
			name: "user information in a URL", incoming: `{"source":"postgres://u:pw@db/x","link":"https://db/x"}`,
			want: outcome{
				Doc:  `{"source":"***","link":"https://db/x"}`,
				Seal: map[string]string{"/source": `"postgres://u:pw@db/x"`}, Changed: []string{""},
			},
		},
		{
			name: "document removed", stored: doc, sealed: both, incoming: "",
			want: outcome{Changed: []string{""}},
		},
		{
			name: "nothing in place of nothing", want: outcome{},
		},
		{
			name: "the document itself is sealed", stored: `"***"`, sealed: []string{""}, incoming: `"***"`,
			want: outcome{Doc: `"***"`, Keep: []string{""}},
		},
		{
			name: "the document itself is sealed and goes", stored: `"***"`, sealed: []string{""}, incoming: `null`,
			want: outcome{Changed: []string{""}},
		},
		{
			name: "a number written otherwise is no change", stored: `{"n":1.0}`, incoming: `{"n":1}`,
			want: outcome{Doc: `{"n":1}`},
		},
		{
			name: "changes far down are named there", stored: `{"a":{"b":[1,{"c/d":2}],"e":3},"f":4,"g":[1],"h":{}}`,
			incoming: `{"a":{"b":[1,{"c/d":5}],"x":3},"f":"4","g":[1,2],"h":[]}`,
			want: outcome{
				Doc:     `{"a":{"b":[1,{"c/d":5}],"x":3},"f":"4","g":[1,2],"h":[]}`,
				Changed: []string{"/a/b/1/c~1d", "/a/e", "/a/x", "/f", "/g", "/h"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stored := masked.Stored{Doc: parse(t, tt.stored), Sealed: tt.sealed}
			r, err := masked.Replace("configuration", stored, parse(t, tt.incoming), masked.NameRule{})
			if diff := diffOutcome(tt.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
			if text(stored.Doc) != tt.stored {
				t.Error("the stored document changed")
			}
		})
	}
}

// A rule may mark a container, which is then one secret, and may change between two writes.
func TestReplaceWithMarkedContainer(t *testing.T) {
	rule := pointers{"/creds"}
	const plain = `{"creds":{"user":"u","password":"p","n":1,"on":true,"deep":{"x":null,"e":{}}},"z":1}`

	v := store(t, plain, rule)
	if got, want := text(v.stored.Doc), `{"creds":"***","z":1}`; got != want {
		t.Fatalf("stored %s, want %s", got, want)
	}
	if got := v.plain(t); got != plain {
		t.Fatalf("holds %s, want %s", got, plain)
	}

	t.Run("stays one under a rule that marks only a part", func(t *testing.T) {
		r, err := masked.Replace("c", v.stored, parse(t, `{"creds":"***","z":2}`), masked.NameRule{})
		want := outcome{Doc: `{"creds":"***","z":2}`, Keep: []string{"/creds"}, Changed: []string{"/z"}}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("newly marked around a sealed value: each part on its own", func(t *testing.T) {
		v := store(t, plain, masked.NameRule{})
		view := masked.Mask(v.stored.Doc, v.stored.Sealed, rule)
		const all = `{"creds":{"user":"***","password":"***","n":"***","on":"***","deep":{"x":"***","e":{}}},"z":1}`
		if text(view) != all {
			t.Fatalf("a reader sees %s, want %s", text(view), all)
		}
		r, err := masked.Replace("c", v.stored, view, rule)
		want := outcome{
			Doc: all, Keep: []string{"/creds/password"},
			Seal: map[string]string{"/creds/user": `"u"`, "/creds/n": `1`, "/creds/on": `true`, "/creds/deep/x": `null`},
		}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
		if got := v.adopt(t, r).plain(t); got != plain {
			t.Errorf("holds %s, want %s", got, plain)
		}

		r, err = masked.Replace("c", v.stored, parse(t, `{"creds":{"user":"***","password":"***","new":"***","more":"m"},"z":1}`), rule)
		want = outcome{Refused: []string{"c/creds/new mask-without-stored-value"}}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
		r, err = masked.Replace("c", v.stored, parse(t, `{"creds":{"user":"w"},"z":1}`), rule)
		want = outcome{Doc: `{"creds":{"user":"***"},"z":1}`, Seal: map[string]string{"/creds/user": `"w"`}, Changed: []string{
			"/creds/deep", "/creds/n", "/creds/on", "/creds/password", "/creds/user",
		}}
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReplaceRefusesDamagedStored(t *testing.T) {
	for _, sealed := range [][]string{{"/b"}, {"/a", "/a/x"}, {"/a", "/a"}, {"a"}, {"/l/9"}, {"/plain"}} {
		stored := masked.Stored{Doc: parse(t, `{"a":"***","l":[],"plain":"x"}`), Sealed: sealed}
		if _, err := masked.Replace("c", stored, parse(t, `{}`), masked.NameRule{}); !errors.Is(err, masked.ErrStored) {
			t.Errorf("Replace with %q sealed: %v", sealed, err)
		}
		if _, err := masked.Apply("c", stored, nil, masked.NameRule{}); !errors.Is(err, masked.ErrStored) {
			t.Errorf("Apply with %q sealed: %v", sealed, err)
		}
	}
	if _, err := masked.Replace("c", masked.Stored{Sealed: []string{""}}, nil, masked.NameRule{}); !errors.Is(err, masked.ErrStored) {
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
		want           string // violation, "" = accepted
	}{
		{"as many secrets as allowed", secrets(validate.MaxSecrets), ""},
		{"one more", secrets(validate.MaxSecrets + 1), "c too-many"},
		{"large plain document", `{"x":"` + strings.Repeat("x", validate.MaxDocument-8) + `"}`, ""},
		{"large secret", `{"token":"` + strings.Repeat("x", validate.MaxDocument-12) + `"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := masked.Parse("c", []byte(tt.incoming))
			if err != nil {
				t.Fatal(err)
			}
			r, err := masked.Replace("c", masked.Stored{}, doc, masked.NameRule{})
			if tt.want != "" {
				if diff := diffOutcome(outcome{Refused: []string{tt.want}}, outcomeOf(t, r, err)); diff != "" {
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

// A configuration of 2 KiB with ten values, four of them secret: one plain value changes.
func BenchmarkReplace(b *testing.B) {
	var members []string
	for i := range 6 {
		members = append(members, fmt.Sprintf(`"field_%d":"%s"`, i, strings.Repeat("x", 300)))
	}
	for i := range 4 {
		members = append(members, fmt.Sprintf(`"secret_%d":"s3cr3t"`, i))
	}
	v := store(b, "{"+strings.Join(members, ",")+"}", masked.NameRule{})
	incoming := parse(b, strings.Replace(text(v.stored.Doc), "x", "y", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := masked.Replace("c", v.stored, incoming, masked.NameRule{}); err != nil {
			b.Fatal(err)
		}
	}
}
