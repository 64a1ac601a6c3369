// Package softwareone serves the installation part of SoftwareOne's Marketplace Platform API over
// an [installation.Service]. The host is the platform. Accounts of three types and running
// extensions are the clients.
//
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: softwareone.Policy, Schema: softwareone.Schemas(directory),
//	})
//	issuer, err := softwareone.NewIssuer(signingKey, nil)
//	handler, err := softwareone.NewHandler(svc, directory, issuer, nil)
//	const base = "/public/v1/integration"
//	http.Handle(base+"/", http.StripPrefix(base, handler))
//
// The handler works in the default tenant of the service, or in Options.Tenant. A service for
// several platforms chooses Policy and Schema by tenant. The host must call
// [installation.Service.Sweep] regularly. It records expired invitations, and removes the secrets
// of installations that ended long ago.
//
// # Endpoints
//
//	POST   /installations                              accounts                install, or invite
//	GET    /installations                              all                     list
//	GET    /installations/{id}                         all
//	PUT    /installations/{id}                         owner of the extension  configure
//	DELETE /installations/{id}                         vendor, operations      uninstall, or revoke
//	POST   /installations/{id}/redeem                  accounts                accept an invitation
//	GET    /extensions/{extId}/installations[/{id}]    all                     of one extension
//	POST   /installations/-/token[?account.id=ACC-...] secret of the extension mint a token
//
// # Authorization
//
// A request has one of three bearer tokens: an API token of an account, the secret of an
// extension, or a JWT of the [Issuer]. The [Directory] of the host knows accounts, extensions,
// API tokens and secrets.
//
// A client sees the installations in its account. A vendor sees those of its extensions and those
// in its own account. Operations sees all. An extension sees its own, and with a token for one
// account only the one there. Other installations are 404. An API token may be limited to some
// extensions.
//
// Only the extension and its vendor see the configuration, with sensitive values masked. The
// schema of the extension says which values are sensitive; without a schema their names do.
//
// A JWT with a user or an API token speaks for it. It may do what its account may, within its
// extension if it names one. A JWT with only an extension is the extension's, and may only read.
// The tokens that the secret of an extension mints are of this kind, also those for the account
// of the owner.
//
// The directory says who owns an extension now. When an extension is sold, the new owner has all
// its rows, whatever owner they name, and the old one has none. The host need not update them.
//
// # Lifecycle
//
// POST installs at once. The store answers a second POST with 409, so a repeated one is safe. A
// POST with an invitation answers with a ticket, only this once, and whoever redeems it installs
// the extension in its own account. DELETE keeps the row as Uninstalled, and installing again
// makes a new row. A private extension can only be installed by invitation. A row whose key is
// gone is shown with its plain part, and can still be ended.
//
// # Lists
//
// The query of a list is RQL: eq, ne, gt, ge, lt, le, in, out, like, ilike, and, or, not, null(),
// empty(), the shortcut field=value, and order, select, limit and offset. A page has 100 rows by
// default and at most 1,000. It ends early at about 4 MiB; the limit in the answer is the number
// to continue with.
//
// Indexes serve filters on the account, the extension and the end states. Other filters scan at
// most 10,000 rows and a bounded number of bytes. A list that needs more is 400 and asks for a
// narrower filter.
package softwareone
