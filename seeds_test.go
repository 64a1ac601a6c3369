package installation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// The documents in testdata/seeds are what three platforms write, with every field that their descriptions name. The tables below
// say where each field lives. They are the mapping too: a test puts the values of a document where its table says, stores
// that, reads it back, and looks whether each place holds its value.

// seedField is one field of a document and its place.
type seedField struct {
	wire    string           // JSON Pointer; "*" is any index or name
	place   string           // Go path from seedWorld; "[*]" is what "*" stood for; after "/" a member of a Document
	secret  installation.Ref // if set, the place shows a mask and Reveal gives the value
	derived string           // if set, why the place holds something else than the value of the document
}

// seedWorld is where paths begin: an installation as it was read, and what there is beside it.
type seedWorld struct {
	*installation.Installation
	Invited *installation.Result // of Invite
	Actor   installation.Actor
	Guard   installation.Guard
}

var ampersandFields = []seedField{
	{wire: "/id", place: "ID"},
	{wire: "/projectId", place: "Tenant"},
	{wire: "/integrationId", place: "Extension.ID"},
	{wire: "/group/groupRef", place: "Account.ID"},
	{wire: "/group/groupName", place: "Account.Name"},
	{wire: "/group/projectId", place: "Tenant"},
	{wire: "/group/createTime", place: "Account.Created"},
	{wire: "/group/updateTime", place: "Account.Updated"},
	{wire: "/healthStatus", place: "Health"},
	{wire: "/connection/id", place: "Connection.ID"},
	{wire: "/connection/projectId", place: "Tenant"},
	{wire: "/connection/provider", place: "Connection.Provider"},
	{wire: "/connection/providerApp/id", place: "Connection.App.ID"},
	{wire: "/connection/providerApp/projectId", place: "Tenant"},
	{wire: "/connection/providerApp/externalRef", place: "Connection.App.ExternalRef"},
	{wire: "/connection/providerApp/provider", place: "Connection.App.Provider"},
	{wire: "/connection/providerApp/clientId", place: "Connection.App.ClientID"},
	{wire: "/connection/providerApp/scopes/*", place: "Connection.App.Scopes[*]"},
	{wire: "/connection/providerApp/createTime", place: "Connection.App.Created"},
	{wire: "/connection/group/groupRef", place: "Account.ID"},
	{wire: "/connection/group/groupName", place: "Account.Name"},
	{wire: "/connection/group/projectId", place: "Tenant"},
	{wire: "/connection/group/createTime", place: "Account.Created"},
	{wire: "/connection/group/updateTime", place: "Account.Updated"},
	{wire: "/connection/consumer/consumerRef", place: "Connection.Consumer.ID"},
	{wire: "/connection/consumer/consumerName", place: "Connection.Consumer.Name"},
	{wire: "/connection/consumer/projectId", place: "Tenant"},
	{wire: "/connection/consumer/createTime", place: "Connection.Consumer.Created"},
	{wire: "/connection/consumer/updateTime", place: "Connection.Consumer.Updated"},
	{wire: "/connection/providerWorkspaceRef", place: "Connection.WorkspaceRef"},
	{wire: "/connection/providerConsumerRef", place: "Connection.ConsumerRef"},
	{wire: "/connection/createTime", place: "Connection.Created"},
	{wire: "/connection/updateTime", place: "Connection.Updated"},
	{wire: "/connection/authScheme", place: "Connection.Scheme"},
	{wire: "/connection/status", place: "Connection.Status"},
	{wire: "/connection/oauth2AuthorizationCode/accessToken/token", place: "Connection.AccessToken.Value",
		secret: credentialAt(installation.PointerAccessToken)},
	{wire: "/connection/oauth2AuthorizationCode/accessToken/issuedAt", place: "Connection.AccessToken.Issued"},
	{wire: "/connection/oauth2AuthorizationCode/accessToken/expiresAt", place: "Connection.AccessToken.Expires"},
	{wire: "/connection/oauth2AuthorizationCode/refreshToken/token", place: "Connection.RefreshToken.Value",
		secret: credentialAt(installation.PointerRefreshToken)},
	{wire: "/connection/oauth2AuthorizationCode/refreshToken/issuedAt", place: "Connection.RefreshToken.Issued"},
	{wire: "/connection/oauth2AuthorizationCode/refreshToken/expiresAt", place: "Connection.RefreshToken.Expires"},
	{wire: "/connection/apiKey", place: "Connection.APIKey", secret: credentialAt(installation.PointerAPIKey)},
	{wire: "/createTime", place: "Audit.Created.At"},
	{wire: "/createdBy", place: "Audit.Created.By.ID"},
	{wire: "/updateTime", place: "Configuration.Created"}, // it is the time of the newest configuration
	{wire: "/config/id", place: "Configuration.ID"},
	{wire: "/config/revisionId", place: "Configuration.RevisionID"},
	{wire: "/config/createTime", place: "Configuration.Created"},
	{wire: "/config/createdBy", place: "Configuration.CreatedBy"},
	{wire: "/config/content/provider", place: "Configuration.Document/provider"},
}

