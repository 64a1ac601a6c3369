package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// A server closes the connection when an argument of a command is longer than it allows. The client
// cannot tell this from a lost answer. So Commit compares the length of each argument with the
// limit before it sends a change.

const (
	// maxArgument is the limit of this package for an argument of a command, in bytes. The default
	// of servers is higher: 512 MiB.
	maxArgument = 64 << 20
	// minLimit is the lowest limit that a server can be configured with.
	minLimit = 1 << 20
	// besideArgument is how many bytes a server can have to buffer beside an argument.
	besideArgument = 64 << 10
)

// Parameters of a server that limit the length of an argument.
const (
	paramBulk  = "proto-max-bulk-len"
	paramQuery = "client-query-buffer-limit"
)

// argumentLimit is the limit for the length of an argument.
type argumentLimit struct {
	mu     sync.Mutex
	bytes  int
	param  string // the parameter that sets the limit, "" for maxArgument
	hidden bool   // a server does not show its limits, so they may be lower
}

// lower lowers the limit to the value of a parameter, if the value is below the limit.
func (l *argumentLimit) lower(param, value string) {
	bytes, err := strconv.ParseInt(value, 10, 64)
	l.mu.Lock()
	defer l.mu.Unlock()
	if param == paramQuery {
		bytes -= besideArgument
	}
	switch {
	case err != nil:
		l.hidden = true
	case bytes < int64(l.bytes):
		l.bytes, l.param = int(bytes), param
	}
}

// readLimit returns the lowest limit of all primaries.
func (s *Store) readLimit(ctx context.Context) *argumentLimit {
	limit := &argumentLimit{bytes: maxArgument}
	err := s.client.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		cmd := redis.NewMapStringStringCmd(ctx, "config", "get", paramBulk, paramQuery)
		_ = node.Process(ctx, cmd) // users often lack the right
		for _, param := range []string{paramBulk, paramQuery} {
			limit.lower(param, cmd.Val()[param])
		}
		return nil
	})
	limit.hidden = limit.hidden || err != nil
	return limit
}

// check returns an error if an argument is too long. The error matches [installation.ErrInvalid]
// and not [installation.ErrUnavailable], because a retry fails in the same way and a smaller change
// can succeed.
func (l *argumentLimit) check(args []string) error {
	for _, a := range args {
		if len(a) <= l.bytes {
			continue
		}
		whose := "the limit"
		if l.param != "" {
			whose = "the limit by " + l.param + " of the server"
		}
		return fmt.Errorf("%w: a part of the change has %d bytes, %s is %d",
			installation.ErrInvalid, len(a), whose, l.bytes)
	}
	return nil
}

// hint adds to a connection error that args may have been too long, if a server does not show its
// limits.
func (l *argumentLimit) hint(err error, args []string) error {
	verdict, text := explain(err)
	if !l.hidden || verdict != verdictUnknown || storecall.IsContextError(err) {
		return err
	}
	for _, a := range args {
		if len(a) > minLimit-besideArgument {
			return explained{err, fmt.Sprintf("%s; maybe %s or %s of the server is below the %d "+
				"bytes of a part of the change", text, paramBulk, paramQuery, len(a))}
		}
	}
	return err
}
