package record

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-installation/installation/crypto"
)

// IndexVersion is the version of the rules by which [Terms.List] computes index terms. A manifest
// stores the version that was used for its record.
const IndexVersion byte = 2

// Index terms, and prefixes of index terms. An index term is a string, such as "ext=" and the ID of
// an extension. A store lists the records with a given term and does not interpret the term. So a
// new list filter needs only a new term, and no store has to change.
const (
	TermAll        = "all"
	TermExtension  = "ext="
	TermAccount    = "acc="
	TermOwner      = "own="
	TermConnection = "conn="
	TermPhase      = "phase="

	TermEverywhere = "@all"  // all records of all tenants
	TermKey        = "@kek=" // ID of the key-encryption key, across tenants

	// KeyDestroyed is the value of TermKey for a record whose data key was destroyed while its
	// key-encryption key was not available. No key has this ID.
	KeyDestroyed = "."

	termPair = "ext+acc="

	// From IndexVersion 2.
	TermProvider = "prov="  // provider of the connection
	TermFailed   = "failed" // the connection failed
)

// Terms are the values from which the index terms of a record are computed. An empty value gives no
// term.
type Terms struct {
	Extension  string // ID
	Owner      string // of the extension
	Account    string // ID
	Connection string // ID
	Provider   string // of the connection
	Failed     bool   // the connection failed
	Phase      string
	KeyID      string // of the key-encryption key
}

// List returns the index terms of the version [IndexVersion], sorted.
func (t Terms) List() []string {
	terms := make([]string, 0, termCount)
	for i := range termCount {
		if term := t.append(nil, i); len(term) > 0 {
			terms = append(terms, string(term))
		}
	}
	return terms
}

// Match returns nil if terms are the index terms that the given version computes from t. The error
// is [crypto.ErrSealed] for other terms, and a [*crypto.VersionError] for an unknown version. The
// version is sealed in the manifest, so an unknown version comes from a newer release and not from
// an edited record. Operators need to tell the two cases apart.
func (t Terms) Match(version byte, terms []string) error {
	if version < 1 || version > IndexVersion {
		return &crypto.VersionError{What: "index", Version: version}
	}
	if version < 2 {
		t.Provider, t.Failed = "", false
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

const termCount = 11

// append appends term i to b, or nothing if the value of the term is empty. The order of i is also
// the sorted order of the terms whatever their values, because no prefix begins with another.
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
		if !t.Failed {
			return b
		}
		return append(b, TermFailed...)
	case 8:
		return appendTerm(b, TermOwner, t.Owner)
	case 9:
		return appendTerm(b, TermPhase, t.Phase)
	default:
		return appendTerm(b, TermProvider, t.Provider)
	}
}

func appendTerm(b []byte, prefix, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(b, prefix...), value...)
}

// appendPair joins two IDs. It puts the length of the first ID in front, so different pairs give
// different texts.
func appendPair(b []byte, first, second string) []byte {
	b = strconv.AppendInt(b, int64(len(first)), 10)
	return append(append(append(b, ':'), first...), second...)
}

// PairTerm returns the index term of all installations of one extension in one account.
func PairTerm(extension, account string) string { return termPair + Pair(extension, account) }

// Pair joins two IDs. Different pairs give different texts.
func Pair(first, second string) string { return string(appendPair(nil, first, second)) }

// SetTerm returns a sorted copy of terms in which prefix+value replaces all terms with the prefix.
// If value is empty, it only removes those terms. SetTerm is for records whose manifest cannot be
// opened, so that [Terms.List] cannot be used.
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

// TermValue returns the value after the prefix in the first term that has the prefix, or "".
func TermValue(terms []string, prefix string) string {
	for _, t := range terms {
		if value, ok := strings.CutPrefix(t, prefix); ok {
			return value
		}
	}
	return ""
}
