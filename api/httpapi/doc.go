// Package httpapi is what the handlers of the platforms have in common: everything about an HTTP request that is not the platform's own.
//
// An [API] routes with [http.ServeMux] and runs one [Endpoint] per method. Around each it does what every answer needs:
//
//   - a request id, Cache-Control: no-store, and no content sniffing;
//   - a limit on the size of the body, on the time of the request and on the time in which its answer is read;
//   - 404 and 405 (with Allow) in the platform's own error body;
//   - a panic, and an answer that cannot be encoded, become 500 and say nothing;
//   - an error becomes the status that [ProblemOf] gives it, and what is the server's fault is logged under the request id.
//
// How an error looks on the wire is a [Renderer], since each platform has its own form.
//
// Bodies are read by [Document] into a tree rather than by encoding/json, which matches names whatever their case, takes the last of two
// members with one name, and repairs text that is not UTF-8. [Object] reads the members by their exact names and collects all that is wrong.
//
// What is wrong with input is named in one form on all platforms: members with dots between them, also where the domain has a JSON Pointer.
//
// Nothing here shows, logs or returns what a client sent, but for names in the paths of violations. The log has the full text of errors of the
// library and of those that a platform's package lists in [Config]; of all others, and of whatever an endpoint marks with [HostFailure] or
// [HostError], it has the kind and the types.
package httpapi
