package crashtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/internal/ledger"
	"github.com/go-installation/installation/internal/pgtest"
)

// childVariable makes the test binary a child that writes until it is killed.
const childVariable = "CRASHTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		pgtest.Main(m)
		return
	}
	if err := runChild(bufio.NewReader(os.Stdin)); err != nil {
		say("stop", "", err)
	}
	select {} // until it is killed
}

// task is what a child does.
type task struct {
	Store   string // which store; see openers
	Where   string // the file, or the address of the server
	Writers []string
	Stored  map[string]state  // by the ID of the key
	Retry   map[string]string // operations with an unknown outcome, by writer
	First   int               // number of the first new operation of each writer
	Step    bool              // wait for a line before each commit
}

// openers open the stores by their name in a task.
var openers = map[string]func(where string) (checked, error){
	"bolt":        openBolt(boltstore.Options{}),
	"bolt-nosync": openBolt(boltstore.Options{NoSync: true}),
	"postgres":    openPostgres,
}

// runChild opens the store and writes with concurrent writers.
func runChild(input *bufio.Reader) error {
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var t task
	if err := json.Unmarshal(line, &t); err != nil {
		return err
	}
	store, err := openers[t.Store](t.Where)
	if err != nil {
		return err
	}
	in, err := store.Namespace(context.Background())
	if err != nil {
		return err
	}
	say("open", in.ID, nil)
	var writers sync.WaitGroup
	for _, name := range t.Writers {
		w := &writer{name: name, store: store, task: t, stored: make(map[string]state), in: input}
		for id, s := range t.Stored {
			w.stored[id] = s
		}
		writers.Go(w.run)
	}
	writers.Wait()
	return errors.New("all writers have stopped")
}

// writer makes one change after another.
type writer struct {
	name   string
	store  installation.Store
	task   task
	stored map[string]state
	in     *bufio.Reader
}

// run makes changes until one fails, or for ever. With Step it goes on after failures.
func (w *writer) run() {
	retry := w.task.Retry[w.name]
	for n := w.task.First; ; {
		op, again := retry, retry != ""
		if !again {
			op = operation(w.name, n)
			n++
		}
		if w.task.Step {
			if _, err := w.in.ReadString('\n'); err != nil {
				return
			}
		}
		result := w.commit(op)
		retry = ""
		if result != ledger.Success && !w.task.Step {
			return
		}
		// A refused retry says nothing about the try before.
		if result == ledger.Unknown || result == ledger.Refusal && again {
			retry = op
		}
	}
}

// commit makes one change. It says so before and after.
func (w *writer) commit(op string) ledger.Result {
	c, after := next(op, w.stored[keyOf(op).ID])
	say("try", op, nil)
	receipt, err := w.store.Commit(context.Background(), c)
	result := ledger.ResultOf(c, receipt, err)
	if result == ledger.Success {
		w.stored[c.Key.ID] = after
	}
	say(string(result), op, err)
	return result
}

// message is a line from a child.
type message struct{ What, Op, Err string }

// out keeps lines whole.
var out sync.Mutex

func say(what, op string, err error) {
	m := message{What: what, Op: op}
	if err != nil {
		m.Err = err.Error()
	}
	line, _ := json.Marshal(m) // strings always have a form
	out.Lock()
	defer out.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n')) // the parent is gone, so nobody needs it
}

// child is a running child.
type child struct {
	command *exec.Cmd
	in      io.WriteCloser
	lines   chan message // closed at the end
	stderr  syncBuffer
}

// startChild starts a child.
func startChild(t task) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.Command(self), lines: make(chan message, 1<<16)}
	c.command.Env = append(os.Environ(), childVariable+"=1")
	c.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.command.Stderr = &c.stderr
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var m message
			if json.Unmarshal(lines.Bytes(), &m) != nil {
				return // the kill cut the line
			}
			c.lines <- m
		}
	}()
	line, err := json.Marshal(t)
	if err == nil {
		_, err = c.in.Write(append(line, '\n'))
	}
	return c, err
}

// kill kills the child and returns the lines that nobody has read yet.
func (c *child) kill() (rest []message) {
	_ = c.command.Process.Kill() // it has ended already
	for m := range c.lines {
		rest = append(rest, m)
	}
	_ = c.command.Wait() // killed
	return rest
}

// step lets the child make one commit, and returns its answer.
func (c *child) step() (message, error) {
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		return message{}, err
	}
	return c.answer()
}

// answer returns the next line that is not the beginning of a commit.
func (c *child) answer() (message, error) {
	for m := range c.lines {
		if m.What != "try" {
			return m, nil
		}
	}
	return message{}, fmt.Errorf("the child has ended: %s", c.stderr.String())
}

// syncBuffer is a buffer for one writer and one reader.
type syncBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.b)
}
