package redisstore

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/storecall"
)

var (
	//go:embed commit.lua
	commitSource string
	//go:embed open.lua
	openSource string
	//go:embed probe.lua
	probeSource string
	//go:embed repair.lua
	repairSource string
	//go:embed ends.lua
	endsSource string
	//go:embed fixed.lua
	fixedSource string
	//go:embed lasting.lua
	lastingSource string
	//go:embed outcome.lua
	outcomeSource string
	//go:embed raise.lua
	raiseSource string
)

// script is a Lua script with the digest by which servers know it. The servers calculate the
// digest, because SHA-1 is unavailable in FIPS 140 mode.
type script struct {
	source string
	digest string
}

// loadScript loads a script on every primary. script.run loads it on servers that join later.
func loadScript(ctx context.Context, c client, source string) (script, error) {
	s := script{source: source}
	err := c.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		return node.ScriptLoad(ctx, source).Err()
	})
	if err == nil {
		s.digest, err = c.ScriptLoad(ctx, source).Result()
	}
	return s, err
}

// command is a command that go-redis does not retry: go-redis does not know which scripts do no
// harm if they run twice. go-redis still follows redirections, because a server that redirects has
// executed nothing.
type command struct {
	*redis.Cmd
	sent *sentTracker // a word of the command; nil if nobody needs to know
}

// NoRetry turns the retries of go-redis off.
func (command) NoRetry() bool { return true }

// failure returns the error of the command: a [storecall.NotSent] if nothing of it was written to a
// connection. If the keys of the script are on two servers, because their slot is being moved, the
// error names the slot. Nothing was written then, because our scripts read every key before they
// write. The parameter key is one of these keys.
func (c command) failure(key string) error {
	switch err := c.Err(); {
	case err != nil && !c.sent.sent.Load():
		return storecall.NotSent{Err: err}
	case isSlotMoving(err):
		return explained{err, fmt.Sprintf("slot %d is being moved to another server", slotOf(key))}
	default:
		return err
	}
}

// sentTracker is a word of a command that knows whether it was written to a connection: go-redis
// encodes the word only then. The error of a command does not tell whether the command was sent,
// because a connection can also break during its handshake.
type sentTracker struct {
	word string
	sent atomic.Bool
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (t *sentTracker) MarshalBinary() ([]byte, error) {
	t.sent.Store(true)
	return []byte(t.word), nil
}

// String returns the word, for logs of commands.
func (t *sentTracker) String() string { return t.word }

// command returns the command for the script, by its digest or by its source.
func (s script) command(
	ctx context.Context, name, digestOrSource string, keys, args []string,
) command {
	tracked := &sentTracker{word: digestOrSource}
	words := make([]any, 0, 3+len(keys)+len(args))
	words = append(words, name, tracked, len(keys))
	for _, k := range keys {
		words = append(words, k)
	}
	for _, a := range args {
		words = append(words, a)
	}
	return command{redis.NewCmd(ctx, words...), tracked}
}

// run runs the script once on the server of the first key. If the server does not know the script,
// run sends its source, which the server keeps. The server had executed nothing before, so this is
// still the first try.
func (s script) run(ctx context.Context, c client, keys, args []string) ([]string, error) {
	cmd := s.command(ctx, "evalsha", s.digest, keys, args)
	_ = c.Process(ctx, cmd)
	if isNoScript(cmd.Err()) {
		// The server may be one that gets the slot of the keys: EVAL is redirected to it.
		cmd = s.command(ctx, "eval", s.source, keys, args)
		_ = c.Process(ctx, cmd)
	}
	if err := cmd.failure(keys[0]); err != nil {
		return nil, err
	}
	return cmd.StringSlice()
}

// waitCommand returns a WAIT for [Options.RequireReplicas] that ends before the deadline of ctx. It
// leaves a quarter of the remaining time for the round trip: an answer that comes too late would
// turn an applied commit into an unknown outcome.
func (s *Store) waitCommand(ctx context.Context) command {
	timeout := s.opts.ReplicaTimeout
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		timeout = max(time.Millisecond, min(timeout, left-left/4))
	}
	cmd := redis.NewCmd(ctx, "wait", s.opts.RequireReplicas, timeout.Milliseconds())
	return command{Cmd: cmd}
}

// runAndWait runs the script once and then waits for replicas. It returns how many replicas have
// confirmed the script's writes. Both commands use the same connection, because WAIT covers only
// the writes of the connection that it is sent on.
func (s script) runAndWait(
	ctx context.Context, c client, keys, args []string, wait func(context.Context) command,
) (reply []string, replicas int64, err error) {
	node, err := c.primary(ctx, keys[0])
	if err != nil {
		return nil, 0, storecall.NotSent{Err: err}
	}
	cmd, waiting := s.command(ctx, "evalsha", s.digest, keys, args), wait(ctx)
	send(ctx, node, cmd, waiting)
	if isNoScript(cmd.Err()) {
		cmd, waiting = s.command(ctx, "eval", s.source, keys, args), wait(ctx)
		send(ctx, node, cmd, waiting)
	}
	switch {
	case cmd.Err() != nil:
		return nil, 0, cmd.failure(keys[0])
	case waiting.Err() != nil && !isServerError(waiting.Err()):
		return nil, 0, waiting.Err()
	}
	replicas, _ = waiting.Int64() // 0 if the server rejects WAIT
	reply, err = cmd.StringSlice()
	return reply, replicas, err
}

// send sends commands in one pipeline. Each has its own error.
func send(ctx context.Context, node redis.UniversalClient, commands ...command) {
	pipe := node.Pipeline()
	for _, cmd := range commands {
		_ = pipe.Process(ctx, cmd) // queues
	}
	_, _ = pipe.Exec(ctx)
}

func isNoScript(err error) bool { return redis.HasErrorPrefix(err, "NOSCRIPT") }

// errReply is the error for an unexpected answer of a script.
var errReply = storecall.Unavailable("a script gave an unexpected answer")
