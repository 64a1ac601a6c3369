// Package softwareone serves the part of SoftwareOne's Marketplace Platform API that is about installations, over an [installation.Service]. The
// host is the platform; accounts of three types and running extensions are the clients.
//
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: softwareone.Policy, Claims: softwareone.InstallClaims, Schema: softwareone.Schemas(directory),
//	})
//	issuer, err := softwareone.NewIssuer(signingKey, nil)
//	handler, err := softwareone.NewHandler(svc, directory, issuer, nil)
//	http.Handle("/public/v1/integration/", http.StripPrefix("/public/v1/integration", handler))
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
// a vendor those of its extensions, operations all; an extension sees its own, and with a token for one account the one there. What is not there
// to see is 404. The configuration is shown to the vendor and to the extension alone, with sensitive values masked; which ones are sensitive is up
// to the schema of the extension, and to names where it has none. An API token may be confined to some extensions.
//
// # Life
//
// A direct POST installs at once. A second one is 409, which the store decides, so a POST that is sent again does no harm. A POST with an
// invitation answers with a ticket, this once, and whoever redeems it installs for an account of its own. DELETE leaves the row, as Uninstalled;
// to install again makes a new row. A private extension is installed by invitation only.
//
// # Lists
//
// The query of a list is RQL: eq, ne, gt, ge, lt, le, in, out, like, ilike, and, or, not, null(), empty(), the shortcut field=value, and order,
// select, limit and offset. Filters on the account, the extension and the end states are served by indexes. All else is looked for among at most
// 10,000 rows; where there are more to look at, the answer is 400 and asks for a narrower filter.
package softwareone
