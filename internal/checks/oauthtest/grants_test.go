package oauthtest

import "testing"

// TestRotateChecksAgain has two requests with one token that both pass the first look.
func TestRotateChecksAgain(t *testing.T) {
	g := newGrants()
	token := g.add(1)[0].Refresh
	for range 2 {
		if g.check(token) == nil {
			t.Fatal("the token is not valid")
		}
	}
	_, next, _, ok := g.rotate(token, false)
	if !ok || g.check(next) == nil {
		t.Fatal("the first request got no valid token")
	}
	if _, _, _, ok := g.rotate(token, false); ok {
		t.Error("the second request got tokens")
	}
	if state := g.list()[0]; state.Alive || state.Spent != 1 || g.check(next) != nil {
		t.Errorf("grant is %+v", state)
	}
}
