package pgstore

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-installation/installation/internal/storecall"
)

// verdict is what an error says about the execution of its statement.
type verdict int

const (
	verdictUnknown  verdict = iota // it may have been executed, or may still be
	verdictRejected                // it was not executed, and a retry would fail the same way
	verdictRetry                   // it was not executed; a retry may succeed
)

// serverErrors are the errors of a server that need a text of their own, by their code or its first
// characters. After an error of any code but those that are unknown, the server has undone the
// statement. See https://www.postgresql.org/docs/current/errcodes-appendix.html.
var serverErrors = []struct {
	code    string
	verdict verdict
	text    string
}{
	{"40003", verdictUnknown, "the server does not know whether it committed"},
	{"40", verdictRetry, "the server has undone the transaction because of others"},
	{"55P03", verdictRetry, "another transaction keeps a lock for too long"},
	{"57014", verdictRetry, "the server has cancelled the statement: maybe its statement_timeout " +
		"is too short"},
	// A server can end a connection after it has committed.
	{"57P0", verdictUnknown, "the server has ended the connection"},
	{"25006", verdictRetry, "the server or the transaction is read-only"}, // maybe a failover
	{"25P03", verdictUnknown, "the transaction was idle for longer than " +
		"idle_in_transaction_session_timeout of the server allows"},
	{"25P04", verdictUnknown, "the transaction was open for longer than transaction_timeout of " +
		"the server allows"},
	{"53300", verdictRetry, "the server has too many connections"},
	{"53100", verdictRejected, "the disk of the server is full"},
	{"53", verdictRejected, "the server lacks a resource"},
	{"28", verdictRejected, "the server rejects the user or the password"},
	{"3D000", verdictRejected, "the database does not exist"},
	{"42501", verdictRejected, "the user lacks a right; see the documentation of this package"},
	{"3F000", verdictRejected, textSchema},
	{"42P01", verdictRejected, textSchema},
	{"42883", verdictRejected, textSchema},
	{"42P07", verdictRejected, textForeign},
	{"42703", verdictRejected, textForeign},
	{"42723", verdictRejected, textForeign},
	{"42809", verdictRejected, textForeign},
	{"26000", verdictRejected, textPrepared},
	{"42P05", verdictRejected, textPrepared},
	{"08", verdictUnknown, "the connection failed"},
	{"54", verdictRejected, "a value is longer than the server can keep"},
	{"XX001", verdictRejected, "the server finds damaged data"},
	{"XX002", verdictRejected, "the server finds a damaged index"},
}

const textSchema = "the schema lacks a table or a function; run pgstore.Migrate"

const textForeign = "the schema has a table or a function of another program; set Options.Schema " +
	"to a schema that only the store uses"

// errBusy is the error of a call that got no connection of the pool in time.
var errBusy = errors.New("all connections of the pool are in use: end transactions that are " +
	"open, or set a higher MaxConns")

const textPrepared = "a prepared statement is not there; behind PgBouncer, set Options.ExecMode"

// explain returns the verdict of an error and a text for it. The text does not contain the server's
// own text, which can quote what was sent.
func explain(err error) (verdict, string) {
	v, text := classify(err)
	_, unsent := errors.AsType[storecall.NotSent](err)
	server, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case unsent && v == verdictUnknown:
		v = verdictRetry
	case !unsent && server != nil && server.SeverityUnlocalized != "ERROR":
		// The connection ends, maybe after the server has committed. PgBouncer has errors of its
		// own of this kind.
		v = verdictUnknown
	}
	return v, text
}

func classify(err error) (verdict, string) {
	if e, ok := errors.AsType[*storecall.Error](err); ok {
		return verdictRejected, e.Text
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, known := range serverErrors {
			if strings.HasPrefix(e.Code, known.code) {
				return known.verdict, known.text + " (SQLSTATE " + e.Code + ")"
			}
		}
		return verdictRejected, "the server answers SQLSTATE " + e.Code
	}
	if _, ok := errors.AsType[unreadable](err); ok {
		return verdictRejected, "the stored bytes cannot be read"
	}
	op, _ := errors.AsType[*net.OpError](err)
	name, _ := errors.AsType[*net.DNSError](err)
	connect, _ := errors.AsType[*pgconn.ConnectError](err)
	switch {
	case hasText(err, "closed pool"): // the sentinel is in a module that pgx does not export
		return verdictRejected, "the pool is closed"
	case errors.Is(err, errBusy):
		return verdictRetry, errBusy.Error()
	case op != nil:
		return verdictUnknown, op.Error()
	case name != nil:
		return verdictUnknown, name.Error()
	case errors.Is(err, storecall.ErrTimeout):
		return verdictUnknown, storecall.ErrTimeout.Error()
	case storecall.IsContextError(err):
		return verdictUnknown, "the time was up"
	case connect != nil && strings.Contains(connect.Error(), "server refused TLS connection"):
		// The whole text can have what a dialer of the host says, such as a token.
		return verdictUnknown, "the server refused TLS; see sslmode"
	}
	return verdictUnknown, "the connection failed"
}

// hasText reports whether err wraps an error with this text, for errors without a type.
func hasText(err error, text string) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == text {
			return true
		}
	}
	return false
}

// wrapError returns the error of a call that ends with err; see [storecall.Wrap].
func wrapError(ctx context.Context, sentinel, err error) error {
	_, text := explain(err)
	return storecall.Wrap(ctx, sentinel, err, text)
}
