// Package ampersand serves the part of Ampersand's platform API that is about installations and connections, over an [installation.Service]. The
// host is the platform; its clients are the builders' backends and the components that run in their customers' browsers.
//
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: ampersand.Policy, Schema: ampersand.Schema,
//	})
//	handler, err := ampersand.NewHandler(svc, ampersand.Host{Identities: ids, Projects: projects, Connections: connections}, nil)
//	http.Handle("/ampersand/v1/", http.StripPrefix("/ampersand/v1", handler))
//
// # Endpoints
//
// All are below /projects/{project}, by its id or name.
//
//	GET    /installations?groupRef=                                       of all integrations
//	GET    /integrations/{integration}/installations?groupRef=
//	POST   /integrations/{integration}/installations?skipSampling=
//	GET    /integrations/{integration}/installations/{id}
//	PATCH  /integrations/{integration}/installations/{id}?skipSampling=   by an update mask
//	DELETE /integrations/{integration}/installations/{id}
//	POST   /integrations/{integration}/installations/{id}:pause, :unpause
//	GET    /integrations/{integration}/installations/{id}/operations
//	GET    /integrations/{integration}/installations/{id}/objects/{object}/backfill-progress
//	PATCH  /integrations/{integration}/objects/{object}/config-content    by a JSON Patch
//	GET    /integrations
//	GET    /integrations/{integration}/revisions/{revision}:hydrate?connectionId=
//	GET    /connections?provider=&groupRef=&consumerRef=
//	POST   /connections:generate
//	GET    /connections/{connection}?includeCreds=&includeRefreshToken=&refresh=
//	PATCH  /connections/{connection}                                      by an update mask
//	DELETE /connections/{connection}
//
// # The service
//
// A project is a tenant of the service, by its id. An integration is the extension, whose owner is the project; a group is the account; the
// configuration is config.content. Make the service with [Policy], [Claims] and [Schema]: without them consumers may not configure, and fields
// that are called like secrets are taken for some. A service that serves other platforms beside this one chooses all three by the tenant of the
// installation it is asked about.
//
// Every change of the content is a new configuration with an id and a time of its own, under the latest revision of the integration. So is a pause,
// which is written into the content of each object. Who installed, and in whose name the configuration stands, is kept in Installation.Extra.
//
// The handler does nothing by itself: run [installation.Service.Sweep] from a timer, as for every service, for what the host invites or uninstalls
// beside it.
//
// An installation that can never be opened again, since its key is lost, is in no list. It can be deleted by who may know of it, where [Policy] allows
// that; its connection, which nobody knows by then, is for its consumer or the builder to delete. A second installation for the group is refused with
// the id of what is in the way.
//
// # Who asks
//
// An API key stands for a project, a token for a consumer: RS256, by a key of the project, at most ten minutes long. A consumer sees and configures
// the installations of its group, and its own connections. What is another group's or project's is not there: 404, or an empty list; to write in
// another's name is 403, and so is to ask for credentials. The connection of a colleague is not there for a consumer, be it to look at, to hydrate
// a revision with or to install by; but the default of an installation that names none is the group's, whosever it is.
//
// Browsers on other origins are the host's business: the handler sets no CORS headers, and answers OPTIONS with 405. Put what answers for them
// around it.
//
// # Connections
//
// Connections and their credentials are kept by the host, since installations share them; see [Connections]. An installation keeps the reference, and
// what to show should the host lose it. Credentials are in no answer but that of a builder who asks for them by name. Package memory, below this
// one, has a host for development and tests that keeps all in memory.
//
// # Sampling
//
// With a [Sampler], what is read by a schedule is tried before it is saved: all of a new installation, what an update mask changes or enables, and
// everything by another connection. A JSON Patch is not tried, and neither is what the service is about to refuse. Half of Options.Timeout is all that a
// provider gets, and 64 objects are all that it is asked for; what is beyond that is saved untried.
//
// # Concurrency
//
// A mask names what it changes, and the service applies it to what is there then: updates of different objects all survive. If-Match is honoured
// for installations, never required; a connection has no revision, so that a condition on one never holds and is 409. A connection that is deleted
// while it is being installed is either found to be in use, or the installation is taken back.
package ampersand
