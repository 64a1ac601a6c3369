package installation

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/canonical"
)

// fuzzRequest makes a request out of a few words and a choice of what to say with them.
func fuzzRequest(words [4]string, pick uint32) UpsertRequest {
	on := func(bit int) bool { return pick&(1<<bit) != 0 }
	r := UpsertRequest{ID: words[0]}
	if on(0) {
		r.Name = Value(words[1])
	}
	if on(1) {
		r.Name = Remove[string]()
	}
	if on(2) {
		r.Extension = Value(Extension{ID: words[1], Owner: words[2]})
	}
	if on(3) {
		r.Account = Value(Account{ID: words[2], Contact: &Contact{Name: words[3]}})
	}
	if on(4) {
		r.Configuration = Value(Configuration{Document: JSON(words[3])})
	}
	if on(5) {
		r.Connection = Value(Connection{APIKey: crypto.NewSecret(words[1]), Metadata: JSON(words[2]), Scopes: []string{words[3]}})
	}
	if on(6) {
		r.Connection = Value(Connection{APIKey: crypto.Masked(), AccessToken: Token{Value: crypto.NewSecret(words[1])}})
	}
	if on(7) {
		r.Consent = Value(Consent{Scopes: []string{words[1], words[2]}, Policies: map[string]time.Time{words[3]: fuzzTime, words[1]: fuzzTime.Add(time.Hour)}})
	}
	if on(8) {
		r.Consent = Value(Consent{Scopes: []string{words[1] + words[2]}, Modules: []Reference{{ID: words[3]}}})
	}
	if on(9) {
		yes := on(10)
		r.BillingPlan = Value(billing.Plan{ID: words[1], PaymentMethodRequired: &yes, Details: []billing.Detail{{Label: words[2], Value: words[3]}}})
	}
	if on(11) {
		r.Notification = Remove[Notification]()
	}
	if on(12) {
		r.Extra = Value(JSON(words[1]))
	}
	if on(13) {
		r.Revision, r.Absent = int64(len(words[1])), true
	}
	if on(14) {
		r.Consent = Value(Consent{Scopes: []string{words[1], words[2]}})
	}
	return r
}

// fuzzSays writes down what a request says, in a second way that shares nothing with canonical.
func fuzzSays(method string, r UpsertRequest) string {
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
	say("method", method)
	say("id", r.ID)
	if r.Revision != 0 {
		say("revision", string(rune('0'+r.Revision%10)), strings.Repeat("i", int(r.Revision)))
	}
	if r.Absent {
		say("absent")
	}
	if v, ok := r.Name.Get(); ok {
		say("name", v)
	} else if r.Name.Removes() {
		say("no name")
	}
	if v, ok := r.Extension.Get(); ok {
		say("extension", v.ID, v.Owner)
	}
	if v, ok := r.Account.Get(); ok {
		say("account", v.ID, v.Contact.Name)
	}
	if v, ok := r.Configuration.Get(); ok {
		say("configuration", string(v.Document.content()))
	}
	if v, ok := r.Connection.Get(); ok {
		say("connection", secret(v.APIKey), secret(v.AccessToken.Value), string(v.Metadata.content()))
		say("scopes", v.Scopes...)
	}
	if v, ok := r.Consent.Get(); ok {
		say("consent", v.Scopes...)
		names := make([]string, 0, len(v.Policies))
		for name, at := range v.Policies {
			names = append(names, name+at.String())
		}
		slices.Sort(names)
		say("policies", names...)
		for _, m := range v.Modules {
			say("module", m.ID)
		}
	}
	if v, ok := r.BillingPlan.Get(); ok {
		say("plan", v.ID, v.Details[0].Label, v.Details[0].Value)
		if *v.PaymentMethodRequired {
			say("required")
		}
	}
	if r.Notification.Removes() {
		say("no notification")
	}
	if v, ok := r.Extra.Get(); ok {
		say("extra", string(v.content()))
	}
	return b.String()
}

// encodeRequest returns the bytes that the fingerprint of a request is made of.
func encodeRequest(t *testing.T, method string, r UpsertRequest) string {
	t.Helper()
	b, err := canonical.Encode(method, r, contentOf)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var fuzzTime = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)

// FuzzCanonical: two requests have the same canonical bytes exactly if they say the same.
func FuzzCanonical(f *testing.F) {
	seeds := []struct {
		a, b, c, d   string
		one, another uint32
	}{
		{"i", "a", "b", "c", 1, 1}, {"i", "a", "b", "c", 1, 2}, {"i", "", "", "", 1, 0}, {"i", "ab", "c", "d", 128, 256}, {"i", "***", "{}", "x", 32, 64},
		{"i", "x", "\"y", "z", 1 << 14, 256}, // a quote that could start the next text
		{"", "a", "a", "a", 4, 8}, {"i", "1", "2", "3", 512, 512 | 1024}, {"i", "\x00", "\xff", ")", 16383, 16382}, {"i", "", "", "", 4096, 0}, {"i", "aa", "", "", 8192, 0},
	}
	for _, s := range seeds {
		f.Add(s.a, s.b, s.c, s.d, s.one, s.another)
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string, one, another uint32) {
		words := [4]string{a, b, c, d}
		requests := []UpsertRequest{
			fuzzRequest(words, one), fuzzRequest(words, another), fuzzRequest([4]string{a, c, b, d}, one), fuzzRequest([4]string{a, b + c, "", d}, one),
			fuzzRequest([4]string{a + b, "", c, d}, one),
		}
		if c != "" {
			requests = append(requests, fuzzRequest([4]string{a, b + c[:1], c[1:], d}, one)) // the same letters, cut elsewhere
		}
		type text struct{ says, bytes string }
		var all []text
		for _, r := range requests {
			for _, method := range []string{"upsert", "upser"} {
				all = append(all, text{fuzzSays(method, r), encodeRequest(t, method, r)})
			}
		}
		if encodeRequest(t, "upsert", requests[0]) != all[0].bytes {
			t.Fatal("not the same twice")
		}
		for i, x := range all {
			for _, y := range all[:i] {
				if (x.says == y.says) != (x.bytes == y.bytes) {
					t.Fatalf("these say the same: %v, and have the same bytes: %v\n%s\n%s", x.says == y.says, x.bytes == y.bytes, x.says, y.says)
				}
			}
		}
	})
}
