package classify

import (
	"iter"
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

// Pair are the names in an object such as {"name": "DB_PASSWORD", "value": "..."}. There are
// several if several members can be the name. It is "" for other objects.
type Pair string

// between separates the names of a pair.
const between = "\x00"

func (p Pair) names() iter.Seq[string] {
	if p == "" {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(string(p), between)
}

// Pair returns the names of the pair that an object is.
func (m *Names) Pair(object *jsontree.Node) Pair {
	if object == nil || object.Kind() != jsontree.Object || object.Len() < 2 {
		return ""
	}
	hasValue := false
	var found []string
	for member, child := range object.Children() {
		switch role := m.Of(member).role; {
		case role == valueRole:
			hasValue = true
		case role == nameRole && child.Kind() == jsontree.String && len(child.Text()) <= maxName:
			found = append(found, child.Text())
		}
	}
	if !hasValue {
		return ""
	}
	return Pair(strings.Join(found, between))
}

// In returns what names say about a member of an object. A value in a pair has the names of the
// pair. What they say to relieve it has to be said by each.
func (m *Names) In(p Pair, name string) Says {
	says := m.Of(name)
	if p == "" || says.role != valueRole {
		return says
	}
	says.Own, says.degree = prose|mailbox, numeric
	for one := range p.names() {
		named := m.Of(one)
		says.Below |= named.Below
		says.Own = says.Own&named.Own | (says.Own|named.Own)&Label
		says.degree = min(says.degree, named.degree)
	}
	return says
}
