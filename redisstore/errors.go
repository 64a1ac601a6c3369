package redisstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/storecall"
)

// verdict is what an error says about the execution of its command.
type verdict int

const (
	verdictUnknown  verdict = iota // it may have been executed, or may still be
	verdictRejected                // it was not executed, and a retry would fail the same way
	verdictRetry                   // it was not executed; a retry may succeed
	verdictPartial                 // a script failed, maybe after some of its writes
	verdictStrange                 // the server's text is not in serverErrors; see commitError
)

// serverErrors are the errors of a server that are known, by the words they start with. Servers
// return them before they execute the command.
var serverErrors = []struct {
	code    string
	verdict verdict // for a command; see classify for scripts
	text    string
}{
	{"LOADING", verdictRetry, "the server is still loading its data"},
	{"READONLY", verdictRetry, "the server is a replica"},
	{"CLUSTERDOWN", verdictRetry, "the cluster is down"},
	{"MASTERDOWN", verdictRetry, "the server is a replica that has lost its master"},
	{"TRYAGAIN", verdictRetry, textMoving},
	{"Script attempted to access a non local key", verdictRetry, textMoving},
	{"NOREPLICAS", verdictRetry, "the server has too few good replicas for a write"},
	{"BUSY", verdictRetry, "the server is busy running a script"},
	{"NOSCRIPT", verdictRetry, "the server does not know the script"},
	{"MOVED", verdictRetry, "another server of the cluster has the key; use a cluster client"},
	{"ASK", verdictRetry, "the slot is being moved to another server; use a cluster client"},
	{"max number of clients", verdictRetry, "the server has too many clients"},
	{"OOM", verdictRejected, "the server is at its memory limit"},
	{"MISCONF", verdictRejected, "the server cannot save its data and rejects writes"},
	{"NOAUTH", verdictRejected, "the client has not authenticated"},
	{"WRONGPASS", verdictRejected, "the user or the password is wrong"},
	{"DENIED", verdictRejected, "the server is in protected mode"},
	{"NOPERM", verdictRejected, textNoRight},
	{"The user executing the script", verdictRejected, textNoRight},
	{"WRONGTYPE", verdictRejected, "a key of the namespace has another type"},
	{"This instance has cluster support disabled", verdictRejected,
		"the server is not part of a cluster; use a redis.Client"},
	{"Protocol error: invalid bulk length", verdictRejected,
		"a part of the change is longer than proto-max-bulk-len of the server"},
	{"CROSSSLOT", verdictRejected, "the keys are in different slots"},
	{"wrong number of arguments", verdictRejected, "the server rejects the arguments"},
	{"unknown command", verdictRejected, textLacks},
	{"Unknown Redis command", verdictRejected, textLacks}, // in a script
	{"Unknown command", verdictRejected, textLacks},
}

const textMoving = "the slot is being moved to another server"

const textLacks = "the server lacks a command: " + textNeeds

const textNoRight = "the user lacks a right; see the documentation of this package"

// commitError is the error of a try to commit. A proxy in front of the servers, such as that of a
// managed service, has error texts of its own. It can send one after the server has executed the
// script. So after a text that is not in serverErrors, the commit may have been applied.
type commitError struct{ error }

// Unwrap returns the wrapped error.
func (e commitError) Unwrap() error { return e.error }

// explained is an error with a text of our own, which replaces the text that [classify] returns.
type explained struct {
	error
	text string
}

// Unwrap returns the wrapped error.
func (e explained) Unwrap() error { return e.error }

// isSlotMoving reports whether a server has answered that the slot of a script's keys is being
// moved.
func isSlotMoving(err error) bool {
	text := innerText(serverText(err))
	return strings.HasPrefix(text, "TRYAGAIN") || strings.Contains(text, "non local key")
}

// explain returns the verdict of an error and a text for it. The text does not contain the server's
// own text, which can quote what was sent.
func explain(err error) (verdict, string) {
	v, text := classify(err)
	_, unsent := errors.AsType[storecall.NotSent](err)
	_, commits := errors.AsType[commitError](err)
	switch {
	case unsent && v == verdictUnknown:
		v = verdictRetry
	case !unsent && commits && v == verdictStrange:
		v = verdictUnknown
	}
	if e, ok := errors.AsType[explained](err); ok {
		text = e.text
	}
	return v, text
}

