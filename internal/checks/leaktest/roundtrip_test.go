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

// Names of members. None is that of an address: a changed one needs the secrets, which is a rule of its own.
var (
	plainNames  = []string{"name", "zone", "n", "a/b", "m~n", "items", "é", "tokenType", "x y", "0"}
	secretNames = []string{"token", "adobe_secret", "password", "pin", "apiKey", "credentials"}
)

// object draws a document of a few levels. Below a secret name there is neither null nor a mask, which mean something else in a first write.
func object(t *rapid.T, depth int, covered bool) map[string]any {
	members := make(map[string]any)
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Concat(plainNames, secretNames)), 0, 5, rapid.ID[string]).Draw(t, "names") {
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
		// Nor is a text an address, which has one of these in it.
		text := rapid.StringN(0, 12, 40).Filter(func(s string) bool {
			return s != "***" && !strings.ContainsAny(s, `:=@/\`)
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

// The masked document of any configuration can be sent back without effect, and with one value changed it changes that value alone.
func TestMaskedRoundTrip(t *testing.T) {
	svc, _ := installationtest.New(t, nil)
	host := svc.As(installation.Actor{Kind: installation.Host})
	echoes, changes := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		document := object(t, 3, false)
		id := fmt.Sprintf("i-%d", echoes)
		put(t, host, id, document)
		before := get(t, host, id)
		plain := reveal(t, host, before)

		echo, err := write(host, id, before.Configuration.Document)
		if err != nil || echo.Changed || echo.Revision != 1 {
			t.Fatalf("echo: %+v, %v", echo, err)
		}
		echoes++

		var view map[string]any
		if err := before.Configuration.Document.Decode(&view); err != nil {
			t.Fatal(err)
		}
		if len(view) > 0 {
			name := rapid.SampledFrom(slices.Sorted(maps.Keys(view))).Draw(t, "changed")
			view[name] = "another value"
			next, err := installation.DocumentOf(view)
			if err != nil {
				t.Fatal(err)
			}
			res, err := write(host, id, next)
			if err != nil || !res.Changed || res.Revision != 2 {
				t.Fatalf("one change: %+v, %v", res, err)
			}
			after := get(t, host, id)
			now := reveal(t, host, after)
			at := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			for ref, secret := range plain {
				if ref.Pointer() != at && !strings.HasPrefix(ref.Pointer(), at+"/") && now[ref] != secret {
					t.Fatalf("%s changed", ref)
				}
			}
			var masked map[string]any
			if err := after.Configuration.Document.Decode(&masked); err != nil {
				t.Fatal(err)
			}
			delete(masked, name)
			delete(view, name)
			if a, b := encode(t, masked), encode(t, view); a != b {
				t.Fatalf("beside %s\n%s\nbecame\n%s", name, b, a)
			}
			changes++
		}
		if _, err := host.Delete(context.Background(), installation.DeleteRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d documents echoed, %d changed in one value", echoes, changes)
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
	if _, err := host.Upsert(context.Background(), installation.UpsertRequest{ID: id, Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "E"}), Account: installation.Value(installation.Account{ID: id}),
		Configuration: installation.Value(installation.Configuration{Document: d}),
	}}); err != nil {
		t.Fatal(err)
	}
}

func write(host *installation.Service, id string, d installation.Document) (*installation.Result, error) {
	return host.Upsert(context.Background(), installation.UpsertRequest{ID: id, Parts: installation.Parts{
		Configuration: installation.Value(installation.Configuration{Document: d}),
	}})
}

func get(t *rapid.T, host *installation.Service, id string) *installation.Installation {
	i, err := host.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func reveal(t *rapid.T, host *installation.Service, i *installation.Installation) map[installation.Ref]string {
	found := make(map[installation.Ref]string)
	if len(i.Sealed) == 0 {
		return found
	}
	answers, err := host.Reveal(context.Background(), installation.RevealRequest{ID: i.ID, Refs: i.Sealed, Reason: "test"})
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
