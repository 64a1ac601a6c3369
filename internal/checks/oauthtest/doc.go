// Package oauthtest has an OAuth 2.0 server for tests of refreshing and revoking tokens, and tests
// of package oauth with it. The server is github.com/zitadel/oidc on a store in memory. It rotates
// refresh tokens and detects reuse: a spent refresh token ends the whole grant, as at providers in
// the field. A test can make it fail in all ways that [Fault] names.
//
// [Start] runs it in the test process and [StartProcess] in a process of its own, for clients that
// are processes too. Both are used through [Provider], which needs only a URL; see [At].
//
// The package is a module of its own, so that the library does not depend on the server.
package oauthtest
