package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/tests/rotationtest"
)

// A user may pass a key where the name of the keyring file belongs. The program
// fails and does not print the key.
func TestKeyInsteadOfFileIsNotPrinted(t *testing.T) {
	key := rotationtest.Generate(t, "k1").Reveal()
	for _, args := range [][]string{{"-keyring", key}, {"-keyring=" + key}, {key}} {
		var out bytes.Buffer
		got := program(t.Context(), args, &out, &out)
		if printed := strings.Contains(out.String(), key[3:]); got == 0 || printed {
			t.Errorf("status %d, prints the key: %v", got, printed)
		}
	}
}

// The same for a key where the id of the key to retire belongs.
func TestKeyInsteadOfIDIsNotPrinted(t *testing.T) {
	s := newStage(t)
	key := rotationtest.Generate(t, "k9").Reveal()
	out, errs := s.call(t, 1, "-keyring", s.Keyring, "-retire", key)
	printed := strings.Contains(out+errs, key[3:])
	if printed || !strings.Contains(errs, "k1, k2") {
		t.Errorf("prints the key: %v; %s%s", printed, out, errs)
	}
}

// An interrupted run also prints the failures from before the interrupt.
func TestInterruptReportsEarlierFailures(t *testing.T) {
	failed := fmt.Errorf("rewrap %q: %w", "i-1", errors.New("does not open"))
	interrupted := fmt.Errorf("rewrap: %w", context.Canceled)
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{failed, "rotate: rewrap \"i-1\": does not open\n"},
		{fmt.Errorf("%w: %w", errors.New("a"), errors.New("b")), "rotate: a: b\n"},
		{interrupted, "rotate: interrupted; start it again to go on\n"},
		{errors.Join(failed, interrupted), "rotate: rewrap \"i-1\": does not open\n" +
			"rotate: interrupted; start it again to go on\n"},
	} {
		var out bytes.Buffer
		if tell(&out, test.err); out.String() != test.want {
			t.Errorf("%v: printed %q, want %q", test.err, &out, test.want)
		}
	}
}

// A # cuts off the rest of the URL, which would then name another server.
func TestURLWithFragmentIsRejected(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://127.0.0.1:6379/1#s3cr3t")
	client, err := connect()
	if client != nil || err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("%v, %v", client, err)
	}
}

// A rate too high for any pause is an error. It does not mean "no limit".
func TestTooHighRateIsRejected(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-keyring", "none", "-rate", "2000000000"}
	if got := program(t.Context(), args, &out, &out); got != 2 {
		t.Errorf("status %d, want 2: %s", got, &out)
	}
}
