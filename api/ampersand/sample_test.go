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

// sampler remembers what it was asked and answers as told.
type sampler struct {
	mu    sync.Mutex
	asked []string // connection and object
	err   error
	hangs bool
}

func (s *sampler) Sample(ctx context.Context, of ampersand.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, of.Connection.ID+" "+of.Object)
	if of.Project != memory.DemoProject || of.Integration.ID != memory.DemoIntegration || !strings.Contains(string(of.Config), `"schedule"`) {
		return errors.New("asked for something else")
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
	asked := s.asked
	s.asked = nil
	slices.Sort(asked)
	return asked
}

func sampled(t *testing.T, open opener) (*world, *sampler) {
	t.Helper()
	s := new(sampler)
	return newWorld(t, open, func(o *choices) { o.handler.Sampler = s }), s
}

// TestSampled: what is read by a schedule and not disabled is tried when it is new or changes, or by another connection.
func TestSampled(t *testing.T) {
	w, s := sampled(t, anyStore)
	off := func(o string) string { return strings.Replace(o, `{"objectName"`, `{"disabled":true,"objectName"`, 1) }
	const still = `{"objectName":"x","selectedFields":{},"selectedFieldMappings":{}}`
	expect := func(what string, want ...string) {
		t.Helper()
		if got := s.take(); !slices.Equal(got, want) {
			t.Errorf("%s: asked for %q, want %q", what, got, want)
		}
	}
	one := w.install(t, `"contact":`+contact, `"deal":`+object("deal", 5), `"off":`+off(object("off", 5)), `"still":`+still)
	expect("create", "connection-salesforce contact", "connection-salesforce deal")
	w.host.AddConnection(memory.DemoProject, "another", connected("salesforce", memory.DemoGroup, "u-10"))
	patch := func(body string) { t.Helper(); w.do(t, "PATCH", one, body).want(t, 200) }
	patch(update(reads(`"contact":`+contact), "config.content.read.objects.contact"))
	expect("nothing changed")
	patch(update(reads(`"contact":`+object("contact", 7)), "config.content.read.objects.contact"))
	expect("an object changed", "connection-salesforce contact")
	patch(update(reads(`"lead":`+object("lead", 7)), "config.content.read.objects.lead"))
	expect("a new object", "connection-salesforce lead")
	patch(update(reads(`"still":`+object("still", 7)), "config.content.read.objects.still"))
	expect("newly scheduled", "connection-salesforce still")
	patch(update(reads(`"off":{"disabled":false}`), "config.content.read.objects.off.disabled"))
	expect("enabled", "connection-salesforce off")
	patch(update(reads(`"off":{"disabled":true}`), "config.content.read.objects.off.disabled"))
	expect("disabled")
	patch(`{"updateMask":["connectionId"],"installation":{"connectionId":"another"}}`)
	expect("another connection", "another contact", "another deal", "another lead", "another still")
	patch(`{"updateMask":["connectionId"],"installation":{"connectionId":"another"}}`)
	expect("the same connection")
	patch(update(`{"write":{"objects":{"x":{"objectName":"x"}}}}`, "config.content.write.objects.x"))
	expect("writing")
	w.do(t, "PATCH", one+"?skipSampling=true", update(reads(`"deal":`+object("deal", 9)), "config.content.read.objects.deal")).want(t, 200)
	expect("skipped")
	w.do(t, "POST", path+"?skipSampling=true", creation("org-71", `"contact":`+contact)).want(t, 201)
	expect("create, skipped")
}

// TestSampleRefused: the provider's no keeps everything as it was, with its reason; whatever else fails is no reason.
func TestSampleRefused(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w, s := sampled(t, open)
		s.err = &ampersand.Rejection{Message: "No such column 'Mobile'"}
		w.do(t, "POST", path, creation(memory.DemoGroup, `"contact":`+contact)).
			want(t, 422, `"detail":"No such column 'Mobile'"`, `"name":"config.content.read.objects.contact"`)
		if n := w.store.commits.Load(); n != 0 {
			t.Errorf("%d commits", n)
		}
		w.do(t, "POST", path+"?skipSampling=true", creation("org-71", `"contact":`+contact)).want(t, 201)
		s.err = errors.New("c4nary: the provider is down")
		one := w.install(t)
		before := w.store.commits.Load()
		s.err = &ampersand.Rejection{Message: "Nope"}
		w.do(t, "PATCH", one, update(reads(`"contact":`+object("contact", 7)), "config.content.read.objects.contact")).want(t, 422, `"detail":"Nope"`)
		if n := w.store.commits.Load() - before; n != 0 {
			t.Errorf("%d commits", n)
		}
		s.err = context.DeadlineExceeded // the provider's, not the request's
		w.do(t, "PATCH", one, update(reads(`"contact":`+object("contact", 7)), "config.content.read.objects.contact")).want(t, 200)
	})
}

