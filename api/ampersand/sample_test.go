package ampersand_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// sampler records its calls and returns an error, or hangs.
type sampler struct {
	mu    sync.Mutex
	calls []string // connection and object
	err   error
	hangs bool
}

func (s *sampler) Sample(ctx context.Context, of ampersand.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, of.Connection.ID+" "+of.Object)
	if of.Project != memory.DemoProject || of.Integration.ID != memory.DemoIntegration ||
		!strings.Contains(string(of.Config), `"schedule"`) {
		return errors.New("sampled something else")
	}
	if s.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.err
}

func (s *sampler) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	slices.Sort(calls)
	return calls
}

func newSampled(t *testing.T, open opener) (*world, *sampler) {
	t.Helper()
	s := new(sampler)
	return newWorld(t, open, func(o *choices) { o.handler.Sampler = s }), s
}

// TestSampleChangedObjects proves which scheduled objects are sampled: new, changed and enabled
// ones, or all of them with a new connection.
func TestSampleChangedObjects(t *testing.T) {
	w, s := newSampled(t, anyStore)
	off := func(o string) string {
		return strings.Replace(o, `{"objectName"`, `{"disabled":true,"objectName"`, 1)
	}
	const still = `{"objectName":"x","selectedFields":{},"selectedFieldMappings":{}}`
	expect := func(what string, want ...string) {
		t.Helper()
		if got := s.take(); !slices.Equal(got, want) {
			t.Errorf("%s: sampled %q, want %q", what, got, want)
		}
	}
	one := w.install(t, `"contact":`+contact, `"deal":`+object("deal", 5),
		`"off":`+off(object("off", 5)), `"still":`+still)
	expect("create", "connection-salesforce contact", "connection-salesforce deal")
	w.connect("another", "salesforce", memory.DemoGroup, "u-10")
	patch := func(body string) { t.Helper(); w.do(t, "PATCH", one, body).want(t, 200) }
	patch(replaceObject("contact", contact))
	expect("nothing changed")
	patch(replaceObject("contact", object("contact", 7)))
	expect("an object changed", "connection-salesforce contact")
	patch(replaceObject("lead", object("lead", 7)))
	expect("a new object", "connection-salesforce lead")
	patch(replaceObject("still", object("still", 7)))
	expect("newly scheduled", "connection-salesforce still")
	patch(update(reads(`"off":{"disabled":false}`), "config.content.read.objects.off.disabled"))
	expect("enabled", "connection-salesforce off")
	patch(update(reads(`"off":{"disabled":true}`), "config.content.read.objects.off.disabled"))
	expect("disabled")
	patch(swapTo("another"))
	expect("another connection", "another contact", "another deal", "another lead",
		"another still")
	patch(swapTo("another"))
	expect("the same connection")
	patch(update(`{"write":{"objects":{"x":{"objectName":"x"}}}}`,
		"config.content.write.objects.x"))
	expect("writing")
	w.do(t, "PATCH", one+"?skipSampling=true", replaceObject("deal", object("deal", 9))).
		want(t, 200)
	expect("skipped")
	w.do(t, "POST", path+"?skipSampling=true", creation("org-71", `"contact":`+contact)).
		want(t, 201)
	expect("create, skipped")
}

// TestSampleRejectionSavesNothing proves that only a rejection by the provider stops a write.
func TestSampleRejectionSavesNothing(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w, s := newSampled(t, open)
		s.err = &ampersand.Rejection{Message: "No such column 'Mobile'"}
		w.do(t, "POST", path, creation(memory.DemoGroup, `"contact":`+contact)).
			want(t, 422, `"detail":"No such column 'Mobile'"`,
				`"name":"config.content.read.objects.contact"`)
		w.wantCommits(t, 0)
		w.do(t, "POST", path+"?skipSampling=true", creation("org-71", `"contact":`+contact)).
			want(t, 201)
		s.err = errors.New("c4nary: the provider is down")
		one := w.install(t)
		before := w.store.commits.Load()
		s.err = &ampersand.Rejection{Message: "Nope"}
		w.do(t, "PATCH", one, replaceObject("contact", object("contact", 7))).want(t, 422,
			`"detail":"Nope"`)
		w.wantCommits(t, before)
		s.err = context.DeadlineExceeded // the provider's, not the request's
		w.do(t, "PATCH", one, replaceObject("contact", object("contact", 7))).want(t, 200)
	})
}

