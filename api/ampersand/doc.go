// Package ampersand serves the installations and connections of Ampersand's platform API with
// an [installation.Service]. The host is the platform. Its clients are the backends of builders
// and the components in the browsers of their customers.
//
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: ampersand.Policy, Schema: ampersand.Schema,
//	})
//	host := ampersand.Host{Identities: ids, Projects: projects, Connections: connections}
//	handler, err := ampersand.NewHandler(svc, host, nil)
//	http.Handle("/ampersand/v1/", http.StripPrefix("/ampersand/v1", handler))
//
// # Endpoints
//
// All paths begin with /projects/{project}, where {project} is an ID or a name.
//
//	GET    /installations?groupRef=                     of all integrations
//	GET    /integrations/{integration}/installations?groupRef=
//	POST   /integrations/{integration}/installations?skipSampling=
//	GET    /integrations/{integration}/installations/{id}
//	PATCH  /integrations/{integration}/installations/{id}?skipSampling=    with an update mask
//	DELETE /integrations/{integration}/installations/{id}
//	POST   /integrations/{integration}/installations/{id}:pause
//	POST   /integrations/{integration}/installations/{id}:unpause
//	GET    /integrations/{integration}/installations/{id}/operations
//	GET    /integrations/{integration}/installations/{id}/objects/{object}/backfill-progress
//	PATCH  /integrations/{integration}/objects/{object}/config-content     with a JSON Patch
//	GET    /integrations
//	GET    /integrations/{integration}/revisions/{revision}:hydrate?connectionId=
//	GET    /connections?provider=&groupRef=&consumerRef=
//	POST   /connections:generate
//	GET    /connections/{connection}?includeCreds=&includeRefreshToken=&refresh=
//	PATCH  /connections/{connection}                                       with an update mask
//	DELETE /connections/{connection}
//
// # The service
//
// The ID of a project is a tenant of the service. An integration is the extension, owned by the
// project. A group is the account, and config.content is the configuration. Make the service
// with [Policy] and [Schema]. Without them, consumers may not configure, and the service seals
// fields that only have names like secrets. If the service also serves other platforms, choose
// both by the tenant of the installation.
//
// Each change of the content makes a configuration with a new ID and time, under the latest
// revision of the integration. A pause changes the content of each object, so it also makes
// one. Installation.Extra keeps the creators of the installation and of its configuration.
//
// The handler runs no tasks in the background. If the host invites or uninstalls by other
// means, run [installation.Service.Sweep] from a timer.
//
// An installation whose key is lost cannot be opened again. It appears in no list, and a second
// installation for its group is rejected with its ID. Callers who may delete it still can. Its
// connection stays, for the consumer or the builder to delete.
//
// # Authentication
//
// An API key acts for a project, and a token for a consumer. A token is signed with RS256 by a
// key of the project and expires within ten minutes. A consumer sees and configures the
// installations of its group, but only its own connections.
//
// Resources of other groups and projects look absent: the answer is 404 or an empty list. A
// consumer also gets 404 for the connection of a colleague, and cannot install with it by name.
// An installation that names no connection uses the group's default, regardless of who created
// it. The answer is 403 for writes in the name of someone else, and for a consumer that asks
// for credentials.
//
// The handler sets no CORS headers and answers OPTIONS with 405. Wrap it to support browsers on
// other origins.
//
// # Connections
//
// The host stores connections and their credentials, because installations share them; see
// [Connections]. An installation stores the ID of its connection, and enough to show it if the
// host loses it. Credentials are only in answers to a builder that asks for them by name.
//
// # Sampling
//
// A [Sampler] tries to read scheduled objects before they are saved. A new installation tries
// all of them. An update tries the objects it changes or enables, or all of them if it changes
// the connection. A JSON Patch is not sampled, and neither is a request that the service will
// reject. Sampling ends after 64 objects or half of Options.Timeout; the rest is saved untried.
//
// # Concurrency
//
// The service applies an update mask to the current state, so updates of different objects all
// survive. If-Match is optional for installations. A connection has no revision, so a condition
// with one is answered with 409.
//
// If a connection is deleted while it is being installed, either the deletion fails because the
// connection is in use, or the installation is undone.
package ampersand
