package formats

import (
	"bytes"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// decoded is a message as protoc shows it: its lines, and the names of its fields by their
// paths.
type decoded struct {
	lines []string
	names map[string]bool
}

var protoField = regexp.MustCompile(`^([a-z_0-9]+)(: | \{$)`)

// protoc decodes a message with protoc and docs/record.proto.
func protoc(t *testing.T, message string, encoded []byte) decoded {
	t.Helper()
	docs := filepath.FromSlash("../../../docs")
	cmd := exec.CommandContext(t.Context(), "protoc", "--proto_path="+docs,
		"--decode=installation.record."+message, "record.proto")
	cmd.Stdin = bytes.NewReader(encoded)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("protoc --decode=%s: %v\n%s", message, err, out)
	}
	d := decoded{names: make(map[string]bool)}
	var path []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		d.lines = append(d.lines, line)
		if line == "}" {
			path = path[:len(path)-1]
			continue
		}
		field := protoField.FindStringSubmatch(line)
		if field == nil {
			t.Fatalf("%s: cannot read %q", message, line)
		}
		name := strings.Join(append(path, field[1]), ".")
		if strings.Trim(field[1], "0123456789") == "" {
			t.Errorf("%s: field %s is not in record.proto", message, name)
		}
		d.names[name] = true
		if field[2] == " {" {
			path = append(path, field[1])
		}
	}
	return d
}

// wants fails the test unless the message has these lines.
func (d decoded) wants(t *testing.T, message string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !slices.Contains(d.lines, line) {
			t.Errorf("%s has no line %s in:\n%s", message, line, strings.Join(d.lines, "\n"))
		}
	}
}

// TestProtocShowsStoredForms decodes what a store keeps with protoc, once the version byte is
// removed. Each field that the service can fill has a value, so a number that differs from
// docs/record.proto shows as a number, or under another name.
func TestProtocShowsStoredForms(t *testing.T) {
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Skip("protoc is not installed: docs/record.proto is not compared with the code")
	}
	store := fixture.NewStore(memstore.New())
	keys := fixture.Ring(t)
	clock := fixture.NewClock()
	svc, err := installation.New(store, keys, &installation.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	host := svc.In(
		fixture.Tenant,
	).As(
		installation.Actor{Kind: installation.Host, User: everyReference},
	)
	seen := make(map[string]map[string]bool)
	show := func(message string, encoded []byte) decoded {
		t.Helper()
		d := protoc(t, message, encoded)
		if seen[message] == nil {
			seen[message] = make(map[string]bool)
		}
		maps.Copy(seen[message], d.names)
		return d
	}
	for _, write := range everyWrite(t, host) {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		changes := store.Changes()
		c := changes[len(changes)-1]
		for _, e := range c.Events {
			b, err := e.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			show("Event", b[1:]).wants(t, "Event",
				`type: "`+string(e.Type)+`"`, `tenant: "tenant-1"`, `id: "i"`, `user_name: "Ann"`)
		}
		if o := c.Idempotency; o != nil {
			stored, err := record.DecodeOutcome(o.Data)
			if err != nil {
				t.Fatal(err)
			}
			show("Outcome", o.Data[1:]).wants(t, "Outcome", `key_id: "k1"`)
			show(
				"Answer",
				openAnswer(t, keys, o, stored),
			).wants(
				t,
				"Answer",
				`id: "i"`,
				"verdict: CREATED",
			)
		}
		body := fixture.DecodeBody(t, c.Record.Body)
		status := `status: "` + body.Lifecycle.Status + `"`
		show(
			"Body",
			c.Record.Body.Bytes()[1:],
		).wants(
			t,
			"Body",
			"lifecycle {",
			status,
			`key_id: "k1"`,
		)
		show("Manifest", fixture.OpenManifest(t, keys, c.Record)).wants(t, "Manifest",
			`id: "i"`, status, "index_version: 1", `id: "EXT-1"`)
	}
	readOnly := installation.Event{Type: "x", Actor: installation.Actor{ReadOnly: true}}
	b, err := readOnly.MarshalBinary() // no such actor writes, but a store takes any event
	if err != nil {
		t.Fatal(err)
	}
	show("Event", b[1:])
	for _, message := range []string{"Body", "Manifest", "Event", "Outcome", "Answer"} {
		want := strings.Fields(protoNames[message])
		for _, name := range want {
			if !seen[message][name] {
				t.Errorf("%s: nothing that was stored has the field %s", message, name)
			}
		}
		for name := range seen[message] {
			if !slices.Contains(want, name) {
				t.Errorf("%s: the list of names lacks %s", message, name)
			}
		}
	}
}

