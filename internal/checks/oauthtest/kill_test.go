package oauthtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/oauth"
	"github.com/go-installation/installation/redisstore"
	"github.com/go-installation/installation/refresh"
)

func long() bool { return os.Getenv("INSTALLATION_LONG") == "1" }

// TestRefreshSurvivesKills: processes are killed, and stopped for longer than the lease, between
// the commit of the lease and that of the tokens. No refresh token is sent twice under Fail, and
// under Retry only those of interrupted holders. On a busy machine a request can also take too long
// for its lease. The workers note these refreshes, and the test counts them as unknown.
func TestRefreshSurvivesKills(t *testing.T) {
	processes, grants, lease := 4, 24, 300*time.Millisecond
	if long() {
		processes, grants, lease = 50, 1000, 3*time.Second
	}
	for _, policy := range []refresh.Policy{refresh.Retry, refresh.Fail} {
		t.Run("redis/"+string(policy), func(t *testing.T) {
			addr := redistest.Start(t).Addr
			f := newFleet(t, job{
				store: "redis:" + addr, policy: policy, lease: lease, grants: grants,
			})
			f.run(processes)
			f.check()
		})
		t.Run("file/"+string(policy), func(t *testing.T) {
			f := newFleet(t, job{
				store:  "bolt:" + filepath.Join(t.TempDir(), "grants.db"),
				policy: policy, grants: grants,
				lease: min(lease, 500*time.Millisecond), // no other process is slow
			})
			f.run(1)
			f.check()
		})
	}
}

// fleet is the processes of one run.
type fleet struct {
	*testing.T
	job
	provider *Provider
	grants   []Grant // as they began

	mu      sync.Mutex
	stopped int
}

func newFleet(t *testing.T, j job) *fleet {
	t.Helper()
	f := &fleet{T: t, job: j, provider: StartProcess(t)}
	f.job.provider, f.folder = f.provider.URL, t.TempDir()
	f.grants = f.provider.Grants(t, j.grants)
	f.use(func(svc *installation.Service) {
		for n, g := range f.grants {
			_, err := svc.Upsert(t.Context(), installation.UpsertRequest{
				ID: idOf(n),
				Parts: installation.Parts{
					Extension: installation.Value(installation.Extension{ID: "stock-sync"}),
					Account:   installation.Value(installation.Account{ID: g.ID}),
					Connection: installation.Value(installation.Connection{
						Provider:     "crm",
						RefreshToken: installation.Token{Value: crypto.NewSecret(g.Refresh)},
					}),
				},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	return f
}

// use opens the store for this process.
func (f *fleet) use(do func(*installation.Service)) {
	f.Helper()
	kind, where, _ := strings.Cut(f.store, ":")
	var store installation.Store
	if kind == "bolt" {
		s, err := boltstore.Open(where, nil)
		if err != nil {
			f.Fatal(err)
		}
		defer s.Close()
		store = s
	} else {
		c := redis.NewClient(&redis.Options{Addr: where})
		defer c.Close()
		s, err := redisstore.Open(f.Context(), c, nil)
		if err != nil {
			f.Fatal(err)
		}
		store = s
	}
	svc, err := newService(store, f.job)
	if err != nil {
		f.Fatal(err)
	}
	do(svc)
}

// run runs n processes at a time. A process that is killed is followed by another one.
func (f *fleet) run(n int) {
	f.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for f.process() {
			}
		})
	}
	all.Wait()
}

// process runs one process to its end. It reports whether the process was killed.
func (f *fleet) process() bool {
	path, err := os.Executable()
	if err != nil {
		f.Error(err)
		return false
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), jobVariable+"="+f.job.String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		f.Error(err)
		return false
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.Error(err)
		return false
	}
	f.wake(cmd.Process, out)
	err = cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if err != nil && !status.Signaled() {
		f.Error(err)
	}
	return status.Signaled()
}

// wake lets a process go on that stopped itself, once its lease has run out for everybody.
func (f *fleet) wake(p *os.Process, out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() != "stopped" {
			continue
		}
		for !isStopped(p.Pid) {
			time.Sleep(time.Millisecond) // the kernel does not tell when it stops
		}
		time.Sleep(3 * f.lease) // real time, in which other processes see the lease run out
		f.mu.Lock()
		f.stopped++
		f.mu.Unlock()
		p.Signal(syscall.SIGCONT)
	}
}

