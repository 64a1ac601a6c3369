package vercel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// refusal is the body of an error without fields.
func refusal(code, message string) string {
	return `{"error":{"code":"` + code + `","message":"` + message + `"}}`
}

// invalid is the body of an answer with 400; fields are given as key and message in turn.
func invalid(fields ...string) string {
	var list []string
	for i := 0; i < len(fields); i += 2 {
		list = append(list, `{"key":"`+fields[i]+`","message":"`+fields[i+1]+`"}`)
	}
	return `{"error":{"code":"validation_error","message":"The request is not valid.",` +
		`"fields":[` + strings.Join(list, ",") + `]}}`
}

var (
	missing     = refusal("not_found", "There is no such installation.")
	uninstalled = refusal("conflict",
		"The present state of the installation does not allow this.")
)

// required is the detail of a violation.
const required = "is required"

// endpointStates bring the installation into a state.
var endpointStates = map[string]func(*testing.T, *world){
	"none":      func(*testing.T, *world) {},
	"installed": func(t *testing.T, w *world) { w.install(t) },
	"on a plan": func(t *testing.T, w *world) {
		w.install(t)
		w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`).want(t, 200)
	},
	"on the free plan": func(t *testing.T, w *world) {
		w.install(t)
		w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"free"}`).want(t, 200)
	},
	"uninstalled": func(t *testing.T, w *world) {
		w.install(t)
		w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200)
	},
	"purged": func(t *testing.T, w *world) {
		w.install(t)
		w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200)
		w.advance(25 * time.Hour)
		if _, err := w.svc.Sweep(t.Context(), installation.SweepRequest{}); err != nil {
			t.Fatal(err)
		}
	},
	"deleted by the host": func(t *testing.T, w *world) {
		w.install(t)
		if _, err := w.svc.Delete(t.Context(),
			installation.DeleteRequest{ID: icfg}); err != nil {
			t.Fatal(err)
		}
	},
}

// changedBody returns upsertBody with one replacement.
func changedBody(replace, by string) string {
	return strings.Replace(upsertBody, replace, by, 1)
}

