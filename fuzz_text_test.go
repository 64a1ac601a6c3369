package installation

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
)

// fuzzSeeds stops a target that has no seeds. They are made in code so that they follow what it
// tests.
func fuzzSeeds(f *testing.F, n int) {
	f.Helper()
	if n == 0 {
		f.Fatal("no seeds")
	}
}

var fuzzTime = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)

// FuzzCode: retyping a code by the documented liberties leads to the same hash, everything else
// to another one.
func FuzzCode(f *testing.F) {
	seeds := []string{
		"inv_0123456789abcdefghjkmnpqrstvwxyz",
		"inv_60r30c1g60r30c1g60r30c1g60r30c1g",
		"inv_",
		"INV_OIL",
		" inv_x\n",
		"inv_\x00",
		"inv_\xff",
		"\u212a",
		"",
		"***",
		"invinv_",
	}
	for _, s := range seeds {
		f.Add(s)
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text string) {
		hash := hashCode(crypto.NewSecret(text))
		if hash != hashCode(crypto.SecretFromBytes([]byte(text))) {
			t.Fatal("not the same twice")
		}
		ascii := strings.Trim(text, "i_0123456789abcdefghjkmnpqrstvwxyz") == ""
		if rest, ok := strings.CutPrefix(text, codePrefix); ok && ascii {
			for _, again := range []string{
				strings.ToUpper(text), "\t " + text + " \r\n", codePrefix + strings.ReplaceAll(rest, "0", "O"),
				codePrefix + strings.ReplaceAll(rest, "1", "i"), "Inv_" + strings.ReplaceAll(rest, "1", "L"),
			} {
				if hashCode(crypto.NewSecret(again)) != hash {
					t.Fatalf("%q is another code than %q", again, text)
				}
			}
		}
		// Another character is another code.
		code := []byte("inv_0123456789abcdefghjkmnpqrstvwxyz")
		if text == "" {
			return
		}
		code[len(codePrefix)+int(text[0])%32] = codeLetter(text)
		want := strings.EqualFold(string(code), "inv_0123456789abcdefghjkmnpqrstvwxyz")
		if got := hashCode(
			crypto.NewSecret(string(code)),
		) == hashCode(
			crypto.NewSecret("inv_0123456789abcdefghjkmnpqrstvwxyz"),
		); got != want {
			t.Fatalf("%s is the same code: %v, want %v", code, got, want)
		}
	})
}

// codeLetter picks a letter of the alphabet of codes.
func codeLetter(text string) byte {
	return "0123456789abcdefghjkmnpqrstvwxyz"[int(text[len(text)-1])%32]
}

// FuzzPeriod: a period is refused, or leads to one later moment, and is written in one way
// only.
func FuzzPeriod(f *testing.F) {
	seeds := []string{
		"7d",
		"1m",
		"1y",
		"99y",
		"999d",
		"999m",
		"2w",
		"0d",
		"100y",
		"07d",
		"+1d",
		"-1d",
		"1",
		"d",
		"",
		"1e1d",
		"9999999999999999999d",
		"٧d",
		"7D",
	}
	for _, s := range seeds {
		f.Add(s, int64(0))
		f.Add(s, time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC).Unix())
		f.Add(s, time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC).Unix())
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		from := time.Unix(unix%(1<<37), 0) // some thousand years
		to, err := Period(text).After(from)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || !to.IsZero() ||
				text != "" && len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Fatalf("got %v, %v, want ErrInvalid that quotes nothing", to, err)
			}
			return
		}
		if len(text) > 4 || strings.TrimLeft(text[:len(text)-1], "0123456789") != "" ||
			text[0] == '0' {
			t.Fatalf("%q is taken", text)
		}
		longest := from.AddDate(100, 0, 0)
		if !to.After(from) || to.After(longest) || to.Location() != time.UTC {
			t.Fatalf("%q after %v is %v", text, from, to)
		}
		from = from.UTC()
		if h, m, s := to.Clock(); h != from.Hour() || m != from.Minute() || s != from.Second() {
			t.Fatalf("%q after %v is %v: the time of day moved", text, from, to)
		}
		if unit := text[len(text)-1]; unit == 'm' || unit == 'y' {
			last := time.Date(to.Year(), to.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
			if to.Day() != min(from.Day(), last) {
				t.Fatalf(
					"%q after %v is %v: want day %d or the last of the month",
					text,
					from,
					to,
					from.Day(),
				)
			}
		}
	})
}

// FuzzAcceptURL: an address is refused, or leads to where it says and holds the code once.
func FuzzAcceptURL(f *testing.F) {
	seeds := []string{
		"https://portal.example/accept",
		"https://portal.example/accept?lang=en&code=old",
		"http://localhost:8080/",
		"http://127.0.0.1/x",
		"http://[::1]/",
		"//evil.example/x",
		"javascript:alert(1)",
		"http:///x",
		"https://good.example:443@evil.example/",
		"https://a.example/#f",
		"http://a.example/",
		"https://a.example/?q=%zz",
		"https://a.example/%2f..",
		"https:a.example",
		"https://a.example\\@b.example/",
		"HTTPS://A.example",
		"https://",
		"https://:443/",
		"",
		"https://a.example/?a;b=c",
		"http://localhost.evil.example/",
		"https://a.example/?code",
		"https://a b.example/",
		"https://a.example/\n",
	}
	for _, s := range seeds {
		f.Add(s, "inv_0123")
		f.Add(s, "&admin=1#\r\n%00 ü")
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text, code string) {
		base, err := parseAcceptURL(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || base != nil ||
				len(text) > 30 && strings.Contains(err.Error(), text) {
				t.Fatalf("got %v, %v, want ErrInvalid that does not quote the address", base, err)
			}
			return
		}
		before := *base
		if got := acceptURL(base, Key{ID: "i"}, crypto.Secret{}); !got.IsZero() {
			t.Fatal("an address without a code")
		}
		got, err := url.Parse(
			acceptURL(base, Key{Tenant: "t", ID: "i"}, crypto.NewSecret(code)).RevealString(),
		)
		if err != nil {
			t.Fatalf("what was made of %q does not parse: %v", text, err)
		}
		if *base != before {
			t.Fatal("the configured address was changed")
		}
		loopback := slices.Contains([]string{"localhost", "::1"}, got.Hostname()) ||
			strings.HasPrefix(got.Hostname(), "127.") ||
			strings.Contains(got.Hostname(), ":")
		if got.Scheme != "https" && (got.Scheme != "http" || !loopback) || got.Hostname() == "" ||
			got.User != nil ||
			got.Fragment != "" {
			t.Fatalf("%q leads to %v", text, got)
		}
		if got.Scheme != base.Scheme || got.Host != base.Host || got.Path != base.Path {
			t.Fatalf("%q became %v", text, got)
		}
		q, err := url.ParseQuery(got.RawQuery)
		if err != nil || len(q["code"]) != 1 || q.Get("code") != code {
			t.Fatalf("the code in %v is %q, error %v", got, q["code"], err)
		}
		for name, values := range base.Query() {
			if name != "code" && !slices.Equal(q[name], values) {
				t.Fatalf("%q lost its parameter %q", text, name)
			}
		}
	})
}