// isStopped reports whether a process has stopped, or has ended.
func isStopped(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(text), ") ")
	return err != nil || strings.HasPrefix(state, "T") || strings.HasPrefix(state, "Z")
}

// ends returns how the refresh of each grant ended too early, and counts these by kind. A grant
// that was interrupted counts as such, even if another refresh of it was unknown.
func (f *fleet) ends() (map[int]end, map[string]int) {
	f.Helper()
	files, err := os.ReadDir(f.folder)
	if err != nil {
		f.Fatal(err)
	}
	by, counts := make(map[int]end), make(map[string]int)
	for _, file := range files {
		var n int
		number, what, _ := strings.Cut(file.Name(), "-")
		fmt.Sscan(number, &n)
		text, _, _ := strings.Cut(what, "-")
		if how := end(text); how != unknown || by[n] == "" {
			by[n] = how
		}
		counts[what]++
	}
	return by, counts
}

// check compares what the store has with what the provider has.
func (f *fleet) check() {
	f.Helper()
	ends, counts := f.ends()
	now := f.provider.List(f)
	total := f.provider.Counters(f)
	marked, lost, spent := 0, 0, make(map[end]int)
	f.use(func(svc *installation.Service) {
		fn, err := oauth.Refresh(f.provider.Config(), nil)
		if err != nil {
			f.Fatal(err)
		}
		for n, g := range now {
			how := ends[n]
			if g.Spent > 0 {
				spent[how] += g.Spent
			}
			if (how == stopped || how == unknown) && f.policy == refresh.Retry && !g.Alive {
				f.findOut(svc, fn, n)
			}
			o, err := svc.Open(f.Context(), installation.OpenRequest{
				ID: idOf(n), Reason: "compare",
			})
			if err != nil {
				f.Fatal(err)
			}
			c, err := o.Credentials()
			if err != nil {
				f.Fatal(err)
			}
			current := c.RefreshToken.Value.RevealString() == g.Refresh && g.Alive
			failed := o.Connection.Failure != nil
			o.Close()
			switch {
			case g.Spent > 0 && f.policy == refresh.Fail:
				f.Errorf("%s was sent a spent token under Fail (%s)", g.ID, how)
			case g.Spent > 0 && how == "":
				f.Errorf("%s was sent a spent token, and nobody was interrupted", g.ID)
			case !current && !failed:
				f.Errorf("%s neither lives nor is marked (%s)", g.ID, how)
			case current && failed && f.policy == refresh.Retry, failed && how == "":
				f.Errorf("%s is marked, alive %v (%s)", g.ID, g.Alive, how)
			}
			if failed {
				marked++
			}
			if failed && !g.Alive {
				lost++
			}
		}
	})
	for n := range f.job.grants {
		if how, _ := planned(n); how != "" && ends[n] == "" {
			f.Errorf("%s was not %s as planned", idOf(n), how)
		}
	}
	f.Logf("%d grants: %d refreshes, %d spent tokens sent, by how the refresh ended: %v; "+
		"%d marked as failed, %d of them dead; ended too early: %v",
		len(now), total.Refreshes, total.Spent, spent, marked, lost, counts)
}

// findOut refreshes a grant that ended while a process was stopped, or after a process gave up a
// request. The token was sent twice, which ended the grant, and the tokens of the first answer are
// stored. The next refresh finds out.
func (f *fleet) findOut(svc *installation.Service, fn installation.RefreshFunc, n int) {
	f.Helper()
	_, err := svc.Refresh(f.Context(), installation.RefreshRequest{
		ID: idOf(n), Before: time.Now().AddDate(0, 0, 1),
	}, fn)
	if !errors.Is(err, refresh.ErrFailed) {
		f.Errorf("%s is dead, and Refresh says %v", idOf(n), err)
	}
}
