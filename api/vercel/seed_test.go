package vercel_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/internal/jsontree"
)

// documented is the request in Vercel's own page of the upsert.
const documented = `{"scopes":[],"acceptedPolicies":"value",
 "credentials":{"access_token":"string","token_type":"string"},
 "account":{"name":"string","url":"string","contact":{"email":"string","name":"string"}}}`

// TestDocumentedRequest: the placeholders of the page are refused, values in their place are
// accepted.
func TestDocumentedRequest(t *testing.T) {
	w := newWorld(t)
	w.do(t, "PUT", path, w.issuer.user(icfg), documented).
		want(t, 400, invalid("acceptedPolicies", "must be an object"))
	if n := w.store.commits.Load(); n > 0 {
		t.Fatal("it was stored")
	}
	for _, policies := range []string{`{}`, `{"toc":"2024-02-28T10:00:00Z"}`} {
		body := strings.Replace(documented, `"value"`, policies, 1)
		w.do(t, "PUT", path, w.issuer.user(icfg), body).want(t, 200, `{}`)
	}
}

// seed is the document in testdata/seeds.
type seed struct {
	Path, Headers map[string]string
	Request       json.RawMessage
	Response      json.RawMessage
}

func readSeed(t *testing.T) (seed, vercel.Upsert, vercel.Installation) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "seeds", "vercel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s seed
	var request vercel.Upsert
	var response vercel.Installation
	for _, part := range []struct {
		text []byte
		into any
	}{{text, &s}, {text, &struct{ Request, Response any }{&request, &response}}} {
		if err := json.Unmarshal(part.text, part.into); err != nil {
			t.Fatal(err)
		}
	}
	return s, request, response
}

// TestSeedDocument sends the request of testdata/seeds as it stands there, stores the plan and the
// notification of its response, and gets the response. The objects of the request and the response
// come from the stored installation too.
func TestSeedDocument(t *testing.T) {
	seed, request, response := readSeed(t)
	id := seed.Path["installationId"]
	w := newWorld(t)
	put := func(headers ...string) reply {
		return w.do(t, "PUT", "/v1/installations/"+id, w.issuer.user(id), string(seed.Request),
			headers...)
	}
	put("X-Vercel-Auth", seed.Headers["X-Vercel-Auth"], "Idempotency-Key",
		seed.Headers["Idempotency-Key"]).want(t, 200, `{}`)
	if _, err := w.svc.Patch(t.Context(),
		installation.PatchRequest{ID: id, Parts: response.Parts()}); err != nil {
		t.Fatal(err)
	}
	inst := w.get(t, id)
	for name, answer := range map[string]string{
		"PUT":            put().body,
		"GET":            w.do(t, "GET", "/v1/installations/"+id, w.issuer.system(id), "").body,
		"InstallationOf": marshal(t, vercel.InstallationOf(inst)),
	} {
		if got, want := parse(t, answer), parse(t, string(seed.Response)); !got.Equal(want) {
			t.Errorf("%s answers\n%s\nwant\n%s", name, answer, seed.Response)
		}
	}
	got, want := parse(t, marshal(t, vercel.UpsertOf(inst))), parse(t, marshal(t, request))
	if !got.Equal(want) {
		t.Errorf("the request was\n%s\nwant\n%s", got.Append(nil), want.Append(nil))
	}
	if got := w.token(t, id); got != "vct-7a1de83f5b2046c9" {
		t.Errorf("access token %q", got)
	}
}

// TestUpsertParts: a write of the parts stores what a PUT stores.
func TestUpsertParts(t *testing.T) {
	seed, request, response := readSeed(t)
	id := seed.Path["installationId"]
	w := newWorld(t)
	w.do(t, "PUT", "/v1/installations/"+id, w.issuer.user(id), string(seed.Request)).want(t, 200)
	byPut := vercel.UpsertOf(w.get(t, id))
	parts := request.Parts(account)
	parts.Extension = installation.Value(installation.Extension{ID: clientID})
	parts.BillingPlan = response.Parts().BillingPlan
	if _, err := w.svc.Upsert(t.Context(),
		installation.UpsertRequest{ID: "other", Parts: parts}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byPut, vercel.UpsertOf(w.get(t, "other"))); diff != "" {
		t.Error(diff)
	}
	if got := w.token(t, "other"); got != "vct-7a1de83f5b2046c9" {
		t.Errorf("access token %q", got)
	}
	var removal vercel.Installation
	if err := json.Unmarshal([]byte(`{"notification":null}`), &removal); err != nil {
		t.Fatal(err)
	}
	if p := removal.Parts(); !p.Notification.Removes() || !p.BillingPlan.IsZero() {
		t.Errorf("parts %+v", p)
	}
	if p := new(vercel.Installation).Parts(); !reflect.DeepEqual(p, installation.Parts{}) {
		t.Errorf("the parts of an empty object: %+v", p)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, text string) *jsontree.Node {
	t.Helper()
	tree, err := jsontree.Parse([]byte(text), jsontree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
