package softwareone_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// both sends requests at the same time and returns the answers in their order.
func (w *world) both(t *testing.T, send ...func() reply) []reply {
	t.Helper()
	replies := make([]reply, len(send))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, f := range send {
		wg.Go(func() {
			<-start
			replies[i] = f()
		})
	}
	close(start)
	wg.Wait()
	return replies
}

func statuses(replies []reply) []int {
	var out []int
	for _, r := range replies {
		out = append(out, r.status)
	}
	slices.Sort(out)
	return out
}

// twice is one request, sent by two at once.
func (w *world) twice(t *testing.T, method, path, token, body string) []reply {
	t.Helper()
	send := func() reply { return w.do(t, method, path, token, body) }
	return w.both(t, send, send)
}

const rounds = 12

// TestRedeemTwice: of two redeemers one wins; the same one twice wins twice, and the row is
// installed once.
func TestRedeemTwice(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		for range rounds {
			invited, code := w.invite(t, pilot)
			path := "/installations/" + invited.ID
			same := w.twice(t, "POST", path+"/redeem", clientToken, redeemBody(code))
			if got := statuses(same); !slices.Equal(got, []int{200, 200}) ||
				same[0].body != same[1].body {
				t.Errorf("the same twice: %v\n%s\n%s", got, same[0].body, same[1].body)
			}
			if got := same[0].row(t); got.Revision != 2 {
				t.Errorf("revision %d", got.Revision)
			}
			w.do(t, "DELETE", path, vendorToken, "").want(t, 204)

			invited, code = w.invite(t, pilot)
			path = "/installations/" + invited.ID
			rivals := w.both(t,
				func() reply {
					return w.do(t, "POST", path+"/redeem", clientToken,
						redeemBody(code))
				},
				func() reply {
					return w.do(t, "POST", path+"/redeem", client2Token,
						redeemBody(code))
				})
			if got := statuses(rivals); !slices.Equal(got, []int{200, 400}) {
				t.Errorf("two rivals: %v", got)
			}
			winner := clientAccount
			if rivals[1].status == 200 {
				winner = otherClient
			}
			if got := w.do(t, "GET", path, vendorToken, "").want(t, 200).
				row(t); got.Account.ID != winner || got.Revision != 2 {
				t.Errorf("it is of %s in revision %d, want %s", got.Account.ID, got.Revision,
					winner)
			}
			w.do(t, "DELETE", path, vendorToken, "").want(t, 204)
		}
	})
}

// TestRedeemTwoInvitations: an account that redeems two invitations at once has the extension
// once.
func TestRedeemTwoInvitations(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		for range rounds {
			a, codeA := w.invite(t, stock)
			b, codeB := w.invite(t, stock)
			replies := w.both(t,
				func() reply {
					return w.do(t, "POST", "/installations/"+a.ID+"/redeem",
						clientToken, redeemBody(codeA))
				},
				func() reply {
					return w.do(t, "POST", "/installations/"+b.ID+"/redeem",
						clientToken, redeemBody(codeB))
				},
				func() reply {
					return w.do(t, "POST", "/installations", clientToken,
						installBody)
				})
			succeeded := 0
			for _, r := range replies {
				if r.status < 300 {
					succeeded++
				} else if r.status != 409 {
					t.Errorf("status %d: %s", r.status, r.body)
				}
			}
			in := decode[page](t, w.do(t, "GET", "/installations?status=Installed", clientToken,
				"").want(t, 200).body)
			if succeeded != 1 || len(in.Data) != 1 {
				t.Fatalf("%d succeeded, %d installed", succeeded, len(in.Data))
			}
			w.do(t, "DELETE", "/installations/"+in.Data[0].ID, vendorToken, "").want(t, 204)
		}
	})
}

