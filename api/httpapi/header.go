package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/validate"
)

// Limits of headers.
const (
	MaxToken          = 16 << 10 // bytes of a bearer token
	MaxIdempotencyKey = 256      // bytes
)

// Bearer returns the token of the Authorization header. It returns false unless the request has
// exactly one such header, with the scheme Bearer in any letter case and a well-formed token of at
// most [MaxToken] bytes.
func Bearer(r *http.Request) (token string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" || len(token) > MaxToken ||
		strings.ContainsFunc(token, notToken) {
		return "", false
	}
	return token, true
}

// notToken reports whether a character cannot be in a token. A token can have the characters of
// token68 (RFC 9110), and colons, which some platforms use.
func notToken(c rune) bool {
	alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	return !alphanumeric && !strings.ContainsRune("-._~+/=:", c)
}

// IdempotencyKey returns the idempotency key to pass to the service, or "" if the request has no
// Idempotency-Key header. The key is a hash of the header and of scope, such as the method and the
// installation. So one header in two scopes gives two different keys.
func IdempotencyKey(r *http.Request, scope ...string) (string, error) {
	const header = "Idempotency-Key"
	values := r.Header.Values(header)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", nil
	case len(values) > 1:
		return "", Invalid(header, validate.RuleTooMany, "must be given once")
	case len(values[0]) > MaxIdempotencyKey:
		detail := fmt.Sprintf("must have at most %d bytes", MaxIdempotencyKey)
		return "", Invalid(header, validate.RuleTooLong, detail)
	}
	h := sha256.New()
	for _, part := range slices.Concat(scope, values) {
		// The length comes first, so that two different lists never give the same bytes.
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		_, _ = h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)), nil
}

// ETag returns the entity tag of a revision.
func ETag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// Condition returns a guard for the If-Match header of a request. An entity tag requires the
// revision in the tag, and "*" requires that the installation exists. Without the header, the guard
// requires nothing.
//
// The service compares only one revision, so a list of tags is invalid. A weak tag matches no
// revision, and neither does a tag that [ETag] did not make. For both, the error matches
// [installation.ErrConflict].
func Condition(r *http.Request) (guard installation.Guard, err error) {
	const header = "If-Match"
	values := r.Header.Values(header)
	if len(values) == 0 {
		return guard, nil
	}
	tag := strings.TrimSpace(values[0])
	opaque := strings.TrimPrefix(tag, "W/")
	switch {
	case len(values) > 1 || strings.Contains(tag, ","):
		return guard, Invalid(header, validate.RuleTooMany, "must be one entity tag")
	case tag == "*":
		return installation.Guard{Present: true}, nil
	case !strings.HasPrefix(opaque, `"`) || !strings.HasSuffix(tag, `"`):
		return guard, Invalid(header, validate.RuleFormat, "must be an entity tag in quotes")
	}
	revision, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil || revision < 1 || ETag(revision) != tag {
		return guard, installation.ErrConflict
	}
	return installation.Guard{Revision: revision}, nil
}
