package ampersand_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/examples/hostapp/memory"
)

// contentPatches has patches of an object and a part of its content afterwards.
var contentPatches = map[string]struct{ object, body, want string }{
	"add": {"deal",
		changes("read", `{"op":"add","path":"/selectedFields/zip","value":true}`),
		`"selectedFields":{"a/b":true,"city":false,"zip":true}`},
	"add over a key": {"deal",
		changes("read", `{"op":"add","path":"/selectedFields/city","value":true}`),
		`"selectedFields":{"a/b":true,"city":true}`},
	"replace": {"deal",
		changes("read", `{"op":"replace","path":"/schedule","value":"*/5 * * * *"}`),
		`"schedule":"*/5 * * * *"`},
	"remove": {"deal",
		changes("read", `{"op":"remove","path":"/selectedFields/city"}`),
		`"selectedFields":{"a/b":true}`},
	"an escaped name": {"deal",
		changes("read", `{"op":"remove","path":"/selectedFields/a~1b"}`),
		`"selectedFields":{"city":false}`},
	"in order": {"deal",
		changes("read", `{"op":"remove","path":"/schedule"},{"op":"add",`+
			`"path":"/schedule","value":"y"}`), `"schedule":"y"`},
	"an array": {"deal",
		changes("read", `{"op":"add","path":"/odd/-","value":3}`), `"odd":[1,2,3]`},
	"an escaped object": {"a%2Fb.c",
		changes("read", `{"op":"replace","path":"/schedule","value":"y"}`),
		`"a/b.c":{"objectName":"x","selectedFields":{},` +
			`"selectedFieldMappings":{},"schedule":"y"}`},
	"write": {"contact",
		changes("write", `{"op":"add","path":"/deletionSettings",`+
			`"value":{"enabled":true}}`),
		`"write":{"objects":{"contact":{"objectName":"contact",` +
			`"deletionSettings":{"enabled":true}}}}`},
}

// TestContentPatchChangesOneObject patches one object and expects the rest of the content
// unchanged.
func TestContentPatchChangesOneObject(t *testing.T) {
	const deal = `"deal":{"objectName":"deal","selectedFields":{"a/b":true,"city":false},` +
		`"selectedFieldMappings":{},"schedule":"x","odd":[1,2]}`
	onStores(t, func(t *testing.T, open opener) {
		for name, tt := range contentPatches {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, open)
				first := decode[wire](t, w.do(t, "POST", path,
					`{"groupRef":"group-123","config":{"createdBy":"consumer:u-9",`+
						`"content":{"provider":"salesforce",`+
						`"read":{"objects":{"contact":`+contact+`,`+deal+`,`+
						`"a/b.c":{"objectName":"x","selectedFields":{},`+
						`"selectedFieldMappings":{},"schedule":"x"}}},`+
						`"write":{"objects":{"contact":{"objectName":"contact"}}}}}}`).
					want(t, 201))
				w.Advance(time.Minute)
				r := w.do(t, "PATCH", contentOf(tt.object), tt.body).want(t, 200, tt.want,
					contact)
				got := decode[wire](t, r)
				if got.ID != first.ID || got.Config.ID == first.Config.ID ||
					got.UpdateTime == nil || got.Config.CreatedBy != "consumer:u-9" {
					t.Errorf("it was %+v and is %+v", first, got)
				}
				byID := strings.Replace(tt.body, `"groupRef":"group-123"`,
					`"installationId":"`+first.ID+`"`, 1)
				if strings.Contains(tt.body, `"replace"`) {
					if again := w.do(t, "PATCH", contentOf(tt.object), byID).
						want(t, 200); again.body != r.body {
						t.Errorf("again it is\n%s\nnot\n%s", again.body, r.body)
					}
				}
			})
		}
	})
}

// removeSchedule is a valid change.
const removeSchedule = `{"op":"remove","path":"/schedule"}`

// invalidChanges has changes to the object contact, and the place of the issue.
var invalidChanges = map[string]struct{ steps, place string }{
	"no change":         {"", "changes"},
	"an invalid change": {"7", "changes.0"},
	"move":              {`{"op":"move","from":"/a","path":"/b"}`, "changes.0.op"},
	"copy": {`{"op":"copy","from":"/a","path":"/b","value":1}`,
		"changes.0.op"},
	"test":                 {`{"op":"test","path":"/schedule","value":"x"}`, "changes.0.op"},
	"in another case":      {`{"op":"Add","path":"/b","value":1}`, "changes.0.op"},
	"no path":              {`{"op":"remove"}`, "changes.0.path"},
	"the whole object":     {`{"op":"remove","path":""}`, "changes.0.path"},
	"a path without slash": {`{"op":"remove","path":"schedule"}`, "changes.0.path"},
	"a bad escape":         {`{"op":"remove","path":"/~2"}`, "changes.0.path"},
	"no value":             {`{"op":"add","path":"/x"}`, "changes.0.value"},
	"remove of nothing":    {`{"op":"remove","path":"/nope"}`, inContact + ".nope"},
	"replace of nothing":   {`{"op":"replace","path":"/nope","value":1}`, inContact + ".nope"},
	"a required member":    {`{"op":"remove","path":"/objectName"}`, inContact + ".objectName"},
	"a good one and a bad": {removeSchedule + "," + removeSchedule, inContact + ".schedule"},
}

