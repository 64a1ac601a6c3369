// Package softwareone serves the part of SoftwareOne's Marketplace Platform API that is about installations, over an [installation.Service]. The
// host is the platform; accounts of three types and running extensions are the clients.
//
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: softwareone.Policy, Schema: softwareone.Schemas(directory),
//	})
//	issuer, err := softwareone.NewIssuer(signingKey, nil)
//	handler, err := softwareone.NewHandler(svc, directory, issuer, nil)
//	http.Handle("/public/v1/integration/", http.StripPrefix("/public/v1/integration", handler))
//
// The handler works in the default tenant of the service, or in Options.Tenant. A service that other platforms share chooses Policy, Claims and
// Schema by the tenant. The host calls [installation.Service.Sweep] from time to time: it writes down which invitations ran out and takes the
// secrets of what ended long ago away.
//
// # Endpoints
//
//	POST   /installations                              vendor, client, operations    install, or invite
//	GET    /installations                              all                           list
//	GET    /installations/{id}                         all
//	PUT    /installations/{id}                         owner of the extension        replace the configuration
//	DELETE /installations/{id}                         vendor, operations            uninstall, or revoke an invitation
//	POST   /installations/{id}/redeem                  vendor, client, operations    accept an invitation
//	GET    /extensions/{extId}/installations[/{id}]    all                           the same, of one extension
//	POST   /installations/-/token[?account.id=ACC-...] secret of the extension       mint a token
//
// # Who asks
//
// A [Directory], which the host supplies, knows accounts, extensions, API tokens and the secrets of extensions. A request carries one of three
// bearer tokens: an API token of an account, the secret of an extension, or a JWT of the [Issuer]. A client sees the installations of its account,
// a vendor those of its extensions and those in its own account, operations all; an extension sees its own, and with a token for one account the one
// there. What is not there to see is 404. The configuration is shown to the vendor of the extension and to the extension alone, with sensitive
// values masked; which ones are sensitive is up to the schema of the extension, and to names where it has none. An API token may be confined to some
// extensions.
//
// A JWT with a user or an API token in it is theirs and may do what its account may, within its extension if it names one. Without, and with an
// extension, it is the extension's: it reads, and does nothing else. So is each one that the secret of an extension mints, also without account.id,
// for the account of the owner.
//
// Who owns an extension is what the directory says at the time. When an extension is sold, the new owner has all its rows and the old one none,
// whatever owner they name; the host need not write to them.
//
// # Life
//
// A direct POST installs at once. A second one is 409, which the store decides, so a POST that is sent again does no harm. A POST with an
// invitation answers with a ticket, this once, and whoever redeems it installs for an account of its own. DELETE leaves the row, as Uninstalled;
// to install again makes a new row. A private extension is installed by invitation only. A row that cannot be opened, because its key is gone, shows
// with what is known of it without, and can be ended.
//
// # Lists
//
// The query of a list is RQL: eq, ne, gt, ge, lt, le, in, out, like, ilike, and, or, not, null(), empty(), the shortcut field=value, and order,
// select, limit and offset. A page has 100 rows where limit says nothing and 1,000 at most, and ends early at about 4 MiB; the limit in the answer is
// the number to go on by. Filters on the account, the extension and the end states are served by indexes. All else is looked for among at most 10,000
// rows, with a bound on the bytes that are compared; where there is more to look at, the answer is 400 and asks for a narrower filter.
package softwareone
