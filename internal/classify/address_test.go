package classify

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// harmless are texts in which no program finds an address.
var harmless = []string{
	"", "eu", "Main - EU", "Acme, Inc.", "Procter & Gamble", "Ann O'Neil", "Dr. Ann Lee", "C++",
	"Orders #2", "1,234", "80%", "v1.2", "gpt-4.1", "a / b", "10x20", "123435384338765",
	"वित्त विभाग", "ฝ่ายขาย", "قسم المبيعات", "営業部（東京）", "カスタマー・サポート", "می\u200cخواهم", "Ship 🚀",
	"設定です。", "l’équipe", "№ 5", "25 °C", "a\u00a0b",
}

// harmful are texts that send a request elsewhere in some program, most of them inside a template
// such as https://api.{x}.example.
var harmful = []string{
	"evil.example", "evil.example/#", "#", "#a", "com /", "com/", "com?", "com#", `com\`,
	"evil:9092",
	"a@b", "a=b", "$x",
	"{x}", "`x`", "a;b", "a|b", "a<b", "a~", "^a", `"a"`, "[a]", "a\nb", "a\tb",
	"127.1", "1.1", "2130706433", "0x7f.1", "0x7F000001", "017700000001", "0", "00", "0x0", "x 0 y",
	"203.28929", "203.0.113.1", "::1", "localhost", "LOCALHOST", "localhost.", "a localhost",
	"local\u034fhost", "loc\u200dalhost", "evil。example", "evil｡example", "evil․example",
	"ｅｖｉｌ．ｃｏｍ", "０ｘ７ｆ０００００１", "evil℀", "evil\u00ad.example", "a.b", ".a", "a,b", "a/b", "//a",
	"/a", "4/5",
	"-x", "a -x", "a --insecure", "x%40y", "evil%2eexample", "a\u2044b", "a\u2028b", "a\u202eb",
	"a∕b", "a⁄b", "a\x00b", "a\u3164b",
	strings.Repeat("a", maxText+1), strings.Repeat("\ufdfa", maxText/3-1), "\ufdfa",
}

func TestHarmless(t *testing.T) {
	for _, text := range harmless {
		if !isHarmless(text) {
			t.Errorf("%q counts", text)
		}
	}
	for _, text := range harmful {
		if isHarmless(text) {
			t.Errorf("%q is harmless", text)
		}
	}
}

// Whatever two harmless texts are put into an address, the host stays the one of the address. A
// single text can still be one label, which is why names count too.
func FuzzHarmless(f *testing.F) {
	for i, text := range append(slices.Clone(harmless), harmful...) {
		f.Add(text, harmless[i%len(harmless)])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !isHarmless(a) || !isHarmless(b) {
			return
		}
		for _, address := range []string{
			"https://" + a + ".good.example/", "https://" + a + b + ".good.example/",
			"https://good.example/" + a + "/" + b, "https://good.example/?q=" + a + "&r=" + b,
			a + ".good.example", "https://" + a + "." + b + ".good.example:443/",
		} {
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "https" {
				continue
			}
			if host := u.Hostname(); host != "good.example" &&
				!strings.HasSuffix(host, ".good.example") {
				t.Errorf("%q has the host %q", address, host)
			}
		}
		if ip := net.ParseIP(strings.TrimSpace(a)); ip != nil {
			t.Errorf("%q is an address", a)
		}
	})
}
