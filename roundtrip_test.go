package installation_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
)

// filler puts another value into every field it is shown, so that a field lost or swapped on the way is seen.
type filler struct{ n int }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case nil:
		return // an error that says something of what is read, and is not stored
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, f.n, 123456000, time.UTC)))
		return
	case crypto.Secret:
		v.Set(reflect.ValueOf(crypto.NewSecret(fmt.Sprintf("secret-%d", f.n))))
		return
	case installation.Document:
		v.Set(reflect.ValueOf(installation.JSON(fmt.Sprintf(`{"field":"value-%d","a_secret":"secret-%d"}`, f.n, f.n))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("value-%d", f.n))
	case reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	default:
		panic("no filling for " + v.Kind().String())
	}
}

func filled[T any](f *filler) T {
	var v T
	f.fill(reflect.ValueOf(&v).Elem())
	return v
}

// Every field of every part is stored and read back, secrets masked; echoed, it changes nothing; removed, it is gone.
func TestEveryFieldSurvives(t *testing.T) {
	w := newWorld(t)
	f := &filler{}
	account, extension, consent := filled[installation.Account](f), filled[installation.Extension](f), filled[installation.Consent](f)
	configuration, connection := filled[installation.Configuration](f), filled[installation.Connection](f)
	plan, notification := filled[installation.BillingPlan](f), filled[installation.Notification](f)
	account.URL, notification.Href, notification.Level = "https://customer.example/a", "https://host.example/b", "warn"
	plan.Type, plan.Scope = "subscription", "installation"
	plan.PreauthorizationAmount, plan.InitialCharge, plan.MinimumAmount, plan.MaximumAmount, plan.MaximumAmountAutoPurchasePerPeriod = "1", "2.50", "3", "4", "5"
	for i := range plan.RequiredPolicies {
		plan.RequiredPolicies[i].URL = fmt.Sprintf("https://host.example/policy-%d", i)
	}
	parts := installation.Parts{
		Name: installation.Value("Name"), Health: installation.Value(installation.Unhealthy), Extension: installation.Value(extension),
		Account: installation.Value(account), Consent: installation.Value(consent), Configuration: installation.Value(configuration),
		Connection: installation.Value(connection), BillingPlan: installation.Value(plan), Notification: installation.Value(notification),
		Extra: installation.Value(filled[installation.Document](f)),
	}
	res, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	got := w.get(t, "i")
	if diff := cmp.Diff(res.Installation, got); diff != "" {
		t.Fatalf("the answer and what is read differ:\n%s", diff)
	}

	// Masks aside, what came back is what was sent.
	masks := cmp.Options{
		cmp.Comparer(func(a, b crypto.Secret) bool { return a.IsMasked() != b.IsMasked() && !a.IsZero() && !b.IsZero() }),
		cmp.Comparer(func(a, b installation.Document) bool { return a.IsZero() == b.IsZero() && a.String() != b.String() }),
	}
	for name, pair := range map[string][2]any{
		"account": {account, got.Account}, "extension": {extension, got.Extension}, "consent": {consent, got.Consent},
		"configuration": {configuration, *got.Configuration}, "connection": {connection, *got.Connection},
		"billing plan": {plan, *got.BillingPlan}, "notification": {notification, *got.Notification},
	} {
		if diff := cmp.Diff(pair[0], pair[1], masks); diff != "" {
			t.Errorf("%s (-sent +read):\n%s", name, diff)
		}
	}
	for _, d := range []installation.Document{got.Configuration.Document, got.Connection.Metadata, got.Extra} {
		if text := d.String(); !strings.Contains(text, `"field":"value-`) || !strings.Contains(text, `"a_secret":"***"`) {
			t.Errorf("document came back as %s", text)
		}
	}

	echo := installation.Parts{
		Name: installation.Value(got.Name), Health: installation.Value(got.Health), Extension: installation.Value(got.Extension),
		Account: installation.Value(got.Account), Consent: installation.Value(got.Consent), Configuration: installation.Value(*got.Configuration),
		Connection: installation.Value(*got.Connection), BillingPlan: installation.Value(*got.BillingPlan),
		Notification: installation.Value(*got.Notification), Extra: installation.Value(got.Extra),
	}
	if res, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: echo}); err != nil || res.Changed {
		t.Errorf("the echo: changed %v, %v", res, err)
	}

	none := installation.Parts{
		Name: installation.Remove[string](), Health: installation.Remove[installation.Health](), Consent: installation.Remove[installation.Consent](),
		Configuration: installation.Remove[installation.Configuration](), Connection: installation.Remove[installation.Connection](),
		BillingPlan: installation.Remove[installation.BillingPlan](), Notification: installation.Remove[installation.Notification](),
		Extra: installation.Remove[installation.Document](),
	}
	if _, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: none}); err != nil {
		t.Fatal(err)
	}
	bare := w.get(t, "i")
	want := &installation.Installation{
		ID: "i", Tenant: "tenant-1", Extension: extension, Account: account, Status: installation.StatusInstalled, Audit: bare.Audit, Generation: 1, Revision: 2,
	}
	if diff := cmp.Diff(want, bare); diff != "" {
		t.Errorf("after removing all (-want +got):\n%s", diff)
	}
}