var softwareoneFields = []seedField{
	{wire: "/id", place: "ID"},
	{wire: "/extension/id", place: "Extension.ID"},
	{wire: "/extension/name", place: "Extension.Name"},
	{wire: "/status", place: "Status"},
	{wire: "/configuration/adobe_secret", place: "Configuration.Document/adobe_secret", secret: configAt("/adobe_secret")},
	{wire: "/configuration/mpt_token", place: "Configuration.Document/mpt_token", secret: configAt("/mpt_token")},
	{wire: "/configuration/vendor", place: "Configuration.Document/vendor"},
	{wire: "/account/id", place: "Account.ID"},
	{wire: "/account/name", place: "Account.Name"},
	{wire: "/account/icon", place: "Account.Icon"},
	{wire: "/invitation/url", place: "Invited.AcceptURL", derived: "made from Options.AcceptURL and returned once, by Invite"},
	{wire: "/invitation/code", place: "Invited.Code", derived: "minted and returned once, by Invite; only a hash is stored"},
	{wire: "/invitation/status", place: "Invited.Invitation.Status"},
	{wire: "/modules/*/id", place: "Consent.Modules[*].ID"},
	{wire: "/audit/created/at", place: "Audit.Created.At"},
	{wire: "/audit/created/by/id", place: "Audit.Created.By.ID"},
	{wire: "/audit/created/by/name", place: "Audit.Created.By.Name"},
	{wire: "/audit/updated/at", place: "Audit.Updated.At"},
	{wire: "/audit/updated/by/id", place: "Audit.Updated.By.ID"},
	{wire: "/audit/updated/by/name", place: "Audit.Updated.By.Name"},
}