// TestHangingProvider: a provider that does not answer takes a part of the time of a request, and then says nothing about the configuration.
func TestHangingProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sampler{hangs: true}
		w, _ := unserved(t, onMemory, func(o *choices) { o.handler.Sampler = s })
		started := time.Now()
		body := creation(memory.DemoGroup, `"contact":`+contact+`,"deal":`+object("deal", 5))
		rec := serve(w.handler, w.keyed(t, "POST", path, body))
		if rec.Code != http.StatusCreated || len(s.take()) != 1 || time.Since(started) >= 30*time.Second {
			t.Fatalf("after %v: %d %s", time.Since(started), rec.Code, rec.Body)
		}
		one := path + "/" + decode[wire](t, reply{body: rec.Body.String()}).ID
		rec = serve(w.handler, w.keyed(t, "PATCH", one, update(reads(`"contact":`+object("contact", 7)), "config.content.read.objects.contact")))
		if rec.Code != http.StatusOK || len(s.take()) != 1 {
			t.Errorf("update: %d %s", rec.Code, rec.Body)
		}
	})
}

// TestNotSampledInVain: what will be refused anyway is not tried first.
func TestNotSampledInVain(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w, s := sampled(t, open)
		unread := `"contact":` + contact + `,"deal":{"schedule":"x"}`
		w.do(t, "POST", path, creation(memory.DemoGroup, unread)).want(t, 400, "deal.objectName")
		w.do(t, "POST", path, strings.Replace(creation(memory.DemoGroup, `"contact":`+contact), `"read"`, `"write":7,"read"`, 1)).want(t, 400, `"name":"config.content.write"`)
		if got := s.take(); len(got) != 0 {
			t.Errorf("invalid content: asked for %q", got)
		}
		one := w.install(t)
		s.take()
		w.do(t, "POST", path, creation(memory.DemoGroup, `"contact":`+contact)).want(t, 409)
		if got := s.take(); len(got) != 0 {
			t.Errorf("there is one already: asked for %q", got)
		}
		w.do(t, "PATCH", one, update(reads(`"lead":`+object("lead", 7)+`,"deal":{"schedule":"x"}`), "config.content.read.objects.lead", "config.content.read.objects.deal")).want(t, 400)
		w.do(t, "PATCH", one, update(reads(`"lead":`+object("lead", 7)), "config.content.read.objects.lead"), "If-Match", `"9"`).want(t, 409)
		if got := s.take(); len(got) != 0 {
			t.Errorf("an update that is refused: asked for %q", got)
		}
	})
}

// TestSamplesAreBounded: of many objects the first are tried.
func TestSamplesAreBounded(t *testing.T) {
	w, s := sampled(t, anyStore)
	var objects []string
	for i := range 300 {
		objects = append(objects, fmt.Sprintf(`"o%d":%s`, i, object("o", 5)))
	}
	one := w.install(t, objects...)
	if n := len(s.take()); n != 64 {
		t.Errorf("asked for %d", n)
	}
	w.host.AddConnection(memory.DemoProject, "another", connected("salesforce", memory.DemoGroup, "u-10"))
	w.do(t, "PATCH", one, `{"updateMask":["connectionId"],"installation":{"connectionId":"another"}}`).want(t, 200)
	if n := len(s.take()); n != 64 {
		t.Errorf("by another connection: asked for %d", n)
	}
}

// TestPatchedContentIsNotSampled: a JSON Patch is applied without a try: it has no way to skip one.
func TestPatchedContentIsNotSampled(t *testing.T) {
	w, s := sampled(t, anyStore)
	w.install(t)
	s.take()
	w.do(t, "PATCH", contentOf("contact"), changes("read", `{"op":"add","path":"/selectedFields/city","value":true}`)).want(t, 200)
	if got := s.take(); len(got) != 0 {
		t.Errorf("asked for %q", got)
	}
}
