package masked

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/go-installation/installation/internal/jsontree"
)

// This file has the names and forms by which a value is a destination if no schema declares it. The
// rule itself, and what a destination is, are in destination.go.

// Words that, anywhere in a name, make all strings with the name and below it an address.
var addressWords = wordSet(`
	url uri href host hostname endpoint domain subdomain proxy server origin webhook
	callback gateway broker port dsn
`)

// Last words of names that make only the strings directly at the name an address. An object with
// such a name is often a whole record with few addresses.
var addressNouns = wordSet(`
	address addr ip fqdn issuer authority instance shop site node smtp imap ldap
`)

// Last words of names that make a value an address only if it looks like a host. Such names are
// used for many other things too.
var addressHints = wordSet(`target destination base upstream relay`)

// One-word names of a part of an address.
var addressParts = wordSet(`scheme protocol`)

// Names of a part of an address, without separators. They count only next to another part of an
// address in the same object.
var addressCompanions = wordSet(`path basepath apipath query querystring userinfo`)

// Endings of names that are spelled as one word, like dbhost, or in unusual letter case. A name
// with such an ending counts like one with an addressWord.
var addressEndings = []string{
	"url", "uri", "href", "host", "hostname", "server", "endpoint", "domain", "proxy",
	"webhook", "callback", "gateway", "broker", "fqdn", "addr",
	"connectionstring", "connstring", "connstr", "datasource",
}

// Words with such an ending that are no addresses.
var otherEndings = wordSet(`ghost curl observer furl hurl burl purl`)

// Words before "address" that mean something other than a network address.
var otherAddresses = wordSet(`email mail mac postal street home billing shipping`)

// Last words of names that tell something about an address but do not name one: endpointId,
// proxyEnabled. A value that looks like an address counts nevertheless.
var aboutAddresses = wordSet(`
	id count enabled disabled verified type kind method mode policy format timeout ttl
	interval limit retries size length version status label title description comment expiry
	expires
`)

// Names of the two members of a pair such as {"name": "API_HOST", "value": ...}, where the string
// under the one name is the name of the value under the other.
var (
	pairNames  = wordSet(`name key`)
	pairValues = wordSet(`value values`)
)

// isPairValue reports whether a member name is that of the value in a pair.
func isPairValue(name string) bool {
	return len(name) <= maxPairValue && pairValues[squeeze(name)]
}

// maxPairValue is the maximum length in bytes of a name that is compared with pairValues. It leaves
// room for separators and for letters that fold to shorter ones.
const maxPairValue = 2 * len("values")

// reach is which part of a value counts as an address because of the name of the value.
type reach int

const (
	reachNone  reach = iota
	reachHosts       // the strings directly there, if they look like a host
	reachHere        // the strings directly there
	reachBelow       // all strings there and below
)

// addressReach returns the reach of a member name.
func addressReach(name string) reach {
	usual := splitName(name, capital)
	found := wordsReach(usual)
	for _, words := range otherReadings(name, usual) {
		found = max(found, wordsReach(words))
	}
	if found < reachBelow && endsLikeAddress(squeeze(name)) && !otherEnding(name) {
		found = reachBelow
	}
	return found
}

func wordsReach(words []string) reach {
	words = slices.DeleteFunc(slices.Clone(words), isVersion)
	if slices.ContainsFunc(words, isAddressWord) || len(words) == 1 && addressParts[words[0]] {
		return reachBelow
	}
	last := len(words) - 1
	switch {
	case last < 0:
		return reachNone
	case hasForm(words[last], addressNouns):
		if last > 0 && otherAddresses[words[last-1]] {
			return reachNone
		}
		return reachHere
	case hasForm(words[last], addressHints):
		return reachHosts
	}
	return reachNone
}

func isAddressWord(word string) bool {
	return hasForm(word, addressWords) || !hasForm(word, otherEndings) && endsLikeAddress(word)
}

