package ampersand_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/internal/jsontree"
)

// equal reports whether two texts are the same JSON.
func equal(t testing.TB, a, b string) bool {
	t.Helper()
	x, err := jsontree.Parse([]byte(a), jsontree.Limits{})
	y, also := jsontree.Parse([]byte(b), jsontree.Limits{})
	if err := errors.Join(err, also); err != nil {
		t.Fatal(err)
	}
	return x.Equal(y)
}

// masked returns the content of TestMaskReplacesNamedPlaces with more members, and with changed
// read objects, given in pairs of name and object.
func masked(more string, changed ...string) string {
	objects := map[string]json.RawMessage{
		"contact": json.RawMessage(object("contact", 30)),
		"deal":    json.RawMessage(object("deal", 30)),
	}
	for i := 0; i < len(changed); i += 2 {
		objects[changed[i]] = json.RawMessage(changed[i+1])
	}
	return `{"provider":"salesforce","read":{"objects":` + string(marshal(objects)) +
		`},"odd":{"kept":[1.50]}` + more + `}`
}

var disabledDeal = strings.Replace(
	object("deal", 30), `{"objectName"`, `{"disabled":true,"objectName"`, 1)

// Prefixes of paths.
const (
	readMask      = "config.content.read.objects."
	writeMask     = "config.content.write.objects"
	subscribeMask = "config.content.subscribe.objects"
)

// masks has bodies of updates, and the content afterwards.
var masks = map[string]struct{ body, want string }{
	"an object": {
		replaceObject("contact", object("contact", 5)),
		masked("", "contact", object("contact", 5)),
	},
	"an object, whole": {
		replaceObject("contact", contact), masked("", "contact", contact),
	},
	"a new object": {
		replaceObject("lead", object("lead", 5)), masked("", "lead", object("lead", 5)),
	},
	"one object and not the other": {
		update(reads(`"contact":`+object("contact", 5)+`,"deal":7`), readMask+"contact"),
		masked("", "contact", object("contact", 5)),
	},
	"two objects": {
		update(reads(`"contact":`+object("contact", 5)+`,"deal":`+object("deal", 7)),
			readMask+"contact", readMask+"deal"),
		masked("", "contact", object("contact", 5), "deal", object("deal", 7)),
	},
	"a name with dots": {
		replaceObject("a.b.c", object("a.b.c", 5)),
		masked("", "a.b.c", object("a.b.c", 5)),
	},
	"a name with escaped dots": {
		update(reads(`"a.b:c/d\\e":`+object("a", 5)), readMask+`a\.b\:c\/d\\e`),
		masked("", `a.b:c/d\e`, object("a", 5)),
	},
	"a name that is a path": {
		replaceObject("~1", object("a", 5)), masked("", `~1`, object("a", 5)),
	},
	"a name like the switch": {
		replaceObject("deal.disabled", object("a", 5)),
		masked("", `deal.disabled`, object("a", 5)),
	},
	"the switch": {
		update(reads(`"deal":{"disabled":true}`), readMask+"deal.disabled"),
		masked("", "deal", disabledDeal),
	},
	"the switch, with more": {
		update(reads(`"deal":{"disabled":true,"objectName":"x"}`), readMask+"deal.disabled"),
		masked("", "deal", disabledDeal),
	},
	"an object and its switch": {
		update(reads(`"deal":`+disabledDeal), readMask+"deal.disabled", readMask+"deal"),
		masked("", "deal", disabledDeal),
	},
	"a new object and its switch": {
		update(reads(`"lead":`+disabledDeal), readMask+"lead.disabled", readMask+"lead"),
		masked("", "lead", disabledDeal),
	},
	"an object with the name of the switch": {
		replaceObject("disabled", disabledDeal), masked("", "disabled", disabledDeal),
	},
	"proxy": {
		update(`{"proxy":{"enabled":true,"other":1}}`, "config.content.proxy.enabled"),
		masked(`,"proxy":{"enabled":true}`),
	},
	"a write object": {
		update(`{"write":{"objects":{"contact":{"objectName":"contact"}}}}`,
			writeMask+".contact"),
		masked(`,"write":{"objects":{"contact":{"objectName":"contact"}}}`),
	},
	"all write objects": {
		update(`{"write":{"objects":{"a.b":{"objectName":"x"}},"other":1}}`, writeMask),
		masked(`,"write":{"objects":{"a.b":{"objectName":"x"}}}`),
	},
	"all subscribe objects": {
		update(`{"subscribe":{"objects":{}}}`, subscribeMask),
		masked(`,"subscribe":{"objects":{}}`),
	},
	"a subscribe object": {
		update(`{`+subscription+`}`, subscribeMask+".x"), masked(`,` + subscription),
	},
}

