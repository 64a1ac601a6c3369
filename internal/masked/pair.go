package masked

import (
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
)

// Names of the two members of a pair such as {"key": "API_HOST", "value": ...}. Either can follow
// one of the pairNouns, as in header_name.
var (
	nameMembers  = wordSet(`name key`)
	valueMembers = wordSet(`value values val`)
	pairNouns    = wordSet(`header field variable var env parameter param property option setting`)
)

type role int

const (
	noRole role = iota
	nameRole
	valueRole
)

// maxPairMember is the maximum length in bytes of a member name with a role in a pair, and maxName
// that of the name in a pair or setting. A longer text is no name.
const (
	maxPairMember = 32
	maxName       = 256
)

// pairRole returns what a member name means in a pair.
func pairRole(member string) role {
	if len(member) > maxPairMember {
		return noRole
	}
	words := splitName(member, capital)
	if len(words) == 2 && pairNouns[words[0]] {
		words = words[1:]
	}
	switch {
	case len(words) != 1:
		return noRole
	case nameMembers[words[0]], pairNouns[words[0]]:
		return nameRole
	case valueMembers[words[0]]:
		return valueRole
	}
	return noRole
}

// pairNames returns the names in an object such as {"name": "DB_PASSWORD", "value": "..."}. There
// are several if several members can be the name. Each member with the role of a value has all of
// them.
func pairNames(object *jsontree.Node) (names []string) {
	if object.Kind() != jsontree.Object || object.Len() < 2 {
		return nil
	}
	hasValue := false
	for member, child := range object.Children() {
		switch role := pairRole(member); {
		case role == valueRole:
			hasValue = true
		case role == nameRole && child.Kind() == jsontree.String && len(child.Text()) <= maxName:
			names = append(names, child.Text())
		}
	}
	if !hasValue {
		return nil
	}
	return names
}

// pairOf returns the names of a pair, with between in the middle, or "" for another object.
func pairOf(n *jsontree.Node) string {
	if n == nil {
		return ""
	}
	return strings.Join(pairNames(n), between)
}

const between = "\x00"
