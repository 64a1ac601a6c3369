package redisstore

import (
	"context"
	_ "embed" // the scripts
	"sync/atomic"

	"github.com/redis/go-redis/v9"
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
)

// script is a Lua script that the servers know by its digest. The servers calculate the digest: SHA-1 is not to be had
// in a process that is held to FIPS 140.
type script struct {
	source string
	digest string
}

// loadScript makes a script known to every primary there is. One that joins later is told when it asks; see script.run.
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

// once is a command that go-redis sends once, whatever the options of the client: it does not know which scripts may run
// twice. Redirections are followed, since a server that redirects has done nothing.
type once struct {
	*redis.Cmd
	witness *witness // one of its words; nil if nobody asks
}

// NoRetry tells go-redis so.
func (once) NoRetry() bool { return true }

// failed returns the error of the command, as unsent if nothing of it was written to a connection.
func (o once) failed() error {
	if err := o.Err(); err != nil && !o.witness.written.Load() {
		return unsent{err}
	}
	return o.Err()
}

// witness is a word of a command that knows whether it was written to a connection: go-redis encodes a word of a type of its own as
// it writes it, and nowhere else. Its errors do not tell: a connection may break while a new one is being set up, too.
type witness struct {
	word    string
	written atomic.Bool
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (w *witness) MarshalBinary() ([]byte, error) {
	w.written.Store(true)
	return []byte(w.word), nil
}

// String is for those who log commands.
func (w *witness) String() string { return w.word }

func (s script) command(ctx context.Context, keys, args []string) once {
	digest := &witness{word: s.digest}
	words := make([]any, 0, 3+len(keys)+len(args))
	words = append(words, "evalsha", digest, len(keys))
	for _, k := range keys {
		words = append(words, k)
	}
	for _, a := range args {
		words = append(words, a)
	}
	return once{redis.NewCmd(ctx, words...), digest}
}

// run runs the script once, where its first key is. A server that does not know the script, because it was restarted or has
// joined since, is told it; that server has done nothing yet, so asking it again is still the first try.
func (s script) run(ctx context.Context, c client, keys, args []string) ([]string, error) {
	cmd := s.command(ctx, keys, args)
	_ = c.Process(ctx, cmd)
	if isNoScript(cmd.Err()) {
		node, err := c.primary(ctx, keys[0])
		if err != nil {
			return nil, unsent{err}
		}
		cmd = s.command(ctx, keys, args)
		if err := s.teach(ctx, node, cmd); err != nil {
			return nil, err
		}
	}
	if err := cmd.failed(); err != nil {
		return nil, err
	}
	return cmd.StringSlice()
}

// runConfirmed runs the script once and then waits, on the same connection, until as many replicas as asked have what was
// written, or the time is up. It returns how many have it. WAIT speaks of what its own connection has written; on another
// one it would say nothing.
func (s script) runConfirmed(ctx context.Context, c client, keys, args []string, w wait) (reply []string, replicas int64, err error) {
	node, err := c.primary(ctx, keys[0])
	if err != nil {
		return nil, 0, unsent{err}
	}
	cmd, waiting := s.command(ctx, keys, args), once{Cmd: w.command(ctx)}
	send(ctx, node, cmd, waiting)
	if isNoScript(cmd.Err()) {
		cmd, waiting = s.command(ctx, keys, args), once{Cmd: w.command(ctx)}
		if err := s.teach(ctx, node, cmd, waiting); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case cmd.Err() != nil:
		return nil, 0, cmd.failed()
	case waiting.Err() != nil && !isAnswer(waiting.Err()):
		return nil, 0, waiting.Err()
	}
	replicas, _ = waiting.Int64() // 0 if the server refuses to wait
	reply, err = cmd.StringSlice()
	return reply, replicas, err
}

// teach makes the script known to a server and sends commands that need it, on the same connection: another one may lead to
// another server, where the name of the first has come to mean a second one. It returns an error if the server refuses.
func (s script) teach(ctx context.Context, node redis.UniversalClient, commands ...once) error {
	load := once{Cmd: redis.NewCmd(ctx, "script", "load", s.source)}
	send(ctx, node, append([]once{load}, commands...)...)
	if isAnswer(load.Err()) {
		return load.Err()
	}
	return nil
}

// send sends commands together. Each has its own error.
func send(ctx context.Context, node redis.UniversalClient, commands ...once) {
	pipe := node.Pipeline()
	for _, cmd := range commands {
		_ = pipe.Process(ctx, cmd) // queues
	}
	_, _ = pipe.Exec(ctx)
}

func isNoScript(err error) bool { return redis.HasErrorPrefix(err, "NOSCRIPT") }
