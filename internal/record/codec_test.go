package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sample has a field of each kind.
type sample struct {
	Text     string
	Raw      string
	Bytes    []byte
	Int      int64
	Small    uint8
	Bool     bool
	Optional *bool
	Time     time.Time
	Texts    []string
	Raws     []string
	Times    map[string]time.Time
	Inner    inner
	Pointer  *inner
	Items    []inner
	Far      uint32 // its tag takes three bytes
}

type inner struct {
	Text string
	Deep *inner
}

func sampleFields(c *Coder, v *sample) {
	String(c, 1, &v.Text)
	Raw(c, 2, &v.Raw)
	Bytes(c, 3, &v.Bytes)
	Int(c, 4, &v.Int)
	Int(c, 5, &v.Small)
	Bool(c, 6, &v.Bool)
	OptionalBool(c, 7, &v.Optional)
	Time(c, 8, &v.Time)
	Strings(c, 9, &v.Texts)
	Raws(c, 10, &v.Raws)
	Times(c, 11, &v.Times)
	Message(c, 12, &v.Inner, innerFields)
	Pointer(c, 13, &v.Pointer, innerFields)
	Messages(c, 14, &v.Items, innerFields)
	Int(c, 5000, &v.Far)
}

func innerFields(c *Coder, v *inner) {
	String(c, 1, &v.Text)
	Pointer(c, 2, &v.Deep, leafFields)
}

func leafFields(c *Coder, v *inner) { String(c, 1, &v.Text) }

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)

func samples() []sample {
	yes, no := true, false
	long := strings.Repeat("long ", 100) // its length takes two bytes
	return []sample{
		{},
		{Text: "ä", Raw: "\xff\x00", Bytes: []byte{0}, Int: 1, Small: 255, Bool: true},
		{Int: -1, Optional: &no, Time: testTime},
		{Int: math.MinInt64, Optional: &yes, Time: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Int: math.MaxInt64, Far: math.MaxUint32, Texts: []string{"", "a", ""}},
		{Raws: []string{"\xff", ""}, Times: map[string]time.Time{"b": testTime, "": {}, "a": {}}},
		{Pointer: &inner{}, Items: []inner{{}, {Text: long, Deep: &inner{Text: long}}, {}}},
		{Inner: inner{Deep: &inner{}}, Pointer: &inner{Text: "p"}, Text: long},
		{Items: slices.Repeat([]inner{{Text: long}}, 40)}, // its length takes three bytes
	}
}

func decodeSample(b []byte) (*sample, error) {
	v := new(sample)
	return v, Decode(b, v, sampleFields)
}

func TestDecodeReturnsWhatWasEncoded(t *testing.T) {
	for i, want := range samples() {
		b := Append([]byte("before"), &want, sampleFields)
		if !bytes.HasPrefix(b, []byte("before")) {
			t.Fatalf("sample %d: Append changed the bytes before", i)
		}
		got, err := decodeSample(b[len("before"):])
		if err != nil {
			t.Errorf("sample %d: %v", i, err)
			continue
		}
		if diff := cmp.Diff(&want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("sample %d (-want +got):\n%s", i, diff)
		}
		if got.Time.Location() != time.UTC {
			t.Errorf("sample %d: time in %v", i, got.Time.Location())
		}
	}
}

// otherEncodings are inputs in hex that no encoder writes, by what is wrong with them.
var otherEncodings = map[string]string{
	"string with another wire type":    "080161",
	"number with another wire type":    "2201",
	"bytes with another wire type":     "180161",
	"bool with another wire type":      "3201",
	"optional with another wire type":  "3a01",
	"items with another wire type":     "7000",
	"strings with another wire type":   "480161",
	"message with another wire type":   "60030a0161",
	"pointer with another wire type":   "6800",
	"fixed number":                     "210100000000000000",
	"group":                            "0b0c",
	"field 0":                          "0000",
	"field 0 at the end":               "0a01610201",
	"unknown field":                    "7a00",
	"unknown field in a message":       "62031a0131",
	"unknown field of a known type":    "7801",
	"number beyond the largest":        "82808080808080010131",
	"repeated field":                   "0a01610a0162",
	"descending fields":                "120161" + "0a0161",
	"repeated run in two parts":        "4a0161" + "520161" + "4a0161",
	"empty string":                     "0a00",
	"empty raw":                        "1200",
	"empty bytes":                      "1a00",
	"zero number":                      "2000",
	"false":                            "3000",
	"bool of two":                      "3002",
	"optional of two":                  "3802",
	"zero time":                        "4000",
	"empty message":                    "6200",
	"message of an empty field":        "62020a00",
	"long varint":                      "208100",
	"long zero":                        "208000",
	"varint beyond 64 bits":            "20ffffffffffffffffff02",
	"varint without end":               "20ff",
	"small number too large":           "288102",
	"tag not the shortest":             "8a000161",
	"length not the shortest":          "0a810061",
	"length beyond the input":          "0a0261",
	"length beyond the message":        "62030a0261" + "6262",
	"huge length":                      "0affffffffffffffffff01",
	"only a tag":                       "0a",
	"half a tag":                       "ff",
	"string not UTF-8":                 "0a01ff",
	"strings not UTF-8":                "4a01ff",
	"last item cut off":                "7200720372",
	"map out of order":                 "5a030a0162" + "5a030a0161",
	"map with a key twice":             "5a030a0161" + "5a030a0161",
	"map entry with an unknown field":  "5a03120161",
	"map entry with an explicit zero":  "5a050a01611000",
	"deep message with more than that": "6a04120212" + "00",
}

