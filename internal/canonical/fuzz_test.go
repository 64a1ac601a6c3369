package canonical

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
)

type fuzzRequest struct {
	ID         string
	Revision   int64
	Absent     bool
	Name       optional[string]
	Account    optional[fuzzAccount]
	Document   optional[document]
	Connection optional[fuzzConnection]
	Consent    optional[fuzzConsent]
	Required   *bool
}

type fuzzAccount struct {
	ID      string
	Contact *fuzzContact
}

type fuzzContact struct{ Name string }

type fuzzConnection struct {
	APIKey, Token crypto.Secret
	Scopes        []string
}

type fuzzConsent struct {
	Scopes   []string
	Policies map[string]time.Time
	Modules  []fuzzContact
}

// newFuzzRequest makes a request out of a few words and a choice of fields.
func newFuzzRequest(words [4]string, pick uint32) fuzzRequest {
	on := func(bit int) bool { return pick&(1<<bit) != 0 }
	r := fuzzRequest{ID: words[0]}
	if on(0) {
		r.Name = give(words[1])
	}
	if on(1) {
		r.Name = remove[string]()
	}
	if on(2) {
		r.Account = give(fuzzAccount{words[2], &fuzzContact{words[3]}})
	}
	if on(3) {
		r.Document = give(document{words[3]})
	}
	if on(4) {
		r.Connection = give(fuzzConnection{crypto.NewSecret(words[1]), crypto.Secret{}, words[2:]})
	}
	if on(5) {
		r.Connection = give(fuzzConnection{crypto.Masked(), crypto.NewSecret(words[1]), nil})
	}
	if on(6) {
		policies := map[string]time.Time{words[3]: testTime, words[1]: testTime.Add(time.Hour)}
		r.Consent = give(fuzzConsent{Scopes: words[1:3], Policies: policies})
	}
	if on(7) {
		modules := []fuzzContact{{words[3]}}
		r.Consent = give(fuzzConsent{Scopes: []string{words[1] + words[2]}, Modules: modules})
	}
	if on(8) {
		yes := on(9)
		r.Required = &yes
	}
	if on(10) {
		r.Revision, r.Absent = int64(len(words[1])), true
	}
	if on(11) {
		r.Consent = give(fuzzConsent{Scopes: words[1:3]})
	}
	return r
}

// describe writes down what a request says, in a second way that shares nothing with Encode.
func describe(method string, r fuzzRequest) string {
	var b strings.Builder
	say := func(name string, parts ...string) {
		b.WriteString("|" + name)
		for _, p := range parts {
			b.WriteString("," + url.QueryEscape(p))
		}
	}
	secret := func(s crypto.Secret) string {
		switch {
		case s.IsZero():
			return "none"
		case s.IsMasked():
			return "masked"
		}
		return "=" + s.RevealString()
	}
	say("request", method, r.ID, fmt.Sprint(r.Revision, r.Absent, r.Name.given))
	if v := r.Name.value; v != nil {
		say("name", *v)
	}
	if v := r.Account.value; v != nil {
		say("account", v.ID, v.Contact.Name)
	}
	if v := r.Document.value; v != nil {
		say("document", v.text)
	}
	if v := r.Connection.value; v != nil {
		say("connection", secret(v.APIKey), secret(v.Token))
		say("scopes", v.Scopes...)
	}
	if v := r.Consent.value; v != nil {
		say("consent", v.Scopes...)
		for _, name := range slices.Sorted(maps.Keys(v.Policies)) {
			say("policy", name, v.Policies[name].String())
		}
		for _, m := range v.Modules {
			say("module", m.Name)
		}
	}
	if r.Required != nil {
		say("required", fmt.Sprint(*r.Required))
	}
	return b.String()
}

// FuzzEncode proves that two requests have the same bytes exactly if they say the same.
func FuzzEncode(f *testing.F) {
	for _, s := range []struct {
		a, b, c, d   string
		one, another uint32
	}{
		{"i", "a", "b", "c", 1, 1}, {"i", "a", "b", "c", 1, 2}, {"i", "", "", "", 1, 0},
		{"i", "ab", "c", "d", 1 << 6, 1 << 7}, {"i", "***", "{}", "x", 1 << 4, 1 << 5},
		{"i", "x", "\"y", "z", 1 << 11, 1 << 7}, // a quote that could start the next text
		{"", "a", "a", "a", 4, 8}, {"i", "1", "2", "3", 1 << 8, 3 << 8},
		{"i", "\x00", "\xff", ")", 4095, 4094}, {"i", "", "", "", 1 << 10, 0},
	} {
		f.Add(s.a, s.b, s.c, s.d, s.one, s.another)
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string, one, another uint32) {
		words := [][4]string{{a, b, c, d}, {a, c, b, d}, {a, b + c, "", d}, {a + b, "", c, d}}
		if c != "" {
			// The same letters, cut elsewhere.
			words = append(words, [4]string{a, b + c[:1], c[1:], d})
		}
		requests := []fuzzRequest{newFuzzRequest(words[0], another)}
		for _, w := range words {
			requests = append(requests, newFuzzRequest(w, one))
		}
		type text struct{ says, bytes string }
		var all []text
		for _, r := range requests {
			for _, method := range []string{"upsert", "upser"} {
				all = append(all, text{describe(method, r), encode(t, method, r)})
			}
		}
		for i, x := range all {
			for _, y := range all[:i] {
				if (x.says == y.says) != (x.bytes == y.bytes) {
					t.Fatalf("say the same: %v, same bytes: %v\n%s\n%s",
						x.says == y.says, x.bytes == y.bytes, x.says, y.says)
				}
			}
		}
	})
}
