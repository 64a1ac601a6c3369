// Package httpapi has the parts of an HTTP API over an [installation.Service] that are the same on
// every platform. The handlers in api/vercel, api/softwareone and api/ampersand are built with it.
// A host can build its own API with it too. Requests, errors and limits then behave as in those
// handlers.
//
// An [API] routes with [http.ServeMux] and runs one [Endpoint] per method. For each request it
//
//   - sets the headers X-Request-Id, Cache-Control: no-store and X-Content-Type-Options: nosniff;
//   - limits the size of the body, the time of the request and the time to read the answer;
//   - lets pages of the origins in [Config].Origins call it from a browser, and answers their
//     preflight requests before authentication;
//   - answers an unknown path with 404, and an unknown method with 405 and an Allow header;
//   - ignores one slash at the end of a path;
//   - answers a panic, or a body that cannot be encoded, with a 500 without details;
//   - answers an error with the problem of [ProblemOf], and logs it if it is the server's fault.
//
// An endpoint reads its input with [Read], [ReadQuery], [Condition], [IdempotencyKey] and
// [Bearer]. It can return an error of the service unchanged. To reject a request itself, it
// returns a [Problem], which is an error too. A [Renderer] writes the problem in the format of the
// platform.
//
// This package does not parse bodies with encoding/json. That package ignores the case of member
// names, keeps the last of two members with the same name, and replaces bytes that are not UTF-8.
// An [Object] reads members by their exact names. It collects every fault of the input as a
// [validate.Violation]. The path of a violation is the same on all platforms: the names of the
// members, with dots between them.
//
// # Compression
//
// A body has to be sent without compression: a few bytes of gzip can unpack to more than any limit.
// Answers are never compressed. A host that wants compressed answers wraps the handler in a
// middleware. It should not compress an answer that repeats a secret beside text that an attacker
// chose, because the length of the answer then tells about the secret.
//
// # Secrets
//
// Answers and logs have nothing that a client sent, except member names in the paths of
// violations. Errors of this library, and errors that match [Config].Loggable, are logged in full.
// Of any other error, the log has only the Go types, and the error of this library that it matches.
// The same holds for an error that an endpoint wraps with [HostError] or [HostFailure].
package httpapi