func openAnswer(
	t *testing.T, keys crypto.KeyWrapper, o *installation.Outcome, stored *record.Outcome,
) []byte {
	t.Helper()
	k, err := keys.Unwrap(t.Context(), stored.Key, crypto.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := k.OpenBinary(nil, fixture.OutcomePlace(fixture.Tenant, o), stored.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

var (
	everyTime      = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	everyReference = installation.Reference{
		ID:   "USR-1",
		Name: "Ann",
		Icon: "https://shop.example/ann.png",
	}
)

// everyPart returns parts in which each field has a value.
func everyPart() installation.Parts {
	secret, ref := crypto.NewSecret("s3cr3t"), everyReference
	token := installation.Token{Value: secret, Issued: everyTime, Expires: everyTime}
	required := false
	return installation.Parts{
		Name: installation.Value("name"),
		Extension: installation.Value(installation.Extension{
			ID:       "EXT-1",
			Name:     "e",
			Icon:     "https://e.example/i",
			Href:     "https://e.example/",
			Owner:    "ACC-2",
			Revision: 7,
		}),
		Account: installation.Value(installation.Account{
			ID:       "ACC-1",
			Name:     "a",
			Icon:     "https://a.example/i",
			Type:     "team",
			Status:   "active",
			URL:      "https://a.example/",
			Contact:  &installation.Contact{Name: "Iris", Email: "iris@a.example"},
			Revision: 8,
			Created:  everyTime,
			Updated:  everyTime,
		}),
		Health: installation.Value(installation.Healthy),
		Consent: installation.Value(installation.Consent{
			Scopes: []string{"read"}, Policies: map[string]time.Time{"eula": everyTime},
			Modules: []installation.Reference{ref}, Terms: []installation.Reference{ref},
		}),
		Configuration: installation.Value(installation.Configuration{
			ID: "c", RevisionID: "r", Created: everyTime, CreatedBy: "Ann",
			Document: installation.JSON(`{"api_secret":"s3cr3t"}`),
		}),
		Connection: installation.Value(installation.Connection{
			ID:           "n",
			Provider:     "p",
			Scheme:       "oauth2",
			Status:       "working",
			WorkspaceRef: "w",
			ConsumerRef:  "u",
			App: &installation.ProviderApp{
				ID:          "app",
				ExternalRef: "x",
				Provider:    "p",
				ClientID:    "client",
				Scopes:      []string{"a"},
				Created:     everyTime,
				Updated:     everyTime,
			},
			Consumer: &installation.Consumer{
				ID:      "u",
				Name:    "n",
				Created: everyTime,
				Updated: everyTime,
			},
			Scopes: []string{
				"b",
			},
			TokenType:    "Bearer",
			AccessToken:  token,
			RefreshToken: token,
			APIKey:       secret,
			Metadata: installation.JSON(
				`{"tenant_secret":"s3cr3t"}`,
			),
			Created: everyTime,
			Updated: everyTime,
		}),
		BillingPlan: installation.Value(installation.BillingPlan{
			ID:                                 "plan",
			Type:                               "subscription",
			Name:                               "n",
			Scope:                              "installation",
			Description:                        "d",
			PaymentMethodRequired:              &required,
			PreauthorizationAmount:             "1.00",
			InitialCharge:                      "2.00",
			MinimumAmount:                      "3.00",
			MaximumAmount:                      "4.00",
			MaximumAmountAutoPurchasePerPeriod: "5.00",
			Cost:                               "$6",
			Details: []installation.PlanDetail{
				{Label: "l", Value: "v"},
			},
			HighlightedDetails: []installation.PlanDetail{
				{Label: "l", Value: "v"},
			},
			Quote: []installation.QuoteLine{
				{Line: "l", Amount: "1.00"},
			},
			RequiredPolicies: []installation.PlanPolicy{
				{ID: "i", Name: "n", URL: "https://p.example/"},
			},
			EffectiveDate: everyTime,
			Disabled:      true,
		}),
		Notification: installation.Value(installation.Notification{
			Level: "warn", Title: "t", Message: "m", Href: "https://n.example/",
		}),
		Extra: installation.Value(installation.JSON(`{"signature":"s3cr3t"}`)),
	}
}

// everyWrite returns calls that bring "i" into each state, with each field given at some time.
func everyWrite(t *testing.T, host *installation.Service) []func() error {
	var code crypto.Secret
	invite := func(key string) func() error {
		return func() error {
			req := formatInvite("i")
			req.IdempotencyKey, req.Parts = key, everyPart()
			req.Account = installation.Optional[installation.Account]{}
			res, err := host.Invite(t.Context(), req)
			if err == nil {
				code = res.Code
			}
			return err
		}
	}
	uninstall := func(final bool) func() error {
		return func() error {
			req := installation.UninstallRequest{ID: "i", Reason: "moved", Final: final}
			_, err := host.Uninstall(t.Context(), req)
			return err
		}
	}
	return []func() error{
		invite("1"),
		func() error {
			_, err := host.Expire(t.Context(), installation.ExpireRequest{ID: "i"})
			return err
		},
		invite("2"),
		func() error {
			customer := installation.Actor{
				Kind: installation.Customer,
				ID:   "ACC-1",
				User: everyReference,
			}
			account, _ := everyPart().Account.Get()
			_, err := host.As(customer).Accept(t.Context(), installation.AcceptRequest{
				ID: "i", Code: code, Account: account, Recipient: formatInvite("i").Recipient,
			})
			return err
		},
		func() error {
			parts := everyPart()
			parts.Name = installation.Value("another")
			_, err := host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
			return err
		},
		uninstall(false),
		uninstall(true),
	}
}
