// Package invite makes invitation codes and the URLs at which people redeem the codes. It also
// computes when an invitation ends.
package invite

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-installation/installation/crypto"
)

// prefix makes an invitation code recognizable for people and for scanners of leaked secrets.
const prefix = "inv_"

// alphabet is Crockford's base 32 in lower case. It has no padding, and no character at which a
// double click or a line break would split a code.
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewCode returns a random code of 160 bits.
func NewCode() crypto.Secret {
	var b [20]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return crypto.NewSecret(prefix + alphabet.EncodeToString(b[:]))
}

// Hash returns the hash that is stored in place of a code. It accepts the usual changes when people
// retype a code: any letter case, o for 0, i and l for 1. A plain hash is enough, because a code
// has 160 random bits. A zero or masked code has the hash of an empty one, which nobody gets.
func Hash(code crypto.Secret) [sha256.Size]byte {
	if code.IsMasked() { // a caller can send "***"
		code = crypto.Secret{}
	}
	text := strings.ToLower(strings.TrimSpace(code.RevealString()))
	if rest, ok := strings.CutPrefix(text, prefix); ok {
		text = prefix + strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(rest)
	}
	return sha256.Sum256([]byte("inv1" + text))
}

// SameRecipient reports whether an invitation for invited is for given. Two e-mail addresses are
// the same whatever their letter case and the blanks around them. Anything else must have the same
// bytes.
func SameRecipient(invited, given string) bool {
	if a, ok := foldEmail(invited); ok {
		b, _ := foldEmail(given)
		return a == b
	}
	return invited == given
}

// foldEmail returns an e-mail address without blanks and in lower case. It returns false for text
// that is no such address, such as the ID of a person.
func foldEmail(text string) (string, bool) {
	text = strings.TrimSpace(text)
	local, domain, _ := strings.Cut(text, "@")
	if local == "" || !strings.Contains(strings.Trim(domain, "."), ".") ||
		strings.ContainsFunc(text, unicode.IsSpace) || strings.Contains(domain, "@") {
		return "", false
	}
	return strings.Map(foldRune, text), true
}

// foldRune is unicode.ToLower, except that no letter becomes an ASCII letter that was none: the
// Kelvin sign in an address is another character than k.
func foldRune(r rune) rune {
	if l := unicode.ToLower(r); r < utf8.RuneSelf || l >= utf8.RuneSelf {
		return l
	}
	return r
}

// ParseURL parses the base address for [URL]. The address must be https, or http for a loopback
// host. An error text states the rule that the address violates, such as "must be a URL".
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("must be a URL")
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, errors.New("must have a query that parses")
	}
	host := u.Hostname()
	loopback := host == "localhost" || net.ParseIP(host).IsLoopback()
	switch {
	case host == "", u.User != nil, u.Fragment != "":
		return nil, errors.New("must have a host, and neither user nor fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback):
		return nil, errors.New("must be https, or http for loopback")
	}
	return u, nil
}

// URL returns base with the query parameters that are needed to redeem code: installation, code,
// and tenant unless it is "", the default tenant. If base is nil or code is zero, URL returns the
// zero Secret.
func URL(base *url.URL, tenant, id string, code crypto.Secret) crypto.Secret {
	if base == nil || code.IsZero() {
		return crypto.Secret{}
	}
	return crypto.NewSecret(address(base, tenant, id, code.RevealString()))
}

// Page returns URL without the code, or "" if base is nil.
func Page(base *url.URL, tenant, id string) string {
	if base == nil {
		return ""
	}
	return address(base, tenant, id, "")
}

func address(base *url.URL, tenant, id, code string) string {
	u := *base
	q := u.Query()
	q.Set("installation", id)
	if code != "" {
		q.Set("code", code)
	}
	if tenant != "" {
		q.Set("tenant", tenant)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// maxPeriod is the largest number in a period, such as "999d". The longest period is 99 years.
const maxPeriod = 999

// AddPeriod adds a period of calendar time to t. A period is a number and a unit, such as "7d",
// "2w", "1m" (a month) or "1y". AddPeriod counts in UTC. If the resulting month does not have the
// day of t, the result is the last day of that month. AddPeriod returns false for a malformed
// period.
func AddPeriod(t time.Time, period string) (_ time.Time, ok bool) {
	n, unit, ok := parsePeriod(period)
	if !ok {
		return time.Time{}, false
	}
	t = t.UTC()
	switch unit {
	case 'd':
		return t.AddDate(0, 0, n), true
	case 'w':
		return t.AddDate(0, 0, 7*n), true
	case 'm':
		return addMonths(t, n), true
	default:
		return addMonths(t, 12*n), true
	}
}

func parsePeriod(period string) (n int, unit byte, ok bool) {
	if len(period) < 2 {
		return 0, 0, false
	}
	digits, unit := period[:len(period)-1], period[len(period)-1]
	n, err := strconv.Atoi(digits)
	canonical := err == nil && strconv.Itoa(n) == digits
	known := strings.IndexByte("dwmy", unit) >= 0
	return n, unit, canonical && known && n > 0 && n <= maxPeriod && (unit != 'y' || n < 100)
}

// addMonths adds calendar months. AddDate alone would carry January 31st into March.
func addMonths(t time.Time, n int) time.Time {
	first := t.AddDate(0, 0, 1-t.Day()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}
