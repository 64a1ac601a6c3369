package crypto

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretStates(t *testing.T) {
	long := strings.Repeat("long", 100)
	fromBytes := SecretFromBytes([]byte("hunter2"))
	for name, tc := range map[string]struct {
		s            Secret
		zero, masked bool
		reveal       string
		isNil        bool
		text, json   string
	}{
		"zero":         {Secret{}, true, false, "", true, "", "null"},
		"masked":       {Masked(), false, true, "", true, "***", `"***"`},
		"text":         {NewSecret("hunter2"), false, false, "hunter2", false, "***", `"***"`},
		"bytes":        {fromBytes, false, false, "hunter2", false, "***", `"***"`},
		"empty":        {NewSecret(""), false, false, "", false, "***", `"***"`},
		"nil bytes":    {SecretFromBytes(nil), false, false, "", false, "***", `"***"`},
		"literal mask": {NewSecret("***"), false, false, "***", false, "***", `"***"`},
		"not UTF-8":    {NewSecret("a\xff"), false, false, "a\xff", false, "***", `"***"`},
		"long":         {NewSecret(long), false, false, long, false, "***", `"***"`},
	} {
		if tc.s.IsZero() != tc.zero || tc.s.IsMasked() != tc.masked {
			t.Errorf("%s: got zero %v, masked %v", name, tc.s.IsZero(), tc.s.IsMasked())
		}
		if got := tc.s.String(); got != tc.text {
			t.Errorf("%s: String: got %q, want %q", name, got, tc.text)
		}
		if got := string(must(json.Marshal(tc.s))); got != tc.json {
			t.Errorf("%s: JSON: got %s, want %s", name, got, tc.json)
		}
		if tc.masked { // see TestMaskedSecretFailsLoudly
			continue
		}
		if got := tc.s.Reveal(); string(got) != tc.reveal || (got == nil) != tc.isNil {
			t.Errorf("%s: Reveal: got %q (nil %v)", name, got, got == nil)
		}
		if got := tc.s.RevealString(); got != tc.reveal {
			t.Errorf("%s: RevealString: got %q", name, got)
		}
	}
}

// TestMaskedSecretFailsLoudly: nobody can take a masked secret for an empty one, nor for the secret
// that it stands for.
func TestMaskedSecretFailsLoudly(t *testing.T) {
	var decoded struct{ Key Secret }
	if err := json.Unmarshal([]byte(`{"Key":"***"}`), &decoded); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Secret{"made": Masked(), "decoded": decoded.Key} {
		for use, reveal := range map[string]func(){
			"Reveal":       func() { s.Reveal() },
			"RevealString": func() { _ = s.RevealString() },
		} {
			if text := panicText(reveal); !strings.Contains(text, "IsMasked") {
				t.Errorf("%s: %s panics with %q", name, use, text)
			}
		}
		for i, other := range []Secret{{}, NewSecret("***"), NewSecret("")} {
			if s.Equal(other) || other.Equal(s) {
				t.Errorf("%s: equals secret %d", name, i)
			}
		}
	}
}

// panicText returns the text of f's panic, "" if f returns.
func panicText(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func TestSecretCopies(t *testing.T) {
	b := []byte("hunter2")
	s := SecretFromBytes(b)
	if string(b) != "hunter2" {
		t.Errorf("the argument was changed to %q", b)
	}
	clear(b)
	clear(s.Reveal())
	if got := s.RevealString(); got != "hunter2" {
		t.Errorf("got %q", got)
	}
}

func TestSecretEqual(t *testing.T) {
	all := []Secret{
		{}, Masked(), NewSecret(""), NewSecret("a"), NewSecret("b"), NewSecret("aa"),
		NewSecret("***"), NewSecret(strings.Repeat("a", 64)),
	}
	for i, a := range all {
		for j, b := range all {
			if got, want := a.Equal(b), i == j; got != want {
				t.Errorf("%d and %d: got %v, want %v", i, j, got, want)
			}
		}
	}
	a, b := NewSecret("hunter2"), NewSecret("hunter2")
	if !a.Equal(b) || !reflect.DeepEqual(a, b) || !cmp.Equal(a, b) {
		t.Error("equal secrets differ")
	}
	if reflect.TypeFor[Secret]().Comparable() {
		t.Error("secrets can be compared with ==, which compares pointers")
	}
}

type document struct {
	Token Secret `json:"token,omitzero"`
}

func TestSecretDecodeJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		doc  string
		want Secret
	}{
		"absent":      {`{}`, Secret{}},
		"null":        {`{"token":null}`, Secret{}},
		"mask":        {`{"token":"***"}`, Masked()},
		"escaped":     {`{"token":"\u002a**"}`, Masked()},
		"not quite":   {`{"token":"****"}`, NewSecret("****")},
		"mask, space": {`{"token":"*** "}`, NewSecret("*** ")},
		"empty":       {`{"token":""}`, NewSecret("")},
		"text":        {`{"token":"hunter2"}`, NewSecret("hunter2")},
		"escapes":     {`{"token":"\"\\\u00e9\ud83d\ude00\n"}`, NewSecret("\"\\é😀\n")},
	} {
		got := document{Token: NewSecret("before")}
		if name == "absent" {
			got.Token = Secret{}
		}
		if err := json.Unmarshal([]byte(tc.doc), &got); err != nil || !got.Token.Equal(tc.want) {
			t.Errorf("%s: got %s (masked %v), %v", name, got.Token, got.Token.IsMasked(), err)
		}
	}
}