// An event is read back as it was kept; its id is the store's.
func TestEventBinary(t *testing.T) {
	want := filled[installation.Event](&filler{})
	b, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	want.ID = ""
	var got installation.Event
	if err := got.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// Every field of a request counts for its fingerprint: the same key with a request that differs anywhere is refused.
func TestEveryFieldOfARequestCounts(t *testing.T) {
	base := installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "k"}, ID: "i", Message: "m", ExternalID: "x", Recipient: "r", Validity: "7d",
		Parts: installation.Parts{
			Extension: sample().Extension, Name: installation.Value("n"), Consent: sample().Consent, Configuration: sample().Configuration,
			Connection: sample().Connection, Notification: installation.Remove[installation.Notification](),
		},
	}
	consent, _ := sample().Consent.Get()
	consent.Policies["terms"] = consent.Policies["terms"].Add(time.Microsecond)
	connection, _ := sample().Connection.Get()
	connection.AccessToken.Value = crypto.NewSecret("acc3ss-tokem")
	connection2, _ := sample().Connection.Get()
	connection2.RefreshToken.Issued = time.Unix(1, 0)
	changes := map[string]func(*installation.InviteRequest){
		"message":   func(r *installation.InviteRequest) { r.Message = "" },
		"external":  func(r *installation.InviteRequest) { r.ExternalID, r.Recipient = "r", "x" },
		"validity":  func(r *installation.InviteRequest) { r.Validity = "8d" },
		"absent":    func(r *installation.InviteRequest) { r.Absent = true },
		"name":      func(r *installation.InviteRequest) { r.Name = installation.Value("o") },
		"no name":   func(r *installation.InviteRequest) { r.Name = installation.Optional[string]{} },
		"name gone": func(r *installation.InviteRequest) { r.Name = installation.Remove[string]() },
		"keep": func(r *installation.InviteRequest) {
			r.Notification = installation.Optional[installation.Notification]{}
		},
		"policy":     func(r *installation.InviteRequest) { r.Consent = installation.Value(consent) },
		"token":      func(r *installation.InviteRequest) { r.Connection = installation.Value(connection) },
		"token time": func(r *installation.InviteRequest) { r.Connection = installation.Value(connection2) },
		"document": func(r *installation.InviteRequest) {
			r.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(`{}`)})
		},
		"secret in document": func(r *installation.InviteRequest) {
			c, _ := sample().Configuration.Get()
			c.Document = installation.JSON(strings.Replace(`{"api_secret":"s3cr3t-config","warehouse":"EU-2","nested":{"token":"t0ken-nested","depth":2}}`, "s3", "s4", 1))
			r.Configuration = installation.Value(c)
		},
	}
	w := newWorld(t)
	if _, err := w.host.Invite(t.Context(), base); err != nil {
		t.Fatal(err)
	}
	for name, change := range changes {
		req := base
		change(&req)
		_, err := w.host.Invite(t.Context(), req)
		wantErr(t, name, err, installation.ErrIdempotencyMismatch)
	}
	if res, err := w.host.Invite(t.Context(), base); err != nil || !res.Replayed {
		t.Errorf("the same request: %+v, %v", res, err)
	}
}

