package canonical

import (
	"encoding/json"
	"testing"

	"github.com/go-installation/installation/crypto"
)

func TestHasPlainSecretFollowsWhatJSONWrites(t *testing.T) {
	secret := crypto.NewSecret("s")
	type Named struct{ S crypto.Secret }
	type named struct{ S crypto.Secret }
	type cyclic struct {
		Next *cyclic
		S    crypto.Secret
	}
	loop, plainLoop := &cyclic{}, &cyclic{S: secret}
	loop.Next, plainLoop.Next = loop, plainLoop
	// A struct behind a pointer to its first field, which has the same address.
	both := struct {
		First int
		S     crypto.Secret
	}{S: secret}

	for name, test := range map[string]struct {
		v    any
		want bool
	}{
		"nil":                     {nil, false},
		"nil pointer":             {(*crypto.Secret)(nil), false},
		"text":                    {"s", false},
		"secret":                  {secret, true},
		"empty secret":            {crypto.NewSecret(""), true},
		"masked":                  {crypto.Masked(), false},
		"zero":                    {crypto.Secret{}, false},
		"pointer":                 {&secret, true},
		"in a field":              {Named{secret}, true},
		"in a field that is zero": {Named{}, false},
		"in an unexported field":  {struct{ s crypto.Secret }{secret}, false},
		"in a skipped field": {struct {
			S crypto.Secret `json:"-"`
		}{secret}, false},
		"in an embedded struct":     {struct{ Named }{Named{secret}}, true},
		"in an unexported embedded": {struct{ named }{named{secret}}, true},
		"in a slice":                {[]any{1, secret}, true},
		"in an array":               {[1]crypto.Secret{secret}, true},
		"in a map":                  {map[string]any{"a": secret}, true},
		"bytes":                     {make([]byte, 10), false},
		"in content":                {give(secret), true},
		"in masked content":         {give(crypto.Masked()), false},
		"in removed content":        {remove[crypto.Secret](), false},
		"document":                  {document{"text"}, true},
		"cycle":                     {loop, false},
		"cycle with one":            {plainLoop, true},
		"same address":              {[]any{&both.First, &both}, true},
		"others":                    {[]any{1.5, true, []string{"a"}, map[string]int{}}, false},
	} {
		if got := HasPlainSecret(test.v, testContent); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestHasStringFollowsWhatJSONWrites(t *testing.T) {
	type cyclic struct {
		Next *cyclic
		S    string
	}
	loop := &cyclic{S: "other"}
	loop.Next = loop
	text := "text"
	for name, test := range map[string]struct {
		v    any
		want bool
	}{
		"nil":                  {nil, false},
		"pointer":              {&text, true},
		"other text":           {"a text", false},
		"own type":             {ownString("text"), true},
		"in a field":           {&struct{ S string }{"text"}, true},
		"in an unexported one": {struct{ s string }{"text"}, false},
		"in a slice":           {[][]string{{"a", "text"}}, true},
		"in a map":             {map[string]string{"a": "text"}, true},
		"a name in a map":      {map[string]int{"text": 1}, false},
		"any":                  {map[string]any{"a": "text"}, false},
		"pointer to any":       {new(any), false},
		"raw":                  {[]byte(`"text"`), false},
		"pointer in any":       {&[]any{&text}, true},
		"decodes itself":       {&struct{ S ownText }{ownText{"text"}}, true},
		"decodes other text":   {&struct{ S ownText }{ownText{"other"}}, false},
		"decodes to bytes":     {&struct{ S ownBytes }{ownBytes("text")}, true},
		"secret":               {struct{ S crypto.Secret }{crypto.NewSecret("text")}, false},
		"masked":               {&[]crypto.Secret{crypto.Masked()}, false},
		"cycle":                {loop, false},
		"beside a masked secret": {&struct {
			A crypto.Secret
			B *string
		}{crypto.Masked(), &text}, true},
	} {
		if got := HasString(test.v, "text"); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

type ownString string

// ownText and ownBytes decode themselves.
type ownText struct{ text string }

func (o *ownText) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &o.text) }

type ownBytes []byte

func (o *ownBytes) UnmarshalText(b []byte) error {
	*o = append(ownBytes{}, b...)
	return nil
}