const subscription = `"subscribe":{"objects":{"x":{"objectName":"x","destination":"d",` +
	`"inheritFieldsAndMappings":true,"createEvent":{"enabled":"always"}}}}`

// TestMaskReplacesNamedPlaces applies one mask to an installation with two read objects and
// compares the whole content.
func TestMaskReplacesNamedPlaces(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		for name, tt := range masks {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, open)
				first := decode[wire](t, w.do(t, "POST", path,
					`{"groupRef":"group-123","config":{"createdBy":"consumer:u-9",`+
						`"content":`+masked("")+`}}`).want(t, 201))
				w.Advance(time.Minute)
				one := path + "/" + first.ID
				r := w.do(t, "PATCH", one, tt.body).want(t, 200)
				got := decode[wire](t, r)
				if !equal(t, string(got.Config.Content), tt.want) {
					t.Errorf("content is\n%s\nwant\n%s", got.Config.Content, tt.want)
				}
				if got.ID != first.ID || got.CreateTime != first.CreateTime ||
					got.CreatedBy != first.CreatedBy || got.Config.ID == first.Config.ID ||
					got.Config.CreateTime != "2026-03-02T10:01:00.120000Z" ||
					got.UpdateTime == nil || *got.UpdateTime != got.Config.CreateTime ||
					got.Config.CreatedBy != "consumer:u-9" {
					t.Errorf("it was %+v and is %s", first, r.body)
				}
				w.do(t, "GET", one, "").wantBody(t, r.body)
			})
		}
	})
}

// maskRemedy begins the remedy with all known paths.
const maskRemedy = "Use one of the documented paths"

