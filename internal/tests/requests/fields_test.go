// Package requests checks what goes into a request and what comes out: fields, bounds,
// patches, lists, options, and who may do what.
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

// filler puts another value into every field, so that a lost or swapped field shows.
type filler struct{ n int }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case nil:
		return // an error of a read, which is not stored
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, f.n, 123456000, time.UTC)))
		return
	case crypto.Secret:
		v.Set(reflect.ValueOf(crypto.NewSecret(fmt.Sprintf("secret-%d", f.n))))
		return
	case installation.Document:
		text := fmt.Sprintf(`{"field":"value-%d","a_secret":"secret-%d"}`, f.n, f.n)
		v.Set(reflect.ValueOf(installation.JSON(text)))
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
			key := reflect.New(v.Type().Key()).Elem()
			value := reflect.New(v.Type().Elem()).Elem()
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

// filledParts returns an installation with another value in every field of every part. It
// has only the fields that a caller may write.
func filledParts() *installation.Installation {
	f := &filler{}
	i := &installation.Installation{
		Name: "Name", Health: installation.Unhealthy,
		Account:   filled[installation.Account](f),
		Extension: filled[installation.Extension](f),
		Consent:   filled[installation.Consent](f),
		Extra:     filled[installation.Document](f),
	}
	configuration := filled[installation.Configuration](f)
	connection := filled[installation.Connection](f)
	plan := filled[billing.Plan](f)
	notification := filled[installation.Notification](f)

	// These fields take only some values.
	i.Account.URL = "https://customer.example/a"
	notification.Href, notification.Level = "https://host.example/b", "warn"
	plan.Type, plan.Scope = "subscription", "installation"
	plan.PreauthorizationAmount, plan.InitialCharge = "1", "2.50"
	plan.MinimumAmount, plan.MaximumAmount = "3", "4"
	plan.MaximumAmountAutoPurchasePerPeriod = "5"
	for n := range plan.RequiredPolicies {
		plan.RequiredPolicies[n].URL = fmt.Sprintf("https://host.example/policy-%d", n)
	}
	i.Configuration, i.Connection = &configuration, &connection
	i.BillingPlan, i.Notification = &plan, &notification
	return i
}

// partsOf returns the parts of an upsert that writes i.
func partsOf(i *installation.Installation) installation.Parts {
	return installation.Parts{
		Name:          installation.Value(i.Name),
		Health:        installation.Value(i.Health),
		Extension:     installation.Value(i.Extension),
		Account:       installation.Value(i.Account),
		Consent:       installation.Value(i.Consent),
		Configuration: installation.Value(*i.Configuration),
		Connection:    installation.Value(*i.Connection),
		BillingPlan:   installation.Value(*i.BillingPlan),
		Notification:  installation.Value(*i.Notification),
		Extra:         installation.Value(i.Extra),
	}
}

// wantMasked fails the test unless got has every field of the parts of sent, with its
// secrets masked.
func wantMasked(t *testing.T, sent, got *installation.Installation) {
	t.Helper()
	masks := cmp.Options{
		cmp.Comparer(func(a, b crypto.Secret) bool {
			return a.IsMasked() != b.IsMasked() && !a.IsZero() && !b.IsZero()
		}),
		cmp.Comparer(func(a, b installation.Document) bool {
			return a.IsZero() == b.IsZero() && a.String() != b.String()
		}),
	}
	for name, pair := range map[string][2]any{
		"account":       {sent.Account, got.Account},
		"extension":     {sent.Extension, got.Extension},
		"consent":       {sent.Consent, got.Consent},
		"configuration": {*sent.Configuration, *got.Configuration},
		"connection":    {*sent.Connection, *got.Connection},
		"billing plan":  {*sent.BillingPlan, *got.BillingPlan},
		"notification":  {*sent.Notification, *got.Notification},
	} {
		if diff := cmp.Diff(pair[0], pair[1], masks); diff != "" {
			t.Errorf("%s (-sent +read):\n%s", name, diff)
		}
	}
	for _, d := range []installation.Document{
		got.Configuration.Document, got.Connection.Metadata, got.Extra,
	} {
		text := d.String()
		if !strings.Contains(text, `"field":"value-`) ||
			!strings.Contains(text, `"a_secret":"***"`) {
			t.Errorf("document came back as %s", text)
		}
	}
}

