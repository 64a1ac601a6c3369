// Package requests checks what goes into a request and what comes out: fields, bounds, patches, lists,
// options, and who may do what.
package requests

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
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
	w := fixture.NewWorld(t)
	f := &filler{}
	account, extension, consent := filled[installation.Account](f), filled[installation.Extension](f), filled[installation.Consent](f)
	configuration, connection := filled[installation.Configuration](f), filled[installation.Connection](f)
	plan, notification := filled[billing.Plan](f), filled[installation.Notification](f)
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
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	got := w.Get(t, "i")
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
	if res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: echo}); err != nil || res.Changed {
		t.Errorf("the echo: changed %v, %v", res, err)
	}

	none := installation.Parts{
		Name: installation.Remove[string](), Health: installation.Remove[installation.Health](), Consent: installation.Remove[installation.Consent](),
		Configuration: installation.Remove[installation.Configuration](), Connection: installation.Remove[installation.Connection](),
		BillingPlan: installation.Remove[billing.Plan](), Notification: installation.Remove[installation.Notification](),
		Extra: installation.Remove[installation.Document](),
	}
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: none}); err != nil {
		t.Fatal(err)
	}
	bare := w.Get(t, "i")
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
			Extension: fixture.Parts().Extension, Name: installation.Value("n"), Consent: fixture.Parts().Consent, Configuration: fixture.Parts().Configuration,
			Connection: fixture.Parts().Connection, Notification: installation.Remove[installation.Notification](),
		},
	}
	consent, _ := fixture.Parts().Consent.Get()
	consent.Policies["terms"] = consent.Policies["terms"].Add(time.Microsecond)
	connection, _ := fixture.Parts().Connection.Get()
	connection.AccessToken.Value = crypto.NewSecret("acc3ss-tokem")
	connection2, _ := fixture.Parts().Connection.Get()
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
			c, _ := fixture.Parts().Configuration.Get()
			c.Document = installation.JSON(strings.Replace(`{"api_secret":"s3cr3t-config","warehouse":"EU-2","nested":{"token":"t0ken-nested","depth":2}}`, "s3", "s4", 1))
			r.Configuration = installation.Value(c)
		},
	}
	w := fixture.NewWorld(t)
	if _, err := w.Host.Invite(t.Context(), base); err != nil {
		t.Fatal(err)
	}
	for name, change := range changes {
		req := base
		change(&req)
		_, err := w.Host.Invite(t.Context(), req)
		fixture.WantErr(t, name, err, installation.ErrIdempotencyMismatch)
	}
	if res, err := w.Host.Invite(t.Context(), base); err != nil || !res.Replayed {
		t.Errorf("the same request: %+v, %v", res, err)
	}
}
