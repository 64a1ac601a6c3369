package installation

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
)

// Seeds are made here rather than kept as files, so that they follow the stored forms. A target without any does not start.
func fuzzSeeds(f *testing.F, n int) {
	f.Helper()
	if n == 0 {
		f.Fatal("no seeds")
	}
}

var fuzzTime = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)

func fuzzEntry() *AuditEntry {
	return &AuditEntry{At: fuzzTime, Kind: Vendor, By: Reference{"USR-1", "Ann", "icon"}, Of: Reference{ID: "ACC-1"}}
}

func fuzzForms() []*form {
	key := crypto.Wrapped{KeyID: "k1", Bytes: bytes.Repeat([]byte{1}, 110)}
	values := []sealedValue{{Ref{RefConfig, "/a"}, []byte("sealed")}, {Ref{RefConfig, "/b"}, []byte("sealed")}, {Ref{RefCredential, PointerAPIKey}, []byte("sealed")}}
	return []*form{
		{life: lifecycle{status: StatusInstalled, generation: 1}, key: key, manifest: []byte("manifest"), values: values},
		{life: lifecycle{status: StatusInvited, generation: 3}, key: key, manifest: []byte("manifest")},
		{life: lifecycle{status: StatusExpired, generation: 1 << 40, expired: fuzzEntry()}, key: key, manifest: []byte("m"), values: values[:1]},
		{life: lifecycle{status: StatusUninstalled, generation: 1, uninstalled: fuzzEntry(), purgeAt: fuzzTime}, key: key, manifest: []byte("m")},
		{life: lifecycle{status: StatusUninstalled, generation: 2, uninstalled: fuzzEntry(), purged: true}},
		{life: lifecycle{status: "from the future", generation: 1}},
	}
}

// FuzzBody: any bytes are a body or ErrSealed, and what is a body is the same after it was written again.
func FuzzBody(f *testing.F) {
	for _, b := range fuzzForms() {
		f.Add(b.encode())
		if back, err := decodeForm(b.encode()); err != nil || !reflect.DeepEqual(b, back) {
			f.Fatalf("got %+v, %v, want %+v", back, err, b)
		}
	}
	for _, raw := range []string{
		"", "\x00", "\x01", "\x02", "\x01\xa0", "\x01\xbf\xff", "\x01\xa1\x01\xa0", "\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x01\xa2\x01\xa0\x01\xa0", "\x01\xa1\x01\xa2\x01\x61\xff\x02\x01", "\x01\xa1\x01\xa2\x01\x61a\x02\x20",
	} {
		f.Add([]byte(raw))
	}
	fuzzSeeds(f, len(fuzzForms()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		given := bytes.Clone(raw)
		body, err := BodyFromBytes(raw).open()
		if !bytes.Equal(raw, given) {
			t.Fatal("the bytes were changed")
		}
		if err != nil {
			if !errors.Is(err, ErrSealed) || body != nil {
				t.Fatalf("got %v, %v, want ErrSealed", body, err)
			}
			return
		}
		if raw[0] != bodyVersion || body.life.generation < 1 || body.life.status == "" {
			t.Fatalf("got %+v out of %x", body.life, raw)
		}
		once := body.encode()
		again, err := decodeForm(once)
		if err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
		if twice := again.encode(); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%x\n%x", once, twice)
		}
		if !body.life.purgeAt.Equal(again.life.purgeAt) || len(body.values) != len(again.values) {
			t.Fatalf("%+v came back as %+v", body, again)
		}
		for i, v := range body.values {
			if w := again.values[i]; v.ref != w.ref || !bytes.Equal(v.sealed, w.sealed) {
				t.Fatalf("%v came back as %v", v.ref, w.ref)
			}
		}
		// A state made of it does not panic either: nothing here is authenticated yet.
		r := &Record{Key: Key{"t", "i"}, Revision: 1, Generation: 1, Index: []string{"all", "phase=installed"}, Body: BodyFromBytes(raw)}
		st := &state{key: r.Key, record: r}
		st.closed = st.unseal(t.Context(), fuzzRing)
		if st.closed == nil || !errors.Is(st.closed, ErrSealed) && !errors.Is(st.closed, ErrUnknownKey) && !errors.Is(st.closed, ErrShredded) {
			t.Fatalf("a body that nobody sealed opens as %v, error %v", st.inst, st.closed)
		}
		st.partial(fuzzTime)
	})
}

