package masked_test

import (
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
)

const replaceDoc = `{"vendor":"Adobe","adobe_secret":"***","mpt_token":"***"}`

var replaceSealed = []string{"/adobe_secret", "/mpt_token"}

var replaceTests = []struct {
	name     string
	stored   string
	sealed   []string
	incoming string
	want     outcome
}{
	{
		name:     "create seals sensitive values",
		incoming: `{"vendor":"Adobe","adobe_secret":"s3cr3t","port":8080}`,
		want: outcome{
			Doc:     `{"vendor":"Adobe","adobe_secret":"***","port":8080}`,
			Seal:    map[string]string{"/adobe_secret": `"s3cr3t"`},
			Changed: []string{""},
		},
	},
	{
		name: "echo keeps all", stored: replaceDoc, sealed: replaceSealed, incoming: replaceDoc,
		want: outcome{Doc: replaceDoc, Keep: replaceSealed},
	},
	{
		name: "echo in another order keeps all", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"mpt_token":"***","vendor":"Adobe","adobe_secret":"***"}`,
		want: outcome{
			Doc:  `{"mpt_token":"***","vendor":"Adobe","adobe_secret":"***"}`,
			Keep: []string{"/mpt_token", "/adobe_secret"},
		},
	},
	{
		name: "plain value changes alone", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Other","adobe_secret":"***","mpt_token":"***"}`,
		want: outcome{
			Doc:     `{"vendor":"Other","adobe_secret":"***","mpt_token":"***"}`,
			Keep:    replaceSealed,
			Changed: []string{"/vendor"},
		},
	},
	{
		name: "secret changes alone", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Adobe","adobe_secret":"new","mpt_token":"***"}`,
		want: outcome{
			Doc: replaceDoc, Keep: []string{"/mpt_token"},
			Seal:    map[string]string{"/adobe_secret": `"new"`},
			Changed: []string{"/adobe_secret"},
		},
	},
	{
		name: "absent deletes", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Adobe","mpt_token":"***"}`,
		want: outcome{
			Doc: `{"vendor":"Adobe","mpt_token":"***"}`, Keep: []string{"/mpt_token"},
			Changed: []string{"/adobe_secret"},
		},
	},
	{
		name: "null deletes, with the member", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Adobe","adobe_secret":null,"mpt_token":"***"}`,
		want: outcome{
			Doc: `{"vendor":"Adobe","mpt_token":"***"}`, Keep: []string{"/mpt_token"},
			Changed: []string{"/adobe_secret"},
		},
	},
	{
		name:     "null at a sensitive place without a secret comes to the same",
		stored:   `{"vendor":"Adobe"}`,
		incoming: `{"vendor":"Adobe","adobe_secret":null}`,
		want:     outcome{Doc: `{"vendor":"Adobe"}`},
	},
	{
		name: "null at a plain place stays null", stored: `{"vendor":"Adobe"}`,
		incoming: `{"vendor":null}`,
		want:     outcome{Doc: `{"vendor":null}`, Changed: []string{"/vendor"}},
	},
	{
		name: "null from before the rule stays", stored: `{"a":1,"adobe_secret":null}`,
		incoming: `{"a":2,"adobe_secret":null}`,
		want:     outcome{Doc: `{"a":2,"adobe_secret":null}`, Changed: []string{"/a"}},
	},
	{
		name: "empty string in place of a secret", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"adobe_secret":"","mpt_token":"***"}`,
		want:     outcome{Rejected: []string{"configuration/adobe_secret empty-secret"}},
	},
	{
		name: "an empty string is no secret", incoming: `{"adobe_secret":""}`,
		want: outcome{Doc: `{"adobe_secret":""}`, Changed: []string{""}},
	},
	{
		name: "nor on the second write", stored: `{"adobe_secret":""}`,
		incoming: `{"adobe_secret":""}`,
		want:     outcome{Doc: `{"adobe_secret":""}`},
	},
	{
		name: "mask on create", incoming: `{"vendor":"***","adobe_secret":"***"}`,
		want: outcome{
			Rejected: []string{"configuration/adobe_secret mask-without-stored-value",
				"configuration/vendor mask-without-stored-value"}},
	},
	{
		name: "mask under a new plain name, as of a renamed member", stored: replaceDoc,
		sealed:   replaceSealed,
		incoming: `{"vendor":"Adobe","note":"***","mpt_token":"***"}`,
		want: outcome{
			Rejected: []string{"configuration/note mask-without-stored-value"}},
	},
	{
		name: "mask where the secret is gone meanwhile", stored: `{"vendor":"Adobe"}`,
		incoming: `{"vendor":"Adobe","source":"***"}`,
		want: outcome{
			Rejected: []string{"configuration/source mask-without-stored-value"}},
	},
	{
		name: "plain mask at another place", stored: `{"vendor":"***"}`,
		incoming: `{"other":"***"}`,
		want: outcome{
			Rejected: []string{"configuration/other mask-without-stored-value"}},
	},
	{
		name: "mask under a new sensitive name", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Adobe","other_secret":"***","mpt_token":"***"}`,
		want: outcome{
			Rejected: []string{"configuration/other_secret mask-without-stored-value"}},
	},
	{
		name: "mask at a plain place", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"***","adobe_secret":"***","mpt_token":"***"}`,
		want: outcome{
			Rejected: []string{"configuration/vendor mask-without-stored-value"}},
	},
	{
		name:     "plain mask survives the next round trip",
		stored:   `{"vendor":"***","mpt_token":"***","n":1}`,
		sealed:   []string{"/mpt_token"},
		incoming: `{"vendor":"***","mpt_token":"***","n":2}`,
		want: outcome{
			Doc: `{"vendor":"***","mpt_token":"***","n":2}`, Keep: []string{"/mpt_token"},
			Changed: []string{"/n"},
		},
	},
	{
		name: "almost a mask is refused", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Adobe","adobe_secret":"****","mpt_token":"*** "}`,
		want: outcome{Rejected: []string{"configuration/adobe_secret mask-without-stored-value",
			"configuration/mpt_token mask-without-stored-value"}},
	},
	{
		name: "an escaped mask is a mask", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Adobe","adobe_secret":"\u002a**","mpt_token":"***"}`,
		want:     outcome{Doc: replaceDoc, Keep: replaceSealed},
	},
	{
		name: "other letter case is another member", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"vendor":"Adobe","Adobe_Secret":"***","mpt_token":"***"}`,
		want: outcome{
			Rejected: []string{"configuration/Adobe_Secret mask-without-stored-value"}},
	},
	{
		name: "all that is wrong, by path", stored: replaceDoc, sealed: replaceSealed,
		incoming: `{"z_token":"***","adobe_secret":"","mpt_token":["***"],"a_token":"***"}`,
		want: outcome{Rejected: []string{
			"configuration/a_token mask-without-stored-value",
			"configuration/adobe_secret empty-secret",
			"configuration/mpt_token mask-without-stored-value",
			"configuration/z_token mask-without-stored-value",
		}},
	},

	{
		name: "sealed stays sealed though no rule names it", stored: `{"vendor":"***"}`,
		sealed:   []string{"/vendor"},
		incoming: `{"vendor":"Adobe"}`,
		want: outcome{
			Doc: `{"vendor":"***"}`, Seal: map[string]string{"/vendor": `"Adobe"`},
			Changed: []string{"/vendor"},
		},
	},
	{
		name: "mask keeps what no rule names any more", stored: `{"vendor":"***","n":1}`,
		sealed:   []string{"/vendor"},
		incoming: `{"vendor":"***","n":2}`,
		want: outcome{Doc: `{"vendor":"***","n":2}`, Keep: []string{"/vendor"},
			Changed: []string{"/n"}},
	},
	{
		name: "booleans and numbers under a sealed pointer are sealed", stored: replaceDoc,
		sealed:   replaceSealed,
		incoming: `{"vendor":"Adobe","adobe_secret":true,"mpt_token":12.50}`,
		want: outcome{
			Doc: replaceDoc, Seal: map[string]string{"/adobe_secret": `true`,
				"/mpt_token": `12.50`}, Changed: replaceSealed,
		},
	},
	{
		name:     "stored plain, newly sensitive: echo seals it",
		stored:   `{"adobe_secret":"s3cr3t","n":1}`,
		incoming: `{"adobe_secret":"***","n":1}`,
		want: outcome{Doc: `{"adobe_secret":"***","n":1}`,
			Seal: map[string]string{"/adobe_secret": `"s3cr3t"`}},
	},
	{
		name:     "stored plain, newly sensitive: the same value says nothing",
		stored:   `{"adobe_secret":"s3cr3t"}`,
		incoming: `{"adobe_secret":"s3cr3t"}`,
		want: outcome{
			Doc:     `{"adobe_secret":"***"}`,
			Seal:    map[string]string{"/adobe_secret": `"s3cr3t"`},
			Changed: []string{"/adobe_secret"},
		},
	},
	{
		name:   "stored plain, newly sensitive: absent deletes",
		stored: `{"adobe_secret":"s3cr3t","n":1}`, incoming: `{"n":1}`,
		want: outcome{Doc: `{"n":1}`, Changed: []string{"/adobe_secret"}},
	},
	{
		name:     "stored plain mask, newly sensitive: it was the value",
		stored:   `{"adobe_secret":"***"}`,
		incoming: `{"adobe_secret":"***"}`,
		want: outcome{Doc: `{"adobe_secret":"***"}`,
			Seal: map[string]string{"/adobe_secret": `"***"`}},
	},

	{
		name: "object in place of a secret is sealed as one", stored: `{"token":"***"}`,
		sealed:   []string{"/token"},
		incoming: `{"token":{"a":"x","b":1,"c":null}}`,
		want: outcome{
			Doc:     `{"token":"***"}`,
			Seal:    map[string]string{"/token": `{"a":"x","b":1,"c":null}`},
			Changed: []string{"/token"},
		},
	},
	{
		name: "object with a mask in place of a secret", stored: `{"token":"***"}`,
		sealed:   []string{"/token"},
		incoming: `{"token":{"a":["***"],"b":"***"}}`,
		want: outcome{
			Rejected: []string{"configuration/token mask-without-stored-value"}},
	},
	{
		name:   "secret in place of an object with secrets",
		stored: `{"credentials":{"user":"***","n":1}}`,
		sealed: []string{"/credentials/user"}, incoming: `{"credentials":"abc"}`,
		want: outcome{
			Doc: `{"credentials":"***"}`, Seal: map[string]string{"/credentials": `"abc"`},
			Changed: []string{"/credentials"},
		},
	},
	{
		name:   "mask in place of an object with secrets",
		stored: `{"db":{"password":"***"}}`, sealed: []string{"/db/password"},
		incoming: `{"db":"***"}`,
		want:     outcome{Rejected: []string{"configuration/db mask-without-stored-value"}},
	},
	{
		name: "mask in place of an object without secrets", stored: `{"db":{"name":"x"}}`,
		incoming: `{"db":"***"}`,
		want:     outcome{Rejected: []string{"configuration/db mask-without-stored-value"}},
	},
	{
		name:   "null in place of an object with secrets",
		stored: `{"db":{"password":"***"}}`, sealed: []string{"/db/password"},
		incoming: `{"db":null}`,
		want:     outcome{Doc: `{"db":null}`, Changed: []string{"/db"}},
	},
	{
		name:   "array in place of an object with a mask",
		stored: `{"db":{"password":"***"}}`, sealed: []string{"/db/password"},
		incoming: `{"db":[{"password":"***"}]}`,
		want:     outcome{Rejected: []string{"configuration/db/0/password ambiguous-mask"}},
	},
	{
		name:   "object in place of an array with a mask at the same pointer",
		stored: `{"db":[{"x":"***"}]}`,
		sealed: []string{"/db/0/x"}, incoming: `{"db":{"0":{"x":"***"}}}`,
		want: outcome{Rejected: []string{"configuration/db/0/x ambiguous-mask"}},
	},
	{
		name: "secret that moved to another object", stored: `{"a":{"token":"***"},"b":{}}`,
		sealed:   []string{"/a/token"},
		incoming: `{"a":{},"b":{"token":"***"}}`,
		want: outcome{
			Rejected: []string{"configuration/b/token mask-without-stored-value"}},
	},

	{
		name:     "user information in a URL",
		incoming: `{"source":"postgres://u:pw@db/x","link":"https://db/x"}`,
		want: outcome{
			Doc:     `{"source":"***","link":"https://db/x"}`,
			Seal:    map[string]string{"/source": `"postgres://u:pw@db/x"`},
			Changed: []string{""},
		},
	},
	{
		name: "document removed", stored: replaceDoc, sealed: replaceSealed, incoming: "",
		want: outcome{Changed: []string{""}},
	},
	{
		name: "nothing in place of nothing", want: outcome{},
	},
	{
		name: "the document itself is sealed", stored: `"***"`, sealed: []string{""},
		incoming: `"***"`,
		want:     outcome{Doc: `"***"`, Keep: []string{""}},
	},
	{
		name: "the document itself is sealed and goes", stored: `"***"`,
		sealed: []string{""}, incoming: `null`,
		want: outcome{Changed: []string{""}},
	},
	{
		name: "a number written otherwise is no change", stored: `{"n":1.0}`,
		incoming: `{"n":1}`,
		want:     outcome{Doc: `{"n":1}`},
	},
	{
		name:     "changes far down are named there",
		stored:   `{"a":{"b":[1,{"c/d":2}],"e":3},"f":4,"g":[1],"h":{}}`,
		incoming: `{"a":{"b":[1,{"c/d":5}],"x":3},"f":"4","g":[1,2],"h":[]}`,
		want: outcome{
			Doc:     `{"a":{"b":[1,{"c/d":5}],"x":3},"f":"4","g":[1,2],"h":[]}`,
			Changed: []string{"/a/b/1/c~1d", "/a/e", "/a/x", "/f", "/g", "/h"},
		},
	},
}

// The table of the package comment row by row, and the cases between the rows.
func TestReplace(t *testing.T) {
	for _, tt := range replaceTests {
		t.Run(tt.name, func(t *testing.T) {
			stored := masked.Stored{Doc: parse(t, tt.stored), Sealed: tt.sealed}
			r, err := masked.Replace("configuration", stored, parse(t, tt.incoming),
				classify.NameRule{})
			if diff := diffOutcome(tt.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
			if text(stored.Doc) != tt.stored {
				t.Error("the stored document changed")
			}
		})
	}
}