// invalidMasks has bodies with paths that are unknown or have no value, each followed by texts of
// the answer.
var invalidMasks = map[string][]string{
	"no body":       {""},
	"nothing in it": {`{}`, `"name":"updateMask"`, `"name":"installation"`},
	"an empty mask": {`{"updateMask":[],"installation":{}}`,
		`"name":"updateMask"`},
	"an invalid mask": {`{"updateMask":"config","installation":{}}`,
		`"name":"updateMask"`},
	"an invalid path": {`{"updateMask":[7],"installation":{}}`,
		`"name":"updateMask[0]"`},
	"an invalid installation": {`{"updateMask":["connectionId"],"installation":7}`,
		`"name":"installation"`},
	"an unknown path": {update(`{}`, "config.content.nope"),
		`"name":"updateMask[0]","detail":"is not an allowed path"`, maskRemedy},
	"all read objects": {update(reads(""), "config.content.read.objects"),
		`is not an allowed path`, maskRemedy},
	"the whole content": {update(`{"provider":"x"}`, "config.content"), maskRemedy},
	"the provider": {update(`{"provider":"x"}`, "config.content.provider"),
		maskRemedy},
	"the id": {`{"updateMask":["id"],"installation":{"id":"x"}}`,
		maskRemedy},
	"another case": {update(reads(`"contact":`+contact),
		"config.content.Read.objects.contact"), maskRemedy},
	"part of an object": {update(reads(`"contact":{"schedule":"x"}`),
		readMask+"contact.schedule"), `"name":"updateMask[0]","detail":"is required"`},
	"an object without name": {update(reads(`"":`+contact), readMask), maskRemedy},
	"a backslash at the end": {update(reads(`"contact":`+contact),
		`config.content.read.objects.contact\`), "updateMask[0]"},
	"an object that is not there": {update(reads(`"contact":`+contact), readMask+"deal"),
		`"name":"updateMask[0]","detail":"is required"`},
	"an object that is null": {replaceObject("contact", `null`),
		`config.content.read.objects.contact`},
	"an object with a bad name": {replaceObject("contact", `{"objectName":7}`),
		`"name":"installation.config.content.read.objects.contact.objectName",` +
			`"detail":"must be of type string"`},
	"an invalid switch": {update(reads(`"contact":{"disabled":"yes"}`),
		readMask+"contact.disabled"),
		`installation.config.content.read.objects.contact.disabled`},
	"a switch of nothing": {update(reads(`"deal":{"disabled":true}`),
		readMask+"deal.disabled"), `config.content.read.objects.deal`},
	"a switch for writing": {
		update(`{"write":{"objects":{"contact":{"disabled":true}}}}`,
			"config.content.write.objects.contact.disabled"), `"name":"updateMask[0]"`},
	"proxy without value": {update(`{"proxy":{}}`, "config.content.proxy.enabled"),
		`"name":"updateMask[0]"`},
	"an invalid proxy": {update(`{"proxy":{"enabled":1}}`,
		"config.content.proxy.enabled"), `config.content.proxy.enabled`},
	"no connection": {`{"updateMask":["connectionId"],"installation":{}}`,
		`"name":"updateMask[0]"`},
	"an empty connection": {`{"updateMask":["connectionId"],` +
		`"installation":{"connectionId":""}}`, `connectionId`},
	"an unknown connection": {swapTo("nope"), `"name":"installation.connectionId"`},
	"another group's connection": {swapTo("connection-org-71"),
		`"name":"installation.connectionId"`},
	"another provider's": {swapTo("connection-hubspot"),
		`"name":"installation.connectionId"`},
	"no creator": {`{"updateMask":["config.createdBy"],"installation":{}}`,
		`"name":"updateMask[0]"`},
	"an invalid creator": {setCreator(`me`), `createdBy`},
	"a good path and a bad one": {update(reads(`"contact":`+object("contact", 5)),
		readMask+"contact", "nope"), `"name":"updateMask[1]"`},
	"too many": {update(reads(`"contact":`+contact),
		strings.Split(strings.Repeat("config.content.read.objects.contact ", 257), " ")...),
		`"name":"updateMask"`},
}

// TestInvalidMaskChangesNothing sends paths that are unknown or have no value.
func TestInvalidMaskChangesNothing(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	before := w.store.commits.Load()
	for name, tt := range invalidMasks {
		t.Run(name, func(t *testing.T) {
			w.do(t, "PATCH", one, tt[0]).want(t, 400, tt[1:]...)
		})
	}
	w.do(t, "PATCH", one, replaceObject("contact", contact), "If-Match", `"7"`).want(t, 409)
	w.do(t, "PATCH", path+"/nope", replaceObject("contact", contact)).want(t, 404)
	w.do(t, "PATCH", one+"?skipSampling=1", replaceObject("contact", contact)).want(t, 400,
		`"in":"query"`)
	w.wantCommits(t, before)
}

func TestSameValueIsNoNewConfiguration(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	before := w.do(t, "GET", one, "")
	w.Advance(time.Minute)
	for _, body := range []string{
		replaceObject("contact", contact),
		swapTo("connection-salesforce"),
		setCreator(`consumer:u-9`),
	} {
		r := w.do(t, "PATCH", one, body, "If-Match", `"1"`).want(t, 200)
		r.wantBody(t, before.body)
		if r.header.Get("Etag") != `"1"` {
			t.Errorf("%s made revision %s", body, r.header.Get("Etag"))
		}
	}
}

// TestSwapConnection proves that a new connection leaves the configuration as it is.
func TestSwapConnection(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		one := w.install(t)
		first := w.get(t, one)
		w.connect("another", "salesforce", memory.DemoGroup, "u-10")
		w.Advance(time.Minute)
		got := decode[wire](t, w.do(t, "PATCH", one, swapTo("another")).want(t, 200))
		if got.Connection.ID != "another" || got.Config.ID != first.Config.ID ||
			got.UpdateTime != nil {
			t.Errorf("it is %+v", got)
		}
		w.do(t, "DELETE", conns+"/another", "").want(t, 409,
			"An installation uses the connection.", "Delete the installation")
		w.do(t, "DELETE", conns+"/connection-salesforce", "").want(t, 204)
		w.do(t, "DELETE", one, "").want(t, 204)
		w.do(t, "GET", conns+"/another", "").want(t, 404)
	})
}

// TestNewCreatorMakesNewConfiguration proves that the creator of the installation stays.
func TestNewCreatorMakesNewConfiguration(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	first := w.get(t, one)
	w.Advance(time.Minute)
	got := decode[wire](t, w.do(t, "PATCH", one, setCreator("builder:b-1")).want(t, 200))
	if got.Config.CreatedBy != "builder:b-1" || got.CreatedBy != first.CreatedBy ||
		got.Config.ID == first.Config.ID || got.UpdateTime == nil {
		t.Errorf("it is %+v", got)
	}
	got = decode[wire](t, w.do(t, "PATCH", one, replaceObject("lead", object("lead", 5))).
		want(t, 200))
	if got.Config.CreatedBy != "builder:b-1" || got.CreatedBy != first.CreatedBy {
		t.Errorf("it is %+v", got)
	}
}

// TestUpdateUsesLatestRevision proves that a configuration gets the latest revision of its
// integration, and that other members of Extra stay.
func TestUpdateUsesLatestRevision(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	id := idOf(one)
	inst, err := w.svc.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var extra map[string]any
	if err := inst.Extra.Decode(&extra); err != nil {
		t.Fatal(err)
	}
	extra["note"] = "the host's"
	document, err := installation.DocumentOf(extra)
	if err != nil {
		t.Fatal(err)
	}
	parts := installation.Parts{Extra: installation.Value(document)}
	_, err = w.svc.Patch(t.Context(), installation.PatchRequest{ID: id, Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	w.setIntegration(memory.DemoIntegration, "salesforce", "revision-124")
	if got := w.get(t, one); got.Config.RevisionID != "revision-123" {
		t.Errorf("it is %+v", got)
	}
	// Another writer comes between, so that the notes have to be read again.
	other := func() {
		body := replaceObject("deal", object("deal", 5))
		send(t, w.second, "PATCH", one, body, "X-Api-Key", apiKey).want(t, 200)
	}
	w.store.interrupt(other)
	got := decode[wire](t, w.do(t, "PATCH", one, replaceObject("lead", object("lead", 5))).
		want(t, 200, `"deal"`, `"lead"`))
	if got.Config.RevisionID != "revision-124" || got.Config.CreatedBy != "consumer:u-9" {
		t.Errorf("it is %+v", got)
	}
	if inst, err = w.svc.Get(t.Context(), id); err != nil ||
		!strings.Contains(inst.Extra.String(), `"note":"the host's"`) {
		t.Errorf("error %v, extra %v", err, inst.Extra)
	}
}

// TestMaskIgnoresOtherValues: a value that no path names can have any type.
func TestMaskIgnoresOtherValues(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	for _, body := range []string{
		`{"updateMask":["connectionId"],` +
			`"installation":{"connectionId":"connection-salesforce","config":null}}`,
		`{"updateMask":["config.createdBy"],` +
			`"installation":{"config":{"createdBy":"builder:b","content":null}}}`,
		update(`{"read":null,"write":7,"proxy":{"enabled":true}}`, "config.content.proxy.enabled"),
	} {
		w.do(t, "PATCH", one, body).want(t, 200)
	}
}
