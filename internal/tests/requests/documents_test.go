package requests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// An absent part keeps the stored one, null removes it, and a value replaces it.
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
	if !body.Null.Removes() || body.Null.IsZero() ||
		!body.Absent.IsZero() || body.Absent.Removes() {
		t.Errorf("null %+v, absent %+v", body.Null, body.Absent)
	}
	printed := fmt.Sprintf("%v %+v %v", body.Absent, body.Null, body.Value)
	if printed != "keep remove v" {
		t.Errorf("printed as %s", printed)
	}
	b, err := json.Marshal(body)
	if err != nil || string(b) != `{"null":null,"value":"v"}` {
		t.Errorf("written as %s, %v", b, err)
	}
}

// A document of a caller prints as a mask, and only Decode reads it.
func TestDocumentOfCallerPrintsMasked(t *testing.T) {
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
}

// DocumentOf rejects values that it cannot encode, and values with a secret that is not
// masked.
func TestDocumentOfRejectsSecrets(t *testing.T) {
	plain := installation.JSON(`{"secret":"c4nary"}`)
	if _, err := installation.DocumentOf(make(chan int)); err == nil {
		t.Error("a channel became a document")
	}
	type embedded struct{ Key crypto.Secret }
	for name, v := range map[string]any{
		"secret":   map[string]any{"a": []any{crypto.NewSecret("x")}},
		"document": struct{ D installation.Document }{plain},
		"embedded": struct{ embedded }{embedded{crypto.NewSecret("x")}},
		"pointer":  &embedded{crypto.NewSecret("x")},
	} {
		if _, err := installation.DocumentOf(v); err == nil {
			t.Errorf("%s: the secret became a mask in the document", name)
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
		t.Errorf("a tree whose links to parents are left out of JSON: %v", err)
	}
	if _, err := installation.DocumentOf(map[string]any{
		"a": installation.Value(crypto.NewSecret("x")),
	}); err == nil {
		t.Error("a secret in an Optional was accepted")
	}
	if d, err := installation.DocumentOf(embedded{crypto.Masked()}); err != nil ||
		!d.Equal(installation.JSON(`{"Key":"***"}`)) {
		t.Errorf("a masked secret: %v", err)
	}
}

// Equal compares contents, and a document decoded from null is zero.
func TestDocumentEqualAndZero(t *testing.T) {
	plain := installation.JSON(`{"secret":"c4nary"}`)
	if !plain.Equal(installation.JSON([]byte(`{"secret":"c4nary"}`))) ||
		plain.Equal(installation.JSON(`{}`)) || !(installation.Document{}).IsZero() {
		t.Error("Equal or IsZero is wrong")
	}
	var d installation.Document
	if err := json.Unmarshal([]byte(`null`), &d); err != nil || !d.IsZero() {
		t.Errorf("null is %v, %v", d, err)
	}
	if err := json.Unmarshal([]byte(`{"a":1}`), &d); err != nil ||
		!d.Equal(installation.JSON(`{"a":1}`)) {
		t.Errorf("an object is %v, %v", d, err)
	}
}
