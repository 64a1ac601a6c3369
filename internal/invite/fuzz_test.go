package invite

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
)

// fuzzSeeds ends a fuzz target without seeds.
func fuzzSeeds(f *testing.F, n int) {
	f.Helper()
	if n == 0 {
		f.Fatal("no seeds")
	}
}

// FuzzCode checks that a code has the same hash in each documented spelling, and that another
// code has another hash.
func FuzzCode(f *testing.F) {
	const sample = "inv_0123456789abcdefghjkmnpqrstvwxyz"
	seeds := []string{
		sample, "inv_60r30c1g60r30c1g60r30c1g60r30c1g", "inv_",
		"INV_OIL", " inv_x\n", "inv_\x00", "inv_\xff", "\u212a", "", "***", "invinv_",
	}
	for _, s := range seeds {
		f.Add(s)
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text string) {
		hash := Hash(crypto.NewSecret(text))
		if hash != Hash(crypto.SecretFromBytes([]byte(text))) {
			t.Fatal("the hash differs between two calls")
		}
		ascii := strings.Trim(text, "i_0123456789abcdefghjkmnpqrstvwxyz") == ""
		if rest, ok := strings.CutPrefix(text, prefix); ok && ascii {
			for _, again := range []string{
				strings.ToUpper(text), "\t " + text + " \r\n",
				prefix + strings.ReplaceAll(rest, "0", "O"),
				prefix + strings.ReplaceAll(rest, "1", "i"),
				"Inv_" + strings.ReplaceAll(rest, "1", "L"),
			} {
				if Hash(crypto.NewSecret(again)) != hash {
					t.Fatalf("%q is another code than %q", again, text)
				}
			}
		}
		// Another character makes another code.
		code := []byte(sample)
		if text == "" {
			return
		}
		code[len(prefix)+int(text[0])%32] = codeLetter(text)
		want := strings.EqualFold(string(code), sample)
		got := Hash(crypto.NewSecret(string(code))) == Hash(crypto.NewSecret(sample))
		if got != want {
			t.Fatalf("%s is the same code: %v, want %v", code, got, want)
		}
	})
}

// codeLetter returns a letter of the alphabet of codes.
func codeLetter(text string) byte {
	return "0123456789abcdefghjkmnpqrstvwxyz"[int(text[len(text)-1])%32]
}

// FuzzPeriod checks that each period is rejected or leads to a later time, and that only one
// spelling of a period is accepted.
func FuzzPeriod(f *testing.F) {
	seeds := []string{
		"7d", "1m", "1y", "99y", "999d", "999m", "2w", "0d", "100y", "07d", "+1d", "-1d",
		"1", "d", "", "1e1d", "9999999999999999999d", "٧d", "7D",
	}
	for _, s := range seeds {
		f.Add(s, int64(0))
		f.Add(s, time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC).Unix())
		f.Add(s, time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC).Unix())
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		from := time.Unix(unix%(1<<37), 0) // some thousand years
		to, ok := AddPeriod(from, text)
		if !ok {
			if !to.IsZero() {
				t.Fatalf("got %v for a malformed period", to)
			}
			return
		}
		if len(text) > 4 || strings.TrimLeft(text[:len(text)-1], "0123456789") != "" ||
			text[0] == '0' {
			t.Fatalf("%q was accepted", text)
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
				t.Fatalf("%q after %v is %v: want day %d or the last of the month",
					text, from, to, from.Day())
			}
		}
	})
}

// FuzzAcceptURL checks that an address is rejected or keeps its target and gets the code
// exactly once.
func FuzzAcceptURL(f *testing.F) {
	seeds := []string{
		"https://portal.example/accept", "https://portal.example/accept?lang=en&code=old",
		"http://localhost:8080/", "http://127.0.0.1/x", "http://[::1]/",
		"//evil.example/x", "javascript:alert(1)", "http:///x",
		"https://good.example:443@evil.example/", "https://a.example/#f", "http://a.example/",
		"https://a.example/?q=%zz", "https://a.example/%2f..", "https:a.example",
		"https://a.example\\@b.example/", "HTTPS://A.example", "https://", "https://:443/", "",
		"https://a.example/?a;b=c", "http://localhost.evil.example/", "https://a.example/?code",
		"https://a b.example/", "https://a.example/\n",
	}
	for _, s := range seeds {
		f.Add(s, "inv_0123")
		f.Add(s, "&admin=1#\r\n%00 ü")
	}
	fuzzSeeds(f, len(seeds))
	f.Fuzz(func(t *testing.T, text, code string) {
		base, err := ParseURL(text)
		if err != nil {
			if base != nil || len(text) > 30 && strings.Contains(err.Error(), text) {
				t.Fatalf("got %v, %v, want an error that does not repeat the address", base, err)
			}
			return
		}
		before := *base
		if got := URL(base, "", "i", crypto.Secret{}); !got.IsZero() {
			t.Fatal("got an address without a code")
		}
		got, err := url.Parse(URL(base, "t", "i", crypto.NewSecret(code)).RevealString())
		if err != nil {
			t.Fatalf("the address made of %q does not parse: %v", text, err)
		}
		if *base != before {
			t.Fatal("the configured address was changed")
		}
		loopback := slices.Contains([]string{"localhost", "::1"}, got.Hostname()) ||
			strings.HasPrefix(got.Hostname(), "127.") || strings.Contains(got.Hostname(), ":")
		if got.Scheme != "https" && (got.Scheme != "http" || !loopback) ||
			got.Hostname() == "" || got.User != nil || got.Fragment != "" {
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
