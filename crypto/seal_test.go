package crypto

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// The known answer of the format: this value, at this place, under this key and nonce, is this text. It never changes.
var (
	knownPlace = Place{Record: "EXI-1234-1234-0001", Kind: "config", Pointer: "/adobe_secret"}
	knownValue = []byte(`"s3cr3t"`)
	knownNonce = count(0x40, 24)
)

const knownText = "isv1.AQEAAAABQEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX-uP57UQspAcaHz7zL23KdjtgrCN421Im5si7f4QgoEQ-Tbg14JToAYjsFSNIiuQHtm15dbKITWqmuroFigovgxTWjowLxNQ6q0OcIyFoGro"

// A value of suite 2, sealed once at the known place under the known key. It opens for ever.
const knownTextGCM = "isv1.AQIAAAABwkjSzLkMIp_bxck_mlhV_ypExQtnReNXoQHXsQmBY1fEY05Ww_TJdfVHUsBse9Ebuo4Lms9ebzkR1odZ--rWqk7-Lx6MngukPNtLfa2K29ByH7JSG5afdLnOmjM"

func knownKey(suite Suite) *DataKey {
	return must(DataKeyFromBytes(count(0, 32), 1, cmp.Or(suite, testSuite())))
}

func TestKnownAnswerAdditionalData(t *testing.T) {
	got := hex.EncodeToString(newValueAAD([]byte{1, 1, 0, 0, 0, 1}, knownPlace).buf)
	want := "00000005" + "00000004" + "69737631" + "00000006" + "010100000001" +
		"00000012" + "4558492d313233342d313233342d30303031" + "00000006" + "636f6e666967" +
		"0000000d" + "2f61646f62655f736563726574"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKnownAnswerSeal(t *testing.T) {
	needsXChaCha(t)
	sealed, err := knownKey(SuiteXChaCha20Poly1305).sealText(nil, knownPlace, knownValue, knownNonce)
	if err != nil {
		t.Fatal(err)
	}
	if got := EncodeText(sealed); got != knownText {
		t.Errorf("got %s, want %s", got, knownText)
	}
}

func TestKnownAnswerOpen(t *testing.T) {
	for name, text := range map[string]string{"XChaCha20-Poly1305": knownText, "AES-256-GCM": knownTextGCM} {
		// The suite of the key is for new values; it must not matter here.
		bothSuites(t, func(t *testing.T, suite Suite) {
			if text == knownText {
				needsXChaCha(t)
			}
			got, err := knownKey(suite).Open(nil, knownPlace, must(ParseText(text)))
			if err != nil || !bytes.Equal(got, knownValue) {
				t.Errorf("%s under a key for %v: got %q, %v, want %q", name, suite, got, err, knownValue)
			}
		})
	}
}

// TestAgainstPlainGCM opens a value of suite 2 with nothing but the standard library and the description of the format.
func TestAgainstPlainGCM(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("this process may not use GCM with a given nonce")
	}
	k := knownKey(SuiteAES256GCM)
	sealed := must(k.Seal(nil, knownPlace, knownValue))
	key := unhex("e7c4855487006dc3e2bd309816b68c7e631c93b71ade5ad177e41d480c07a6d5")
	gcm := must(cipher.NewGCM(must(aes.NewCipher(key))))
	aad := unhex("00000005" + "00000004" + "69737631" + "00000006" + "010200000001" +
		"00000012" + "4558492d313233342d313233342d30303031" + "00000006" + "636f6e666967" + "0000000d" + "2f61646f62655f736563726574")
	got, err := gcm.Open(nil, sealed[6:18], sealed[18:], aad)
	want := string(knownValue) + strings.Repeat(" ", 64-len(knownValue))
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestSealOpen(t *testing.T) {
	values := []string{
		`0`, `true`, `""`, `" "`, `null`, `"é\u0000"`, "{\n}", "[1]\n",
		`"` + strings.Repeat("x", 61) + `"`, `"` + strings.Repeat("x", 62) + `"`, `"` + strings.Repeat("x", 63) + `"`,
		`"` + strings.Repeat("long ", 1000) + `"`, `12345678901234567890.000`,
	}
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(7, suite))
		for _, v := range values {
			sealed, err := k.Seal([]byte("before"), knownPlace, []byte(v))
			if err != nil {
				t.Fatalf("Seal(%q): %v", v, err)
			}
			if sealed[6] != 1 || Suite(sealed[7]) != suite || binary.BigEndian.Uint32(sealed[8:]) != 7 {
				t.Errorf("header %x", sealed[6:12])
			}
			opened, err := k.Open([]byte("before"), knownPlace, sealed[6:])
			if err != nil {
				t.Fatalf("Open of %q: %v", v, err)
			}
			if got, want := string(sealed[:6])+string(opened), "beforebefore"+v; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

func TestSealTrimsSpaces(t *testing.T) {
	needsXChaCha(t) // for the length
	k := must(NewDataKey(1, testSuite()))
	sealed := must(k.Seal(nil, knownPlace, []byte("7"+strings.Repeat(" ", 200))))
	if got, want := len(sealed), 110; got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
	if got := must(k.Open(nil, knownPlace, sealed)); string(got) != "7" {
		t.Errorf("got %q, want 7", got)
	}
}

// TestOpenTakesAnyPadding: how much padding there is, is the sealer's choice and may change.
func TestOpenTakesAnyPadding(t *testing.T) {
	k := knownKey(0)
	for n := blockSize; n <= 2048; n += blockSize {
		text := plaintext{body: append(bytes.Clone(knownValue), bytes.Repeat([]byte(" "), n-len(knownValue))...), fill: ' '}
		if got, err := k.Open(nil, knownPlace, must(k.seal(nil, knownPlace, text, nil))); err != nil || !bytes.Equal(got, knownValue) {
			t.Errorf("%d bytes: got %q, %v", n, got, err)
		}
		content := plaintext{lead: []byte{0, 0, 0, 2}, body: append([]byte("xy"), make([]byte, n-6)...)}
		if got, err := k.OpenBinary(nil, knownPlace, must(k.seal(nil, knownPlace, content, nil))); err != nil || string(got) != "xy" {
			t.Errorf("%d bytes: got %q, %v", n, got, err)
		}
	}
}

func TestPaddedSize(t *testing.T) {
	for n, want := range map[int]int{0: 64, 1: 64, 64: 64, 65: 128, 512: 512, 513: 640, 576: 640, 577: 640, 1024: 1024, 1025: 1152, 2048: 2048, 2052: 2176} {
		if got := (plaintext{body: make([]byte, n)}).size(); got != want {
			t.Errorf("%d bytes: got %d, want %d", n, got, want)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	k := must(NewDataKey(1, testSuite()))
	for name, tc := range map[string]struct {
		value string
		want  error
	}{
		"empty":       {"", ErrValue},
		"spaces":      {"   ", ErrValue},
		"not UTF-8":   {"\"a\xffb\"", ErrValue},
		"cut rune":    {"\"\xc3", ErrValue},
		"surrogate":   {"\"\xed\xa0\x80\"", ErrValue},
		"one too big": {`"` + strings.Repeat("x", MaxValue-1) + `"`, ErrSize},
	} {
		got, err := k.Seal(nil, knownPlace, []byte(tc.value))
		if got != nil || !errors.Is(err, tc.want) {
			t.Errorf("%s: got %d bytes, error %v, want %v", name, len(got), err, tc.want)
		}
	}
	if _, err := k.SealBinary(nil, knownPlace, make([]byte, MaxBinary+1)); !errors.Is(err, ErrSize) {
		t.Errorf("SealBinary: got error %v, want %v", err, ErrSize)
	}
	var size *SizeError
	_, err := k.Seal(nil, knownPlace, bytes.Repeat([]byte("1"), MaxValue+1))
	if !errors.As(err, &size) || size.Size != MaxValue+1 || size.Limit != MaxValue {
		t.Errorf("got %v", err)
	}
}

func TestSealAtTheLimit(t *testing.T) {
	k := must(NewDataKey(1, testSuite()))
	value := bytes.Repeat([]byte("1"), MaxValue)
	if got := must(k.Open(nil, knownPlace, must(k.Seal(nil, knownPlace, value)))); !bytes.Equal(got, value) {
		t.Errorf("the longest value does not come back")
	}
	content := make([]byte, MaxBinary)
	sealed := must(k.SealBinary(nil, knownPlace, content))
	if got := must(k.OpenBinary(nil, knownPlace, sealed)); !bytes.Equal(got, content) {
		t.Errorf("the longest content does not come back")
	}
	if got := must(ParseText(EncodeText(sealed))); !bytes.Equal(got, sealed) {
		t.Errorf("the longest content has no text form")
	}
}

func TestSealBinary(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		for n := range 140 {
			content := count(0xf0, n) // not UTF-8, with zeros and spaces in it
			sealed := must(k.SealBinary(nil, knownPlace, content))
			if got, want := len(sealed)%blockSize, must(k.Seal(nil, knownPlace, []byte("1"))); got != len(want)%blockSize {
				t.Errorf("%d bytes: padded to %d", n, len(sealed))
			}
			for _, room := range []int{0, 300} {
				got, err := k.OpenBinary(append(make([]byte, 0, room), "before"...), knownPlace, sealed)
				if err != nil || string(got) != "before"+string(content) {
					t.Errorf("%d bytes: got %x, %v", n, got, err)
				}
				if tail := got[len(got):cap(got)]; n > 4 && room > 0 && bytes.Contains(tail, content[n-4:]) {
					t.Errorf("%d bytes: content is left behind the result: %x", n, tail)
				}
			}
		}
	})
}

func TestOpenBinaryRefusesOtherContent(t *testing.T) {
	k := must(NewDataKey(1, testSuite()))
	for name, p := range map[string]plaintext{
		"length beyond the end": {lead: []byte{0, 0, 0, 61}},
		"huge length":           {lead: []byte{0xff, 0xff, 0xff, 0xff}},
		"padding with spaces":   {lead: []byte{0, 0, 0, 1}, body: []byte("x"), fill: ' '},
		"JSON text":             {body: knownValue, fill: ' '},
	} {
		sealed := must(k.seal(nil, knownPlace, p, nil))
		got, err := k.OpenBinary(nil, knownPlace, sealed)
		if got != nil || !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	// And the other way round: padding alone is no JSON text.
	if got, err := k.Open(nil, knownPlace, must(k.seal(nil, knownPlace, plaintext{fill: ' '}, nil))); !errors.Is(err, ErrSealed) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOpenRefusesDamage(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := knownKey(suite)
		sealed := must(k.Seal(nil, knownPlace, knownValue))
		for name, m := range mutations(sealed) {
			if got, err := k.Open(nil, knownPlace, m); got != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		for name, m := range mutations([]byte(EncodeText(sealed))) {
			b, err := ParseText(string(m))
			if err == nil {
				_, err = k.Open(nil, knownPlace, b)
			}
			if !errors.Is(err, ErrSealed) {
				t.Errorf("text, %s: got error %v", name, err)
			}
		}
	})
}

func TestOpenRefusesMoved(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := knownKey(suite)
		sealed := must(k.Seal(nil, knownPlace, knownValue))
		p := knownPlace
		for name, at := range map[string]Place{
			"record":      {"EXI-1234-1234-0002", p.Kind, p.Pointer},
			"kind":        {p.Record, "connection", p.Pointer},
			"pointer":     {p.Record, p.Kind, "/adobe_secret2"},
			"letter case": {p.Record, p.Kind, "/Adobe_secret"},
			"shifted":     {p.Record + p.Kind[:1], p.Kind[1:], p.Pointer},
			"shifted 2":   {p.Record, p.Kind + p.Pointer, ""},
			"nowhere":     {},
		} {
			if got, err := k.Open(nil, at, sealed); got != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		other := must(DataKeyFromBytes(count(1, 32), 1, suite))
		later := must(DataKeyFromBytes(count(0, 32), 2, suite))
		for name, k := range map[string]*DataKey{"other key": other, "other generation": later} {
			if got, err := k.Open(nil, knownPlace, sealed); got != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		relabelled := bytes.Clone(sealed)
		relabelled[1] ^= 3
		if got, err := k.Open(nil, knownPlace, relabelled); got != nil || !errors.Is(err, ErrSealed) {
			t.Errorf("other suite: got %q, %v", got, err)
		}
	})
}

// TestOpenNamesNewerVersions: what a newer release sealed is refused as such, so that nobody takes it for damage.
func TestOpenNamesNewerVersions(t *testing.T) {
	k := knownKey(0)
	sealed := must(ParseText(knownText))
	for _, tc := range []struct {
		at   int
		want VersionError
	}{
		{0, VersionError{What: "value", Version: 9, Suite: 1}},
		{1, VersionError{What: "value", Version: 1, Suite: 9}},
	} {
		m := bytes.Clone(sealed)
		m[tc.at] = 9
		_, err := k.Open(nil, knownPlace, m)
		var got *VersionError
		if !errors.As(err, &got) || *got != tc.want || !errors.Is(err, ErrVersion) || !errors.Is(err, ErrSealed) {
			t.Errorf("got %v, want %v", err, &tc.want)
		}
	}
	m := bytes.Clone(sealed)
	m[len(m)-1]++
	if _, err := k.Open(nil, knownPlace, m); errors.Is(err, ErrVersion) {
		t.Errorf("damage is taken for a newer version: %v", err)
	}
	if got, want := (&VersionError{What: "record", Version: 2}).Error(), "installation: sealed in an unknown format version: record of version 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLengthsAndEqualityDoNotShow(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		short := must(k.Seal(nil, knownPlace, []byte(`"x"`)))
		for n := range 63 {
			value := []byte(`"` + strings.Repeat("x", n) + `"`)
			a, b := must(k.Seal(nil, knownPlace, value)), must(k.Seal(nil, knownPlace, value))
			if len(a) != len(short) {
				t.Errorf("%d characters: %d bytes, want %d", n, len(a), len(short))
			}
			if bytes.Equal(a[headerSize:], b[headerSize:]) || bytes.Equal(Tag(a), Tag(b)) {
				t.Errorf("%d characters: sealed twice with one result", n)
			}
			nonceSize, _ := suite.nonceSize()
			if x, y := a[headerSize+nonceSize:len(a)-tagSize], b[headerSize+nonceSize:len(b)-tagSize]; bytes.Equal(x, y) {
				t.Errorf("%d characters: two equal ciphertexts", n)
			}
		}
	})
}

func TestSealKeepsArguments(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		value := bytes.Clone(knownValue)
		sealed := must(k.Seal(make([]byte, 0, 500), knownPlace, value))
		before := bytes.Clone(sealed)
		opened := must(k.Open(make([]byte, 0, 500), knownPlace, sealed))
		clear(opened)
		if !bytes.Equal(value, knownValue) || !bytes.Equal(sealed, before) {
			t.Error("an argument was changed")
		}
	})
}

