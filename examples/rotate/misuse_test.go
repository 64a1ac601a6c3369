package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A keyring in place of its file is in nothing that is printed, wherever it was put.
func TestKeyringInPlaceOfFile(t *testing.T) {
	key := generate(t, "k1").Reveal()
	for _, args := range [][]string{{"-keyring", key}, {"-keyring=" + key}, {key}} {
		var out bytes.Buffer
		if got := program(t.Context(), args, &out, &out); got == 0 || strings.Contains(out.String(), key[3:]) {
			t.Errorf("status %d, prints the key: %v", got, strings.Contains(out.String(), key[3:]))
		}
	}
}

// Nor is one in place of the id that is to go.
func TestKeyInPlaceOfID(t *testing.T) {
	s := newStage(t)
	key := generate(t, "k9").Reveal()
	out, errs := s.call(t, 1, "-keyring", s.file("switched"), "-retire", key)
	if strings.Contains(out+errs, key[3:]) || !strings.Contains(errs, "k1, k2") {
		t.Errorf("prints the key: %v; %s%s", strings.Contains(out+errs, key[3:]), out, errs)
	}
}

// What failed before an interrupt is told with it.
func TestInterruptTellsFailures(t *testing.T) {
	failed := fmt.Errorf("rewrap %q: %w", "i-1", errors.New("does not open"))
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{failed, "rotate: rewrap \"i-1\": does not open\n"},
		{fmt.Errorf("%w: %w", errors.New("a"), errors.New("b")), "rotate: a: b\n"},
		{fmt.Errorf("rewrap: %w", context.Canceled), "rotate: interrupted; start it again to go on\n"},
		{errors.Join(failed, fmt.Errorf("rewrap: %w", context.Canceled)), "rotate: rewrap \"i-1\": does not open\nrotate: interrupted; start it again to go on\n"},
	} {
		var out bytes.Buffer
		if tell(&out, test.err); out.String() != test.want {
			t.Errorf("%v: printed %q, want %q", test.err, &out, test.want)
		}
	}
}

// A server that would be another than the one that was meant is not asked.
func TestURLWithFragment(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://127.0.0.1:6379/1#s3cr3t")
	client, err := connect()
	if client != nil || err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("%v, %v", client, err)
	}
}

// A rate beyond which there would be no pause is refused, and not taken for none.
func TestRateIsBounded(t *testing.T) {
	var out bytes.Buffer
	if got := program(t.Context(), []string{"-keyring", "none", "-rate", "2000000000"}, &out, &out); got != 2 {
		t.Errorf("status %d, want 2: %s", got, &out)
	}
}