func TestSecretDecodeJSONRejects(t *testing.T) {
	for name, tc := range map[string]struct {
		doc  string
		want error
	}{
		"number":         {`{"token":31337}`, errSecretJSON},
		"boolean":        {`{"token":true}`, errSecretJSON},
		"object":         {`{"token":{"hunter2":1}}`, errSecretJSON},
		"array":          {`{"token":["hunter2"]}`, errSecretJSON},
		"not UTF-8":      {"{\"token\":\"hunter2\xff\"}", errSecretText},
		"half surrogate": {`{"token":"hunter2\ud83d"}`, errSecretText},
		"replacement":    {"{\"token\":\"hunter2\ufffd\"}", errSecretText},
	} {
		got := document{Token: NewSecret("before")}
		err := json.Unmarshal([]byte(tc.doc), &got)
		wantErr(t, err, tc.want, "hunter2", "31337")
		if got.Token.RevealString() != "before" {
			t.Errorf("%s: the secret changed all the same", name)
		}
	}
	for _, b := range []string{"", "hunter2", `"hunter2`, ` "hunter2"`} {
		var s Secret
		wantErr(t, s.UnmarshalJSON([]byte(b)), errSecretJSON, "hunter2")
	}
}

func TestSecretMaskedRoundTrip(t *testing.T) {
	for name, tc := range map[string]struct{ in, out Secret }{
		"nothing stays nothing": {Secret{}, Secret{}},
		"a value comes masked":  {NewSecret("hunter2"), Masked()},
		"masked stays masked":   {Masked(), Masked()},
	} {
		var got document
		err := json.Unmarshal(must(json.Marshal(document{tc.in})), &got)
		if err != nil || !got.Token.Equal(tc.out) {
			t.Errorf("%s: got %#v, %v", name, got, err)
		}
	}
	if got := string(must(json.Marshal(document{}))); got != "{}" {
		t.Errorf("omitzero: got %s", got)
	}
}

func TestSecretText(t *testing.T) {
	for text, want := range map[string]Secret{
		"": {}, "***": Masked(), "hunter2": NewSecret("hunter2"), "****": NewSecret("****"),
	} {
		s := NewSecret("before")
		if err := s.UnmarshalText([]byte(text)); err != nil || !s.Equal(want) {
			t.Errorf("%q: got %s (masked %v), %v", text, s, s.IsMasked(), err)
		}
	}
	var s Secret
	wantErr(t, s.UnmarshalText([]byte("hunter2\xff")), errSecretText, "hunter2")
	if got := must(Secret{}.MarshalText()); len(got) != 0 {
		t.Errorf("zero: got %q", got)
	}
}

func TestSecretXML(t *testing.T) {
	type doc struct {
		XMLName xml.Name `xml:"doc"`
		Attr    Secret   `xml:"attr,attr"`
		Elem    Secret   `xml:"elem"`
	}
	for want, d := range map[string]doc{
		`<doc></doc>`:                            {},
		`<doc attr="***"><elem>***</elem></doc>`: {Attr: NewSecret("a"), Elem: Masked()},
	} {
		if got := string(must(xml.Marshal(d))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	var d doc
	err := xml.Unmarshal([]byte(`<doc attr="***"><elem>hunter2</elem></doc>`), &d)
	if err != nil || !d.Attr.IsMasked() || d.Elem.RevealString() != "hunter2" {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestSecretYAML(t *testing.T) {
	for want, s := range map[any]Secret{nil: {}, Mask: NewSecret("hunter2")} {
		if got, err := s.MarshalYAML(); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

// TestSecretIsNotStored: everything that would store "***" in place of the secret fails.
func TestSecretIsNotStored(t *testing.T) {
	for _, s := range []Secret{{}, Masked(), NewSecret("hunter2")} {
		_, e1 := s.GobEncode()
		_, e2 := s.MarshalBinary()
		v, e3 := s.Value()
		for i, err := range []error{e1, e2, e3} {
			if !errors.Is(err, errSecretStored) {
				t.Errorf("%d: got error %v", i, err)
			}
		}
		if v != nil {
			t.Errorf("got %v", v)
		}
	}
}

func TestSecretMemory(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), 9)
	s := SecretFromBytes(long)
	if bytes.Contains(s.p.data, long[:8]) || bytes.Equal(s.p.data, long) {
		t.Error("the text is kept as it is")
	}
	if !bytes.Equal(s.Reveal(), long) {
		t.Error("the text does not come back")
	}
}
