package masked

import (
	"slices"
	"strings"
	"unicode"
)

// sensitiveName judges a member name by its words.
func sensitiveName(name string) degree {
	words := splitName(name)
	if len(words) == 0 {
		return plain
	}
	last := len(words) - 1
	isSessionID := last > 0 && words[last-1] == "session" && words[last] == "id"
	if aboutSecrets[words[last]] && !isSessionID {
		return plain
	}
	found := plain
	if isSessionID || words[last] == "key" && len(words) <= 2 {
		found = strong
	}
	for i, w := range words {
		switch {
		case numericSecrets[w]:
			return numeric
		case secretWords[w], i > 0 && secretPairs[words[i-1]] == w:
			found = strong
		}
	}
	return found
}

// Words that make a name sensitive.
var secretWords = wordSet(`password passwd pwd pass passphrase secret token apikey credential privatekey bearer jwt cookie
	otp pin pat signature dsn hmac seed pem pfx p12 keytab assertion certificate`)

// Words among these that make numbers sensitive too.
var numericSecrets = wordSet(`pin otp`)

// First words of pairs that do, each with its second word.
var secretPairs = map[string]string{
	"connection": "string", "session": "id",
	"api": "key", "private": "key", "secret": "key", "access": "key", "auth": "key", "app": "key", "signing": "key",
	"encryption": "key", "account": "key", "service": "key", "master": "key", "client": "key", "shared": "key",
	"license": "key", "consumer": "key", "ssh": "key",
}

// Last words that say that a name is about a secret and not one: tokenUrl, secretName, keyId.
var aboutSecrets = wordSet(`id url uri endpoint type name expiry expires ttl host enabled method count length policy path
	version prefix thumbprint domain`)

func wordSet(s string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(s) {
		set[w] = true
	}
	return set
}

// splitName returns the words of a name in lower case: it is cut at everything that is neither letter nor digit, and as in
// camelCase, where a capital follows a letter or digit that is none, or ends a run of capitals: adobe|Secret, API|Key,
// oauth2|Token.
func splitName(name string) []string {
	var words []string
	runes := []rune(name)
	start := 0
	cut := func(end int) {
		if end > start {
			words = append(words, stem(strings.ToLower(string(runes[start:end]))))
		}
		start = end
	}
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			cut(i)
			start = i + 1
		case i == start || !unicode.IsUpper(r):
		case !unicode.IsUpper(runes[i-1]), i+1 < len(runes) && unicode.IsLower(runes[i+1]):
			cut(i)
		}
	}
	cut(len(runes))
	return words
}

// stem takes a trailing number, then a plural s off a word if the lists know what remains: password2 and apiKeys are no less
// secret than one password.
func stem(word string) string {
	unnumbered := strings.TrimRight(word, "0123456789")
	for _, w := range []string{word, unnumbered, strings.TrimSuffix(unnumbered, "s")} {
		if known(w) {
			return w
		}
	}
	return word
}

func known(w string) bool {
	return secretWords[w] || aboutSecrets[w] || w == "key" || w == "string" || secretPairs[w] != ""
}

// Words that make a name that of an address, wherever they stand in it.
var addressWords = wordSet(`url uri href host hostname endpoint domain subdomain proxy server origin webhook callback gateway
	broker port`)

// Names of one word that say a part of an address.
var addressParts = wordSet(`scheme protocol`)

// Last words that say that a name is about an address and not one: endpointId, proxyEnabled.
var aboutAddresses = wordSet(`id count enabled disabled verified type kind method mode policy format timeout ttl interval limit
	retries size length version status label title description comment expiry expires`)

// addressName reports whether a member name says that the value is where something is sent.
func addressName(name string) bool {
	words := splitName(plurals.Replace(name))
	if len(words) == 1 && addressParts[words[0]] {
		return true
	}
	return slices.ContainsFunc(words, func(w string) bool { return addressWords[singular(w)] })
}

// plurals keeps the plural of an abbreviation in one word.
var plurals = strings.NewReplacer("URLs", "Urls", "URIs", "Uris")

// aboutAddress reports whether a member name is only about an address.
func aboutAddress(name string) bool {
	words := splitName(name)
	return len(words) > 0 && aboutAddresses[words[len(words)-1]]
}

// isPort reports whether a member name is that of a port.
func isPort(name string) bool {
	words := splitName(name)
	return len(words) > 0 && singular(words[len(words)-1]) == "port"
}

// singular takes a trailing number and the ending of a plural off a word.
func singular(word string) string {
	word = strings.TrimRight(word, "0123456789")
	if stem, ok := strings.CutSuffix(word, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(word, "s")
}
