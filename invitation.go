package installation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// Invitation is the offer that led to an installation. Its code is not part of it: [Service.Invite] and [Service.Resend]
// return it once, and only a hash is stored.
type Invitation struct {
	Status     Status // moves with the installation
	Message    string // shown to the invited
	ExternalID string // the caller's own
	Recipient  string // verified address or account that alone may accept; "" = whoever has the code
	Validity   Period
	Expires    time.Time
}

// Period is a length of calendar time: a number and d, w, m or y, such as "7d", "1m", "1y". It is counted in UTC; a month that
// has no such day ends on its last one.
type Period string

// DefaultValidity is how long an invitation holds if the request does not say.
const DefaultValidity Period = "7d"

// maxPeriod bounds the number of a Period: the longest is 99 years.
const maxPeriod = 999

// After returns the time p after t. The error matches [ErrInvalid].
func (p Period) After(t time.Time) (time.Time, error) {
	n, unit, ok := p.parse()
	if !ok {
		return time.Time{}, invalid("period", validate.RuleFormat, "must be a number and d, w, m or y, such as 7d")
	}
	t = t.UTC()
	switch unit {
	case 'd':
		return t.AddDate(0, 0, n), nil
	case 'w':
		return t.AddDate(0, 0, 7*n), nil
	case 'm':
		return addMonths(t, n), nil
	default:
		return addMonths(t, 12*n), nil
	}
}

func (p Period) parse() (n int, unit byte, ok bool) {
	if len(p) < 2 {
		return 0, 0, false
	}
	digits, unit := string(p[:len(p)-1]), p[len(p)-1]
	n, err := strconv.Atoi(digits)
	ok = err == nil && n > 0 && n <= maxPeriod && strconv.Itoa(n) == digits && strings.IndexByte("dwmy", unit) >= 0
	return n, unit, ok && (unit != 'y' || n < 100)
}

// addMonths adds calendar months; AddDate alone would carry January 31st into March.
func addMonths(t time.Time, n int) time.Time {
	first := t.AddDate(0, 0, 1-t.Day()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// codePrefix marks an invitation code for people and for scanners of leaked secrets.
const codePrefix = "inv_"

// codeAlphabet is Crockford's base 32 in lower case: no padding, nothing that a double click or a line break splits.
var codeAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newCode returns a random code of 160 bits.
func newCode() crypto.Secret {
	var b [20]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return crypto.NewSecret(codePrefix + codeAlphabet.EncodeToString(b[:]))
}

// hashCode returns what is stored of a code. It reads the code as people may have retyped it: any letter case, o for 0, i and l
// for 1. A plain hash is enough for 160 random bits.
func hashCode(code crypto.Secret) [sha256.Size]byte {
	text := strings.ToLower(strings.TrimSpace(code.RevealString()))
	if rest, ok := strings.CutPrefix(text, codePrefix); ok {
		text = codePrefix + strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(rest)
	}
	return sha256.Sum256([]byte("inv1" + text))
}

// parseAcceptURL checks the address that codes are appended to. It comes from configuration alone, never from a request.
func parseAcceptURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, invalid("Options.AcceptURL", validate.RuleFormat, "not a URL")
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, invalid("Options.AcceptURL", validate.RuleFormat, "its query cannot be read")
	}
	host := u.Hostname()
	loopback := host == "localhost" || net.ParseIP(host).IsLoopback()
	if host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return nil, invalid("Options.AcceptURL", validate.RuleFormat, "want https with a host, without user or fragment (http for loopback only)")
	}
	return u, nil
}

// acceptURL returns base with what Accept needs as query parameters: installation, code, and tenant unless it is the default one. Without a
// base it returns nothing.
func acceptURL(base *url.URL, key Key, code crypto.Secret) crypto.Secret {
	if base == nil || code.IsZero() {
		return crypto.Secret{}
	}
	u := *base
	q := u.Query()
	q.Set("installation", key.ID)
	q.Set("code", code.RevealString())
	if key.Tenant != "" {
		q.Set("tenant", key.Tenant)
	}
	u.RawQuery = q.Encode()
	return crypto.NewSecret(u.String())
}