func TestDecodeRejectsOtherEncodings(t *testing.T) {
	for name, input := range otherEncodings {
		b, err := hex.DecodeString(input)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if v, err := decodeSample(b); !errors.Is(err, crypto.ErrSealed) {
			t.Errorf("%s: accepted as %+v, %v", name, v, err)
		}
	}
}

func TestDecodeReadsNothingAfterRejection(t *testing.T) {
	b := Append(nil, &sample{Text: "\xff", Raw: "raw", Int: 1}, sampleFields)
	if v, err := decodeSample(b); err == nil || v.Raw != "" || v.Int != 0 {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestDecodeRejectsEachPrefixAndSuffix(t *testing.T) {
	// One field of a known length: every cut is in the middle of it.
	want := sample{Items: []inner{{Text: "text", Deep: &inner{Text: "deep"}}}}
	b := Append(nil, &want, sampleFields)
	for n := 1; n < len(b); n++ {
		if _, err := decodeSample(b[:n]); err == nil {
			t.Errorf("accepted the first %d of %d bytes", n, len(b))
		}
	}
	if _, err := decodeSample(append(b, 0)); err == nil {
		t.Error("accepted one more byte")
	}
}

func TestDecodeCapsInput(t *testing.T) {
	item := []byte{0x72, 0x00}
	for n, ok := range map[int]bool{maxItems: true, maxItems + 1: false} {
		if _, err := decodeSample(bytes.Repeat(item, n)); (err == nil) != ok {
			t.Errorf("%d items: %v", n, err)
		}
		if _, err := decodeSample(bytes.Repeat([]byte{0x4a, 0x00}, n)); (err == nil) != ok {
			t.Errorf("%d strings: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{MaxRead - 10: true, MaxRead: false} {
		b := Append(nil, &sample{Bytes: make([]byte, n)}, sampleFields)
		if _, err := decodeSample(b); (err == nil) != ok {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

func TestBytesShareTheInputAndStringsDoNot(t *testing.T) {
	b := Append(nil, &sample{Text: "text", Bytes: []byte("bytes")}, sampleFields)
	v, err := decodeSample(b)
	if err != nil {
		t.Fatal(err)
	}
	if cap(v.Bytes) != len(v.Bytes) {
		t.Error("appending to the bytes would write into the input")
	}
	clear(b)
	if v.Text != "text" || !bytes.Equal(v.Bytes, make([]byte, 5)) {
		t.Errorf("after clearing the input: %q, %q", v.Text, v.Bytes)
	}
}

func TestDescriptionOutOfOrderPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Append(nil, &inner{}, func(c *Coder, v *inner) {
		String(c, 2, &v.Text)
		String(c, 1, &v.Text)
	})
}

func TestRequireRejectsInput(t *testing.T) {
	never := func(c *Coder, v *inner) {
		String(c, 1, &v.Text)
		c.Require(false)
	}
	b := Append(nil, &inner{Text: "a"}, never)
	if err := Decode(b, new(inner), never); !errors.Is(err, crypto.ErrSealed) {
		t.Errorf("got %v, want ErrSealed", err)
	}
}

func TestCheckVersion(t *testing.T) {
	b, err := CheckVersion([]byte{Version, 7}, "thing")
	if err != nil || !bytes.Equal(b, []byte{7}) {
		t.Errorf("got %x, %v", b, err)
	}
	if _, err := CheckVersion(nil, "thing"); err != crypto.ErrSealed {
		t.Errorf("nothing: %v", err)
	}
	_, err = CheckVersion([]byte{Version + 1}, "thing")
	version, ok := errors.AsType[*crypto.VersionError](err)
	if !ok || version.What != "thing" || version.Version != Version+1 {
		t.Errorf("another version: %v", err)
	}
}

// FuzzCoder proves that accepted bytes are what writing gives, and that reading is stable.
func FuzzCoder(f *testing.F) {
	for _, v := range samples() {
		f.Add(Append(nil, &v, sampleFields))
	}
	f.Add([]byte("\x0a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		v, err := decodeSample(b)
		if !bytes.Equal(b, given) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if err != crypto.ErrSealed {
				t.Fatalf("got %v, want ErrSealed", err)
			}
			return
		}
		again := Append(nil, v, sampleFields)
		if !bytes.Equal(b, again) {
			t.Fatalf("accepted %x, which is written as %x", b, again)
		}
		w, err := decodeSample(again)
		if diff := cmp.Diff(v, w, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v (-first +second):\n%s", err, diff)
		}
	})
}
