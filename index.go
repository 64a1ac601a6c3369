package installation

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Index terms. A record is listed under what indexTerms says of it; a new filter is a new term, never a change of a store.
const (
	termAll        = "all"
	termExtension  = "ext="
	termAccount    = "acc="
	termOwner      = "own="
	termPair       = "ext+acc="
	termConnection = "conn="
	termPhase      = "phase="

	termEverywhere = "@all" // across tenants
	termKey        = "@kek="

	keyGone = "." // for termKey, of a record whose data key was destroyed without a key; no id of a key
)

// indexTerms computes what an installation is listed under. keyID is the key-encryption key of its data key, "" if that is gone.
func indexTerms(inst *Installation, keyID string) []string {
	terms := make([]string, 0, 9)
	for prefix, value := range termsOf(inst, keyID) {
		terms = append(terms, prefix+value)
	}
	slices.Sort(terms)
	return terms
}

// indexedAs reports whether terms are those of indexTerms, without making them.
func indexedAs(terms []string, inst *Installation, keyID string) bool {
	n := 0
	for prefix, value := range termsOf(inst, keyID) {
		if !slices.ContainsFunc(terms, func(t string) bool {
			return len(t) == len(prefix)+len(value) && strings.HasPrefix(t, prefix) && strings.HasSuffix(t, value)
		}) {
			return false
		}
		n++
	}
	return n == len(terms) && slices.IsSorted(terms)
}

// termsOf lists what an installation is listed under, each term once and as two parts.
func termsOf(inst *Installation, keyID string) iter.Seq2[string, string] {
	return func(yield func(prefix, value string) bool) {
		var connection, pair string
		if inst.Connection != nil {
			connection = inst.Connection.ID
		}
		if inst.Extension.ID != "" && inst.Account.ID != "" {
			pair = pairTerm("", inst.Extension.ID, inst.Account.ID)
		}
		_ = yield(termAll, "") && yield(termEverywhere, "") && yield(termPhase, string(inst.Status.phase())) &&
			(inst.Extension.ID == "" || yield(termExtension, inst.Extension.ID)) &&
			(inst.Extension.Owner == "" || yield(termOwner, inst.Extension.Owner)) &&
			(inst.Account.ID == "" || yield(termAccount, inst.Account.ID)) &&
			(keyID == "" || yield(termKey, keyID)) &&
			(pair == "" || yield(termPair, pair)) &&
			(connection == "" || yield(termConnection, connection))
	}
}

// pairTerm joins two ids so that no two pairs make one term: the length of the first comes first.
func pairTerm(prefix, first, second string) string {
	return prefix + strconv.Itoa(len(first)) + ":" + first + second
}

// setTerm returns terms with those of one prefix replaced by one with this value, or by none if it is empty. It serves records whose
// manifest stays closed.
func setTerm(terms []string, prefix, value string) []string {
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

// termValue returns the value of the first term with a prefix.
func termValue(terms []string, prefix string) string {
	for _, t := range terms {
		if v, ok := strings.CutPrefix(t, prefix); ok {
			return v
		}
	}
	return ""
}

// deadline returns when something is due for an installation in this stored state.
func deadline(life lifecycle, inv *Invitation) time.Time {
	switch {
	case life.status == StatusInvited && inv != nil:
		return inv.Expires
	case life.status == StatusUninstalled && !life.purged:
		return life.purgeAt
	default:
		return time.Time{}
	}
}
