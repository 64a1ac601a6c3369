package classify

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

// pairRole returns what the words of a member name mean in a pair.
func pairRole(words []string) role {
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

// Pair is the name in an object such as {"name": "DB_PASSWORD", "value": "..."}, and the name of
// the first member with the value. It is zero for other objects.
type Pair struct{ Name, Value string }

// Pair returns the pair that an object is. If several members can be the name, it takes the first
// one that names a secret, or else all of them.
func (m *Names) Pair(object *jsontree.Node) Pair {
	if object == nil || object.Kind() != jsontree.Object || object.Len() < 2 {
		return Pair{}
	}
	var p Pair
	var found []string
	for member, child := range object.Children() {
		switch role := m.Of(member).role; {
		case role == valueRole && p.Value == "":
			p.Value = member
		case role == nameRole && child.Kind() == jsontree.String && len(child.Text()) <= maxName:
			found = append(found, child.Text())
		}
	}
	if p.Value == "" || len(found) == 0 {
		return Pair{}
	}
	p.Name = strings.Join(found, " ")
	for _, name := range found {
		if m.Of(name).degree > plain {
			p.Name = name
			break
		}
	}
	return p
}
