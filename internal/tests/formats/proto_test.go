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

// protoShow decodes stored messages with protoc and collects the names of their fields.
type protoShow struct {
	keys crypto.KeyWrapper
	seen map[string]map[string]bool // by message and name
}

func (p *protoShow) show(t *testing.T, message string, encoded []byte) decoded {
	t.Helper()
	d := protoc(t, message, encoded)
	if p.seen[message] == nil {
		p.seen[message] = make(map[string]bool)
	}
	maps.Copy(p.seen[message], d.names)
	return d
}

// event shows an event, after its version byte.
func (p *protoShow) event(t *testing.T, e installation.Event) decoded {
	t.Helper()
	b, err := e.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return p.show(t, "Event", b[1:])
}

// row shows a row, after its version byte.
func (p *protoShow) row(t *testing.T, r installation.Row) {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	p.show(t, "Row", b[1:]).wants(t, "Row", `tenant: "tenant-1"`)
}

// change shows each message of a change, and checks some of its lines.
func (p *protoShow) change(t *testing.T, c installation.Change) {
	t.Helper()
	for _, e := range c.Events {
		p.event(t, e).wants(t, "Event",
			`type: "`+string(e.Type)+`"`, `tenant: "tenant-1"`, `id: "i"`, `user_name: "Ann"`)
	}
	if o := c.Idempotency; o != nil {
		stored, err := record.DecodeOutcome(o.Data)
		if err != nil {
			t.Fatal(err)
		}
		p.show(t, "Outcome", o.Data[1:]).wants(t, "Outcome", `key_id: "k1"`)
		answer := openAnswer(t, p.keys, o, stored)
		p.show(t, "Answer", answer).wants(t, "Answer", `id: "i"`, "verdict: CREATED")
	}
	rows := []installation.Row{installation.Row{}.Apply(c)}
	if c.Idempotency != nil {
		rows = append(rows, installation.Row{Tenant: c.Key.Tenant, Outcome: c.Idempotency})
	}
	for _, r := range rows {
		p.row(t, r)
	}
	status := `status: "` + fixture.DecodeBody(t, c.Record.Body).Lifecycle.Status + `"`
	body := p.show(t, "Body", c.Record.Body.Bytes()[1:])
	body.wants(t, "Body", "lifecycle {", status, `key_id: "k1"`)
	manifest := p.show(t, "Manifest", fixture.OpenManifest(t, p.keys, c.Record))
	manifest.wants(t, "Manifest", `id: "i"`, status, "index_version: 2", `id: "EXT-1"`)
}

// sawAll fails the test unless the names are those of protoNames.
func (p *protoShow) sawAll(t *testing.T) {
	t.Helper()
	for _, message := range []string{"Body", "Manifest", "Event", "Outcome", "Answer", "Row"} {
		want := strings.Fields(protoNames[message])
		for _, name := range want {
			if !p.seen[message][name] {
				t.Errorf("%s: no stored message has the field %s", message, name)
			}
		}
		for name := range p.seen[message] {
			if !slices.Contains(want, name) {
				t.Errorf("%s: the list of names lacks %s", message, name)
			}
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
	actor := installation.Actor{Kind: installation.Host, User: everyReference}
	p := &protoShow{keys: keys, seen: make(map[string]map[string]bool)}
	if _, err := svc.As(actor).AcceptRestore(t.Context()); err != nil { // begins an epoch
		t.Fatal(err)
	}
	for _, write := range everyWrite(t, svc.In(fixture.Tenant).As(actor)) {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		changes := store.Changes()
		p.change(t, changes[len(changes)-1])
	}
	// No read-only actor writes, but a store takes any event.
	p.event(t, installation.Event{Type: "x", Actor: installation.Actor{ReadOnly: true}})
	p.row(t, installation.Row{}.Apply(installation.Change{Record: &installation.Record{
		Key: fixture.KeyAt("i"), Revision: 1, Deleted: true, Deadline: everyTime,
		Claims: []string{"x"}, // no tombstone has claims, but a store takes any record
	}}))
	p.sawAll(t)
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
				Kind: installation.Customer, ID: "ACC-1", User: everyReference,
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
