package masked

import (
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
)

// NameRule finds sensitive values by the names of their members, for documents that nobody has described, and some by what
// they are:
//
//   - a string whose name says that it is a secret, such as adobe_secret or mptToken;
//   - a number if the name says that it is a PIN or a one-time password; other numbers, booleans and null never;
//   - all such values below an object or array with such a name;
//   - whatever its name, a string with a URL that has user information, or with a private key in PEM form.
//
// A name is judged by its words, see sensitiveName; a name written as one word in one case (clientsecret) is one word, and
// only found if that is in the list. The zero value is ready to use.
type NameRule struct{}

// ID returns "name/1".
func (NameRule) ID() string { return "name/1" }

// Sensitive returns the pointers of the strings and numbers that are sensitive.
func (NameRule) Sensitive(doc *jsontree.Node) []string {
	var found []string
	collect(doc, "", plain, &found)
	return found
}

// degree says how much a name covers.
type degree int

const (
	plain   degree = iota
	strong         // the strings
	numeric        // the strings and the numbers
)

func collect(n *jsontree.Node, at string, covered degree, found *[]string) {
	switch n.Kind() {
	case jsontree.String:
		if covered >= strong || sensitiveText(n.Text()) {
			*found = append(*found, at)
		}
	case jsontree.Number:
		if covered >= numeric {
			*found = append(*found, at)
		}
	case jsontree.Array:
		for token, child := range n.Children() {
			collect(child, jsontree.ChildPointer(at, token), covered, found)
		}
	case jsontree.Object:
		for name, child := range n.Children() {
			collect(child, jsontree.ChildPointer(at, name), max(covered, sensitiveName(name)), found)
		}
	}
}

// sensitiveText reports whether a string is a secret whatever it is called.
func sensitiveText(s string) bool { return hasUserinfo(s) || hasPrivateKey(s) }

// hasUserinfo reports whether there is a URL with user information in s: "https://user:password@host". An authority ends at
// the first slash; but a password that was pasted without escapes may have slashes itself, which shows in that there is no
// port behind the first colon. It reads s once, whatever is in it.
func hasUserinfo(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "://")
		if !found {
			return false
		}
		authority := before(rest, "/?#"+spaces)
		if strings.IndexByte(authority, '@') > 0 {
			return true
		}
		s = rest
		if _, port, _ := strings.Cut(authority, ":"); strings.Trim(port, "0123456789") != "" {
			word := before(rest, spaces)
			if strings.Contains(word, "@") {
				return true
			}
			s = rest[len(word):]
		}
	}
}

// spaces are characters that end a URL in a text.
const spaces = " \t\r\n\"'<>"

// before returns s up to the first of the characters in ends.
func before(s, ends string) string {
	if i := strings.IndexAny(s, ends); i >= 0 {
		return s[:i]
	}
	return s
}

// hasPrivateKey reports whether there is a PEM block (RFC 7468) in s whose label ends in, or like that of OpenPGP contains,
// the words PRIVATE KEY.
func hasPrivateKey(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "-----BEGIN ")
		if !found {
			return false
		}
		if label, _, ok := strings.Cut(rest, "-----"); ok && strings.Contains(label, "PRIVATE KEY") {
			return true
		}
		s = rest
	}
}
