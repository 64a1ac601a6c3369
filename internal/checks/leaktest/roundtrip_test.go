package leaktest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/installationtest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "rapid.checks" })
	if !set {
		if err := flag.Set("rapid.checks", "20000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// Names of members. None is the name of an address, since a write that changes
// an address must contain the secrets.
var (
	plainNames  = []string{"name", "zone", "n", "a/b", "m~n", "items", "é", "tokenType", "x y", "0"}
	secretNames = []string{"token", "adobe_secret", "password", "pin", "apiKey", "credentials"}
)

// object draws a document with a few levels. It draws no null and no mask below a
// secret name, since they have a special meaning there.
func object(t *rapid.T, depth int, covered bool) map[string]any {
	members := make(map[string]any)
	all := rapid.SampledFrom(slices.Concat(plainNames, secretNames))
	names := rapid.SliceOfNDistinct(all, 0, 5, rapid.ID[string]).Draw(t, "names")
	for _, name := range names {
		members[name] = value(t, depth-1, covered || slices.Contains(secretNames, name))
	}
	return members
}

func value(t *rapid.T, depth int, covered bool) any {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.IntRange(-1000, 1000).Draw(t, "number")
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		if covered {
			return "s"
		}
		return nil
	case 3:
		// A text with these characters can look like the mask of another program. So can one
		// that has only one character, which is no letter.
		text := rapid.StringN(0, 12, 40).Filter(func(s string) bool {
			first, _ := utf8.DecodeRuneInString(s)
			return unicode.IsLetter(first) && !strings.ContainsAny(s, ":=@/\\*•.…")
		}).Draw(t, "text")
		if text == "" {
			return "t"
		}
		return text
	case 4:
		return object(t, depth, covered)
	}
	list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
	for i := range list {
		list[i] = value(t, depth-1, covered)
	}
	return list
}

// Writing back the masked document of any configuration changes nothing. With one
// value changed, it changes only that value.
func TestMaskedRoundTrip(t *testing.T) {
	svc, _ := installationtest.New(t, nil)
	host := svc.As(installation.Actor{Kind: installation.Host})
	documents, changes := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		document := object(t, 3, false)
		id := fmt.Sprintf("i-%d", documents)
		put(t, host, id, document)
		before := get(t, host, id)

		again, err := write(host, id, before.Configuration.Document)
		if err != nil || again.Changed || again.Revision != 1 {
			t.Fatalf("second write: %+v, %v", again, err)
		}
		documents++
		if changeOneValue(t, host, before) {
			changes++
		}
		remove := installation.DeleteRequest{ID: id}
		if _, err := host.Delete(context.Background(), remove); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d documents written back, %d changed in one value", documents, changes)
}

// changeOneValue changes one member of the masked document and checks that no
// other member and no other secret changes. It returns false for an empty document.
func changeOneValue(
	t *rapid.T, host *installation.Service, before *installation.Installation,
) bool {
	plain := reveal(t, host, before)
	var view map[string]any
	if err := before.Configuration.Document.Decode(&view); err != nil {
		t.Fatal(err)
	}
	if len(view) == 0 {
		return false
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(view))).Draw(t, "changed")
	view[name] = "another value"
	next, err := installation.DocumentOf(view)
	if err != nil {
		t.Fatal(err)
	}
	res, err := write(host, before.ID, next)
	if err != nil || !res.Changed || res.Revision != 2 {
		t.Fatalf("one change: %+v, %v", res, err)
	}
	after := get(t, host, before.ID)
	now := reveal(t, host, after)
	at := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	for ref, secret := range plain {
		inside := ref.Pointer() == at || strings.HasPrefix(ref.Pointer(), at+"/")
		if !inside && now[ref] != secret {
			t.Fatalf("%s changed", ref)
		}
	}
	var masked map[string]any
	if err := after.Configuration.Document.Decode(&masked); err != nil {
		t.Fatal(err)
	}
	delete(masked, name)
	delete(view, name)
	if got, want := encode(t, masked), encode(t, view); got != want {
		t.Fatalf("a change of %s changed\n%s\nto\n%s", name, want, got)
	}
	return true
}

func encode(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *rapid.T, host *installation.Service, id string, document map[string]any) {
	d, err := installation.DocumentOf(document)
	if err != nil {
		t.Fatal(err)
	}
	parts := installation.Parts{
		Extension:     installation.Value(installation.Extension{ID: "E"}),
		Account:       installation.Value(installation.Account{ID: id}),
		Configuration: installation.Value(installation.Configuration{Document: d}),
	}
	request := installation.UpsertRequest{ID: id, Parts: parts}
	if _, err := host.Upsert(context.Background(), request); err != nil {
		t.Fatal(err)
	}
}

func write(
	host *installation.Service, id string, d installation.Document,
) (*installation.Result, error) {
	return host.Upsert(context.Background(), installation.UpsertRequest{
		ID: id,
		Parts: installation.Parts{
			Configuration: installation.Value(installation.Configuration{Document: d}),
		},
		AllowDestination: "this test is about masks",
	})
}

func get(t *rapid.T, host *installation.Service, id string) *installation.Installation {
	i, err := host.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func reveal(
	t *rapid.T, host *installation.Service, i *installation.Installation,
) map[installation.Ref]string {
	found := make(map[installation.Ref]string)
	if len(i.Sealed) == 0 {
		return found
	}
	answers, err := host.Reveal(context.Background(), installation.RevealRequest{
		ID: i.ID, Refs: i.Sealed, Reason: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Err != nil {
			t.Fatal(a.Ref, a.Err)
		}
		found[a.Ref] = a.Value.RevealString()
	}
	return found
}