var fuzzRing = func() *crypto.Keyring {
	key, err := crypto.NewKey("k1", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	ring, err := crypto.NewKeyring(key)
	if err == nil && fips140.Enforced() {
		ring, err = ring.WithSuite(crypto.SuiteAES256GCM)
	}
	if err != nil {
		panic(err)
	}
	return ring
}()

// FuzzEvent: any bytes are an event or ErrSealed, and what is an event is the same after it was written again.
func FuzzEvent(f *testing.F) {
	seeds := []Event{
		{Type: EventCreated, Key: Key{"t", "EXI-1"}, Revision: 1, Generation: 1, Time: fuzzTime},
		{Type: "from the future", Key: Key{"", "ü\x01"}, Revision: -1, Time: time.Time{}, Actor: Actor{Host, "", Reference{"a", "b", "c"}, true}},
		{
			Type: EventRevealed, Key: Key{"t", "EXI-1"}, Extension: "EXT-1", Account: "ACC-1", Reason: "why\nnot",
			Changed: []string{"config/a", "credential/api_key"}, Actor: Actor{Kind: Vendor, ID: "ACC-1"},
		},
	}
	for _, e := range seeds {
		b, err := e.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		var back Event
		if err := back.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(e, back) {
			f.Fatalf("got %+v, %v, want %+v", back, err, e)
		}
	}
	for _, raw := range []string{"", "\x01", "\x02\xa0", "\x01\xa0", "\x01\x80", "\x01\xa1\x01\x61\xff", "\x01\xa1\x01\xf6"} {
		f.Add([]byte(raw))
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, raw []byte) {
		was := Event{ID: "kept", Type: "kept"}
		e := was
		if err := e.UnmarshalBinary(raw); err != nil {
			if !errors.Is(err, ErrSealed) {
				t.Fatalf("got error %v, want ErrSealed", err)
			}
			if e.ID != was.ID || e.Type != was.Type {
				t.Fatal("an event was changed by what is none")
			}
			return
		}
		once, _ := e.MarshalBinary()
		var again Event
		if err := again.UnmarshalBinary(once); err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
		if twice, _ := again.MarshalBinary(); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%x\n%x", once, twice)
		}
		if e.ID != "" || !e.Time.Equal(again.Time) || !slices.Equal(e.Changed, again.Changed) || e.Key != again.Key || e.Actor != again.Actor {
			t.Fatalf("%+v came back as %+v", e, again)
		}
	})
}

// fuzzStore answers with one record and one outcome, whatever it is asked.
type fuzzStore struct {
	Store
	record *Record
}

func (s fuzzStore) Get(context.Context, Key) (*Record, error) { return s.record, nil }

// FuzzOutcome: whatever a store gives for an outcome, it is an answer for this request or an error, never a panic, and never the row of
// someone else.
func FuzzOutcome(f *testing.F) {
	s, m, record, data := fuzzOutcomes(f)
	for _, b := range data {
		f.Add(b)
	}
	for _, raw := range []string{"", "\x01", "\x02", "\x01\xa0", "\x01\xa1\x09\xa2\x01\x61a\x02\x01"} {
		f.Add([]byte(raw))
	}
	fuzzSeeds(f, len(data))
	s.store = fuzzStore{record: record}
	stranger := s.As(Actor{Kind: Customer, ID: "ACC-9"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if res, err := s.replay(t.Context(), m, &Outcome{Data: raw}); err == nil && (res == nil || res.Installation == nil || !res.Replayed) {
			t.Fatalf("got %+v without an error", res)
		}
		if res, err := stranger.replay(t.Context(), m, &Outcome{Data: raw}); err == nil && (res.Name != "" || res.Account.ID != "" || res.Connection != nil) {
			t.Fatalf("a stranger is shown %+v", res.Installation)
		}
	})
}

// fuzzOutcomes returns a service, a request to it, the record and the outcomes that it led to.
func fuzzOutcomes(f *testing.F) (*Service, mutation, *Record, [][]byte) {
	opts := &Options{Now: func() time.Time { return fuzzTime }, AcceptURL: "https://portal.example/accept"}
	base, err := New(fuzzStore{}, fuzzRing, opts)
	if err != nil {
		f.Fatal(err)
	}
	s := base.In("t").As(Actor{Kind: Host})
	req := InviteRequest{ID: "EXI-1", Guard: Guard{IdempotencyKey: "k"}, Parts: Parts{
		Name: Value("name"), Extension: Value(Extension{ID: "EXT-1"}), Account: Value(Account{ID: "ACC-1"}), Connection: Value(Connection{ID: "CON-1"}),
	}}
	m := mutation{method: "invite", request: req, guard: req.Guard, id: req.ID}
	st := &state{key: Key{"t", "EXI-1"}}
	now := s.now()
	if err := s.begin(f.Context(), st, StatusInvited); err != nil {
		f.Fatal(err)
	}
	st.inst.Invitation = &Invitation{Validity: DefaultValidity}
	if _, err := s.applyParts(f.Context(), st, req.Parts, now); err != nil {
		f.Fatal(err)
	}
	done, err := s.offer(st, now, &step{events: []EventType{EventInvited}, created: true})
	if err != nil {
		f.Fatal(err)
	}
	c := Change{Now: now, Key: st.key}
	if err := s.fill(f.Context(), &c, st, m, done, now); err != nil {
		f.Fatal(err)
	}
	var data [][]byte
	for _, d := range []*step{done, nil, {events: []EventType{EventDeleted}, effect: effectTombstone}} {
		o, err := s.newOutcome(m, st, d, c)
		if err != nil {
			f.Fatal(err)
		}
		data = append(data, o.Data)
	}
	return s, m, c.Record, data
}