var vercelFields = []seedField{
	{wire: "/path/installationId", place: "ID"},
	{wire: "/headers/Authorization", place: "Actor.ID", derived: "who it stands for, verified by the host; the token itself is not kept"},
	{wire: "/headers/X-Vercel-Auth", place: "Actor.Kind", derived: "user is a Customer, system the Platform"},
	{wire: "/headers/Idempotency-Key", place: "Guard.IdempotencyKey"},
	{wire: "/request/scopes/*", place: "Consent.Scopes[*]"},
	{wire: "/request/acceptedPolicies/*", place: "Consent.Policies[*]"},
	{wire: "/request/credentials/access_token", place: "Connection.AccessToken.Value",
		secret: credentialAt(installation.PointerAccessToken)},
	{wire: "/request/credentials/token_type", place: "Connection.TokenType"},
	{wire: "/request/account/name", place: "Account.Name"},
	{wire: "/request/account/url", place: "Account.URL"},
	{wire: "/request/account/contact/email", place: "Account.Contact.Email"},
	{wire: "/request/account/contact/name", place: "Account.Contact.Name"},
	{wire: "/response/billingPlan/id", place: "BillingPlan.ID"},
	{wire: "/response/billingPlan/type", place: "BillingPlan.Type"},
	{wire: "/response/billingPlan/name", place: "BillingPlan.Name"},
	{wire: "/response/billingPlan/scope", place: "BillingPlan.Scope"},
	{wire: "/response/billingPlan/description", place: "BillingPlan.Description"},
	{wire: "/response/billingPlan/paymentMethodRequired", place: "BillingPlan.PaymentMethodRequired"},
	{wire: "/response/billingPlan/preauthorizationAmount", place: "BillingPlan.PreauthorizationAmount"},
	{wire: "/response/billingPlan/initialCharge", place: "BillingPlan.InitialCharge"},
	{wire: "/response/billingPlan/minimumAmount", place: "BillingPlan.MinimumAmount"},
	{wire: "/response/billingPlan/maximumAmount", place: "BillingPlan.MaximumAmount"},
	{wire: "/response/billingPlan/maximumAmountAutoPurchasePerPeriod", place: "BillingPlan.MaximumAmountAutoPurchasePerPeriod"},
	{wire: "/response/billingPlan/cost", place: "BillingPlan.Cost"},
	{wire: "/response/billingPlan/details/*/label", place: "BillingPlan.Details[*].Label"},
	{wire: "/response/billingPlan/details/*/value", place: "BillingPlan.Details[*].Value"},
	{wire: "/response/billingPlan/highlightedDetails/*/label", place: "BillingPlan.HighlightedDetails[*].Label"},
	{wire: "/response/billingPlan/highlightedDetails/*/value", place: "BillingPlan.HighlightedDetails[*].Value"},
	{wire: "/response/billingPlan/quote/*/line", place: "BillingPlan.Quote[*].Line"},
	{wire: "/response/billingPlan/quote/*/amount", place: "BillingPlan.Quote[*].Amount"},
	{wire: "/response/billingPlan/effectiveDate", place: "BillingPlan.EffectiveDate"},
	{wire: "/response/billingPlan/disabled", place: "BillingPlan.Disabled"},
	{wire: "/response/notification/level", place: "Notification.Level"},
	{wire: "/response/notification/title", place: "Notification.Title"},
	{wire: "/response/notification/message", place: "Notification.Message"},
	{wire: "/response/notification/href", place: "Notification.Href"},
}

func credentialAt(pointer string) installation.Ref {
	return installation.Ref{Kind: installation.RefCredential, Pointer: pointer}
}

func configAt(pointer string) installation.Ref {
	return installation.Ref{Kind: installation.RefConfig, Pointer: pointer}
}

func TestSeedAmpersand(t *testing.T) {
	seed := readSeed(t, "ampersand", ampersandFields)
	want := seed.fill(t)
	svc := seedService(t, func() time.Time { return want.Audit.Created.At }, "")
	host := svc.In(want.Tenant).As(installation.Actor{Kind: installation.Host, User: want.Audit.Created.By})

	if _, err := host.Upsert(t.Context(), installation.UpsertRequest{ID: want.ID, Parts: seedParts(want.Installation)}); err != nil {
		t.Fatal(err)
	}
	seed.check(t, host, &seedWorld{Installation: seedGet(t, host, want.ID)})
}

