package crypto

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestSealOpen(t *testing.T) {
	values := []string{
		`0`, `true`, `""`, `" "`, `null`, `"é\u0000"`, "{\n}", "[1]\n",
		`12345678901234567890.000`,
		`"` + strings.Repeat("x", 61) + `"`, `"` + strings.Repeat("x", 62) + `"`,
		`"` + strings.Repeat("x", 63) + `"`, `"` + strings.Repeat("long ", 1000) + `"`,
	}
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(7, suite))
		for _, v := range values {
			sealed, err := k.Seal([]byte("before"), knownPlace, []byte(v))
			if err != nil {
				t.Fatalf("Seal(%q): %v", v, err)
			}
			header := sealed[6:12]
			if want := []byte{2, byte(suite), 0, 0, 0, 7}; !bytes.Equal(header, want) {
				t.Errorf("header %x", header)
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
	k := must(NewDataKey(1, SuiteAES256GCM))
	sealed := must(k.Seal(nil, knownPlace, []byte("7"+strings.Repeat(" ", 200))))
	if got, want := len(sealed), headerSize+gcmNonceSize+64+tagSize; got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
	if got := must(k.Open(nil, knownPlace, sealed)); string(got) != "7" {
		t.Errorf("got %q, want 7", got)
	}
}

func TestPaddedSize(t *testing.T) {
	for n, want := range map[int]int{
		0: 64, 1: 64, 64: 64, 65: 128, 512: 512, 513: 640, 576: 640, 577: 640,
		1024: 1024, 1025: 1152, 2048: 2048, 2052: 2176,
	} {
		if got := (plaintext{body: make([]byte, n)}).size(); got != want {
			t.Errorf("%d bytes: got %d, want %d", n, got, want)
		}
	}
}

func TestSealRejectsBadValues(t *testing.T) {
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
	_, err := k.SealBinary(nil, knownPlace, make([]byte, MaxBinary+1))
	wantErr(t, err, ErrSize)
	var size *SizeError
	_, err = k.Seal(nil, knownPlace, bytes.Repeat([]byte("1"), MaxValue+1))
	if !errors.As(err, &size) || size.Size != MaxValue+1 || size.Limit != MaxValue {
		t.Errorf("got %v", err)
	}
}

func TestSealAtTheLimit(t *testing.T) {
	if MaxValue != 1<<20 || MaxBinary != 16<<20 { // callers are told these limits
		t.Errorf("values of %d and content of %d bytes", MaxValue, MaxBinary)
	}
	k := must(NewDataKey(1, testSuite()))
	value := bytes.Repeat([]byte("1"), MaxValue)
	sealed := must(k.Seal(nil, knownPlace, value))
	if got := must(k.Open(nil, knownPlace, sealed)); !bytes.Equal(got, value) {
		t.Errorf("the longest value does not come back")
	}
	content := make([]byte, MaxBinary)
	sealed = must(k.SealBinary(nil, knownPlace, content))
	if got := must(k.OpenBinary(nil, knownPlace, sealed)); !bytes.Equal(got, content) {
		t.Errorf("the longest content does not come back")
	}
}

func TestSealBinary(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		overhead := headerSize + suite.nonceSize() + tagSize
		for n := range 140 {
			content := count(0xf0, n) // not UTF-8, with zeros and spaces in it
			sealed := must(k.SealBinary(nil, knownPlace, content))
			if (len(sealed)-overhead)%blockSize != 0 {
				t.Errorf("%d bytes: padded to %d", n, len(sealed)-overhead)
			}
			for _, room := range []int{0, 300} {
				dst := append(make([]byte, 0, room), "before"...)
				got, err := k.OpenBinary(dst, knownPlace, sealed)
				if err != nil || string(got) != "before"+string(content) {
					t.Errorf("%d bytes: got %x, %v", n, got, err)
				}
				tail := got[len(got):cap(got)]
				if n > 4 && room > 0 && bytes.Contains(tail, content[n-4:]) {
					t.Errorf("%d bytes: content remains behind the result: %x", n, tail)
				}
			}
		}
	})
}

func TestSealHidesLengthAndEquality(t *testing.T) {
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
			start, end := headerSize+suite.nonceSize(), len(a)-tagSize
			if bytes.Equal(a[start:end], b[start:end]) {
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
	sealed := must(knownKey(0).Seal(nil, knownPlace, knownValue))
	got, want := Tag(sealed), sealed[len(sealed)-16:]
	if !bytes.Equal(got, want) || cap(got) != 16 {
		t.Errorf("got %x, want %x", got, want)
	}
	tooLong := append(bytes.Clone(sealed), make([]byte, maxPadded)...)
	for _, b := range [][]byte{nil, sealed[:16], sealed[1:], sealed[:len(sealed)-1], tooLong} {
		if got := Tag(b); got != nil {
			t.Errorf("Tag of %d bytes: got %x, want nil", len(b), got)
		}
	}
}

func TestSealAndOpenAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	bothSuites(t, func(t *testing.T, suite Suite) {
		k := must(NewDataKey(1, suite))
		sealed, opened := make([]byte, 0, 512), make([]byte, 0, 512)
		value := bytes.Clone(knownValue)
		got := testing.AllocsPerRun(1000, func() {
			sealed, _ = k.Seal(sealed[:0], knownPlace, value)
			opened, _ = k.Open(opened[:0], knownPlace, sealed)
			sealed, _ = k.SealBinary(sealed[:0], knownPlace, value)
			opened, _ = k.OpenBinary(opened[:0], knownPlace, sealed)
		})
		if got != 0 {
			t.Errorf("got %v allocations, want 0", got)
		}
	})
}
