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

// Bearer returns the token of the Authorization header. The name of the scheme may be in any letter case; ok is false unless there is exactly
// one header, with that scheme and something after it that has the form of a token.
func Bearer(r *http.Request) (token string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" || len(token) > MaxToken || strings.ContainsFunc(token, notToken) {
		return "", false
	}
	return token, true
}

// notToken reports whether a character cannot be part of a token: token68 of RFC 9110, and the colon, which some platforms have in theirs.
func notToken(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return false
	}
	return !strings.ContainsRune("-._~+/=:", c)
}

// IdempotencyKey returns the key that the service is to know a request by, "" if the client gave none. It is made of the Idempotency-Key header
// and of what the client's keys are separate for, such as method and installation: the same header there is another key.
func IdempotencyKey(r *http.Request, scope ...string) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", nil
	case len(values) > 1:
		return "", Invalid("Idempotency-Key", validate.RuleTooMany, "must be given once")
	case len(values[0]) > MaxIdempotencyKey:
		return "", Invalid("Idempotency-Key", validate.RuleTooLong, fmt.Sprintf("must have at most %d bytes", MaxIdempotencyKey))
	}
	h := sha256.New()
	for _, part := range slices.Concat(scope, values) {
		// The length first, so that no two lists of parts give the same bytes.
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		_, _ = h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)), nil
}

// ETag returns the entity tag of a revision.
func ETag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// Condition reads If-Match into a guard: an entity tag demands its revision, "*" that there is an installation. No header is no condition.
//
// The service holds a write against one revision, so a list of several tags is refused as input. A tag that this package did not make
// matches nothing, and neither does a weak one.
func Condition(r *http.Request) (installation.Guard, error) {
	values := r.Header.Values("If-Match")
	if len(values) == 0 {
		return installation.Guard{}, nil
	}
	tag := strings.TrimSpace(values[0])
	switch {
	case len(values) > 1 || strings.Contains(tag, ","):
		return installation.Guard{}, Invalid("If-Match", validate.RuleTooMany, "must be one entity tag")
	case tag == "*":
		return installation.Guard{Present: true}, nil
	case !strings.HasSuffix(tag, `"`) || !strings.HasPrefix(strings.TrimPrefix(tag, "W/"), `"`):
		return installation.Guard{}, Invalid("If-Match", validate.RuleFormat, "must be an entity tag in quotes")
	}
	revision, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil || revision < 1 || ETag(revision) != tag {
		return installation.Guard{}, ProblemOf(installation.ErrConflict)
	}
	return installation.Guard{Revision: revision}, nil
}