// FuzzCode: retyping a code by the documented liberties leads to the same hash, everything else to another one.
func FuzzCode(f *testing.F) {
	seeds := []string{"inv_0123456789abcdefghjkmnpqrstvwxyz", "inv_60r30c1g60r30c1g60r30c1g60r30c1g", "inv_", "INV_OIL", " inv_x\n", "inv_\x00", "inv_\xff", "\u212a", "", "***", "invinv_"}
	for _, s := range seeds {
		f.Add(s)
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text string) {
		hash := hashCode(crypto.NewSecret(text))
		if hash != hashCode(crypto.SecretFromBytes([]byte(text))) {
			t.Fatal("not the same twice")
		}
		ascii := strings.Trim(text, "i_0123456789abcdefghjkmnpqrstvwxyz") == ""
		if rest, ok := strings.CutPrefix(text, codePrefix); ok && ascii {
			for _, again := range []string{
				strings.ToUpper(text), "\t " + text + " \r\n", codePrefix + strings.ReplaceAll(rest, "0", "O"),
				codePrefix + strings.ReplaceAll(rest, "1", "i"), "Inv_" + strings.ReplaceAll(rest, "1", "L"),
			} {
				if hashCode(crypto.NewSecret(again)) != hash {
					t.Fatalf("%q is another code than %q", again, text)
				}
			}
		}
		// Another character is another code.
		code := []byte("inv_0123456789abcdefghjkmnpqrstvwxyz")
		if text == "" {
			return
		}
		code[len(codePrefix)+int(text[0])%32] = codeLetter(text)
		want := strings.EqualFold(string(code), "inv_0123456789abcdefghjkmnpqrstvwxyz")
		if got := hashCode(crypto.NewSecret(string(code))) == hashCode(crypto.NewSecret("inv_0123456789abcdefghjkmnpqrstvwxyz")); got != want {
			t.Fatalf("%s is the same code: %v, want %v", code, got, want)
		}
	})
}

// codeLetter picks a letter of the alphabet of codes.
func codeLetter(text string) byte {
	return "0123456789abcdefghjkmnpqrstvwxyz"[int(text[len(text)-1])%32]
}

// FuzzPeriod: a period is refused, or leads to one later moment, and is written in one way only.
func FuzzPeriod(f *testing.F) {
	seeds := []string{"7d", "1m", "1y", "99y", "999d", "999m", "2w", "0d", "100y", "07d", "+1d", "-1d", "1", "d", "", "1e1d", "9999999999999999999d", "٧d", "7D"}
	for _, s := range seeds {
		f.Add(s, int64(0))
		f.Add(s, time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC).Unix())
		f.Add(s, time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC).Unix())
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		from := time.Unix(unix%(1<<37), 0) // some thousand years
		to, err := Period(text).After(from)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || !to.IsZero() || text != "" && len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Fatalf("got %v, %v, want ErrInvalid that quotes nothing", to, err)
			}
			return
		}
		if len(text) > 4 || strings.TrimLeft(text[:len(text)-1], "0123456789") != "" || text[0] == '0' {
			t.Fatalf("%q is taken", text)
		}
		longest := from.AddDate(100, 0, 0)
		if !to.After(from) || to.After(longest) || to.Location() != time.UTC {
			t.Fatalf("%q after %v is %v", text, from, to)
		}
		from = from.UTC()
		if h, m, s := to.Clock(); h != from.Hour() || m != from.Minute() || s != from.Second() {
			t.Fatalf("%q after %v is %v: the time of day moved", text, from, to)
		}
		if unit := text[len(text)-1]; unit == 'm' || unit == 'y' {
			last := time.Date(to.Year(), to.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
			if to.Day() != min(from.Day(), last) {
				t.Fatalf("%q after %v is %v: want day %d or the last of the month", text, from, to, from.Day())
			}
		}
	})
}