// TestSlowProviderDoesNotFailRequest proves that sampling takes only a part of the time of a
// request.
func TestSlowProviderDoesNotFailRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sampler{hangs: true}
		w, _ := newHandlers(t, onMemory, func(o *choices) { o.handler.Sampler = s })
		started := time.Now()
		body := creation(memory.DemoGroup, `"contact":`+contact+`,"deal":`+object("deal", 5))
		r := w.do(t, "POST", path, body).want(t, http.StatusCreated)
		if len(s.take()) != 1 || time.Since(started) >= 30*time.Second {
			t.Fatalf("after %v: %d %s", time.Since(started), r.status, r.body)
		}
		one := path + "/" + decode[wire](t, r).ID
		w.do(t, "PATCH", one, replaceObject("contact", object("contact", 7))).want(t, 200)
		if n := len(s.take()); n != 1 {
			t.Errorf("update: %d samples", n)
		}
	})
}

// TestRejectedRequestIsNotSampled sends requests that the service will reject.
func TestRejectedRequestIsNotSampled(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w, s := newSampled(t, open)
		unread := `"contact":` + contact + `,"deal":{"schedule":"x"}`
		w.do(t, "POST", path, creation(memory.DemoGroup, unread)).want(t, 400,
			"deal.objectName")
		w.do(t, "POST", path, strings.Replace(creation(memory.DemoGroup, `"contact":`+contact),
			`"read"`, `"write":7,"read"`, 1)).want(t, 400, `"name":"config.content.write"`)
		if got := s.take(); len(got) != 0 {
			t.Errorf("invalid content: sampled %q", got)
		}
		one := w.install(t)
		s.take()
		w.do(t, "POST", path, creation(memory.DemoGroup, `"contact":`+contact)).want(t, 409)
		if got := s.take(); len(got) != 0 {
			t.Errorf("there is one already: sampled %q", got)
		}
		w.do(t, "PATCH", one,
			update(reads(`"lead":`+object("lead", 7)+`,"deal":{"schedule":7}`),
				"config.content.read.objects.lead", "config.content.read.objects.deal")).
			want(t, 400)
		w.do(t, "PATCH", one, replaceObject("lead", object("lead", 7)), "If-Match", `"9"`).
			want(t, 409)
		if got := s.take(); len(got) != 0 {
			t.Errorf("an update that is rejected: sampled %q", got)
		}
	})
}

func TestSampleLimit(t *testing.T) {
	w, s := newSampled(t, anyStore)
	var objects []string
	for i := range 300 {
		objects = append(objects, fmt.Sprintf(`"o%d":%s`, i, object("o", 5)))
	}
	one := w.install(t, objects...)
	if n := len(s.take()); n != 64 {
		t.Errorf("sampled %d", n)
	}
	w.connect("another", "salesforce", memory.DemoGroup, "u-10")
	w.do(t, "PATCH", one, swapTo("another")).want(t, 200)
	if n := len(s.take()); n != 64 {
		t.Errorf("by another connection: sampled %d", n)
	}
}

// TestContentPatchIsNotSampled proves it because a JSON Patch cannot skip sampling.
func TestContentPatchIsNotSampled(t *testing.T) {
	w, s := newSampled(t, anyStore)
	w.install(t)
	s.take()
	w.do(t, "PATCH", contentOf("contact"),
		changes("read", `{"op":"add","path":"/selectedFields/city","value":true}`)).want(t, 200)
	if got := s.take(); len(got) != 0 {
		t.Errorf("sampled %q", got)
	}
}
