package record

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-installation/installation/crypto"
)

// IndexVersion is the version of the index that [Terms.List] computes. A manifest names the
// version by which the terms of its record were computed.
const IndexVersion byte = 1

// Prefixes of index terms. A new filter of a list is a new term, and no store has to change.
const (
	TermAll        = "all"
	TermExtension  = "ext="
	TermAccount    = "acc="
	TermOwner      = "own="
	TermConnection = "conn="
	TermPhase      = "phase="

	TermEverywhere = "@all"  // across tenants
	TermKey        = "@kek=" // across tenants: the key-encryption key

	// KeyDestroyed is the value of TermKey for a record whose data key was destroyed
	// without its key-encryption key. It is no ID of a key.
	KeyDestroyed = "."

	termPair = "ext+acc="
)

// Terms are the values from which the index terms of a record are computed. An empty value
// has no term.
type Terms struct {
	Extension  string // ID
	Owner      string // of the extension
	Account    string // ID
	Connection string // ID
	Phase      string
	KeyID      string // of the key-encryption key
}

// List returns the terms of the current version, sorted.
func (t Terms) List() []string {
	terms := make([]string, 0, termCount)
	for i := range termCount {
		if term := t.append(nil, i); len(term) > 0 {
			terms = append(terms, string(term))
		}
	}
	return terms
}

// Match returns nil if terms are those that the given version computes. The error is
// [crypto.ErrSealed] for other terms, and a [*crypto.VersionError] for an unknown version.
// The version is sealed in the manifest, so an unknown one comes from a newer release and
// not from an edited record. Operators need to know which it was.
func (t Terms) Match(version byte, terms []string) error {
	if version != IndexVersion {
		return &crypto.VersionError{What: "index", Version: version}
	}
	var buffer [1024]byte
	for i := range termCount {
		term := t.append(buffer[:0], i)
		if len(term) == 0 {
			continue
		}
		if len(terms) == 0 || terms[0] != string(term) {
			return crypto.ErrSealed
		}
		terms = terms[1:]
	}
	if len(terms) > 0 {
		return crypto.ErrSealed
	}
	return nil
}

const termCount = 9

// append appends term i, or nothing if the record does not have it. The terms are in sorted
// order, whatever their values, since no prefix begins with another.
func (t Terms) append(b []byte, i int) []byte {
	switch i {
	case 0:
		return append(b, TermEverywhere...)
	case 1:
		return appendTerm(b, TermKey, t.KeyID)
	case 2:
		return appendTerm(b, TermAccount, t.Account)
	case 3:
		return append(b, TermAll...)
	case 4:
		return appendTerm(b, TermConnection, t.Connection)
	case 5:
		if t.Extension == "" || t.Account == "" {
			return b
		}
		return appendPair(append(b, termPair...), t.Extension, t.Account)
	case 6:
		return appendTerm(b, TermExtension, t.Extension)
	case 7:
		return appendTerm(b, TermOwner, t.Owner)
	default:
		return appendTerm(b, TermPhase, t.Phase)
	}
}

func appendTerm(b []byte, prefix, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(b, prefix...), value...)
}

// appendPair joins two IDs. The length of the first comes first, so no two pairs give one term.
func appendPair(b []byte, first, second string) []byte {
	b = strconv.AppendInt(b, int64(len(first)), 10)
	return append(append(append(b, ':'), first...), second...)
}

// PairTerm returns the term of all installations of an extension in an account.
func PairTerm(extension, account string) string { return termPair + Pair(extension, account) }

// Pair joins two IDs so that no two pairs give the same text.
func Pair(first, second string) string { return string(appendPair(nil, first, second)) }

// SetTerm returns terms in which the terms of a prefix are replaced by one with this value,
// or removed if the value is empty. It serves records whose manifest cannot be opened.
func SetTerm(terms []string, prefix, value string) []string {
	out := slices.DeleteFunc(slices.Clone(terms), func(t string) bool {
		return strings.HasPrefix(t, prefix)
	})
	if value != "" {
		out = append(out, prefix+value)
	}
	slices.Sort(out)
	return out
}

// TermValue returns the value of the first term with a prefix, or "".
func TermValue(terms []string, prefix string) string {
	for _, t := range terms {
		if value, ok := strings.CutPrefix(t, prefix); ok {
			return value
		}
	}
	return ""
}