func TestTag(t *testing.T) {
	sealed := must(ParseText(knownText))
	if got, want := Tag(sealed), sealed[len(sealed)-16:]; !bytes.Equal(got, want) || cap(got) != 16 {
		t.Errorf("got %x, want %x", got, want)
	}
	tooLong := append(bytes.Clone(sealed), make([]byte, maxPadded)...)
	for _, b := range [][]byte{nil, sealed[:16], sealed[1:], sealed[:len(sealed)-1], tooLong} {
		if got := Tag(b); got != nil {
			t.Errorf("Tag of %d bytes: got %x, want nil", len(b), got)
		}
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		sealed, opened := make([]byte, 0, 512), make([]byte, 0, 512)
		value := bytes.Clone(knownValue)
		// Nothing beyond what the cipher itself needs, which is nothing where it is written in assembly.
		state, _ := k.material()
		aead := must(state.cipher(suite))
		nonce, raw := make([]byte, aead.NonceSize()), make([]byte, 0, 512)
		want := testing.AllocsPerRun(1000, func() {
			for range 2 {
				raw = aead.Seal(raw[:0], nonce, value, nil)
				opened, _ = aead.Open(opened[:0], nonce, raw, nil)
			}
		})
		got := testing.AllocsPerRun(1000, func() {
			sealed, _ = k.Seal(sealed[:0], knownPlace, value)
			opened, _ = k.Open(opened[:0], knownPlace, sealed)
			sealed, _ = k.SealBinary(sealed[:0], knownPlace, value)
			opened, _ = k.OpenBinary(opened[:0], knownPlace, sealed)
		})
		if got != want {
			t.Errorf("got %v allocations, want %v", got, want)
		}
	})
}

func FuzzOpen(f *testing.F) {
	needsXChaCha(f)
	seeds := 0
	for _, text := range []string{knownText, knownTextGCM} {
		b := must(ParseText(text))
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(b, make([]byte, blockSize)...))
		seeds += 3
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	k := knownKey(0)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := k.Open(nil, knownPlace, b)
		if err != nil {
			wantErr(t, err, ErrSealed)
			return
		}
		if text := EncodeText(b); text != knownText && text != knownTextGCM {
			t.Errorf("forged: %x opens as %q", b, got)
		}
	})
}

// The limits are part of what callers are told.
func TestLimits(t *testing.T) {
	if MaxValue != 1<<20 || MaxBinary != 16<<20 {
		t.Errorf("values of %d and content of %d bytes", MaxValue, MaxBinary)
	}
}