// TestPostTwice: one of two is 201, the other 409.
func TestPostTwice(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		for range rounds {
			replies := w.twice(t, "POST", "/installations", clientToken, installBody)
			if got := statuses(replies); !slices.Equal(got, []int{201, 409}) {
				t.Fatalf("statuses %v", got)
			}
			for _, r := range replies {
				if r.status == 201 {
					w.do(t, "DELETE", "/installations/"+r.row(t).ID, vendorToken, "").want(t, 204)
				}
			}
		}
	})
}

// TestPutTwice: the masked document echoed twice at once changes nothing, the secret behind the
// mask least; the same change twice is one change.
func TestPutTwice(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		inst := w.install(t, clientToken, stock)
		path := "/installations/" + inst.ID
		w.do(t, "PUT", path, vendorToken, configuredBody).want(t, 200)
		whole := w.do(t, "GET", path, vendorToken, "").body
		for i := range rounds {
			replies := w.twice(t, "PUT", path, vendorToken, whole)
			if got := statuses(replies); !slices.Equal(got, []int{200, 200}) ||
				replies[0].body != whole || replies[1].body != whole {
				t.Fatalf("echoed twice: %v\n%s\n%s\n%s", got, whole, replies[0].body,
					replies[1].body)
			}
			change := fmt.Sprintf(`{"configuration":{"api_secret":"***","warehouse":"EU-%d"}}`,
				i+3)
			if got := statuses(w.twice(t, "PUT", path, vendorToken, change)); !slices.Equal(got,
				[]int{200, 200}) {
				t.Fatalf("changed twice: %v", got)
			}
			after := w.do(t, "GET", path, vendorToken, "")
			if got := after.row(t); got.Revision != int64(i+3) ||
				got.Configuration["warehouse"] != fmt.Sprintf("EU-%d", i+3) {
				t.Fatalf("it reads %s", after.body)
			}
			if got := w.secretOf(t, inst.ID, "/api_secret"); got != "c4nary-api-secret" {
				t.Fatalf("stored %q", got)
			}
			whole = after.body
		}
	})
}

// TestDeleteTwice: both are 204, and the row ends once. A PUT or a redeem at the same time
// comes before the end or is refused.
func TestDeleteTwice(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		for range rounds {
			inst := w.install(t, clientToken, stock)
			path := "/installations/" + inst.ID
			if got := statuses(w.twice(t, "DELETE", path, vendorToken, "")); !slices.Equal(got,
				[]int{204, 204}) {
				t.Errorf("statuses %v", got)
			}
			if got := w.do(t, "GET", path, vendorToken, "").
				row(t); got.Status != "Uninstalled" || got.Revision != 2 {
				t.Errorf("it is %s in revision %d", got.Status, got.Revision)
			}

			inst = w.install(t, clientToken, stock)
			path = "/installations/" + inst.ID
			replies := w.both(t,
				func() reply { return w.do(t, "DELETE", path, opsToken, "") },
				func() reply { return w.do(t, "PUT", path, vendorToken, configuredBody) })
			if replies[0].status != 204 || replies[1].status != 200 && replies[1].status != 409 {
				t.Errorf("DELETE %d, PUT %d", replies[0].status, replies[1].status)
			}
			if got := w.do(t, "GET", path, vendorToken, "").row(t); got.Status != "Uninstalled" ||
				(got.Configuration != nil) != (replies[1].status == 200) {
				t.Errorf("it is %s with %v", got.Status, got.Configuration)
			}

			invited, code := w.invite(t, stock)
			path = "/installations/" + invited.ID
			replies = w.both(t,
				func() reply { return w.do(t, "DELETE", path, vendorToken, "") },
				func() reply {
					return w.do(t, "POST", path+"/redeem", clientToken,
						redeemBody(code))
				})
			if replies[0].status != 204 || replies[1].status != 200 && replies[1].status != 400 {
				t.Errorf("DELETE %d, redeem %d", replies[0].status, replies[1].status)
			}
			if got := w.do(t, "GET", path, vendorToken, "").row(t); got.Status != "Uninstalled" {
				t.Errorf("it is %s", got.Status)
			}
		}
	})
}
