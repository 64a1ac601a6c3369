package record

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
)

// contentName writes the name in Content.
func contentName(c *Coder) {
	name := "Acme"
	String(c, 1, &name)
}

// protoMessage is an encoded message and its text as protoc decodes it.
type protoMessage struct {
	message string
	encoded []byte
	want    string
}

// protoMessages returns one message of each kind in which every field has a value.
func protoMessages() []protoMessage {
	body := &Body{
		Lifecycle: lifecycleBytes, Manifest: []byte("sealed manifest"),
		Key: crypto.Wrapped{KeyID: "k1", Bytes: []byte("wrapped key")},
		Values: []Value{
			{"config/a", []byte("one")}, {"config/b", []byte("two")},
		},
	}
	return []protoMessage{
		{"Body", body.Append(nil)[1:], bodyText},
		{"Manifest", manifests()[0].Append(nil, contentName), manifestText},
		{"Outcome", outcomes[0].Append(nil)[1:], outcomeText},
		{"Answer", answers()[0].Append(nil), answerText},
	}
}

// TestProtoFileDescribesTheFormats decodes each message with protoc. Every field has a
// value, so a number or type that differs from docs/record.proto changes the text.
func TestProtoFileDescribesTheFormats(t *testing.T) {
	needProtoc(t)
	for _, test := range protoMessages() {
		got := protocDecode(t, test.message, test.encoded)
		if diff := cmp.Diff(strings.TrimSpace(test.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.message, diff)
		}
	}
}

// The messages of protoMessages as protoc decodes them.
var (
	bodyText = `
lifecycle {
  status: "installed"
  generation: 1
}
manifest: "sealed manifest"
key_id: "k1"
key: "wrapped key"
values {
  ref: "config/a"
  sealed: "one"
}
values {
  ref: "config/b"
  sealed: "two"
}`
	manifestText = `
id: "i"
generation: 1
revision: 2
epoch: 3
lifecycle {
  status: "installed"
  generation: 1
}
table {
  ref: "config"
  tag: "0123456789abcde\377"
}
table {
  ref: "config/a\000b/\303\274"
  tag: "0123456789abcde\377"
}
table {
  ref: "credential/api_key"
  tag: "0123456789abcde\377"
  number: 4
}
rule: "r1"
index_version: 2
claims: "a"
claims: "b"
code_hash: "hash"
redeemer: "ACC-1"
credential_number: 4
content {
  name: "Acme"
}
code_era: "era"`
	outcomeText = `
sealed: "sealed"
key_id: "k1"
key: "wrapped"`
	answerText = `
content: "sealed"
code: "sealed code"
fingerprint: "` + strings.Repeat(`\007`, 32) + `"
id: "i"
generation: 1
revision: 2
verdict: CREATED
data_key: 3
epoch: 4`
)

// TestVerdictNames compares the verdicts with the enum in docs/record.proto.
func TestVerdictNames(t *testing.T) {
	needProtoc(t)
	for verdict, name := range map[Verdict]string{
		Unchanged: "UNCHANGED", Changed: "CHANGED", Created: "CREATED", Removed: "REMOVED",
	} {
		a := *answers()[0]
		a.Verdict = verdict
		got := protocDecode(t, "Answer", a.Append(nil))
		if !strings.Contains(got, "verdict: "+name+"\n") {
			t.Errorf("verdict %d is not %s:\n%s", verdict, name, got)
		}
	}
}

// TestMapsAndTimesAreProtobuf decodes a map, negative numbers and an optional bool with
// protoc.
func TestMapsAndTimesAreProtobuf(t *testing.T) {
	needProtoc(t)
	type consent struct{ policies map[string]time.Time }
	c := consent{map[string]time.Time{"b": testTime, "a": time.Time{}.Add(-time.Second)}}
	encoded := Append(nil, &c, func(c *Coder, v *consent) { Times(c, 2, &v.policies) })
	want := `policies {
  key: "a"
  value: -1000000
}
policies {
  key: "b"
  value: 63907963200000001
}`
	if diff := cmp.Diff(want, protocDecode(t, "Consent", encoded)); diff != "" {
		t.Errorf("Consent (-want +got):\n%s", diff)
	}
	no := false
	encoded = Append(nil, &no, func(c *Coder, v *bool) { p := v; OptionalBool(c, 6, &p) })
	if got := protocDecode(t, "BillingPlan", encoded); got != "payment_method_required: false" {
		t.Errorf("BillingPlan: %s", got)
	}
}

func needProtoc(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Skip("protoc is not installed: docs/record.proto is not compared with the code")
	}
}

func protocDecode(t *testing.T, message string, encoded []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "protoc", "--proto_path=../../docs",
		"--decode=installation.record."+message, "record.proto")
	cmd.Stdin = bytes.NewReader(encoded)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("protoc: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