func classify(err error) (verdict, string) {
	op, _ := errors.AsType[*net.OpError](err)
	if text := tlsText(err); text != "" {
		if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
			return verdictUnknown, text // it can also end a connection that was in use
		}
		return verdictRejected, text
	}
	switch {
	case errors.Is(err, redis.ErrClosed):
		return verdictRejected, "the client is closed"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return verdictRetry, "no free connection"
	case op != nil && op.Op == "dial":
		return verdictRetry, op.Error()
	case op == nil && errors.Is(err, context.Canceled),
		op == nil && errors.Is(err, context.DeadlineExceeded):
		return verdictUnknown, "the time was up"
	case isServerError(err):
		return classifyServerError(serverText(err))
	case op != nil:
		return verdictUnknown, op.Error()
	}
	// The text of the error itself may quote a reply that could not be read.
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, storecall.ErrTimeout), timeout != nil && timeout.Timeout():
		return verdictUnknown, storecall.ErrTimeout.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return verdictUnknown, "the connection was closed"
	default:
		return verdictUnknown, "the connection failed"
	}
}

// tlsText returns a text for a TLS error that a retry would meet again, and "" for other errors.
// The text does not quote the certificate.
func tlsText(err error) string {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		return ""
	}
	const untrusted = "the certificate of the server is not trusted"
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return untrusted + ": its authority is unknown"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return untrusted + ": it is for another name"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return untrusted + ": it has expired or is not valid yet"
	}
	return untrusted
}

// classifyServerError classifies the text of a server. Our scripts read every key before the first
// write, so WRONGTYPE means that nothing was written.
func classifyServerError(full string) (verdict, string) {
	text := innerText(full)
	for _, e := range serverErrors {
		if !strings.HasPrefix(text, e.code) {
			continue
		}
		before := e.code == "WRONGTYPE" || slices.Contains(noWriteCodes, e.code)
		if e.verdict == verdictRejected && inScript(full) && !before {
			return verdictPartial, e.text
		}
		return e.verdict, e.text
	}
	code, _, _ := strings.Cut(text, " ")
	if code != strings.ToUpper(code) {
		code = "ERR"
	}
	if inScript(full) {
		return verdictPartial, "the server rejects a command of a script with " + code
	}
	return verdictStrange, "the server, or a proxy, rejects the command with " + code
}

// noWriteCodes are the errors of a server that rejects writes for now. A script meets them at
// its first write or not at all.
var noWriteCodes = []string{"OOM", "MISCONF", "NOREPLICAS"}

// rejectsWrites reports whether err is one of noWriteCodes.
func rejectsWrites(err error) bool {
	return slices.ContainsFunc(noWriteCodes, func(code string) bool {
		return strings.HasPrefix(innerText(serverText(err)), code)
	})
}

// inScript reports whether a server error is about a command in a script, not about the script
// itself.
func inScript(text string) bool {
	return strings.Contains(text, "user_script") ||
		strings.Contains(text, "Error running script") ||
		strings.Contains(text, "The user executing the script")
}

// innerText strips "ERR" and the sentence that servers before Redis 7 put around the error of a
// script.
func innerText(text string) string {
	if strings.Contains(text, "Error running script") {
		if _, inner, ok := strings.Cut(text, ": -"); ok {
			text = inner
		}
	}
	return strings.TrimPrefix(text, "ERR ")
}

// isServerError reports whether err is the answer of a server. The server has then processed the
// command.
func isServerError(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// serverText returns the text of a server error, "" for others.
func serverText(err error) string {
	if e, ok := errors.AsType[redis.Error](err); ok {
		return e.Error()
	}
	return ""
}

// textOf returns the text of an error of the store without that of its sentinel.
func textOf(err error) string {
	if e, ok := errors.AsType[*storecall.Error](err); ok {
		return e.Text
	}
	_, text := explain(err)
	return text
}

// wrapError returns the error of a call that ends with err; see [storecall.Wrap].
func wrapError(ctx context.Context, sentinel, err error) error {
	_, text := explain(err)
	return storecall.Wrap(ctx, sentinel, err, text)
}
