package masked

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
//   - all such values below an object or array with such a name;
//   - a string with any name that contains a URL with user information, or a private key in PEM
//     form.
//
// NameRule splits a name into words and looks the words up in lists, see sensitiveName. A name
// without separators in one letter case, such as clientsecret, is a single word. It is sensitive
// only if that word is in a list. The zero value is ready to use.
type NameRule struct{}

// ID returns "name/1".
func (NameRule) ID() string { return "name/1" }

// Sensitive returns the pointers of the sensitive strings and numbers.
func (NameRule) Sensitive(doc *jsontree.Node) []string {
	var found []string
	collect(doc, "", plain, &found)
	return found
}

// degree is which values a name makes sensitive, directly at the name and below.
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
			collect(child, jsontree.ChildPointer(at, name), max(covered, sensitiveName(name)),
				found)
		}
	}
}

// sensitiveText reports whether a string is a secret whatever its name.
func sensitiveText(s string) bool { return hasUserinfo(s) || hasPrivateKey(s) }

// hasUserinfo reports whether s contains a URL with user information, as in
// "https://user:password@host". The part of a URL with user and host ends at the first slash. But
// an unescaped password can contain slashes. In this case the text after the first colon is not a
// port, and an @ counts anywhere up to the end of the URL. hasUserinfo reads s only once.
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

// hasPrivateKey reports whether s contains a PEM block (RFC 7468) whose label contains PRIVATE KEY.
// Most labels end with these words, but the label of OpenPGP continues.
func hasPrivateKey(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "-----BEGIN ")
		if !found {
			return false
		}
		if label, _, ok := strings.Cut(rest, "-----"); ok &&
			strings.Contains(label, "PRIVATE KEY") {
			return true
		}
		s = rest
	}
}
