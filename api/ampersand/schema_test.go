package ampersand_test

import (
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/validate"
)

func TestSchemaIsValid(t *testing.T) {
	source, err := ampersand.Schema(t.Context(), memory.DemoProject,
		installation.Extension{ID: memory.DemoIntegration})
	if err != nil || source.Revision == "" {
		t.Fatal(source, err)
	}
	text, err := source.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.CheckSchema(text); err != nil {
		t.Error(err)
	}
}

// TestCustomerNamesAreNoSecrets proves that names that customers choose seal no values.
func TestCustomerNamesAreNoSecrets(t *testing.T) {
	const content = `{"provider":"salesforce",
	 "read":{"objects":{"access_token":{"objectName":"access_token","schedule":"x",
	   "destination":"tokenHook","disabled":false,
	  "selectedFields":{"access_token__c":true,"api_key":false},
	   "selectedFieldMappings":{"accessToken":"access_token__c","password":"pass_word"},
	  "selectedFieldsAuto":"all","selectedValueMappings":{"secret":{"token":"a",
	   "b":"api_key"}},
	  "dynamicMappingsInput":[{"mapToName":"secretKey","token":"t"}],
	   "fieldFilters":[{"fieldName":"api_key","operator":"eq",
	   "value":"https://u:p@h.example"}],
	  "backfill":{"defaultPeriod":{"days":7}}}}},
	 "write":{"objects":{"password":{"objectName":"password",
	   "selectedFieldSettings":{"api_key":{"writeOnCreate":"always","newSetting":"x"}},
	   "deletionSettings":{"enabled":true}}}},
	 "subscribe":{"objects":{"token":{"objectName":"token","destination":"d",
	   "inheritFieldsAndMappings":true,
	  "providerOptions":{"mode":"plain"},"newThing":{"level":"high","list":["x"]},
	  "updateEvent":{"enabled":"always","requiredWatchFields":["api_key"],"secret":"x"},
	   "otherEvents":["token.created"]}}},
	 "proxy":{"enabled":true},"future":{"list":[{"x":1.50}]}}`
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		r := w.do(t, "POST", path, `{"groupRef":"group-123","config":{"content":`+content+`}}`).
			want(t, 201)
		got := decode[wire](t, r)
		if !equal(t, string(got.Config.Content), content) {
			t.Errorf("content is\n%s\nwant\n%s", got.Config.Content, content)
		}
		inst, err := w.svc.Get(t.Context(), got.ID)
		if err != nil || len(inst.Sealed) != 0 {
			t.Errorf("error %v, sealed %v", err, inst.Sealed)
		}
	})
}

