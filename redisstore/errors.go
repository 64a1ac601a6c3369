package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// fate is what is known of a command after an error.
type fate int

const (
	fateUnknown  fate = iota // it may have been carried out, or may be yet
	fateRefused              // it was not carried out, and another try would end the same way
	fateDeferred             // it was not carried out; another try may be
	fateHalf                 // it is a script that failed and may have written before; another try would tell nothing
)

// answers are the errors of a server that mean something to us, by the word or words they start with. Any other answer is
// a refusal.
var answers = []struct {
	code string
	fate fate // of a command; for scripts see explain
	says string
}{
	{"LOADING", fateDeferred, "the server is still loading its data"},
	{"READONLY", fateDeferred, "the server is a replica"},
	{"CLUSTERDOWN", fateDeferred, "the cluster is down"},
	{"MASTERDOWN", fateDeferred, "the server is a replica that has lost its master"},
	{"TRYAGAIN", fateDeferred, "the slot is being moved to another server"},
	{"NOREPLICAS", fateDeferred, "the server has fewer good replicas than it wants for a write"},
	{"BUSY", fateDeferred, "a script keeps the server busy"},
	{"NOSCRIPT", fateDeferred, "the server does not know the script"},
	{"MOVED", fateDeferred, "another server of the cluster answers for the key; a cluster needs a cluster client"},
	{"ASK", fateDeferred, "the slot is being moved to another server; a cluster needs a cluster client"},
	{"max number of clients", fateDeferred, "the server has as many clients as it takes"},
	{"OOM", fateRefused, "the server is at its memory limit"},
	{"MISCONF", fateRefused, "the server cannot save its data and refuses writes"},
	{"NOAUTH", fateRefused, "the client has not authenticated itself"},
	{"WRONGPASS", fateRefused, "user or password are wrong"},
	{"NOPERM", fateRefused, "the user lacks a right; see the rights in the documentation of this package"},
	{"The user executing the script", fateRefused, "the user lacks a right; see the rights in the documentation of this package"},
	{"WRONGTYPE", fateRefused, "a key of the namespace holds something else"},
	{"This instance has cluster support disabled", fateRefused, "the server is no part of a cluster; it needs a redis.Client"},
	{"CROSSSLOT", fateRefused, "the keys are in different slots"},
	{"unknown command", fateRefused, "the server lacks a command; the service must allow scripts and speak Redis 6.2 or later"},
}

// unsent is an error met before anything of a command was written to a connection.
type unsent struct{ error }

// Unwrap returns the error.
func (e unsent) Unwrap() error { return e.error }

// explain says what an error means. The text of a server is left out: it may quote what was sent.
func explain(err error) (fate, string) {
	what, text := meaning(err)
	if _, ok := errors.AsType[unsent](err); ok && what == fateUnknown {
		what = fateDeferred
	}
	return what, text
}

func meaning(err error) (fate, string) {
	var answer redis.Error
	var op *net.OpError
	switch {
	case errors.Is(err, redis.ErrClosed):
		return fateRefused, "the client is closed"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return fateDeferred, "no free connection"
	case errors.As(err, &op) && op.Op == "dial":
		return fateDeferred, op.Error()
	case op == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return fateUnknown, "the time was up"
	case errors.As(err, &answer):
		text := inner(answer.Error())
		for _, a := range answers {
			if !strings.HasPrefix(text, a.code) {
				continue
			}
			if a.fate == fateRefused && inScript(answer.Error()) && !slices.Contains(noWrites, a.code) {
				return fateHalf, a.says
			}
			return a.fate, a.says
		}
		code, _, _ := strings.Cut(text, " ")
		if code != strings.ToUpper(code) {
			code = "ERR"
		}
		if inScript(answer.Error()) {
			return fateHalf, "the server refuses a command of a script with " + code
		}
		return fateRefused, "the server refuses with " + code
	default:
		return fateUnknown, broken(err)
	}
}

// broken says how a connection failed. Only what cannot quote a reply is repeated: the error of a reply that could not be
// read does.
func broken(err error) string {
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &op):
		return op.Error()
	case errors.Is(err, errSlow), errors.As(err, &timeout) && timeout.Timeout():
		return errSlow.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	default:
		return "the connection failed"
	}
}

// noWrites are the answers of a server that takes no writes for now. A script meets them at its first write or not at all.
var noWrites = []string{"OOM", "MISCONF", "NOREPLICAS"}

// refusesWrites reports whether err is one of them.
func refusesWrites(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer) &&
		slices.ContainsFunc(noWrites, func(code string) bool { return strings.HasPrefix(inner(answer.Error()), code) })
}

// inScript reports whether an answer is about a command that a script has called, not about the call of the script.
func inScript(text string) bool {
	return strings.Contains(text, "user_script") || strings.Contains(text, "Error running script") ||
		strings.Contains(text, "The user executing the script")
}

// inner strips what servers put around an error: "ERR", and, before Redis 7, a sentence around one that a script met.
func inner(text string) string {
	if strings.Contains(text, "Error running script") {
		if _, met, ok := strings.Cut(text, ": -"); ok {
			text = met
		}
	}
	return strings.TrimPrefix(text, "ERR ")
}

// isAnswer reports whether err was given by a server, which therefore has dealt with the command.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// failure is an error of the store: a sentinel with a sentence, and the errors that led to it for [errors.Is] and
// [errors.As]. Their text is not repeated.
type failure struct {
	sentinel error
	text     string
	causes   []error
}

// Error implements error.
func (f *failure) Error() string { return f.sentinel.Error() + ": " + f.text }

// Unwrap returns the sentinel and the causes.
func (f *failure) Unwrap() []error { return append([]error{f.sentinel}, f.causes...) }

// fail returns the error for a call that ends with err, which is not nil. If err is a failure already, it stays.
func fail(ctx context.Context, sentinel, err error) error {
	if f, ok := errors.AsType[*failure](err); ok && f.sentinel == sentinel {
		return err
	}
	_, text := explain(err)
	f := &failure{sentinel: sentinel, text: text, causes: []error{err}}
	if ended := contextError(ctx, err); ended != nil && !errors.Is(err, ended) {
		f.causes = append(f.causes, ended)
	}
	return f
}

// contextError returns the error of a context that has ended, or whose deadline is what err met on the network a moment
// before the context noticed; nil if neither.
func contextError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	deadline, ok := ctx.Deadline()
	if ok && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// unavailable returns an error with a sentence of our own.
func unavailable(text string) error {
	return &failure{sentinel: installation.ErrUnavailable, text: text}
}
