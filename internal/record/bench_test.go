package record

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// benchContent stands for the domain fields of a typical installation.
type benchContent struct {
	Name          string
	Owner         benchReference
	Account       benchReference
	Scopes        []string
	Policies      map[string]time.Time
	Modules       []benchReference
	Configuration *benchDocument
	Connection    *benchDocument
	Created       *benchEntry
	Updated       *benchEntry
	Installed     *benchEntry
}

type benchReference struct{ ID, Name, Icon string }

type benchDocument struct {
	ID      string
	Created time.Time
	Masked  string
}

type benchEntry struct {
	At   time.Time
	Kind string
	By   benchReference
}

func benchContentFields(c *Coder, v *benchContent) {
	String(c, 1, &v.Name)
	Message(c, 2, &v.Owner, benchReferenceFields)
	Message(c, 3, &v.Account, benchReferenceFields)
	Strings(c, 4, &v.Scopes)
	Times(c, 5, &v.Policies)
	Messages(c, 6, &v.Modules, benchReferenceFields)
	Pointer(c, 7, &v.Configuration, benchDocumentFields)
	Pointer(c, 8, &v.Connection, benchDocumentFields)
	Pointer(c, 9, &v.Created, benchEntryFields)
	Pointer(c, 10, &v.Updated, benchEntryFields)
	Pointer(c, 11, &v.Installed, benchEntryFields)
}

func benchReferenceFields(c *Coder, v *benchReference) {
	String(c, 1, &v.ID)
	String(c, 2, &v.Name)
	String(c, 3, &v.Icon)
}

func benchDocumentFields(c *Coder, v *benchDocument) {
	String(c, 1, &v.ID)
	Time(c, 2, &v.Created)
	Raw(c, 3, &v.Masked)
}

func benchEntryFields(c *Coder, v *benchEntry) {
	Time(c, 1, &v.At)
	String(c, 2, &v.Kind)
	String(c, 3, &v.By.ID)
	String(c, 4, &v.By.Name)
	String(c, 5, &v.By.Icon)
}

// benchManifest returns a manifest of about 1.5 KiB with six secrets, and its content.
func benchManifest() (*Manifest, *benchContent) {
	m := &Manifest{
		ID: "icfg_0123456789abcdef", Generation: 1, Revision: 17, Lifecycle: lifecycleBytes,
		Rule: "name-rule-2026-03", IndexVersion: 1, CredentialNumber: 4,
		Claims: []string{"ext+acc=EXT-1234ACC-5678"},
	}
	for i := range 6 {
		ref := fmt.Sprintf("config/section/%d/secret", i)
		m.Table = append(m.Table, Entry{Ref: ref, Tag: testTag})
	}
	entry := &benchEntry{testTime, "vendor", benchReference{"USR-1234", "Ann Example", ""}}
	return m, &benchContent{
		Name:  "Acme for Example Corp",
		Owner: benchReference{"EXT-1234-5678", "Acme", "https://acme.example/i.png"},
		Account: benchReference{
			"ACC-1234-5678",
			"Example Corp",
			"https://corp.example/i.png",
		},
		Scopes:        []string{"read:orders", "write:orders", "read:customers"},
		Configuration: &benchDocument{"CFG-1", testTime, strings.Repeat(`{"a":"***"}`, 36)},
		Connection:    &benchDocument{"CON-1", testTime, strings.Repeat(`{"a":"***"}`, 10)},
		Created:       entry,
		Updated:       entry,
		Installed:     entry,
	}
}

func BenchmarkDecodeManifest(b *testing.B) {
	m, content := benchManifest()
	encoded := m.Append(nil, func(c *Coder) { benchContentFields(c, content) })
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	for b.Loop() {
		content := new(benchContent)
		_, err := DecodeManifest(encoded, func(c *Coder) { benchContentFields(c, content) })
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendManifest(b *testing.B) {
	m, content := benchManifest()
	buffer := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buffer = m.Append(buffer[:0], func(c *Coder) { benchContentFields(c, content) })
	}
}

func BenchmarkDecodeBody(b *testing.B) {
	body := Body{Lifecycle: lifecycleBytes, Manifest: make([]byte, 1700)}
	body.Key.KeyID, body.Key.Bytes = "key-2026-03", make([]byte, 143)
	for i := range 6 {
		ref := fmt.Sprintf("config/section/%d/secret", i)
		body.Values = append(body.Values, Value{ref, make([]byte, 110)})
	}
	raw := body.Append(nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeBody(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatchTerms(b *testing.B) {
	terms := allTerms()
	list := terms.List()
	b.ReportAllocs()
	for b.Loop() {
		if err := terms.Match(IndexVersion, list); err != nil {
			b.Fatal(err)
		}
	}
}