// endpointTests send one request in one state.
var endpointTests = []struct {
	name, state   string
	method, below string // path below the installation
	body          string
	headers       []string
	status        int
	answer        string
	commits       int
}{
	{name: "PUT creates", method: "PUT", body: upsertBody, status: 200, answer: `{}`,
		commits: 1},
	{name: "PUT updates and keeps the plan", state: "on a plan", method: "PUT",
		body: upsertBody, status: 200, answer: `{"billingPlan":` + teamJSON + `}`,
		commits: 1},
	{name: "PUT with nothing granted", method: "PUT",
		body: `{"scopes":[],"acceptedPolicies":{},"credentials":{"access_token":"t",` +
			`"token_type":"Bearer"}}`, status: 200, answer: `{}`, commits: 1},
	{name: "PUT with unknown fields", method: "PUT", body: changedBody(`{"scopes"`,
		`{"id":7,"Scopes":1,"status":null,"scopes"`), status: 200, answer: `{}`, commits: 1},
	{name: "PUT without contact", method: "PUT",
		body: changedBody(`"contact":{"email":"ops@northwind.example","name":"Iris Holm"}`,
			`"contact":null`), status: 200, answer: `{}`, commits: 1},
	{name: "PUT without account", method: "PUT", body: changedBody(`"account":{`,
		`"account":null,"x":{`), status: 200, answer: `{}`, commits: 1},
	{name: "PUT of an account without anything", method: "PUT",
		body: changedBody(`"account":{`,
			`"account":{"name":null,"url":null,"contact":{"email":null,"name":null}},"x":{`),
		status: 200, answer: `{}`, commits: 1},
	{name: "PUT on an uninstalled one", state: "uninstalled", method: "PUT", body: upsertBody,
		status: 409, answer: uninstalled},
	{name: "PUT on a purged one", state: "purged", method: "PUT", body: upsertBody,
		status: 409, answer: uninstalled},
	{name: "PUT on a deleted one", state: "deleted by the host", method: "PUT",
		body: upsertBody, status: 200, answer: `{}`, commits: 1},
	{name: "PUT with the revision", state: "installed", method: "PUT", body: upsertBody,
		headers: []string{"If-Match", `"1"`}, status: 200, answer: `{}`, commits: 1},
	{name: "PUT with another revision", state: "installed", method: "PUT", body: upsertBody,
		headers: []string{"If-Match", `"7"`}, status: 409, answer: uninstalled},
	{name: "PUT with a revision of nothing", method: "PUT", body: upsertBody,
		headers: []string{"If-Match", `"1"`}, status: 404, answer: missing},
	{name: "PUT if there is one", state: "installed", method: "PUT", body: upsertBody,
		headers: []string{"If-Match", `*`}, status: 200, answer: `{}`, commits: 1},
	{name: "PUT with a tag that is none", state: "installed", method: "PUT", body: upsertBody,
		headers: []string{"If-Match", `1`}, status: 400,
		answer: invalid("If-Match", "must be an entity tag in quotes")},

	{name: "PUT without a body", method: "PUT", status: 400,
		answer: invalid("body", "must be an object")},
	{name: "PUT with an array", method: "PUT", body: `[]`, status: 400,
		answer: invalid("body", "must be an object")},
	{name: "PUT with an empty object", method: "PUT", body: `{}`, status: 400,
		answer: invalid("scopes", required, "acceptedPolicies", required, "credentials",
			required)},
	{name: "PUT with names in another case", method: "PUT", body: changedBody("scopes", "Scopes"),
		status: 400, answer: invalid("scopes", required)},
	{name: "PUT with a scope that is none", method: "PUT",
		body: changedBody(`"read-write:integration-resource"`, `"a",7,""`), status: 400,
		answer: invalid("scopes[1]", "must be a string")},
	{name: "PUT with an empty scope", method: "PUT",
		body: changedBody(`"read-write:integration-resource"`, `""`), status: 400,
		answer: invalid("scopes[0]", required)},
	{name: "PUT with scopes that are none", method: "PUT",
		body: changedBody(`["read-write:integration-resource"]`, `"all"`), status: 400,
		answer: invalid("scopes", "must be an array")},
	{name: "PUT with policies that are none", method: "PUT",
		body: changedBody(`{"terms":"2026-03-04T09:15:00Z",`+
			`"privacy":"2026-03-04T10:15:00+01:00"}`,
			`"value"`), status: 400,
		answer: invalid("acceptedPolicies", "must be an object")},
	{name: "PUT with a policy without time", method: "PUT",
		body: changedBody("2026-03-04T09:15:00Z", "yesterday"), status: 400,
		answer: invalid("acceptedPolicies.terms",
			"must be a date and time such as 2024-02-28T10:00:00Z")},
	{name: "PUT with credentials that are none", method: "PUT",
		body:   changedBody(`{"access_token":"c4nary-access","token_type":"Bearer"}`, `null`),
		status: 400,
		answer: invalid("credentials", "must be an object", "credentials.access_token",
			required, "credentials.token_type", required)},
	{name: "PUT with an empty token", method: "PUT", body: changedBody("c4nary-access", ""),
		status: 400, answer: invalid("credentials.access_token", required)},
	{name: "PUT with a token that is a number", method: "PUT",
		body: changedBody(`"c4nary-access"`, "17"), status: 400,
		answer: invalid("credentials.access_token", "must be a string",
			"credentials.access_token", required)},
	{name: "PUT with a long token", method: "PUT",
		body: changedBody("c4nary-access", strings.Repeat("x", 65<<10)), status: 400,
		answer: invalid("credentials.access_token", "must have at most 65536 bytes")},
	{name: "PUT without token type", method: "PUT", body: changedBody(`"Bearer"`, `""`),
		status: 400,
		answer: invalid("credentials.token_type", required)},
	{name: "PUT with a long token type", method: "PUT",
		body: changedBody(`"Bearer"`, `"`+strings.Repeat("x", 300)+`"`), status: 400,
		answer: invalid("credentials.token_type", "must have at most 256 characters")},
	{name: "PUT with an account that is none", method: "PUT", body: changedBody(`"account":{`,
		`"account":7,"x":{`), status: 400, answer: invalid("account", "must be an object")},
	{name: "PUT with a contact that is none", method: "PUT",
		body:   changedBody(`"Iris Holm"`, `7`),
		status: 400, answer: invalid("account.contact.name", "must be a string")},
	{name: "PUT with a time with a comma", method: "PUT",
		body: changedBody("09:15:00Z", "09:15:00,5Z"), status: 400,
		answer: invalid("acceptedPolicies.terms",
			"must be a date and time such as 2024-02-28T10:00:00Z")},
	{name: "PUT with a duplicate name", method: "PUT",
		body: changedBody(`{"scopes"`, `{"scopes":[],"scopes"`), status: 400,
		answer: invalid("scopes", "a member is named twice (byte 22)")},
	{name: "PUT with data behind", method: "PUT", body: `{} {}`, status: 400,
		answer: invalid("body", "not valid JSON (byte 3)")},
	{name: "PUT with broken UTF-8", method: "PUT",
		body:   changedBody("Northwind", "North\xffwind"),
		status: 400},
	{name: "PUT of text", method: "PUT", body: upsertBody,
		headers: []string{"Content-Type", "text/plain"}, status: 415,
		answer: refusal("unsupported_media_type", "The body must be application/json in UTF-8.")},
	{name: "PUT of nothing declared", method: "PUT", body: upsertBody,
		headers: []string{"Content-Type", ""}, status: 415},
	{name: "PUT of other JSON", method: "PUT", body: upsertBody,
		headers: []string{"Content-Type", "application/vnd.x+json; charset=UTF-8"},
		status:  200, answer: `{}`, commits: 1},
	{name: "PUT too large", method: "PUT",
		body:   changedBody("ops@", strings.Repeat("x", 256<<10)),
		status: 413, answer: refusal("payload_too_large", "The body is too large.")},
	{name: "PUT with a long key", method: "PUT", body: upsertBody,
		headers: []string{"Idempotency-Key", strings.Repeat("k", 257)}, status: 400,
		answer: invalid("Idempotency-Key", "must have at most 256 bytes")},

	{name: "GET none", method: "GET", status: 404, answer: missing},
	{name: "GET", state: "installed", method: "GET", status: 200, answer: `{}`},
	{name: "GET with a plan", state: "on a plan", method: "GET", status: 200,
		answer: `{"billingPlan":` + teamJSON + `}`},
	{name: "GET an uninstalled one", state: "uninstalled", method: "GET", status: 404,
		answer: missing},
	{name: "GET a deleted one", state: "deleted by the host", method: "GET", status: 404,
		answer: missing},
	{name: "HEAD", state: "on a plan", method: "HEAD", status: 200, answer: ``},

	{name: "GET plans of none", method: "GET", below: "/plans", status: 404, answer: missing},
	{name: "GET plans", state: "installed", method: "GET", below: "/plans", status: 200,
		answer: `{"plans":[` + freeJSON + `,` + teamJSON + `,` + oldJSON + `,` + eachJSON +
			`]}`},
	{name: "GET plans of an uninstalled one", state: "uninstalled", method: "GET",
		below: "/plans", status: 404, answer: missing},

	{name: "PATCH none", method: "PATCH", body: `{"billingPlanId":"team"}`, status: 404,
		answer: missing},
	{name: "PATCH", state: "installed", method: "PATCH", body: `{"billingPlanId":"team"}`,
		status: 200, answer: `{"billingPlan":` + teamJSON + `}`, commits: 1},
	{name: "PATCH to another plan", state: "on a plan", method: "PATCH",
		body: `{"billingPlanId":"free","x":1}`, status: 200,
		answer: `{"billingPlan":` + freeJSON + `}`, commits: 1},
	{name: "PATCH to the same plan", state: "on a plan", method: "PATCH",
		body: `{"billingPlanId":"team"}`, status: 200,
		answer: `{"billingPlan":` + teamJSON + `}`},
	{name: "PATCH nothing", state: "on a plan", method: "PATCH", body: `{}`, status: 200,
		answer: `{"billingPlan":` + teamJSON + `}`},
	{name: "PATCH nothing of none", method: "PATCH", body: `{}`, status: 404,
		answer: missing},
	{name: "PATCH without a body", state: "installed", method: "PATCH", status: 400,
		answer: invalid("body", "must be an object")},
	{name: "PATCH to an unknown plan", state: "installed", method: "PATCH",
		body: `{"billingPlanId":"gold"}`, status: 400,
		answer: invalid("billingPlanId", "Unknown plan")},
	{name: "PATCH to no plan", state: "installed", method: "PATCH",
		body: `{"billingPlanId":""}`, status: 400,
		answer: invalid("billingPlanId", "Unknown plan")},
	{name: "PATCH to null", state: "installed", method: "PATCH",
		body: `{"billingPlanId":null}`, status: 400,
		answer: invalid("billingPlanId", "must be a string")},
	{name: "PATCH to a disabled plan", state: "installed", method: "PATCH",
		body: `{"billingPlanId":"old"}`, status: 400,
		answer: invalid("billingPlanId", "This plan cannot be chosen")},
	{name: "PATCH to a plan of resources", state: "installed", method: "PATCH",
		body: `{"billingPlanId":"each"}`, status: 400,
		answer: invalid("billingPlanId", "This plan cannot be chosen")},
	{name: "PATCH with another revision", state: "installed", method: "PATCH",
		body: `{"billingPlanId":"team"}`, headers: []string{"If-Match", `"7"`}, status: 409,
		answer: uninstalled},
	{name: "PATCH with a weak tag", state: "installed", method: "PATCH",
		body: `{"billingPlanId":"team"}`, headers: []string{"If-Match", `W/"1"`}, status: 409,
		answer: uninstalled},
	{name: "PATCH an uninstalled one", state: "uninstalled", method: "PATCH",
		body: `{"billingPlanId":"team"}`, status: 409, answer: uninstalled},

	{name: "DELETE none", method: "DELETE", status: 404, answer: missing},
	{name: "DELETE without a body", state: "installed", method: "DELETE", status: 200,
		answer: `{"finalized":false}`, commits: 1},
	{name: "DELETE with a body", state: "on a plan", method: "DELETE",
		body: `{"cascadeResourceDeletion":true,"reason":"moved","more":{}}`, status: 200,
		answer: `{"finalized":false}`, commits: 1},
	{name: "DELETE with an empty object", state: "installed", method: "DELETE", body: `{}`,
		status: 200, answer: `{"finalized":false}`, commits: 1},
	{name: "DELETE with null", state: "installed", method: "DELETE", body: `null`,
		status: 200, answer: `{"finalized":false}`, commits: 1},
	{name: "DELETE with fields that are null", state: "installed", method: "DELETE",
		body: `{"cascadeResourceDeletion":null,"reason":null}`, status: 200,
		answer: `{"finalized":false}`, commits: 1},
	{name: "DELETE on the free plan", state: "on the free plan", method: "DELETE",
		status: 200, answer: `{"finalized":true}`, commits: 1},
	{name: "DELETE again", state: "uninstalled", method: "DELETE", status: 200,
		answer: `{"finalized":false}`},
	{name: "DELETE a purged one", state: "purged", method: "DELETE", status: 200,
		answer: `{"finalized":true}`},
	{name: "DELETE a deleted one", state: "deleted by the host", method: "DELETE",
		status: 404, answer: missing},
	{name: "DELETE with another revision", state: "installed", method: "DELETE",
		headers: []string{"If-Match", `"7"`}, status: 409, answer: uninstalled},
	{name: "DELETE with a body that is none", state: "installed", method: "DELETE",
		body: `[]`, status: 400, answer: invalid("body", "must be an object")},
	{name: "DELETE with wrong types", state: "installed", method: "DELETE",
		body: `{"cascadeResourceDeletion":"yes","reason":1}`, status: 400,
		answer: invalid("cascadeResourceDeletion", "must be true or false", "reason",
			"must be a string")},
	{name: "DELETE with a long reason", state: "installed", method: "DELETE",
		body: `{"reason":"` + strings.Repeat("x", 1025) + `"}`, status: 400,
		answer: invalid("reason", "must have at most 1024 characters")},
	{name: "DELETE of text", state: "installed", method: "DELETE", body: `{}`,
		headers: []string{"Content-Type", "text/plain"}, status: 415},

	{name: "POST", method: "POST", body: `{}`, status: 405,
		answer: refusal("method_not_allowed", "The method is not one of this resource.")},
	{name: "PUT plans", method: "PUT", below: "/plans", body: `{}`, status: 405},
	{name: "a path below", method: "GET", below: "/resources", status: 404,
		answer: refusal("not_found", "There is no such resource.")},
	{name: "a slash behind", state: "installed", method: "GET", below: "/", status: 200,
		answer: `{}`},
	{name: "a path that is not clean", state: "installed", method: "GET",
		below: "/../" + icfg, status: 404},
}

// TestEndpoints compares whole answers.
func TestEndpoints(t *testing.T) {
	for _, tt := range endpointTests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.state == "" {
				tt.state = "none"
			}
			endpointStates[tt.state](t, w)
			before := w.store.commits.Load()
			token := w.issuer.user(icfg)
			if tt.method == "GET" || tt.method == "HEAD" {
				token = w.issuer.system(icfg)
			}
			r := w.do(t, tt.method, path+tt.below, token, tt.body, tt.headers...)
			if r.status != tt.status {
				t.Fatalf("status %d, want %d; body %s", r.status, tt.status, r.body)
			}
			if tt.answer != "" && r.body != tt.answer {
				t.Errorf("body is\n%s\nwant\n%s", r.body, tt.answer)
			}
			if got := int(w.store.commits.Load() - before); got != tt.commits {
				t.Errorf("%d commits, want %d", got, tt.commits)
			}
			checkHeaders(t, r)
			if w.log.Len() > 0 {
				t.Errorf("logged: %s", w.log)
			}
		})
	}
}
