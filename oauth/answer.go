package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-installation/installation/refresh"
)

// MaxRetryAfter is the longest refresh.Error.After of this package. A provider that asks for a
// longer pause is asked again after this time.
const MaxRetryAfter = time.Hour

// errMalformed stands for errors of x/oauth2 and net/http that can quote an answer.
var errMalformed = errors.New("oauth: the answer is incomplete or has no access token")

// codes are the error codes of the standards: RFC 6749, 6750, 7009, 8628, 8707, 9449 and OpenID
// Connect. Other codes are not shown, because a provider could put anything there.
var codes = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true,
	"unauthorized_client": true, "unsupported_grant_type": true, "invalid_scope": true,
	"access_denied": true, "unsupported_response_type": true, "server_error": true,
	"temporarily_unavailable": true, "invalid_token": true, "insufficient_scope": true,
	"unsupported_token_type": true, "slow_down": true, "expired_token": true,
	"authorization_pending": true, "invalid_target": true, "use_dpop_nonce": true,
	"invalid_dpop_proof": true, "interaction_required": true, "login_required": true,
	"consent_required": true, "account_selection_required": true,
}

// validCodes reports whether refresh.Error keeps each of the texts unchanged as its reason.
func validCodes(list []string) bool {
	return !slices.ContainsFunc(list, func(code string) bool {
		return (&refresh.Error{Reason: code}).Code() != code
	})
}

func failed(answer refresh.Answer, reason string, cause error) *refresh.Error {
	return &refresh.Error{Answer: answer, Reason: reason, Err: cause}
}

// attempt says how far a request came.
type attempt struct {
	asked     atomic.Bool // the transport looked for a connection
	connected atomic.Bool // it had one, so it may have sent something
}

// traced returns a context that reports to an attempt.
func traced(ctx context.Context) (context.Context, *attempt) {
	a := &attempt{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { a.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { a.connected.Store(true) },
	}), a
}

// unsent reports whether nothing was sent, for sure. A transport that does not call the trace may
// have sent the request, unless the error is ErrRefused.
func (a *attempt) unsent(err error) bool {
	return !a.connected.Load() && (a.asked.Load() || errors.Is(err, ErrRefused))
}

// explain returns what an error of a request means. It keeps no text of the provider.
func (a *attempt) explain(
	ctx context.Context, err error, permanent []string, now time.Time,
) *refresh.Error {
	if answered, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return explainAnswer(answered.Response, answered.ErrorCode, permanent, now)
	}
	answer, other := refresh.Unknown, "connection_lost"
	if a.unsent(err) {
		answer, other = refresh.Passing, "unreachable"
	}
	lost, ok := errors.AsType[*url.Error](err)
	if !ok { // x/oauth2 could not read the answer
		lost, other = &url.Error{Err: errMalformed}, "malformed"
	}
	cause := lost.Err
	if a.connected.Load() {
		cause = withoutAnswer(cause)
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, ErrRefused):
		return failed(answer, "address_refused", ErrRefused)
	case ctx.Err() != nil:
		return ended(ctx, answer)
	case isNet && timeout.Timeout():
		return failed(answer, "timeout", cause)
	}
	return failed(answer, other, cause)
}

// withoutAnswer returns the cause of a lost connection. net/http quotes an answer that it cannot
// read, and the answer can contain a token. So withoutAnswer keeps only errors of the network.
func withoutAnswer(err error) error {
	if e, ok := errors.AsType[net.Error](err); ok {
		return e
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, end) {
			return end
		}
	}
	return errMalformed
}

// ended returns the error for a context that ended.
func ended(ctx context.Context, answer refresh.Answer) *refresh.Error {
	reason := "timeout"
	if errors.Is(ctx.Err(), context.Canceled) {
		reason = "canceled"
	}
	return failed(answer, reason, errors.Join(ctx.Err(), context.Cause(ctx)))
}

// explainAnswer returns what an answer without tokens means.
func explainAnswer(
	resp *http.Response, code string, permanent []string, now time.Time,
) *refresh.Error {
	status := resp.StatusCode
	known := codes[code] || slices.Contains(permanent, code)
	e := &refresh.Error{
		Answer: refresh.Passing,
		Reason: "http_" + strconv.Itoa(status),
		After:  retryAfter(resp.Header, now),
	}
	if known {
		e.Reason = code
	} else {
		code = ""
	}
	// The original has the body, and the request with the client's credentials.
	e.Err = &oauth2.RetrieveError{
		Response: &http.Response{
			StatusCode: status,
			Status:     fmt.Sprint(status, " ", http.StatusText(status)),
		},
		ErrorCode: code,
	}
	refused := code == "temporarily_unavailable" ||
		status == http.StatusServiceUnavailable && e.After > 0
	switch {
	case status >= 500 && !refused, status == http.StatusRequestTimeout, code == "server_error":
		e.Answer = refresh.Unknown
	case status < 500 && slices.Contains(permanent, code):
		e.Answer = refresh.Permanent
	}
	return e
}

// retryAfter reads Retry-After: seconds, or a time by the clock of the server, which the field Date
// shows. It returns 0 without a valid one, and at most MaxRetryAfter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(n, uint64(MaxRetryAfter.Seconds()))) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		return MaxRetryAfter
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), MaxRetryAfter))
}