func TestSeedSoftwareone(t *testing.T) {
	seed := readSeed(t, "softwareone", softwareoneFields)
	want := seed.fill(t)
	acceptURL, _, _ := strings.Cut(seed.values["/invitation/url"].(string), "?")
	now := want.Audit.Created.At
	svc := seedService(t, func() time.Time { return now }, acceptURL)
	vendor := installation.Actor{Kind: installation.Vendor, ID: "ACC-123-123", User: want.Audit.Created.By}
	want.Extension.Owner = vendor.ID

	invited, err := svc.As(vendor).Invite(t.Context(), installation.InviteRequest{
		ID: want.ID, Parts: installation.Parts{Extension: installation.Value(want.Extension)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := invited.AcceptURL.RevealString(), acceptURL+"?code="+invited.Code.RevealString()+"&installation="+invited.ID; got != want {
		t.Errorf("AcceptURL is %s, want %s", got, want)
	}
	customer := installation.Actor{Kind: installation.Customer, ID: want.Account.ID}
	if _, err := svc.As(customer).Accept(t.Context(), installation.AcceptRequest{
		ID: want.ID, Code: invited.Code, Account: want.Account, Consent: installation.Value(want.Consent),
	}); err != nil {
		t.Fatal(err)
	}
	now, vendor.User = want.Audit.Updated.At, want.Audit.Updated.By
	if _, err := svc.As(vendor).Patch(t.Context(), installation.PatchRequest{
		ID: want.ID, Parts: installation.Parts{Configuration: installation.Value(*want.Configuration)},
	}); err != nil {
		t.Fatal(err)
	}

	got := seedGet(t, svc.As(vendor), want.ID)
	if text := fmt.Sprintf("%+v %+v", got, *got.Invitation); strings.Contains(text, invited.Code.RevealString()) {
		t.Error("the code of the invitation can be read a second time")
	}
	seed.check(t, svc.As(vendor), &seedWorld{Installation: got, Invited: invited})
}

func TestSeedVercel(t *testing.T) {
	seed := readSeed(t, "vercel", vercelFields)
	want := seed.fill(t)
	// The token says which integration and account; the body does not.
	want.Extension.ID, want.Account.ID = "oac_3tRk8QwZ", "5e20d7"
	actor := installation.Actor{Kind: installation.Customer, ID: want.Account.ID}
	svc := seedService(t, nil, "").In(want.Extension.ID)
	request := installation.UpsertRequest{ID: want.ID, Guard: want.Guard, Parts: seedParts(want.Installation)}

	if _, err := svc.As(actor).Upsert(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	again, err := svc.As(actor).Upsert(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Replayed {
		t.Error("the same request with the same Idempotency-Key was not answered from the first")
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	seed.check(t, host, &seedWorld{Installation: seedGet(t, host, want.ID), Actor: actor, Guard: request.Guard})
}

// TestSeedUnplaced shows that a field without a place is found.
func TestSeedUnplaced(t *testing.T) {
	values := map[string]any{"/id": "1", "/modules/0/id": "2", "/modules/0/name": "3", "/notes": "4"}
	places, problems := placeSeed([]seedField{{wire: "/id"}, {wire: "/modules/*/id"}, {wire: "/status"}, {wire: "/*"}}, values)
	want := []string{
		"/id is in the table twice, as /id and /*",
		"/modules/0/name is not in the table",
		"/status is in the table and not in the document",
	}
	if !slices.Equal(problems, want) {
		t.Errorf("problems are %q, want %q", problems, want)
	}
	if got := len(places); got != 3 {
		t.Errorf("%d fields have a place, want 3", got)
	}
}

// seedDocument is a document with the place of each of its fields.
type seedDocument struct {
	values map[string]any // by JSON Pointer: string, json.Number or bool
	places map[string]seedField
}

// readSeed reads a document and fails the test unless its fields and those of the table are the same.
func readSeed(t *testing.T, name string, fields []seedField) *seedDocument {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "seeds", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	seed := &seedDocument{values: make(map[string]any)}
	flatten("", tree, seed.values)
	var problems []string
	if seed.places, problems = placeSeed(fields, seed.values); problems != nil {
		t.Fatalf("%s:\n%s", name, strings.Join(problems, "\n"))
	}
	return seed
}

// flatten gathers the values of a tree that are neither array nor object, and arrays and objects that are empty.
func flatten(pointer string, tree any, values map[string]any) {
	switch tree := tree.(type) {
	case map[string]any:
		for name, member := range tree {
			flatten(pointer+"/"+name, member, values)
		}
		if len(tree) > 0 {
			return
		}
	case []any:
		for i, item := range tree {
			flatten(pointer+"/"+strconv.Itoa(i), item, values)
		}
		if len(tree) > 0 {
			return
		}
	}
	values[pointer] = tree
}

// placeSeed finds the place of each field, by its pointer, and says where table and document differ.
func placeSeed(fields []seedField, values map[string]any) (places map[string]seedField, problems []string) {
	places = make(map[string]seedField)
	used := make(map[string]bool)
	for _, pointer := range slices.Sorted(maps.Keys(values)) {
		for _, f := range fields {
			parts, ok := match(f.wire, pointer)
			if !ok {
				continue
			}
			used[f.wire] = true
			if other, ok := places[pointer]; ok {
				problems = append(problems, fmt.Sprintf("%s is in the table twice, as %s and %s", pointer, other.wire, f.wire))
				continue
			}
			for _, part := range parts {
				f.place = strings.Replace(f.place, "[*]", "["+part+"]", 1)
			}
			places[pointer] = f
		}
		if _, ok := places[pointer]; !ok {
			problems = append(problems, pointer+" is not in the table")
		}
	}
	for _, f := range fields {
		if !used[f.wire] {
			problems = append(problems, f.wire+" is in the table and not in the document")
		}
	}
	return places, problems
}

// match reports whether a pointer is what a pattern means, and what each "*" in it stands for.
func match(pattern, pointer string) (parts []string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(pointer, "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i := range want {
		switch {
		case want[i] == "*":
			parts = append(parts, got[i])
		case want[i] != got[i]:
			return nil, false
		}
	}
	return parts, true
}

// fill puts each value in its place.
func (d *seedDocument) fill(t *testing.T) *seedWorld {
	t.Helper()
	w := &seedWorld{}
	documents := make(map[string]map[string]any)
	for _, pointer := range slices.Sorted(maps.Keys(d.places)) {
		f := d.places[pointer]
		if f.derived != "" {
			continue
		}
		path, member, inDocument := strings.Cut(f.place, "/")
		if inDocument {
			if documents[path] == nil {
				documents[path] = make(map[string]any)
			}
			documents[path][member] = d.values[pointer]
			continue
		}
		steps := pathSteps(path)
		last := len(steps) - 1
		if in := walk(t, reflect.ValueOf(w), steps[:last]); in.Kind() == reflect.Map {
			if in.IsNil() {
				in.Set(reflect.MakeMap(in.Type()))
			}
			in.SetMapIndex(reflect.ValueOf(steps[last]), convertSeed(t, d.values[pointer], in.Type().Elem()))
			continue
		}
		to := walk(t, reflect.ValueOf(w), steps)
		value := convertSeed(t, d.values[pointer], to.Type())
		if !to.IsZero() && !sameSeed(to, value) {
			t.Fatalf("%s: there is another value at %s already", pointer, f.place)
		}
		to.Set(value)
	}
	for path, members := range documents {
		document, err := installation.DocumentOf(members)
		if err != nil {
			t.Fatal(err)
		}
		walk(t, reflect.ValueOf(w), pathSteps(path)).Set(reflect.ValueOf(document))
	}
	return w
}

// check looks whether each place holds the value of its field, with secrets masked and opened by Reveal.
func (d *seedDocument) check(t *testing.T, svc *installation.Service, w *seedWorld) {
	t.Helper()
	for _, pointer := range slices.Sorted(maps.Keys(d.places)) {
		f := d.places[pointer]
		path, member, inDocument := strings.Cut(f.place, "/")
		got := walk(t, reflect.ValueOf(w), pathSteps(path))
		want := d.values[pointer]
		if f.secret != (installation.Ref{}) {
			if secret := seedReveal(t, svc, w.ID, f.secret); secret != want {
				t.Errorf("%s: %s reveals another value", pointer, f.secret)
			}
			want = crypto.Mask
		}
		switch {
		case f.derived != "":
			if got.IsZero() {
				t.Errorf("%s: there is nothing at %s, which is %s", pointer, f.place, f.derived)
			}
		case inDocument:
			var members map[string]any
			if err := got.Interface().(installation.Document).Decode(&members); err != nil {
				t.Errorf("%s: %v", pointer, err)
			} else if members[member] != want {
				t.Errorf("%s: %s is %v, want %v", pointer, f.place, members[member], want)
			}
		case f.secret != (installation.Ref{}):
			if !got.Interface().(crypto.Secret).IsMasked() {
				t.Errorf("%s: %s is not masked", pointer, f.place)
			}
		case !sameSeed(got, convertSeed(t, want, got.Type())):
			t.Errorf("%s: %s is %v, want %v", pointer, f.place, got, want)
		}
	}
}

// pathSteps cuts "Consent.Modules[0].ID" into its names and indexes.
func pathSteps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) })
}

// walk goes from a value along a path and makes what is missing on its way. A map it enters as the last step only.
func walk(t *testing.T, v reflect.Value, steps []string) reflect.Value {
	t.Helper()
	for _, step := range steps {
		v = made(v)
		switch v.Kind() {
		case reflect.Struct:
			field, ok := v.Type().FieldByName(step)
			if !ok {
				t.Fatalf("%s has no field %s", v.Type(), step)
			}
			for _, i := range field.Index { // more than one where the field is promoted
				v = made(v).Field(i)
			}
		case reflect.Slice:
			i, err := strconv.Atoi(step)
			if err != nil {
				t.Fatal(err)
			}
			for v.Len() <= i {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			}
			v = v.Index(i)
		case reflect.Map:
			item := v.MapIndex(reflect.ValueOf(step))
			if !item.IsValid() {
				item = reflect.Zero(v.Type().Elem())
			}
			v = item
		default:
			t.Fatalf("%s has no %s", v.Type(), step)
		}
	}
	return v
}

// made returns what a pointer points at.
func made(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}

// convertSeed returns a JSON value as the type that its place has.
func convertSeed(t *testing.T, value any, to reflect.Type) reflect.Value {
	t.Helper()
	text, isText := value.(string)
	if number, ok := value.(json.Number); ok {
		text, isText = number.String(), true
	}
	truth, isTruth := value.(bool)
	switch {
	case to == reflect.TypeFor[time.Time]() && isText:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return reflect.ValueOf(at)
	case to == reflect.TypeFor[crypto.Secret]() && isText:
		return reflect.ValueOf(crypto.NewSecret(text))
	case to == reflect.TypeFor[installation.Status]() && isText:
		return reflect.ValueOf(installation.Status(strings.ToLower(text)))
	case to.Kind() == reflect.String && isText:
		return reflect.ValueOf(text).Convert(to)
	case to.Kind() == reflect.Bool && isTruth:
		return reflect.ValueOf(truth)
	case to == reflect.TypeFor[*bool]() && isTruth:
		return reflect.ValueOf(&truth)
	}
	t.Fatalf("a %T cannot stand in a %s", value, to)
	return reflect.Value{}
}

// sameSeed reports whether two values of one type are the same.
func sameSeed(a, b reflect.Value) bool {
	if at, ok := a.Interface().(time.Time); ok {
		return at.Equal(b.Interface().(time.Time))
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// seedParts are the parts of an installation that a write may give.
func seedParts(i *installation.Installation) installation.Parts {
	p := installation.Parts{
		Extension: installation.Value(i.Extension),
		Account:   installation.Value(i.Account),
		Health:    installation.Value(i.Health),
		Consent:   installation.Value(i.Consent),
	}
	if i.Configuration != nil {
		p.Configuration = installation.Value(*i.Configuration)
	}
	if i.Connection != nil {
		p.Connection = installation.Value(*i.Connection)
	}
	if i.BillingPlan != nil {
		p.BillingPlan = installation.Value(*i.BillingPlan)
	}
	if i.Notification != nil {
		p.Notification = installation.Value(*i.Notification)
	}
	return p
}

func seedService(t *testing.T, now func() time.Time, acceptURL string) *installation.Service {
	t.Helper()
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), testRingOf(t, key), &installation.Options{Now: now, AcceptURL: acceptURL})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func seedGet(t *testing.T, svc *installation.Service, id string) *installation.Installation {
	t.Helper()
	inst, err := svc.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

func seedReveal(t *testing.T, svc *installation.Service, id string, ref installation.Ref) string {
	t.Helper()
	secrets, err := svc.Reveal(t.Context(), installation.RevealRequest{ID: id, Refs: []installation.Ref{ref}, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := secrets[0].Err; err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
	return secrets[0].Value.RevealString()
}
