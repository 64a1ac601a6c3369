package secrets

import (
	"context"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// roundTripSchemas are the schemas for a fuzzed document. The first one says
// nothing, the second one has a rule for most names.
var roundTripSchemas = []string{`{}`, `{
	"properties":{
		"token":{"x-sensitive":false},
		"note":{"writeOnly":true},
		"list":{"x-key":"id","items":{"$ref":"#"}},
		"url":{"x-exposes":[]},
		"region":{"default":"eu"}
	},
	"additionalProperties":{
		"anyOf":[{"type":["string","number","boolean","null","array"]},{"$ref":"#"}]
	}
}`}

// FuzzMaskedRoundTrip writes a document, reads it masked and writes that back.
// For any document, the second write changes nothing, not even the revision.
func FuzzMaskedRoundTrip(f *testing.F) {
	for _, seed := range []string{
		`{"token":"t","name":"n","nested":{"password":"p","list":[1,null,{"pin":1234}]}}`,
		`{"list":[{"id":"a","secret":"x"},{"id":"b","secret":"y"}],"note":{"deep":[true]}}`,
		`{"url":"https://u:p@host.example/","api_secret":"","credentials":{"a":["b",1]}}`,
		`{"a":"***","b":null,"c":1e5,"é":"\u0000"}`,
		`{}`,
	} {
		f.Add(seed, byte(0))
		f.Add(seed, byte(1))
	}
	c := &fixture.Catalogue{}
	svc, err := installation.New(memstore.New(), fixture.Ring(f), &installation.Options{
		Schema: c.Schema,
	})
	if err != nil {
		f.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	f.Fuzz(func(t *testing.T, document string, which byte) {
		n := int(which) % len(roundTripSchemas)
		c.Set("r"+string(rune('0'+n)), roundTripSchemas[n])
		maskedRoundTrip(t, host, document)
	})
}

func maskedRoundTrip(t *testing.T, host *installation.Service, document string) {
	ctx := context.Background()
	put := func(d installation.Document) (*installation.Result, error) {
		return host.Upsert(ctx, installation.UpsertRequest{ID: "i", Parts: installation.Parts{
			Extension:     installation.Value(installation.Extension{ID: "E"}),
			Account:       installation.Value(installation.Account{ID: "A"}),
			Configuration: installation.Value(installation.Configuration{Document: d}),
		}})
	}
	first, err := put(installation.JSON(document))
	if err != nil {
		if !errors.Is(err, installation.ErrInvalid) {
			t.Fatalf("rejected with %v", err)
		}
		return
	}
	defer host.Delete(ctx, installation.DeleteRequest{ID: "i"})
	before, err := host.Get(ctx, "i")
	if err != nil {
		t.Fatal(err)
	}
	masked := before.Configuration.Document
	second, err := put(masked)
	if err != nil || second.Changed || second.Revision != first.Revision {
		t.Fatalf("second write of %s: %+v, %v", masked, second, err)
	}
	after, err := host.Get(ctx, "i")
	if err != nil || !after.Configuration.Document.Equal(masked) ||
		len(after.Sealed) != len(before.Sealed) {
		t.Fatalf("%s became %s, %v", masked, after.Configuration.Document, err)
	}
}