// TestSecretsInContentAreSealed proves that other fields with names like secrets are sealed and
// masked, and stay if a mask is sent back.
func TestSecretsInContentAreSealed(t *testing.T) {
	const secrets = `"apiKey":"c4nary-1","custom":{"clientSecret":"c4nary-2","level":3}`
	const below = `,"api_token":{"note":"n",` +
		`"destination":"https://u:c4nary-5@hook.example/h",` +
		`"newThing":{"url":"https://u:c4nary-6@x.example"},` +
		`"providerOptions":{"mode":"plain","token":"c4nary-7"},"objectName":"s",` +
		`"selectedFields":{},"selectedFieldMappings":{}}`
	onStores(t, func(t *testing.T, open opener) {
		w := newWorld(t, open)
		contactWith := strings.Replace(contact, `{"objectName"`,
			`{"headers":{"authToken":"c4nary-3"},"objectName"`, 1)
		body := creation(memory.DemoGroup,
			`"contact":`+contactWith+`,"session":{"note":"c4nary-4","objectName":"s",`+
				`"selectedFields":{},"selectedFieldMappings":{}}`+below)
		body = strings.Replace(body, `"provider"`, secrets+`,"provider"`, 1)
		r := w.do(t, "POST", path, body).want(t, 201, `"apiKey":"***"`, `"clientSecret":"***"`,
			`"level":3`, `"authToken":"***"`, `"note":"c4nary-4"`,
			`"api_token":{"note":"n","destination":"***","newThing":{"url":"***"},`+
				`"providerOptions":{"mode":"plain","token":"***"}`)
		for _, canary := range []string{"c4nary-1", "c4nary-2", "c4nary-3", "c4nary-5",
			"c4nary-6", "c4nary-7"} {
			if strings.Contains(r.body, canary) {
				t.Errorf("%s shows", canary)
			}
		}
		got := decode[wire](t, r)
		inst, err := w.svc.Get(t.Context(), got.ID)
		if err != nil || len(inst.Sealed) != 6 {
			t.Fatalf("error %v, sealed %v", err, inst.Sealed)
		}
		masked := strings.Replace(contactWith, "c4nary-3", "***", 1)
		masked = strings.Replace(masked, `*/30`, `*/15`, 1)
		w.do(t, "PATCH", path+"/"+got.ID, replaceObject("contact", masked)).want(t, 200, `*/15`,
			`"authToken":"***"`)
		out, err := w.svc.Reveal(t.Context(), installation.RevealRequest{
			ID: got.ID, Reason: "test", Refs: []installation.Ref{
				installation.Ref("config/read/objects/contact/headers/authToken"),
				installation.Ref("config/apiKey"),
			},
		})
		if err != nil || out[0].Value.RevealString() != "c4nary-3" ||
			out[1].Value.RevealString() != "c4nary-1" {
			t.Errorf("error %v, kept %v", err, out)
		}
		// A field that is only named like an address needs no secret again.
		w.do(t, "PATCH", contentOf("contact"),
			changes("read", `{"op":"add","path":"/selectedFieldMappings/callback_url",`+
				`"value":"https://site.example"}`)).want(t, 200)
		w.do(t, "PATCH", contentOf("contact"),
			changes("read", `{"op":"add","path":"/endpoint",`+
				`"value":"https://elsewhere.example"}`)).want(t, 400,
			"can be sent elsewhere by this write: give it again")
		w.do(t, "PATCH", path+"/"+got.ID, update(`{"write":{"objects":{"x":{"objectName":"x",`+
			`"selectedFieldSettings":{"callback_url":{"writeOnCreate":"always"}}}}}}`,
			"config.content.write.objects.x")).want(t, 200)
	})
}

// TestSchemaTakesWhatClientsRead: a client that cannot read a member cannot read any list that has
// it, so the member is never stored.
func TestSchemaTakesWhatClientsRead(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	const ends = `"objectName":"x","destination":"d","inheritFieldsAndMappings":true}`
	for kind, members := range map[string][]string{
		"read": {
			`"selectedFieldsAuto":"some"`, `"selectedValueMappings":{"stage":"open"}`,
			`"dynamicMappingsInput":{}`, `"dynamicMappingsInput":[{}]`, `"fieldFilters":[{}]`,
			`"backfill":{}`, `"backfill":{"defaultPeriod":7}`,
			`"backfill":{"defaultPeriod":{},"fieldFilters":[{"fieldName":"x"}]}`,
		},
		"write": {`"deletionSettings":{}`, `"deletionSettings":{"enabled":"yes"}`},
		"subscribe": {
			`"createEvent":{}`, `"updateEvent":{"enabled":true}`,
			`"deleteEvent":{"enabled":"some"}`, `"otherEvents":"x"`, `"otherEvents":[7]`,
		},
	} {
		for _, member := range members {
			content := `{"` + kind + `":{"objects":{"x":{` + member + `,` + ends + `}}}`
			name, _, _ := strings.Cut(strings.Trim(member, `"`), `"`)
			w.do(t, "PATCH", one, update(content, "config.content."+kind+".objects.x")).
				want(t, 400, kind+".objects.x."+name)
		}
	}
}
