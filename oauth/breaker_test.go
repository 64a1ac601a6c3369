package oauth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/installationtest"
	"github.com/go-installation/installation/oauth"
)

// bench is a breaker with a clock, around a provider whose answer a test sets.
type bench struct {
	*oauth.Breaker
	clock  *installationtest.Clock
	answer error
	calls  int
	call   func(provider string) error
}

func newBench(t *testing.T, opts oauth.BreakerOptions) *bench {
	t.Helper()
	b := &bench{clock: &installationtest.Clock{}}
	b.clock.Set(installationtest.Start)
	opts.Now = b.clock.Now
	b.Breaker = oauth.NewBreaker(&opts)
	fn := b.Wrap(func(context.Context, *installation.Opened) (installation.Tokens, error) {
		b.calls++
		return installation.Tokens{}, b.answer
	})
	b.call = func(provider string) error {
		_, err := fn(t.Context(), opened(provider))
		return err
	}
	return b
}

// opened is an installation without secrets.
func opened(provider string) *installation.Opened {
	return &installation.Opened{Installation: &installation.Installation{
		Connection: &installation.Connection{Provider: provider},
	}}
}

// expect calls the provider. passes says whether the call should go through.
func (b *bench) expect(t *testing.T, provider string, passes bool) (wait time.Duration) {
	t.Helper()
	before := b.calls
	err := b.call(provider)
	if got := b.calls > before; got != passes {
		t.Fatalf("went through is %v, want %v: %v", got, passes, err)
	}
	if !passes {
		got := failureOf(t, err)
		if got.Answer != passing || got.Reason != "provider_paused" || got.After <= 0 {
			t.Fatalf("got %+v", got)
		}
		wait = got.After
	}
	return wait
}

var down = &installation.RefreshError{Answer: installation.AnswerUnknown, Reason: "http_502"}

func TestBreakerOpensAndCloses(t *testing.T) {
	b := newBench(t, oauth.BreakerOptions{Threshold: 3})
	b.answer = down
	for range 3 {
		b.expect(t, "shop", true)
	}
	first := b.expect(t, "shop", false)
	pause := b.Paused("shop")
	if pause < 7500*time.Millisecond || pause > 10*time.Second || first < pause {
		t.Errorf("paused for %v, the first call waits for %v", pause, first)
	}
	b.expect(t, "mail", true)
	if got := b.Paused("mail"); got != 0 {
		t.Errorf("another provider is paused for %v", got)
	}

	// The probe fails, so the next pause is twice as long.
	b.clock.Advance(pause)
	b.expect(t, "shop", true)
	b.expect(t, "shop", false)
	pause = b.Paused("shop")
	if pause < 15*time.Second || pause > 20*time.Second {
		t.Errorf("second pause is %v", pause)
	}
	for range 10 {
		b.clock.Advance(b.Paused("shop"))
		b.expect(t, "shop", true)
	}
	if pause = b.Paused("shop"); pause > 5*time.Minute || pause < 225*time.Second {
		t.Errorf("longest pause is %v", pause)
	}

	// It works again. After the recovery there is no limit, and the first pause is short again.
	b.clock.Advance(pause)
	b.answer = nil
	b.expect(t, "shop", true)
	b.expect(t, "shop", false)
	b.clock.Advance(5 * time.Minute)
	for range 100 {
		b.expect(t, "shop", true)
	}
	b.answer = down
	for range 3 {
		b.expect(t, "shop", true)
	}
	if pause = b.Paused("shop"); pause > 10*time.Second {
		t.Errorf("pause after the recovery is %v", pause)
	}
}

func TestWhatBreakerCounts(t *testing.T) {
	refusal := func(answer installation.RefreshAnswer, reason string) error {
		return &installation.RefreshError{Answer: answer, Reason: reason}
	}
	for _, tc := range []struct {
		name   string
		answer error
		passes int // of 5 calls, after 2 failures
	}{
		{"unknown", refusal(unknown, "timeout"), 1},
		{"passing", refusal(passing, "http_429"), 1},
		{"another error", errors.New("unknown"), 1},
		{"success", nil, 5},
		{"permanent", refusal(permanent, "invalid_grant"), 5},
		{"canceled", errors.Join(down, context.Canceled), 5},
		{"nothing to send", refusal(permanent, "no_refresh_token"), 5},
	} {
		b := newBench(t, oauth.BreakerOptions{Threshold: 3})
		b.answer = down
		b.expect(t, "", true)
		b.expect(t, "", true)
		b.answer, b.calls = tc.answer, 0
		for range 5 {
			b.call("")
		}
		if b.calls != tc.passes {
			t.Errorf("%s: %d of 5 calls went through, want %d", tc.name, b.calls, tc.passes)
		}
		b.answer = down // only an answer of the provider ended the row
		b.call("")
		ended := tc.name == "success" || tc.name == "permanent"
		if paused := b.Paused("") > 0; paused == ended {
			t.Errorf("%s: after the next failure, paused is %v", tc.name, paused)
		}
	}
}