// isVersion reports whether a word is v and a number.
func isVersion(word string) bool {
	number, ok := strings.CutPrefix(word, "v")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// endsLikeAddress reports whether a name ends in one of addressEndings. The name is in lower
// case, without separators.
func endsLikeAddress(name string) bool {
	return slices.ContainsFunc(forms(name), func(f string) bool {
		hasEnding := func(end string) bool { return strings.HasSuffix(f, end) }
		return addressWords[f] && f != "port" || slices.ContainsFunc(addressEndings, hasEnding)
	})
}

// otherEnding reports whether the last word of a name is one of otherEndings.
func otherEnding(name string) bool {
	words := splitName(name, capital)
	return len(words) > 0 && hasForm(words[len(words)-1], otherEndings)
}

// squeeze returns a name in lower case and without separators.
func squeeze(name string) string {
	return fold(strings.Map(func(r rune) rune {
		if !isWordRune(r) {
			return -1
		}
		return r
	}, name))
}

// forms returns the forms in which a word is looked up: as it is, without a trailing number and a v
// before the number, and in the singular.
func forms(word string) []string {
	unnumbered := strings.TrimRight(word, "0123456789")
	list := []string{word, unnumbered}
	if v, ok := strings.CutSuffix(unnumbered, "v"); ok && unnumbered != word {
		list, unnumbered = append(list, v), v
	}
	if stem, ok := strings.CutSuffix(unnumbered, "ies"); ok {
		list = append(list, stem+"y")
	}
	if stem, ok := strings.CutSuffix(unnumbered, "es"); ok {
		list = append(list, stem)
	}
	return append(list, strings.TrimSuffix(unnumbered, "s"))
}

func hasForm(word string, set map[string]bool) bool {
	return slices.ContainsFunc(forms(word), func(f string) bool { return set[f] })
}

// lastWord returns the last word of a name that is not a version.
func lastWord(name string) string {
	words := slices.DeleteFunc(splitName(name, capital), isVersion)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// aboutAddress reports whether a member name only tells something about an address, see
// aboutAddresses.
func aboutAddress(name string) bool { return aboutAddresses[lastWord(name)] }

// isCredential reports whether a member name is that of a secret sent to an address, but not of
// an address, such as webhook_secret. A connection string is both.
func isCredential(name string) bool {
	return sensitiveName(name) != plain && addressReach(lastWord(name)) == reachNone &&
		!endsLikeAddress(squeeze(name))
}

// isPort reports whether a member name is that of a port.
func isPort(name string) bool { return slices.Contains(forms(lastWord(name)), "port") }

// isAddress reports whether a text is an address, whatever its name: a URL, an address literal (RFC
// 3986, section 3.2.2) with or without a port, or user@host with a colon or path. The address can
// stand alone, in a list, or in a longer text. Settings like "host=db.example" count too.
func isAddress(s string) bool {
	if strings.Contains(s, "://") || isURLStart(s) || hasAddressSetting(s) {
		return true
	}
	return slices.ContainsFunc(strings.FieldsFunc(s, isListSeparator), func(item string) bool {
		return isURLStart(item) || isIP(item) || isLogin(item)
	})
}

func isListSeparator(r rune) bool {
	return r == ',' || r == ';' || r == '|' || unicode.IsSpace(r)
}

// isURLStart reports whether some program would read the start of a text as that of a URL: "//" or
// "scheme:/", each also with backslashes, or the scheme of a web address. Any characters except
// letters, digits and slashes can come before.
func isURLStart(s string) bool {
	s = strings.TrimLeftFunc(s, func(r rune) bool {
		return !isWordRune(r) && r != '/' && r != '\\'
	})
	if len(s) > 2 && isSlash(s[0]) && isSlash(s[1]) {
		return true
	}
	scheme, rest, found := strings.Cut(s, ":")
	if !found || rest == "" || !isScheme(scheme) {
		return false
	}
	return isSlash(rest[0]) ||
		webSchemes[strings.ToLower(scheme)] && !unicode.IsSpace(rune(rest[0]))
}

// Schemes of web addresses, which some programs accept without a slash.
var webSchemes = wordSet(`http https ws wss ftp`)

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// isScheme reports whether a text can be the scheme of a URL. A single letter is the drive of a
// file path.
func isScheme(s string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789+-._"
	return len(s) > 1 && strings.Trim(strings.ToLower(s), characters) == "" &&
		unicode.IsLetter(rune(s[0]))
}

// isIP reports whether a text is the literal of an IP address, with or without brackets, a port
// or a path.
func isIP(s string) bool {
	s = strings.Trim(s, `"'`)
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	s = before(s, `/\?#`)
	if _, err := netip.ParseAddrPort(s); err == nil {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return err == nil
}

// isLogin reports whether a text is user@host, followed by a colon, parenthesis or slash, as in
// git@host:path. A mail address is not.
func isLogin(s string) bool {
	user, host, found := strings.Cut(s, "@")
	return found && user != "" && strings.IndexAny(host, ":(/") > 0
}

// hasAddressSetting reports whether a text has settings like "Server=db.example;Database=x", and
// one of them has the name of an address. It also returns true if the text has more than
// maxSettings settings.
func hasAddressSetting(s string) bool {
	for range maxSettings {
		name, rest, found := strings.Cut(s, "=")
		if !found {
			return false
		}
		if i := strings.LastIndexAny(name, ";,&?\n"); i >= 0 {
			name = name[i+1:]
		}
		name = strings.TrimSpace(name)
		i := strings.LastIndexFunc(name, unicode.IsSpace)
		if isSetting(name) || isSetting(name[i+1:]) {
			return true
		}
		s = rest
	}
	return true
}

// Limits of the settings read in a text: their number, and the length of a name in bytes.
const (
	maxSettings    = 256
	maxSettingName = 64
)

func isSetting(name string) bool {
	return len(name) <= maxSettingName && addressReach(name) >= reachHere && !aboutAddress(name)
}

// looksLikeHost reports whether a text without spaces contains a host name: labels separated by
// dots, the last one of letters.
func looksLikeHost(s string) bool {
	s = strings.TrimSpace(s)
	if strings.ContainsFunc(s, unicode.IsSpace) {
		return false
	}
	isSeparator := func(r rune) bool {
		return !isWordRune(r) && !strings.ContainsRune("-._%", r)
	}
	isHost := func(name string) bool {
		name = strings.TrimSuffix(name, ".")
		i := strings.LastIndexByte(name, '.')
		top := name[i+1:]
		notLetter := func(r rune) bool { return !unicode.IsLetter(r) }
		return i > 0 && len(top) > 1 &&
			(strings.HasPrefix(top, "xn--") || !strings.ContainsFunc(top, notLetter))
	}
	return slices.ContainsFunc(strings.FieldsFunc(s, isSeparator), isHost) ||
		s == "localhost" || strings.HasPrefix(s, "localhost:")
}

// textIs reports whether n is a string that satisfies f.
func textIs(n *jsontree.Node, f func(string) bool) bool {
	return n != nil && n.Kind() == jsontree.String && f(n.Text())
}
