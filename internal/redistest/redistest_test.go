package redistest

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestSlot compares with the check value of CRC-16/XMODEM and with slots from a server.
func TestSlot(t *testing.T) {
	for tag, want := range map[string]uint16{
		"123456789": 0x31c3, "": 0, "foo": 12182, "user1000": 3443,
	} {
		if got := Slot(tag); got != want {
			t.Errorf("slot of %q is %d, want %d", tag, got, want)
		}
	}
}

// TestKillEndsProcess also kills a server twice.
func TestKillEndsProcess(t *testing.T) {
	s := Start(t)
	s.Kill()
	s.Kill()
	if err := s.process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Error("a killed server is still running")
	}
}

// TestLaunchRejectsPortOfAnother gives a server the port of a running one: it must not count as
// started because the other one answers.
func TestLaunchRejectsPortOfAnother(t *testing.T) {
	other := Start(t)
	s := &Server{Addr: other.Addr, port: other.port, program: find(t)}
	s.args = []string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1"}
	if s.run(t) {
		t.Error("a server started on a taken port")
	}
}

// TestReplicaConfirms checks that WAIT counts a new replica at once.
func TestReplicaConfirms(t *testing.T) {
	primary := Start(t)
	StartReplica(t, primary)
	conn := primary.Client(t).Conn()
	defer conn.Close()
	if err := conn.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Wait(t.Context(), 1, Patience/2).Result(); n != 1 || err != nil {
		t.Errorf("%d replicas confirm, error %v, want 1", n, err)
	}
}

// TestNewClientKeepsTimeouts checks that only timeouts which were left out are set.
func TestNewClientKeepsTimeouts(t *testing.T) {
	o := NewClient(t, &redis.Options{Addr: "127.0.0.1:1", ReadTimeout: time.Second}).Options()
	if o.ReadTimeout != time.Second || o.DialTimeout != Patience {
		t.Errorf("timeouts: read %v, dial %v", o.ReadTimeout, o.DialTimeout)
	}
}