// Every field of every part is stored and read back with its secrets masked. Sent back, it
// changes nothing. Removed, it is gone.
func TestEveryFieldSurvives(t *testing.T) {
	w := fixture.NewWorld(t)
	sent := filledParts()
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: partsOf(sent),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := w.Get(t, "i")
	if diff := cmp.Diff(res.Installation, got); diff != "" {
		t.Fatalf("the answer and the stored installation differ:\n%s", diff)
	}
	sent.Connection.Failure = nil // a write ignores it
	wantMasked(t, sent, got)

	res, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: partsOf(got),
	})
	if err != nil || res.Changed {
		t.Errorf("sent back: changed %v, %v", res, err)
	}

	none := installation.Parts{
		Name:          installation.Remove[string](),
		Health:        installation.Remove[installation.Health](),
		Consent:       installation.Remove[installation.Consent](),
		Configuration: installation.Remove[installation.Configuration](),
		Connection:    installation.Remove[installation.Connection](),
		BillingPlan:   installation.Remove[billing.Plan](),
		Notification:  installation.Remove[installation.Notification](),
		Extra:         installation.Remove[installation.Document](),
	}
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: none,
	}); err != nil {
		t.Fatal(err)
	}
	bare := w.Get(t, "i")
	want := &installation.Installation{
		ID: "i", Tenant: "tenant-1", Extension: sent.Extension, Account: sent.Account,
		Status: installation.StatusInstalled, Audit: bare.Audit, Generation: 1, Revision: 2,
	}
	if diff := cmp.Diff(want, bare); diff != "" {
		t.Errorf("after removing all (-want +got):\n%s", diff)
	}
}

// An event keeps every field but its id, which the store assigns.
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

// inviteChanges returns changes of an invite of the parts of the fixture, each of another
// field.
func inviteChanges() map[string]func(*installation.InviteRequest) {
	consent, _ := fixture.Parts().Consent.Get()
	consent.Policies["terms"] = consent.Policies["terms"].Add(time.Microsecond)
	otherToken, _ := fixture.Parts().Connection.Get()
	otherToken.AccessToken.Value = crypto.NewSecret("acc3ss-tokem")
	otherTime, _ := fixture.Parts().Connection.Get()
	otherTime.RefreshToken.Issued = time.Unix(1, 0)
	const otherSecret = `{"api_secret":"s4cr3t-config","warehouse":"EU-2",` +
		`"nested":{"token":"t0ken-nested","depth":2}}`
	return map[string]func(*installation.InviteRequest){
		"message":  func(r *installation.InviteRequest) { r.Message = "" },
		"external": func(r *installation.InviteRequest) { r.ExternalID, r.Recipient = "r", "x" },
		"validity": func(r *installation.InviteRequest) { r.Validity = "8d" },
		"absent":   func(r *installation.InviteRequest) { r.Absent = true },
		"name":     func(r *installation.InviteRequest) { r.Name = installation.Value("o") },
		"no name": func(r *installation.InviteRequest) {
			r.Name = installation.Optional[string]{}
		},
		"name gone": func(r *installation.InviteRequest) {
			r.Name = installation.Remove[string]()
		},
		"keep": func(r *installation.InviteRequest) {
			r.Notification = installation.Optional[installation.Notification]{}
		},
		"policy": func(r *installation.InviteRequest) {
			r.Consent = installation.Value(consent)
		},
		"token": func(r *installation.InviteRequest) {
			r.Connection = installation.Value(otherToken)
		},
		"token time": func(r *installation.InviteRequest) {
			r.Connection = installation.Value(otherTime)
		},
		"document": func(r *installation.InviteRequest) {
			r.Configuration = installation.Value(installation.Configuration{
				Document: installation.JSON(`{}`),
			})
		},
		"secret in document": func(r *installation.InviteRequest) {
			c, _ := fixture.Parts().Configuration.Get()
			c.Document = installation.JSON(otherSecret)
			r.Configuration = installation.Value(c)
		},
	}
}

// Every field of a request counts for its fingerprint. A request with the same key that
// differs in any field is rejected.
func TestEveryFieldOfARequestCounts(t *testing.T) {
	base := installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "k"}, ID: "i", Message: "m", ExternalID: "x",
		Recipient: "r", Validity: "7d",
		Parts: installation.Parts{
			Extension:     fixture.Parts().Extension,
			Name:          installation.Value("n"),
			Consent:       fixture.Parts().Consent,
			Configuration: fixture.Parts().Configuration,
			Connection:    fixture.Parts().Connection,
			Notification:  installation.Remove[installation.Notification](),
		},
	}
	w := fixture.NewWorld(t)
	if _, err := w.Host.Invite(t.Context(), base); err != nil {
		t.Fatal(err)
	}
	for name, change := range inviteChanges() {
		req := base
		change(&req)
		_, err := w.Host.Invite(t.Context(), req)
		fixture.WantErr(t, name, err, installation.ErrIdempotencyMismatch)
	}
	if res, err := w.Host.Invite(t.Context(), base); err != nil || !res.Replayed {
		t.Errorf("the same request: %+v, %v", res, err)
	}
}
