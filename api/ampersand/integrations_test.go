package ampersand_test

import (
	"testing"

	"github.com/go-installation/installation/api/ampersand"
)

// TestIntegrationsAndRevisions reads integrations, hydrated revisions and an empty history.
func TestIntegrationsAndRevisions(t *testing.T) {
	w := newWorld(t, anyStore)
	w.do(t, "GET", project+"/integrations", "").want(t, 200,
		`[{"id":"integration-789","projectId":"project-456","name":"crm-sync",`+
			`"provider":"salesforce"`,
		`"latestRevision":{"id":"revision-123","specVersion":"1.0.0",`+
			`"createTime":"2026-03-02T10:00:00.120000Z","content":{"name":"crm-sync"`)
	w.send(t, "GET", "/projects/tidewater-app/integrations", "", "X-Api-Key",
		"c4nary-other-key").
		want(t, 200).wantBody(t, "[]")
	at := integration + "/revisions/revision-123"
	w.do(t, "GET", at+":hydrate?connectionId=connection-salesforce", "").want(t, 200,
		`{"id":"revision-123"`, `"provider":"salesforce"`)
	w.do(t, "GET", at+":hydrate", "").want(t, 400, `"in":"query","name":"connectionId"`)
	w.do(t, "GET", at+":hydrate?connectionId=nope", "").want(t, 404)
	w.do(t, "GET", at, "").want(t, 404)
	w.do(t, "GET", integration+"/revisions/nope:hydrate?connectionId=connection-salesforce", "").
		want(t, 404)
	w.do(t, "POST", at+":hydrate", "").want(t, 405)
	one := w.install(t)
	w.do(t, "GET", one+"/operations", "").want(t, 200).
		wantBody(t, `{"results":[],"pagination":{"done":true}}`)
	for _, query := range []string{"?pageSize=0", "?pageSize=1001", "?pageSize=x",
		"?pageToken=nope"} {
		w.do(t, "GET", one+"/operations"+query, "").want(t, 400, `"in":"query"`)
	}
	w.do(t, "GET", one+"/operations?pageSize=1000", "").want(t, 200)
	w.do(t, "GET", path+"/nope/operations", "").want(t, 404)
	w.do(t, "GET", one+"/objects/contact/backfill-progress", "").want(t, 404)
}

// TestOperationsAreTheHosts returns pages and progress as the host has them.
func TestOperationsAreTheHosts(t *testing.T) {
	w, f := newFailing(t)
	one := w.install(t)
	w.do(t, "GET", one+"/operations", "").want(t, 200).wantBody(t,
		`{"results":[{"id":"op-1","configId":"config-1","actionType":"read","status":"success",`+
			`"installationId":"`+idOf(one)+`","integrationId":"integration-789",`+
			`"projectId":"project-456"}],"pagination":{"done":false,"nextPageToken":"page-2"}}`)
	w.do(t, "GET", one+"/objects/contact/backfill-progress", "").want(t, 200,
		`{"operationId":"op-1","recordsProcessed":7,"installationId":"`+idOf(one)+
			`","objectName":"contact"}`)
	f.at, f.err = "operations", ampersand.ErrNotFound
	w.do(t, "GET", one+"/operations?pageToken=x", "").want(t, 400,
		`"in":"query","name":"pageToken"`)
}
