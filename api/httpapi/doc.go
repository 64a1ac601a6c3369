// Package httpapi has what an HTTP API over an [installation.Service] needs and what does not
// depend on the platform. The handlers in api/vercel, api/softwareone and api/ampersand are
// built with it. A host uses it for an API of its own, so that its requests, errors and
// limits behave like theirs.
//
// An [API] routes with [http.ServeMux] and runs one [Endpoint] per method. For each request it
//
//   - sets a request ID, Cache-Control: no-store and X-Content-Type-Options: nosniff;
//   - limits the size of the body, the time of the request and the time to read the answer;
//   - answers unknown paths with 404 and unknown methods with 405 and Allow;
//   - turns a panic, or an answer that cannot be encoded, into a 500 that reveals nothing;
//   - gives every error the status of [ProblemOf], and logs those that are the server's fault.
//
// An endpoint reads its input with [Read], [ReadQuery], [Condition], [IdempotencyKey] and
// [Bearer]. It returns the errors of the service as they are, and rejects requests with a
// [Problem]. A [Renderer] writes a problem in the platform's own form.
//
// Bodies are not read with encoding/json, which ignores the case of names, takes the last of
// two members with one name, and repairs text that is not UTF-8. An [Object] reads members by
// their exact names and collects every violation. All platforms name the place of a violation
// the same way: member names with dots between them.
//
// # Secrets
//
// Nothing here shows, logs or returns what a client sent, except names in the paths of
// violations. The log has the full text of the library's errors and of those in
// [Config].Loggable. For all other errors, and for those that an endpoint marks with
// [HostError] or [HostFailure], it has only the kind and the types.
package httpapi
