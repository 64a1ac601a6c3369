package refresh

import (
	"errors"
	"strings"
	"testing"
)

func TestCodeKeepsOnlyPermittedCharacters(t *testing.T) {
	long := strings.Repeat("x", MaxReason)
	for _, tc := range []struct{ name, reason, want string }{
		{"a code", "invalid_grant-2.1", "invalid_grant-2.1"},
		{"a text", "no: key\n<71c>é", "nokey71c"},
		{"the maximum", long, long},
		{"a longer one", long + "y", long},
		{"a longer one with a blank", "a " + long, "a" + long[1:]},
		{"empty", "", "unspecified"},
		{"nothing permitted", "äöü !", "unspecified"},
	} {
		if got := (&Error{Reason: tc.reason}).Code(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestOnlyPermanentErrorsMatchErrFailed(t *testing.T) {
	for answer, want := range map[Answer]bool{
		Permanent: true, Passing: false, Unknown: false, "": false, "other": false,
	} {
		if got := errors.Is(&Error{Answer: answer}, ErrFailed); got != want {
			t.Errorf("answer %q: got %v, want %v", answer, got, want)
		}
	}
}

// TestErrorShowsNoCause: the text of a cause can quote a token.
func TestErrorShowsNoCause(t *testing.T) {
	cause := errors.New("token-71c")
	for _, answer := range []Answer{Permanent, Passing, Unknown} {
		err := &Error{Answer: answer, Reason: "http 500", Err: cause}
		text := err.Error()
		if strings.Contains(text, "71c") || !strings.Contains(text, "http500") {
			t.Errorf("answer %q: got %q, want the code http500 and no cause", answer, text)
		}
		if !errors.Is(err, cause) {
			t.Errorf("answer %q: the cause is not in the chain", answer)
		}
	}
}