// FuzzAcceptURL: an address is refused, or leads to where it says and holds the code once.
func FuzzAcceptURL(f *testing.F) {
	seeds := []string{
		"https://portal.example/accept", "https://portal.example/accept?lang=en&code=old", "http://localhost:8080/", "http://127.0.0.1/x", "http://[::1]/",
		"//evil.example/x", "javascript:alert(1)", "http:///x", "https://good.example:443@evil.example/", "https://a.example/#f", "http://a.example/",
		"https://a.example/?q=%zz", "https://a.example/%2f..", "https:a.example", "https://a.example\\@b.example/", "HTTPS://A.example", "https://", "https://:443/", "",
		"https://a.example/?a;b=c", "http://localhost.evil.example/", "https://a.example/?code", "https://a b.example/", "https://a.example/\n",
	}
	for _, s := range seeds {
		f.Add(s, "inv_0123")
		f.Add(s, "&admin=1#\r\n%00 ü")
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text, code string) {
		base, err := parseAcceptURL(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || base != nil || len(text) > 30 && strings.Contains(err.Error(), text) {
				t.Fatalf("got %v, %v, want ErrInvalid that does not quote the address", base, err)
			}
			return
		}
		before := *base
		if got := acceptURL(base, Key{ID: "i"}, crypto.Secret{}); !got.IsZero() {
			t.Fatal("an address without a code")
		}
		got, err := url.Parse(acceptURL(base, Key{Tenant: "t", ID: "i"}, crypto.NewSecret(code)).RevealString())
		if err != nil {
			t.Fatalf("what was made of %q does not parse: %v", text, err)
		}
		if *base != before {
			t.Fatal("the configured address was changed")
		}
		loopback := slices.Contains([]string{"localhost", "::1"}, got.Hostname()) || strings.HasPrefix(got.Hostname(), "127.") || strings.Contains(got.Hostname(), ":")
		if got.Scheme != "https" && (got.Scheme != "http" || !loopback) || got.Hostname() == "" || got.User != nil || got.Fragment != "" {
			t.Fatalf("%q leads to %v", text, got)
		}
		if got.Scheme != base.Scheme || got.Host != base.Host || got.Path != base.Path {
			t.Fatalf("%q became %v", text, got)
		}
		q, err := url.ParseQuery(got.RawQuery)
		if err != nil || len(q["code"]) != 1 || q.Get("code") != code {
			t.Fatalf("the code in %v is %q, error %v", got, q["code"], err)
		}
		for name, values := range base.Query() {
			if name != "code" && !slices.Equal(q[name], values) {
				t.Fatalf("%q lost its parameter %q", text, name)
			}
		}
	})
}

// FuzzPairTerm: no two pairs make one term, and no term is taken for another kind.
func FuzzPairTerm(f *testing.F) {
	seeds := [][4]string{{"a", "b", "a", "b"}, {"ab", "c", "a", "bc"}, {"1:a", "b", "1", ":ab"}, {"", "", "", ""}, {"3:abc", "", "", "3:abc"}, {"ü", "\xff", "\x00", "="}, {"a", "11:b", "a1", "1:b"}}
	for _, s := range seeds {
		f.Add(s[0], s[1], s[2], s[3])
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		x, y := pairTerm(termPair, a, b), pairTerm(termPair, c, d)
		if (x == y) != (a == c && b == d) {
			t.Fatalf("(%q, %q) and (%q, %q) make %q and %q", a, b, c, d, x, y)
		}
		inst := &Installation{Extension: Extension{ID: a, Owner: b}, Account: Account{ID: c}, Connection: &Connection{ID: d}, Status: StatusInstalled}
		terms := indexTerms(inst, "k1")
		if !slices.IsSorted(terms) {
			t.Fatalf("not sorted: %q", terms)
		}
		for prefix, want := range map[string]string{termExtension: a, termOwner: b, termAccount: c, termConnection: d, termKey: "k1", termPhase: "installed"} {
			if got := termValue(terms, prefix); got != want {
				t.Fatalf("%s is read as %q, want %q", prefix, got, want)
			}
			for _, other := range setTerm(terms, prefix, "new") {
				if !strings.HasPrefix(other, prefix) && !slices.Contains(terms, other) {
					t.Fatalf("setting %s made %q", prefix, other)
				}
			}
		}
		global := 0
		for _, term := range terms {
			if GlobalTerm(term) {
				global++
			}
		}
		if global != 2 {
			t.Fatalf("%d terms across tenants in %q, want 2: an id must not make one", global, terms)
		}
	})
}

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
		r.BillingPlan = Value(BillingPlan{ID: words[1], PaymentMethodRequired: &yes, Details: []PlanDetail{{words[2], words[3]}}})
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
	fuzzSeeds(f, len(seeds))
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
				all = append(all, text{fuzzSays(method, r), string(canonical(method, r))})
			}
		}
		if string(canonical("upsert", requests[0])) != all[0].bytes {
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
