package masked_test

import (
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
)

const (
	listDoc = `{"list":[{"name":"a","password":"***"},{"name":"b","password":"***"},` +
		`{"name":"c"}]}`
	twinsDoc = `{"list":[{"name":"a","password":"***"},{"name":"a","password":"***"}]}`
	bareDoc  = `{"tokens":["***","***"]}`
)

var listSealed = []string{"/list/0/password", "/list/1/password"}

var bareSealed = []string{"/tokens/0", "/tokens/1"}

var arrayTests = []struct {
	name     string
	stored   string
	sealed   []string
	incoming string
	want     outcome
}{
	{name: "echo", stored: listDoc, sealed: listSealed, incoming: listDoc,
		want: outcome{Doc: listDoc, Keep: listSealed}},
	{name: "echo of twins", stored: twinsDoc, sealed: listSealed, incoming: twinsDoc,
		want: outcome{Doc: twinsDoc, Keep: listSealed}},
	{name: "echo of bare secrets", stored: bareDoc, sealed: bareSealed, incoming: bareDoc,
		want: outcome{Doc: bareDoc, Keep: bareSealed}},
	{
		name: "another element changes", stored: listDoc, sealed: listSealed,
		incoming: `{"list":[{"name":"a","password":"***"},{"name":"b","password":"***"},` +
			`{"name":"d"}]}`,
		want: outcome{
			Doc: `{"list":[{"name":"a","password":"***"},{"name":"b","password":"***"},` +
				`{"name":"d"}]}`,
			Keep: listSealed, Changed: []string{"/list/2/name"},
		},
	},
	{
		name: "another secret changes", stored: listDoc, sealed: listSealed,
		incoming: `{"list":[{"name":"a","password":"***"},{"name":"b","password":"new"},` +
			`{"name":"c"}]}`,
		want: outcome{
			Doc: listDoc, Keep: listSealed[:1],
			Seal: map[string]string{"/list/1/password": `"new"`}, Changed: listSealed[1:],
		},
	},
	{
		name: "the element changes", stored: listDoc, sealed: listSealed,
		incoming: `{"list":[{"name":"x","password":"***"},{"name":"b","password":"***"},` +
			`{"name":"c"}]}`,
		want: outcome{Rejected: []string{"configuration/list/0/password ambiguous-mask"}},
	},
	{
		name: "first element removed", stored: listDoc, sealed: listSealed,
		incoming: `{"list":[{"name":"b","password":"***"},{"name":"c"}]}`,
		want: outcome{
			Rejected: []string{"configuration/list/0/password ambiguous-mask"}},
	},
	{
		name: "last element removed", stored: listDoc, sealed: listSealed,
		incoming: `{"list":[{"name":"a","password":"***"},{"name":"b","password":"***"}]}`,
		want: outcome{Rejected: []string{
			"configuration/list/0/password ambiguous-mask",
			"configuration/list/1/password ambiguous-mask",
		}},
	},
	{
		name: "elements swapped", stored: listDoc, sealed: listSealed,
		incoming: `{"list":[{"name":"b","password":"***"},{"name":"a","password":"***"},` +
			`{"name":"c"}]}`,
		want: outcome{Rejected: []string{
			"configuration/list/0/password ambiguous-mask",
			"configuration/list/1/password ambiguous-mask",
		}},
	},
	{
		name: "one of two twins replaced: which is the other", stored: twinsDoc,
		sealed:   listSealed,
		incoming: `{"list":[{"name":"a","password":"***"},{"name":"b","password":"new"}]}`,
		want: outcome{
			Rejected: []string{"configuration/list/0/password ambiguous-mask"}},
	},
	{
		name: "first bare secret removed, another added", stored: bareDoc, sealed: bareSealed,
		incoming: `{"tokens":["***","new"]}`,
		want:     outcome{Rejected: []string{"configuration/tokens/0 ambiguous-mask"}},
	},
	{
		name: "all given again", stored: listDoc, sealed: listSealed,
		incoming: `{"list":[{"name":"b","password":"B"}]}`,
		want: outcome{
			Doc:  `{"list":[{"name":"b","password":"***"}]}`,
			Seal: map[string]string{"/list/0/password": `"B"`}, Changed: []string{"/list"},
		},
	},
	{
		name:     "ordinary mask in an element that is as it was",
		stored:   `{"list":[{"x":"***"},{"password":"***"}]}`,
		sealed:   []string{"/list/1/password"},
		incoming: `{"list":[{"x":"***"},{"password":"new"}]}`,
		want: outcome{
			Doc:     `{"list":[{"x":"***"},{"password":"***"}]}`,
			Seal:    map[string]string{"/list/1/password": `"new"`},
			Changed: []string{"/list/1/password"},
		},
	},
	{
		name:     "ordinary mask in an element that moved",
		stored:   `{"list":[{"x":"***"},{"password":"***"}]}`,
		sealed:   []string{"/list/1/password"},
		incoming: `{"list":[{"password":"new"},{"x":"***"}]}`,
		want:     outcome{Rejected: []string{"configuration/list/1/x ambiguous-mask"}},
	},
	{
		name:   "ordinary mask and secret look alike",
		stored: `{"list":[{"x":"***"},{"x":"***"},1]}`,
		sealed: []string{"/list/1/x"}, incoming: `{"list":[{"x":"***"},{"x":"***"},2]}`,
		want: outcome{Rejected: []string{"configuration/list/0/x ambiguous-mask",
			"configuration/list/1/x ambiguous-mask"}},
	},
	{
		name: "mask in an array without secrets", stored: `{"list":["***","a"]}`,
		incoming: `{"list":["***","b"]}`,
		want:     outcome{Doc: `{"list":["***","b"]}`, Changed: []string{"/list/1"}},
	},
	{
		name: "one more mask in an array without secrets", stored: `{"list":["***","a"]}`,
		incoming: `{"list":["***","a","***"]}`,
		want: outcome{
			Rejected: []string{"configuration/list/2 mask-without-stored-value"}},
	},
	{
		name:   "secret that no rule names moves up: not a plain mask",
		stored: `{"list":[{"x":"***"},{"x":"***"}]}`,
		sealed: []string{"/list/0/x", "/list/1/x"}, incoming: `{"list":[{"x":"***"}]}`,
		want: outcome{Rejected: []string{"configuration/list/0/x ambiguous-mask"}},
	},
	{
		name:   "place in a changed array stays sealed",
		stored: `{"list":[{"x":"***"},{"x":"***"}]}`,
		sealed: []string{"/list/0/x", "/list/1/x"}, incoming: `{"list":[{"x":"plain"}]}`,
		want: outcome{
			Doc: `{"list":[{"x":"***"}]}`, Seal: map[string]string{"/list/0/x": `"plain"`},
			Changed: []string{"/list"},
		},
	},
	{
		name: "null in place of a bare secret", stored: bareDoc, sealed: bareSealed,
		incoming: `{"tokens":[null,"new"]}`,
		want: outcome{
			Doc:  `{"tokens":[null,"***"]}`,
			Seal: map[string]string{"/tokens/1": `"new"`}, Changed: bareSealed,
		},
	},
	{
		name:   "array in an array: echo of the inner, outer changed elsewhere",
		stored: `{"l":[[{"n":1,"pin":"***"}],[2]]}`,
		sealed: []string{"/l/0/0/pin"}, incoming: `{"l":[[{"n":1,"pin":"***"}],[3]]}`,
		want: outcome{
			Doc: `{"l":[[{"n":1,"pin":"***"}],[3]]}`, Keep: []string{"/l/0/0/pin"},
			Changed: []string{"/l/1/0"},
		},
	},
	{
		name:   "array in an array: inner echoed at another place",
		stored: `{"l":[[{"n":1,"pin":"***"}],[2]]}`,
		sealed: []string{"/l/0/0/pin"}, incoming: `{"l":[[2],[{"n":1,"pin":"***"}]]}`,
		want: outcome{Rejected: []string{"configuration/l/1/0/pin ambiguous-mask"}},
	},
	{
		name:   "array in an array: outer changed around it",
		stored: `{"l":[{"m":1,"k":[{"pin":"***"}]}]}`,
		sealed: []string{"/l/0/k/0/pin"}, incoming: `{"l":[{"m":2,"k":[{"pin":"***"}]}]}`,
		want: outcome{Rejected: []string{"configuration/l/0/k/0/pin ambiguous-mask"}},
	},
	{
		name:   "array in an array: both changed around it",
		stored: `{"l":[{"m":1,"k":[{"pin":"***"},2]}]}`,
		sealed: []string{"/l/0/k/0/pin"}, incoming: `{"l":[{"m":2,"k":[{"pin":"***"},3]}]}`,
		want: outcome{Rejected: []string{"configuration/l/0/k/0/pin ambiguous-mask"}},
	},
}

// By index alone, every element behind a removed one would get the secret of its neighbour.
func TestReplaceArrays(t *testing.T) {
	for _, tt := range arrayTests {
		t.Run(tt.name, func(t *testing.T) {
			stored := masked.Stored{Doc: parse(t, tt.stored), Sealed: tt.sealed}
			r, err := masked.Replace("configuration", stored, parse(t, tt.incoming),
				classify.NameRule{})
			if diff := diffOutcome(tt.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
