package masked_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/schema"
)

// connector is a schema as connectors of catalogues have it: the branches of a union are told apart
// by a const, below a name that is one of a secret.
const connector = `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",
	"properties":{
		"credentials":{"title":"Authentication","type":"object","oneOf":[
			{"title":"OAuth","required":["grant","client_id","client_secret"],"properties":{
				"grant":{"type":"string","const":"oauth2.0","order":0},
				"client_id":{"type":"string"},
				"client_secret":{"type":"string","airbyte_secret":true},
				"token_use":{"enum":["read","write"]}}},
			{"title":"Token","required":["grant","access_token"],"properties":{
				"grant":{"type":"string","const":"access_token","order":0},
				"access_token":{"type":"string","airbyte_secret":true}}}]},
		"auth_token":{"enum":["bearer","mac",7]},
		"password_policy":{"properties":{"secret":{"anyOf":[{"const":"none"},
			{"type":"string"}]}}},
		"key_secret":{"writeOnly":true,"enum":["a","b"]},
		"service_account":{"x-sensitive":true,"properties":{
			"type":{"const":"service_account"},"private_key":{"type":"string"}}},
		"pin":{"enum":[1,{"password":"x"},["y"]]}}}`

var listedByConnector = map[string]struct {
	doc  string
	want []string
}{
	"a branch": {`{"credentials":{"grant":"oauth2.0","client_secret":"s",` +
		`"token_use":"read"}}`,
		[]string{"/credentials/client_secret"}},
	"another branch": {`{"credentials":{"grant":"access_token","access_token":"s"}}`,
		[]string{"/credentials/access_token"}},
	"no branch": {`{"credentials":{"grant":"other","token_use":"s"}}`,
		[]string{"/credentials/grant", "/credentials/token_use"}},
	"an enum":                   {`{"auth_token":"mac"}`, nil},
	"not in the enum":           {`{"auth_token":"hunter2"}`, []string{"/auth_token"}},
	"another branch takes more": {`{"password_policy":{"secret":"none"}}`, nil},
	"what it takes": {`{"password_policy":{"secret":"x"}}`,
		[]string{"/password_policy/secret"}},
	"an enum with a mark":       {`{"key_secret":"a"}`, nil},
	"a mark, not in the enum":   {`{"key_secret":"c"}`, []string{"/key_secret"}},
	"a number":                  {`{"pin":1.0}`, nil},
	"a number not in the enum":  {`{"pin":2}`, []string{"/pin"}},
	"an object":                 {`{"pin":{"password":"x"}}`, nil},
	"an object not in the enum": {`{"pin":{"password":"y"}}`, []string{"/pin/password"}},
	"an array":                  {`{"pin":["y"]}`, nil},
	"a const in a marked object": {
		`{"service_account":{"type":"service_account","private_key":"k"}}`,
		[]string{"/service_account/private_key"}},
	"another value in it": {`{"service_account":{"type":"x","private_key":"k"}}`,
		[]string{"/service_account"}},
	"empty strings": {`{"credentials":{"client_secret":"","x":""},"key_secret":""}`, nil},
}

// TestInvariant12ListedValuesArePlain checks that a value in an enum or const is never a secret,
// and that any other value at the place is judged as before.
func TestInvariant12ListedValuesArePlain(t *testing.T) {
	rule := described(t, connector)
	for name, c := range listedByConnector {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, c.doc)
			got := rule.Sensitive(doc)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
			view := masked.Mask(doc, nil, rule)
			if diff := cmp.Diff(c.want, rule.Sensitive(view), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("masked: %s", diff)
			}
		})
	}
}

// TestListedValueReplacesSecret checks that a form can choose a branch at a place that was sealed,
// and that every other value there is sealed.
func TestListedValueReplacesSecret(t *testing.T) {
	rule := described(t, connector)
	stored := masked.Stored{Doc: parse(t, `{"auth_token":"***","n":1}`),
		Sealed: []string{"/auth_token"}}
	for incoming, want := range map[string]outcome{
		`{"auth_token":"***","n":1}`: {Doc: `{"auth_token":"***","n":1}`,
			Keep: []string{"/auth_token"}},
		`{"auth_token":"mac","n":1}`: {Doc: `{"auth_token":"mac","n":1}`,
			Changed: []string{"/auth_token"}},
		`{"auth_token":"x","n":1}`: {Doc: `{"auth_token":"***","n":1}`,
			Seal: map[string]string{"/auth_token": `"x"`}, Changed: []string{"/auth_token"}},
	} {
		r, err := masked.Replace("c", stored, parse(t, incoming), rule)
		if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
			t.Errorf("%s: %s", incoming, diff)
		}
	}
}

// TestEmptyDefaultIsNoSecret checks that a default of "" shows no mask for a secret nobody gave.
func TestEmptyDefaultIsNoSecret(t *testing.T) {
	rule := described(t, `{"properties":{"password":{"default":""},`+
		`"key":{"writeOnly":true,"type":"string","default":""}}}`)
	r, err := masked.Replace("c", masked.Stored{}, parse(t, `{"n":1}`), rule)
	want := outcome{Doc: `{"n":1,"key":"","password":""}`, Changed: []string{""}}
	if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
		t.Error(diff)
	}
	stored := masked.Stored{Doc: parse(t, `{"password":"***","n":1}`),
		Sealed: []string{"/password"}}
	r, err = masked.Replace("c", stored, parse(t, `{"password":null,"n":1}`), rule)
	want = outcome{Doc: `{"n":1,"key":"","password":""}`, Changed: []string{"/key", "/password"}}
	if diff := diffOutcome(want, outcomeOf(t, r, err)); diff != "" {
		t.Errorf("of a removed one: %s", diff)
	}
}

// TestDefaultIsNoMask checks that a mask cannot be the default of a secret, because every write
// without the secret would fail.
func TestDefaultIsNoMask(t *testing.T) {
	text := `{"properties":{"password":{"default":"` + masked.Text + `"}}}`
	if _, err := schema.Compile([]byte(text)); err == nil {
		t.Error("a mask is accepted as default")
	}
}

// TestSensitiveWalksOnce checks that marked objects in one another take one walk together, although
// each is sealed as a whole only if nothing in it is unmarked.
func TestSensitiveWalksOnce(t *testing.T) {
	allocations := func(depth int) float64 {
		rule := described(t, strings.Repeat(`{"x-sensitive":true,"properties":{"a":`, depth)+
			`{"properties":{"l":{"items":{}},"z":{"x-sensitive":false}}}`+
			strings.Repeat(`}}`, depth))
		doc := parse(t, strings.Repeat(`{"a":`, depth)+
			`{"l":[`+strings.Repeat(`1,`, 2000)+`1],"z":1}`+strings.Repeat(`}`, depth))
		if got := rule.Sensitive(doc); len(got) != 1 {
			t.Fatalf("%d sensitive values", len(got))
		}
		return testing.AllocsPerRun(1, func() { rule.Sensitive(doc) })
	}
	if one, many := allocations(1), allocations(40); many > 2*one {
		t.Errorf("%.0f allocations for one object, %.0f for 40 around it", one, many)
	}
}
