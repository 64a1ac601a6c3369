package record

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Index terms, or the start of one. A new filter is a new term, never a change of a store.
const (
	TermAll        = "all"
	TermExtension  = "ext="
	TermAccount    = "acc="
	TermOwner      = "own="
	TermPair       = "ext+acc="
	TermConnection = "conn="
	TermPhase      = "phase="

	TermEverywhere = "@all"  // across tenants
	TermKey        = "@kek=" // across tenants

	// KeyGone is the value of TermKey for a record that was purged without its key. No key has it as
	// its ID.
	KeyGone = "."
)

// IndexVersion is the version of the rules by which terms follow from an installation. It stands in
// each manifest, so that a later release may add a term without breaking stored records.
const IndexVersion = 1

// Terms are what a record is listed under.
type Terms struct {
	Extension  string
	Account    string
	Owner      string
	Connection string
	Phase      string
	KeyID      string // of the key-encryption key; "" if the data key is gone
}

// List returns the index terms, sorted.
func (t Terms) List() []string {
	terms := make([]string, 0, 9)
	for prefix, value := range t.all() {
		terms = append(terms, prefix+value)
	}
	slices.Sort(terms)
	return terms
}

// Match reports whether terms are what List returns by the rules of a version. It is false for a
// version that this release does not know.
func (t Terms) Match(version int64, terms []string) bool {
	if version != IndexVersion {
		return false
	}
	n := 0
	for prefix, value := range t.all() {
		if !containsTerm(terms, prefix, value) {
			return false
		}
		n++
	}
	return n == len(terms) && slices.IsSorted(terms)
}

func containsTerm(terms []string, prefix, value string) bool {
	for _, t := range terms {
		if len(t) == len(prefix)+len(value) && strings.HasPrefix(t, prefix) &&
			strings.HasSuffix(t, value) {
			return true
		}
	}
	return false
}

// all lists each term once, in two parts.
func (t Terms) all() iter.Seq2[string, string] {
	return func(yield func(prefix, value string) bool) {
		var pair string
		if t.Extension != "" && t.Account != "" {
			pair = PairTerm("", t.Extension, t.Account)
		}
		_ = yield(TermAll, "") && yield(TermEverywhere, "") && yield(TermPhase, t.Phase) &&
			(t.Extension == "" || yield(TermExtension, t.Extension)) &&
			(t.Owner == "" || yield(TermOwner, t.Owner)) &&
			(t.Account == "" || yield(TermAccount, t.Account)) &&
			(t.KeyID == "" || yield(TermKey, t.KeyID)) &&
			(pair == "" || yield(TermPair, pair)) &&
			(t.Connection == "" || yield(TermConnection, t.Connection))
	}
}

// PairTerm joins two IDs so that no two pairs make the same term: the length of the first comes
// first.
func PairTerm(prefix, first, second string) string {
	return prefix + strconv.Itoa(len(first)) + ":" + first + second
}

// SetTerm returns terms in which one term with this prefix and value replaces those with the
// prefix. An empty value only removes them.
func SetTerm(terms []string, prefix, value string) []string {
	out := make([]string, 0, len(terms)+1)
	for _, t := range terms {
		if !strings.HasPrefix(t, prefix) {
			out = append(out, t)
		}
	}
	if value != "" {
		out = append(out, prefix+value)
	}
	slices.Sort(out)
	return out
}

// TermValue returns the value of the first term with a prefix.
func TermValue(terms []string, prefix string) string {
	for _, t := range terms {
		if v, ok := strings.CutPrefix(t, prefix); ok {
			return v
		}
	}
	return ""
}
