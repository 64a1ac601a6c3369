package classify

import (
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
)

// NameRule finds sensitive values by the names of their members, and some by their form. It is for
// documents without a schema. These values are sensitive:
//
//   - a string with the name of a secret, such as adobe_secret or mptToken;
//   - a number with the name of a PIN or a one-time password; no other numbers, booleans or
//     nulls;
//   - all such values below an object or array with such a name, except strings that only describe
//     the secret, such as method or title;
//   - the value of a pair such as {"name": "DB_PASSWORD", "value": "..."}, by the name in the pair;
//   - a string with any name that has the form of a secret, see sensitiveText.
//
// An empty string is never sensitive.
//
// NameRule splits a name into words and looks the words up in lists, see sensitiveWords. A name
// without separators in one letter case, such as clientsecret, is a single word. The zero value is
// ready to use.
type NameRule struct{ names *Names }

// With returns the rule with a memory of names. The result is for one goroutine.
func (NameRule) With(m *Names) NameRule { return NameRule{m} }

// ID returns "name/2".
func (NameRule) ID() string { return "name/2" }

// Sensitive returns the pointers of the sensitive strings and numbers.
func (r NameRule) Sensitive(doc *jsontree.Node) []string {
	f := finder{names: r.names, nested: maxNested}
	f.walk(doc, jsontree.NewTrail(), plain)
	return f.found
}

// degree is which values a name makes sensitive, directly at the name and below.
type degree int

const (
	plain   degree = iota
	direct         // a string directly at the name, or in an array there
	strong         // the strings
	numeric        // the strings and the numbers
)

// of returns the degree of a child of a value with degree d.
func (d degree) of(child *jsontree.Node) degree {
	if d == direct && child.Kind() == jsontree.Object {
		return plain
	}
	return d
}

// finder collects the pointers of sensitive values.
type finder struct {
	names  *Names
	nested int // see maxNested
	// settings is how many "=" were in the strings so far. From maxSettings on, a string with one
	// is not read, and counts as secret.
	settings int
	found    []string
}

const maxSettings = 10_000

func (f *finder) walk(n *jsontree.Node, at jsontree.Trail, covered degree) {
	var isSensitive bool
	switch n.Kind() {
	case jsontree.String:
		settings := strings.Count(n.Text(), "=")
		f.settings += settings
		isSensitive = covered > plain && n.Text() != "" ||
			settings > 0 && f.settings > maxSettings || isSecretForm(n.Text(), f.nested)
	case jsontree.Number:
		isSensitive = covered >= numeric
	}
	if isSensitive {
		f.found = append(f.found, at.Pointer())
	}
	degreeOf := f.judge(n, covered, true)
	for token, child := range n.Children() {
		f.walk(child, at.Child(token), degreeOf(token, child))
	}
}

// judge returns a function that returns the degree of each child of n, where covered is that of n
// itself. Both rules judge members with it. Names of members count only if they are judged.
func (f *finder) judge(
	n *jsontree.Node, covered degree, judged bool,
) func(name string, child *jsontree.Node) degree {
	if n.Kind() != jsontree.Object || !judged {
		return func(_ string, child *jsontree.Node) degree { return covered.of(child) }
	}
	pair := f.names.Pair(n)
	inPair := plain
	for name := range pair.names() {
		inPair = max(inPair, f.names.Of(name).degree)
	}
	return func(name string, child *jsontree.Node) degree {
		says := f.names.Of(name)
		own, role := says.degree, noRole
		if pair != "" {
			role = says.role
		}
		switch {
		case role == valueRole:
			own = max(own, inPair)
		case role == nameRole && child.Kind() == jsontree.String:
			own = plain // the text is the name of a secret
		case own == plain && covered > plain && !child.IsContainer() && says.describes:
			return plain
		}
		return max(covered, own.of(child))
	}
}

// sensitiveWords returns which values the words of a member name make sensitive.
func sensitiveWords(words []string) degree {
	if len(words) == 0 {
		return plain
	}
	last, before := words[len(words)-1], ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	found, means := plain, meaningOf(last)
	switch {
	case secretPairs[before] == last, len(words) == 2 && before == "secret" && last == "id":
		return strong
	case means&ofAbout != 0, last == "key" && meaningOf(before)&ofLookup != 0:
		return plain
	case last == "key":
		found = strong
	case last == "authorization", last == "auth" && before != "":
		found = direct
	}
	before = ""
	for _, w := range words {
		switch means := meaningOf(w); {
		case means&ofNumber != 0:
			return numeric
		case means&ofSecret != 0, w == "key" && meaningOf(before)&ofKey != 0,
			means&ofPart != 0 && secretPairs[before] == w:
			found = strong
		}
		before = w
	}
	return found
}

// meaning is what a word means in a name.
type meaning uint8

const (
	ofSecret meaning = 1 << iota // makes the name sensitive
	ofNumber                     // makes numbers sensitive too
	ofKey                        // makes the name sensitive if key follows
	ofLookup                     // before a last key: the key looks something up
	ofAbout                      // as last word: tells something about a secret, as in tokenUrl
	ofLabel                      // is ofAbout, and is plain even below the name of a secret
	ofPart                       // has a meaning only in secretPairs and sensitiveWords
)

var vocabulary = newDictionary(map[meaning]string{
	ofSecret: `
		password passwd pwd pass passphrase passcode secret token apikey credential privatekey
		bearer jwt jwk cookie otp pin pat signature sig dsn hmac seed pem pfx p12 keytab assertion
		certificate connectionstring bindpass dbpass psk writekey`,
	ofNumber: `pin otp`,
	ofKey: `
		api private secret access auth app signing encryption account service master client shared
		license consumer ssh`,
	ofLookup: `
		partition sort cache primary foreign unique tag group grouping bucket row column field
		record resource object text item output id url uri username password address destination
		header endpoint post pre hash index lookup schema subschema parent resident map label`,
	ofAbout: `id url uri endpoint host name username user email group role file ref arn issuer`,
	ofAbout | ofLabel: `
		type expiry expires ttl enabled method count length policy policies path version prefix
		thumbprint fingerprint sha1 algorithm alg lifespan scope strategy samesite title mode
		supported values field budget limit size flow changed format login domain subdomain region
		audience kind encoding description hint label header claim attribute template placement
		location status lifetime duration timeout interval period`,
	ofPart: `key string id session connection code authorization header`,
})

// secretPairs are first words of sensitive pairs, each with its second word.
var secretPairs = map[string]string{
	"connection": "string", "session": "id", "auth": "code", "authorization": "header",
	"cookie": "header",
}

// meaningOf returns the meaning of a word. Several words that are written as one and end in a
// secret are a secret: dbpassword, accesskey.
func meaningOf(word string) meaning {
	if first, ok := strings.CutSuffix(word, "key"); ok && endsIn(first, keyedEndings) ||
		endsIn(word, secretEndings) {
		return vocabulary.of(word) | ofSecret
	}
	return vocabulary.of(word)
}

var (
	secretEndings = strings.Fields(`password passwd passphrase secret token`)
	keyedEndings  = strings.Fields(`api private access secret auth account master shared ssh`)
)

func endsIn(word string, endings []string) bool {
	for _, end := range endings {
		if strings.HasSuffix(word, end) {
			return true
		}
	}
	return false
}
