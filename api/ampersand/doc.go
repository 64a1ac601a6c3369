// Package ampersand serves the installations and connections of Ampersand's platform API with
// an [installation.Service]. The host, which is the program that mounts the handler, is the
// platform. The clients are the backends of builders, who are software vendors, and components in
// the browsers of the builders' customers.
//
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: ampersand.Policy, Owner: ampersand.Owner, Schema: ampersand.Schema,
//	})
//	host := ampersand.Host{Identities: ids, Projects: projects, Connections: connections}
//	handler, err := ampersand.NewHandler(svc, host, nil)
//	http.Handle("/ampersand/v1/", http.StripPrefix("/ampersand/v1", handler))
//
// # Endpoints
//
// Most paths begin with /projects/{project}, where {project} is an ID or a name.
//
//	GET    (the project itself)
//	GET    /installations?groupRef=                                        of all integrations
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
//	GET    /integrations/{integration}                                     an ID or a name
//	GET    /integrations/{integration}/revisions/{revision}:hydrate?connectionId=
//	GET    /integrations/{integration}/objects/{object}/metadata?groupRef=&excludeReadOnly=
//	GET    /providers/{provider}/objects/{object}/metadata?groupRef=&excludeReadOnly=
//	GET    /provider-apps
//	GET    /connections?provider=&groupRef=&consumerRef=
//	POST   /connections:generate
//	GET    /connections/{connection}?includeCreds=&includeRefreshToken=&refresh=
//	PATCH  /connections/{connection}                                       with an update mask
//	DELETE /connections/{connection}
//	PATCH  /connections/{connection}:oauth-update                          a URL for the browser
//
// These have no project in the path. A provider is public, and needs no authentication.
//
//	POST   /oauth-connect                                                  a URL for the browser
//	POST   /custom-auth/connect
//	GET    /providers/{provider}
//
// With these, the prebuilt components of @amp-labs/react connect, install, update and uninstall.
// Connecting needs the interfaces OAuth, CustomAuth and Catalogue of [Options]. JSON of the host,
// such as the content of a revision, is checked before it is sent: clients reject a whole answer
// for one wrong member.
//
// # The service
//
// The terms of the platform map to those of the service:
//
//	project         tenant, named after the ID of the project; belongs to one builder
//	integration     extension, owned by the project
//	group           account: an organisation among the customers of the builder
//	consumer        user of a Customer actor: a person in the group
//	config.content  document of the configuration, called content below
//
// Make the service with [Policy], [Owner] and [Schema]. Without Policy, consumers may not
// configure. Without Owner, nobody may install. Without Schema, the service also seals fields that
// are not secrets but have names like secrets. If the service also serves other platforms, choose
// the functions by the tenant.
//
// Each change of the content makes a configuration with a new ID and time, under the latest
// revision of the integration. A pause changes the content, so it also makes a configuration.
// Installation.Extra keeps the creators of the installation and of its configuration.
//
// The handler runs no tasks in the background. If the host invites or uninstalls by other
// means, run [installation.Service.Sweep] from a timer.
//
// If the encryption key of an installation is lost, the installation cannot be opened again and
// appears in no list. The group cannot install the integration a second time: the answer is 409
// with the ID of the first installation. Callers who may delete the installation still can. Its
// connection stays until the consumer or the builder deletes the connection.
//
// # Authentication
//
// A caller is a builder or a consumer. A builder sends an API key, and can do everything in the
// project. A consumer sends a token, which a key of the project signs with RS256 and which expires
// within ten minutes. A consumer sees and configures the installations of its group, but sees only
// its own connections.
//
// Resources of other groups and projects look absent: the answer is 404 or an empty list. A
// consumer also gets 404 for the connection of another consumer in the group, and cannot install
// with the ID of such a connection. An installation that names no connection uses the group's
// default connection, whichever consumer created the connection. The answer is 403 for writes in
// the name of someone else, and for a consumer that requests credentials.
//
// Pages of the origins in Options.Origins can call the handler from a browser. There are none by
// default.
//
// # Connections
//
// A connection is the access of a group to a provider, such as a CRM. The host stores connections
// and their credentials, because installations share connections; see [Connections]. An
// installation stores the ID and the public part of its connection. Answers show the stored part if
// the host no longer has the connection. An answer has credentials only if a builder requests them
// with includeCreds or includeRefreshToken.
//
// # Sampling
//
// An object is a kind of record at the provider, such as contacts. The content lists the objects to
// read, and a schedule for some of them. Before the handler saves a content, an optional [Sampler]
// tries to read one record of each scheduled object. For a new installation, the handler samples
// all scheduled objects. For an update with a mask, it samples the objects that the update changes
// or enables, or all of them if the update changes the connection. The handler samples neither a
// JSON Patch nor a request that the service will reject. Sampling ends after 64 objects or half of
// Options.Timeout, and the remaining objects are saved unsampled.
//
// # Concurrency
//
// The service applies an update mask to the current state, so updates of different objects all
// survive. If-Match is optional for installations. A connection has no revision. If-Match with a
// revision is therefore answered with 409 for a connection.
//
// If a connection is deleted while another request installs with the connection, at least one of
// the two requests fails. Either the deletion fails because the connection is in use, or the
// handler undoes the installation.
package ampersand
