package masked_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
)

// A secret that is given anew is no destination of the others, unless it is an address.
func TestGivenSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		rejected      bool
	}{
		"token":                 {`"token":"a:b"`, `"token":"c:d"`, false},
		"token removed":         {`"token":"a"`, `"n":1`, false},
		"token added":           {`"n":1`, `"token":"a.b"`, false},
		"a URL":                 {`"token":"a"`, `"token":"https://evil.example"`, true},
		"a URL in a list":       {`"tokens":["a"]`, `"tokens":["https://evil.example"]`, true},
		"settings":              {`"token":"a"`, `"token":"Server=evil;User=x"`, true},
		"by its name":           {`"dsn":"a"`, `"dsn":"evil"`, true},
		"by its name, removed":  {`"dsn":"a"`, `"n":1`, true},
		"by its name, numbered": {`"dsn_2":"a"`, `"dsn_2":"evil"`, true},
		"by a word behind":      {`"token_host_v2":"a"`, `"token_host_v2":"b"`, true},
		"by a word of a number": {`"secret_address":"a"`, `"secret_address":"b"`, true},
		"by a word before":      {`"server_token":"a:b"`, `"server_token":"c:d"`, false},
		"a key of a server":     {`"server_api_key":"a:b"`, `"server_api_key":"c:d"`, false},
		"one setting": {`"connection_string":"a"`,
			`"connection_string":"Server=evil"`, true},
		"JSON text":                {`"token":"a"`, `"token":" {\"host\":\"evil\"}"`, true},
		"number word among others": {`"credentials":{"callback":"a"}`, `"credentials":{}`, true},
		"one label among others": {`"credentials":{"user":"a"}`,
			`"credentials":{"user":"b"}`, false},
		"an address among others": {`"credentials":{"user":"a"}`,
			`"credentials":{"user":"evil.example"}`, true},
		"by a name among others": {`"credentials":{"subdomain":"a"}`,
			`"credentials":{"subdomain":"b"}`, true},
		"a secret and an address by name": {
			`"e":[{"name":"API_HOST","key":"password","value":"a"}]`,
			`"e":[{"name":"API_HOST","key":"password","value":"evil.example"}]`, true},
		"a URL with a password": {`"x":"https://u:p@a.example"`,
			`"x":"https://u:p@b.example"`, true},
		"a URL replaced by a label": {`"x":"https://u:p@a.example"`, `"x":"evil"`, true},
		"a URL removed":             {`"x":"https://u:p@a.example"`, `"n":1`, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := store(t, `{"secret":"s",`+c.before+`}`, classify.NameRule{})
			_, err := masked.Replace("c", v.stored, parse(t, `{"secret":"***",`+c.after+`}`),
				classify.NameRule{})
			if got := redirections(t, err); (got != nil) != c.rejected {
				t.Errorf("got %v, want rejected = %v", got, c.rejected)
			}
			_, err = masked.Replace("c", v.stored, parse(t, `{"secret":"s",`+c.after+`}`),
				classify.NameRule{})
			if err != nil {
				t.Errorf("all given again: %v", err)
			}
		})
	}
}

// Whoever cannot read the other secrets cannot declare an address a secret and so change it.
func TestAddressSetAsSecret(t *testing.T) {
	for name, c := range map[string]struct{ before, at, value string }{
		"new":            {`"n":1`, "/base", `"evil.example"`},
		"changed":        {`"base":"a.example"`, "/base", `"evil.example"`},
		"a switch":       {`"verify":true`, "/verify", `"false"`},
		"a label":        {`"proxy":{"name":"a"}`, "/proxy/name", `"b"`},
		"an element":     {`"l":["a.example"]`, "/l/0", `"evil.example"`},
		"sealed by form": {`"base":"https://u:p@a.example"`, "/base", `"evil"`},
	} {
		t.Run(name, func(t *testing.T) {
			v := store(t, `{"token":"t",`+c.before+`}`, classify.NameRule{})
			ops := []masked.Op{op(masked.SetSecret, c.at, c.value)}
			_, err := masked.Apply("c", v.stored, ops, classify.NameRule{})
			if diff := cmp.Diff([]string{"c/token > c" + c.at}, redirections(t, err)); diff != "" {
				t.Error(diff)
			}
			ops = append(ops, op(masked.Set, "/token", `"t"`))
			if _, err = masked.Apply("c", v.stored, ops, classify.NameRule{}); err != nil {
				t.Errorf("all given again: %v", err)
			}
		})
	}
}
