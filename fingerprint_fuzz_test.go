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

// fuzzRequest makes a request of a few words. Each bit of pick adds a part.
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
	fuzzConnection(&r, words, on)
	fuzzConsent(&r, words, on)
	if on(9) {
		yes := on(10)
		r.BillingPlan = Value(billing.Plan{
			ID: words[1], PaymentMethodRequired: &yes,
			Details: []billing.Detail{{Label: words[2], Value: words[3]}},
		})
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
	if on(15) {
		r.InstalledAt = fuzzTime.Add(time.Duration(len(words[1])) * time.Second)
	}
	r.MoveSecrets = on(16)
	return r
}

func fuzzConnection(r *UpsertRequest, words [4]string, on func(bit int) bool) {
	if on(5) {
		r.Connection = Value(Connection{
			APIKey: crypto.NewSecret(words[1]), Metadata: JSON(words[2]),
			Scopes: []string{words[3]},
		})
	}
	if on(6) {
		r.Connection = Value(Connection{
			APIKey:      crypto.Masked(),
			AccessToken: Token{Value: crypto.NewSecret(words[1])},
		})
	}
}

func fuzzConsent(r *UpsertRequest, words [4]string, on func(bit int) bool) {
	if on(7) {
		r.Consent = Value(Consent{
			Scopes: []string{words[1], words[2]},
			Policies: map[string]time.Time{
				words[3]: fuzzTime, words[1]: fuzzTime.Add(time.Hour),
			},
		})
	}
	if on(8) {
		r.Consent = Value(Consent{
			Scopes: []string{words[1] + words[2]}, Modules: []Reference{{ID: words[3]}},
		})
	}
	if on(14) {
		r.Consent = Value(Consent{Scopes: []string{words[1], words[2]}})
	}
}

// meaning is the text of a request in a form that shares no code with canonical.
type meaning struct{ strings.Builder }

func (m *meaning) add(name string, parts ...string) {
	m.WriteString("|" + name)
	for _, p := range parts {
		m.WriteString("," + url.QueryEscape(p))
	}
}

// meaningOf returns the meaning of a request that [fuzzRequest] made.
func meaningOf(method string, r UpsertRequest) string {
	var m meaning
	m.add("method", method)
	m.add("id", r.ID)
	if r.Revision != 0 {
		m.add("revision", string(rune('0'+r.Revision%10)), strings.Repeat("i", int(r.Revision)))
	}
	if r.Absent {
		m.add("absent")
	}
	if !r.InstalledAt.IsZero() {
		m.add("installed at", r.InstalledAt.String())
	}
	if r.MoveSecrets {
		m.add("move secrets")
	}
	if v, ok := r.Name.Get(); ok {
		m.add("name", v)
	} else if r.Name.Removes() {
		m.add("no name")
	}
	if v, ok := r.Extension.Get(); ok {
		m.add("extension", v.ID, v.Owner)
	}
	if v, ok := r.Account.Get(); ok {
		m.add("account", v.ID, v.Contact.Name)
	}
	if v, ok := r.Configuration.Get(); ok {
		m.add("configuration", string(v.Document.content()))
	}
	if v, ok := r.Connection.Get(); ok {
		m.addConnection(v)
	}
	if v, ok := r.Consent.Get(); ok {
		m.addConsent(v)
	}
	if v, ok := r.BillingPlan.Get(); ok {
		m.add("plan", v.ID, v.Details[0].Label, v.Details[0].Value)
		if *v.PaymentMethodRequired {
			m.add("required")
		}
	}
	if r.Notification.Removes() {
		m.add("no notification")
	}
	if v, ok := r.Extra.Get(); ok {
		m.add("extra", string(v.content()))
	}
	return m.String()
}

func (m *meaning) addConnection(v Connection) {
	secret := func(s crypto.Secret) string {
		switch {
		case s.IsZero():
			return "none"
		case s.IsMasked():
			return "masked"
		}
		return "=" + s.RevealString()
	}
	key, token := secret(v.APIKey), secret(v.AccessToken.Value)
	m.add("connection", key, token, string(v.Metadata.content()))
	m.add("scopes", v.Scopes...)
}

func (m *meaning) addConsent(v Consent) {
	m.add("consent", v.Scopes...)
	names := make([]string, 0, len(v.Policies))
	for name, at := range v.Policies {
		names = append(names, name+at.String())
	}
	slices.Sort(names)
	m.add("policies", names...)
	for _, module := range v.Modules {
		m.add("module", module.ID)
	}
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

// FuzzCanonical checks that two requests have the same canonical bytes exactly if they mean
// the same.
func FuzzCanonical(f *testing.F) {
	seeds := []struct {
		a, b, c, d   string
		one, another uint32
	}{
		{"i", "a", "b", "c", 1, 1},
		{"i", "a", "b", "c", 1, 2},
		{"i", "", "", "", 1, 0},
		{"i", "ab", "c", "d", 128, 256},
		{"i", "***", "{}", "x", 32, 64},
		{"i", "x", "\"y", "z", 1 << 14, 256}, // a quote that could start the next text
		{"", "a", "a", "a", 4, 8},
		{"i", "1", "2", "3", 512, 512 | 1024},
		{"i", "\x00", "\xff", ")", 16383, 16382},
		{"i", "", "", "", 4096, 0},
		{"i", "aa", "", "", 8192, 0},
		{"i", "aa", "a", "", 1 << 15, 1 << 16},
	}
	for _, s := range seeds {
		f.Add(s.a, s.b, s.c, s.d, s.one, s.another)
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string, one, another uint32) {
		words := [4]string{a, b, c, d}
		requests := []UpsertRequest{
			fuzzRequest(words, one),
			fuzzRequest(words, another),
			fuzzRequest([4]string{a, c, b, d}, one),
			fuzzRequest([4]string{a, b + c, "", d}, one),
			fuzzRequest([4]string{a + b, "", c, d}, one),
		}
		if c != "" {
			// The same letters, cut elsewhere.
			requests = append(requests, fuzzRequest([4]string{a, b + c[:1], c[1:], d}, one))
		}
		type text struct{ meaning, bytes string }
		var all []text
		for _, r := range requests {
			for _, method := range []string{"upsert", "upser"} {
				all = append(all, text{meaningOf(method, r), encodeRequest(t, method, r)})
			}
		}
		if encodeRequest(t, "upsert", requests[0]) != all[0].bytes {
			t.Fatal("the bytes differ between two calls")
		}
		for i, x := range all {
			for _, y := range all[:i] {
				if (x.meaning == y.meaning) != (x.bytes == y.bytes) {
					t.Fatalf("the same meaning: %v, but the same bytes: %v\n%s\n%s",
						x.meaning == y.meaning, x.bytes == y.bytes, x.meaning, y.meaning)
				}
			}
		}
	})
}