func TestBreakerKeepsRetryAfter(t *testing.T) {
	b := newBench(t, oauth.BreakerOptions{Threshold: 1})
	b.answer = &installation.RefreshError{Answer: passing, After: 20 * time.Minute}
	b.expect(t, "shop", true)
	if got := b.Paused("shop"); got != 20*time.Minute {
		t.Errorf("paused for %v, want 20 minutes", got)
	}
	b.answer = &installation.RefreshError{Answer: passing, After: 48 * time.Hour}
	b.expect(t, "mail", true)
	if got := b.Paused("mail"); got != oauth.MaxRetryAfter {
		t.Errorf("paused for %v, want %v", got, oauth.MaxRetryAfter)
	}
}

// TestBreakerLetsOneProbe has calls while the probe is under way, and results that come late.
func TestBreakerLetsOneProbe(t *testing.T) {
	clock := &installationtest.Clock{}
	b := oauth.NewBreaker(&oauth.BreakerOptions{Threshold: 1, Now: clock.Now})
	inst, ctx := opened("shop"), t.Context()
	late := func(then func(), err error) error {
		_, err = b.Wrap(func(context.Context, *installation.Opened) (installation.Tokens, error) {
			then()
			return installation.Tokens{}, err
		})(ctx, inst)
		return err
	}
	paused := func(when string) {
		t.Helper()
		reached := false
		late(func() { reached = true }, nil)
		if reached {
			t.Errorf("%s: a second call went through", when)
		}
	}
	// The outer call began before the pause. That it succeeds later says nothing.
	late(func() { late(func() {}, down) }, nil)
	paused("after a late success")
	pause := b.Paused("shop")
	clock.Advance(pause)
	late(func() { paused("during a probe") }, context.Canceled)
	// The canceled probe said nothing, so the next call is one. It panics, which says nothing too.
	func() {
		defer func() { recover() }()
		late(func() { panic("in fn") }, nil)
	}()
	// A probe that does not return is given up.
	late(func() {
		clock.Advance(5 * time.Minute)
		late(func() { paused("during another probe") }, nil)
	}, down)
	if got := b.Paused("shop"); got != 0 {
		t.Errorf("paused for %v after a probe that worked", got)
	}
}

// TestBreakerForgets fills the memory with providers. One that was paused is forgotten in the end.
func TestBreakerForgets(t *testing.T) {
	b := newBench(t, oauth.BreakerOptions{Threshold: 1})
	b.answer = down
	b.expect(t, "shop", true)
	for i := range 2000 {
		b.expect(t, time.Duration(i).String(), true)
	}
	if b.Paused("shop") != 0 {
		t.Error("a provider used long ago is still kept")
	}
	if b.Paused(time.Duration(1999).String()) == 0 {
		t.Error("a provider used just now is forgotten")
	}
}

// TestRecoveryIsNoStampede has 10,000 connections that are due while a provider is down for an
// hour. Each comes back when it was told, or up to ten seconds later.
func TestRecoveryIsNoStampede(t *testing.T) {
	for name, patience := range map[string]time.Duration{
		"as told": 0, "in rounds of ten seconds": 10 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			perSecond := simulate(t, patience)
			t.Logf("calls per second: %v", perSecond)
			sum := 0
			for i, n := range perSecond {
				if n > 3+sum/3 {
					t.Errorf("second %d has %d calls, after %d in all", i, n, sum)
				}
				sum += n
			}
			if sum != 10_000 {
				t.Errorf("%d calls, want 10,000", sum)
			}
		})
	}
}

// simulate returns the calls of each second from the first success on. Each connection calls until
// it succeeds, and waits as long as it was told, at least 30 seconds, rounded up to whole rounds.
func simulate(t *testing.T, round time.Duration) (perSecond []int) {
	const outage = 3600
	b := newBench(t, oauth.BreakerOptions{})
	b.answer = down
	due := map[int]int{0: 10_000} // connections by second
	left := due[0]
	for now := 0; left > 0 && now < 2*outage; now++ {
		b.clock.Set(installationtest.Start.Add(time.Duration(now) * time.Second))
		if now == outage {
			t.Logf("%d calls while the provider was down", b.calls)
			b.answer = nil
		}
		calls := b.calls
		for range due[now] {
			err := b.call("shop")
			if err == nil {
				left--
				continue
			}
			wait := max(failureOf(t, err).After, 30*time.Second)
			if round > 0 {
				wait = wait.Truncate(round) + round
			}
			due[now+int((wait+time.Second-1)/time.Second)]++
		}
		if n := b.calls - calls; now >= outage && n+len(perSecond) > 0 {
			perSecond = append(perSecond, n)
		}
	}
	return perSecond
}