const inContact = "config.content.read.objects.contact"

// TestInvalidContentPatchChangesNothing sends patches that are not valid or cannot be applied.
func TestInvalidContentPatchChangesNothing(t *testing.T) {
	w := newWorld(t, anyStore)
	w.install(t)
	other := idOf(w.installFor(t, "org-71"))
	before := w.store.commits.Load()
	for name, tt := range invalidChanges {
		t.Run(name, func(t *testing.T) {
			w.do(t, "PATCH", contentOf("contact"), changes("read", tt.steps)).
				want(t, 400, `"name":"`+tt.place+`"`)
		})
	}
	valid := changes("read", removeSchedule)
	both := strings.Replace(valid, `{"groupRef"`, `{"installationId":"x","groupRef"`, 1)
	byID := func(id string) string {
		return strings.Replace(valid, `"groupRef":"group-123"`, `"installationId":"`+id+`"`, 1)
	}
	for name, tt := range map[string]struct {
		object, body string
		status       int
		texts        []string
	}{
		"no body": {"contact", "", 400, nil},
		"nothing in it": {"contact", `{}`, 400, []string{
			`"name":"action"`, `"name":"changes"`, `"name":"installationId"`}},
		"both": {"contact", both, 400, []string{`"name":"installationId"`}},
		"an unknown action": {"contact", changes("proxy", removeSchedule), 400,
			[]string{`"name":"action"`}},
		"an object not read": {"deal", valid, 400,
			[]string{"config.content.read.objects.deal"}},
		"a group without one": {"contact", strings.Replace(valid, "group-123", "none", 1),
			404, nil},
		"an unknown installation": {"contact", byID("nope"), 404, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w.do(t, "PATCH", contentOf(tt.object), tt.body).want(t, tt.status, tt.texts...)
		})
	}
	elsewhere := strings.Replace(contentOf("contact"), memory.DemoIntegration, "nope", 1)
	w.do(t, "PATCH", elsewhere, valid).want(t, 404)
	w.do(t, "PATCH", contentOf("contact"), valid, "If-Match", `"9"`).want(t, 409)
	w.wantCommits(t, before)
	w.do(t, "PATCH", contentOf("contact"), byID(other)).want(t, 400)
}

// TestPauseDisablesObjects pauses named objects or all of them; repeating it writes nothing.
func TestPauseDisablesObjects(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t, `"contact":`+contact, `"deal":`+object("deal", 5))
		paused := func() string {
			t.Helper()
			var content struct {
				Read struct {
					Objects map[string]struct{ Disabled bool }
				}
			}
			mustUnmarshal(t, w.get(t, one).Config.Content, &content)
			var names []string
			for name, o := range content.Read.Objects {
				if o.Disabled {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return strings.Join(names, " ")
		}
		for _, step := range []struct {
			verb, body string
			paused     string
			commits    int64
		}{
			{"unpause", "", "", 0},
			{"pause", `{"objects":["deal"],"note":"too busy"}`, "deal", 1},
			{"pause", `{"objects":["deal"]}`, "deal", 0},
			{"pause", `{"objects":[]}`, "deal", 0},
			{"pause", "", "contact deal", 1},
			{"pause", `{}`, "contact deal", 0},
			{"unpause", `{"objects":["contact"]}`, "deal", 1},
			{"unpause", "", "", 1},
			{"unpause", "", "", 0},
		} {
			before := w.store.commits.Load()
			if r := w.do(t, "POST", one+":"+step.verb, step.body).want(t, 204); r.body != "" {
				t.Errorf("body %q", r.body)
			}
			if got, n := paused(), w.store.commits.Load()-before; got != step.paused ||
				n != step.commits {
				t.Errorf("%s %s: %q are paused, want %q; %d commits, want %d", step.verb,
					step.body, got, step.paused, n, step.commits)
			}
		}
		w.do(t, "POST", one+":pause", `{"objects":["nope"]}`).want(t, 400,
			`"name":"objects[0]"`)
		w.do(t, "POST", one+":pause", `{"objects":"deal"}`).want(t, 400, `"name":"objects"`)
		w.do(t, "POST", one+":pause", `[]`).want(t, 400)
		w.do(t, "POST", path+"/nope:pause", ``).want(t, 404)
		w.do(t, "POST", one+":pause", ``, "If-Match", `"1"`).want(t, 409)
		w.do(t, "POST", one+":stop", ``).want(t, 405)
	})
}

// TestPauseMoreObjectsThanOneWriteTakes pauses 300 objects.
func TestPauseMoreObjectsThanOneWriteTakes(t *testing.T) {
	w := newWorld(t, anyStore)
	var objects []string
	for i := range 300 {
		objects = append(objects, fmt.Sprintf(`"o%d":{"objectName":"o","selectedFields":{},`+
			`"selectedFieldMappings":{}}`, i))
	}
	one := w.install(t, objects...)
	w.do(t, "POST", one+":pause", "").want(t, 204)
	if n := strings.Count(string(w.get(t, one).Config.Content), `"disabled":true`); n != 300 {
		t.Errorf("%d are paused", n)
	}
}