// A part that is absent keeps, null removes, a value is a value.
func TestOptionalJSON(t *testing.T) {
	var body struct {
		Absent installation.Optional[string]                    `json:"absent,omitzero"`
		Null   installation.Optional[installation.Notification] `json:"null,omitzero"`
		Value  installation.Optional[string]                    `json:"value,omitzero"`
	}
	if err := json.Unmarshal([]byte(`{"null":null,"value":"v"}`), &body); err != nil {
		t.Fatal(err)
	}
	if v, ok := body.Value.Get(); !ok || v != "v" || body.Value.Removes() {
		t.Errorf("value: %+v", body.Value)
	}
	if !body.Null.Removes() || body.Null.IsZero() || !body.Absent.IsZero() || body.Absent.Removes() {
		t.Errorf("null %+v, absent %+v", body.Null, body.Absent)
	}
	if got := fmt.Sprintf("%v %+v %v", body.Absent, body.Null, body.Value); got != "keep remove v" {
		t.Errorf("printed as %s", got)
	}
	b, err := json.Marshal(body)
	if err != nil || string(b) != `{"null":null,"value":"v"}` {
		t.Errorf("written as %s, %v", b, err)
	}
}

// A document of a caller shows nothing of itself, one of the service shows itself masked.
func TestDocument(t *testing.T) {
	plain := installation.JSON(`{"secret":"c4nary"}`)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		if got := fmt.Sprintf(verb, plain); got != crypto.Mask {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	var v map[string]string
	if err := plain.Decode(&v); err != nil || v["secret"] != "c4nary" || plain.Bytes() != nil {
		t.Errorf("decoded %v, %v", v, err)
	}
	if err := plain.Decode(&[]int{}); err == nil || strings.Contains(err.Error(), "c4nary") {
		t.Errorf("decode into the wrong type: %v", err)
	}
	if _, err := installation.DocumentOf(make(chan int)); err == nil {
		t.Error("a channel became a document")
	}
	type embedded struct{ Key crypto.Secret }
	for name, v := range map[string]any{
		"secret": map[string]any{"a": []any{crypto.NewSecret("x")}}, "document": struct{ D installation.Document }{plain},
		"embedded": struct{ embedded }{embedded{crypto.NewSecret("x")}}, "pointer": &embedded{crypto.NewSecret("x")},
	} {
		if _, err := installation.DocumentOf(v); err == nil {
			t.Errorf("%s: a document was made with a mask in place of a secret", name)
		}
	}
	type node struct {
		Kids   []*node
		Parent *node         `json:"-"`
		Hidden crypto.Secret `json:"-"`
	}
	root := &node{Hidden: crypto.NewSecret("x")}
	for range 3 {
		root.Kids = append(root.Kids, &node{Parent: root})
	}
	if _, err := installation.DocumentOf(root); err != nil {
		t.Errorf("a tree with links back that JSON leaves out: %v", err)
	}
	if _, err := installation.DocumentOf(map[string]any{"a": installation.Value(crypto.NewSecret("x"))}); err == nil {
		t.Error("a secret in an Optional went unseen")
	}
	if d, err := installation.DocumentOf(embedded{crypto.Masked()}); err != nil || !d.Equal(installation.JSON(`{"Key":"***"}`)) {
		t.Errorf("a masked secret: %v", err)
	}
	if !plain.Equal(installation.JSON([]byte(`{"secret":"c4nary"}`))) || plain.Equal(installation.JSON(`{}`)) || !(installation.Document{}).IsZero() {
		t.Error("Equal or IsZero is wrong")
	}
	var d installation.Document
	if err := json.Unmarshal([]byte(`null`), &d); err != nil || !d.IsZero() {
		t.Errorf("null is %v, %v", d, err)
	}
	if err := json.Unmarshal([]byte(`{"a":1}`), &d); err != nil || !d.Equal(installation.JSON(`{"a":1}`)) {
		t.Errorf("an object is %v, %v", d, err)
	}
}

// A mask where no secret is stored is refused in every document, so that one which was read elsewhere, or before another writer removed the
// secret, does not leave the text "***" where a secret was. SetSecret alone stores it.
func TestMaskWithoutStoredValue(t *testing.T) {
	const byValue, byHand = `{"database":"postgres://u:hunter2@db.example/x","n":1}`, `{"authorization":"x","n":1}`
	refused := func(t *testing.T, path string, err error) {
		t.Helper()
		if err == nil {
			t.Error("accepted")
			return
		}
		if diff := cmp.Diff([]string{path + " mask-without-stored-value"}, violations(t, err)); diff != "" {
			t.Error(diff)
		}
	}
	for name, at := range map[string]string{"found by its value": "/database", "set by hand": "/authorization"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			document := byValue
			if at == "/authorization" {
				document = byHand
			}
			if _, err := w.configure("i", document); err != nil {
				t.Fatal(err)
			}
			if _, err := w.patch(installation.SetSecret(at, crypto.NewSecret("postgres://u:hunter2@db.example/x"))); err != nil {
				t.Fatal(err)
			}
			read := w.get(t, "i").Configuration
			parts := installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-1"}), Account: installation.Value(installation.Account{ID: "ACC-2"}),
				Configuration: installation.Value(*read),
			}
			_, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "copy", Parts: parts})
			refused(t, "configuration"+at, err)
			_, err = w.configure("i", strings.Replace(read.Document.String(), at[1:], "renamed", 1))
			refused(t, "configuration/renamed", err)
			if _, err := w.patch(installation.Unset(at)); err != nil {
				t.Fatal(err)
			}
			_, err = w.configure("i", read.Document.String())
			refused(t, "configuration"+at, err)
			if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"}); err != nil {
				t.Fatal(err)
			}
			_, err = w.configure("i", read.Document.String())
			refused(t, "configuration"+at, err)
		})
	}
	w := newWorld(t)
	w.install(t, "i")
	connection := *w.get(t, "i").Connection
	connection.Metadata = installation.JSON(`{"note":"***"}`)
	for path, parts := range map[string]installation.Parts{
		"connection.metadata/note": {Connection: installation.Value(connection)},
		"extra/note":               {Extra: installation.Value(installation.JSON(`{"note":"***"}`))},
		"configuration/note":       {Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"note":"***"}`)})},
	} {
		_, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
		refused(t, path, err)
	}
	_, err := w.patch(installation.Set("/note", installation.JSON(`"***"`)))
	refused(t, "configuration/note", err)
	if _, err := w.patch(installation.SetSecret("/note", crypto.NewSecret("***"))); err != nil {
		t.Fatal(err)
	}
	if got := w.reveal(t, "i", config("/note")); got != "***" {
		t.Errorf("got %q", got)
	}
	echo := installation.Parts{Configuration: installation.Value(*w.get(t, "i").Configuration)}
	if res, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: echo}); err != nil || res.Changed {
		t.Errorf("an echo of it: %+v, %v", res, err)
	}
}

// Readers take an unnamed field for a part in any letter case.
func TestUnnamedFieldsDoNotShadowParts(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	put := func(extra string) error {
		_, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Extra: installation.Value(installation.JSON(extra))}})
		return err
	}
	want := []string{"extra/ID exclusive", "extra/Status exclusive", "extra/billingPlan exclusive", "extra/ſtatus exclusive"}
	if diff := cmp.Diff(want, violations(t, put(`{"Status":"installed","ID":"x","billingPlan":{},"ſtatus":1,"region":"eu"}`))); diff != "" {
		t.Error(diff)
	}
	if err := put(`{"statuses":1,"region":{"id":1}}`); err != nil {
		t.Error(err)
	}
}

// Two users of one account do not share idempotency keys: a guess that came back as a replay would confirm a secret.
func TestIdempotencyKeysAreOfAUser(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	write := func(user, key string) (*installation.Result, error) {
		customer := w.svc.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1", User: installation.Reference{ID: user}})
		return customer.Patch(t.Context(), installation.PatchRequest{ID: "i", Guard: installation.Guard{IdempotencyKey: "key-1"}, Parts: installation.Parts{
			Connection: installation.Value(installation.Connection{ID: "c", APIKey: crypto.NewSecret(key)}),
		}})
	}
	first, err := write("alice", "4711")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := write("alice", "4711"); err != nil || !again.Replayed || again.Revision != first.Revision {
		t.Errorf("the same user: %+v, %v", again, err)
	}
	for _, user := range []string{"mallory", ""} {
		for _, guess := range []string{"4711", "0000"} {
			if res, err := write(user, guess); user == "mallory" && guess == "0000" || user == "" && guess == "0000" {
				wantErr(t, user+" "+guess, err, installation.ErrIdempotencyMismatch) // of the own guess before
			} else if err != nil || res.Replayed {
				t.Errorf("%s %s: %+v, %v", user, guess, res, err)
			}
		}
	}
}

// A configuration that is sent back as it was read beside a change elsewhere stays the revision that it was.
func TestEchoBesideAChangeKeepsTheRevision(t *testing.T) {
	w := newWorld(t)
	w.configure("i", `{"token":"t","region":"eu"}`)
	before := w.get(t, "i")
	w.advance(time.Hour)
	res, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{
		Name: installation.Value("Another name"), Configuration: installation.Value(*before.Configuration),
	}})
	if err != nil || !res.Changed || res.Name != "Another name" {
		t.Fatalf("%+v, %v", res, err)
	}
	if diff := cmp.Diff(before.Configuration, w.get(t, "i").Configuration); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
