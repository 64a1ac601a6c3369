// Package softwareone serves the installation part of SoftwareOne's Marketplace Platform API over
// an [installation.Service]. The host takes the place of the platform. The callers of the API are
// accounts and running extensions. An account is a client, a vendor or operations; see
// [AccountType].
//
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: softwareone.Policy, Owner: softwareone.Owners(directory),
//		Schema: softwareone.Schemas(directory),
//	})
//	issuer, err := softwareone.NewIssuer(signingKey, nil)
//	handler, err := softwareone.NewHandler(svc, directory, issuer, nil)
//	const base = "/public/v1/integration"
//	http.Handle(base+"/", http.StripPrefix(base, handler))
//
// The handler works in the default tenant of the service, or in Options.Tenant. Without [Owners],
// only operations can install or invite. A service for several platforms needs a Policy, an Owner
// and a Schema that depend on the tenant. The host has to call [installation.Service.Sweep]
// regularly. Sweep records expired invitations, and removes the secrets of installations that ended
// long ago.
//
// # Endpoints
//
// Each line has a request, the callers that can send it, and its purpose.
//
//	POST   /installations                              accounts                install, or invite
//	GET    /installations                              all                     list
//	GET    /installations/{id}                         all                     read
//	PUT    /installations/{id}                         owner of the extension  configure
//	DELETE /installations/{id}                         vendor, operations      uninstall, or revoke
//	POST   /installations/{id}/redeem                  accounts                accept an invitation
//	GET    /extensions/{extId}/installations[/{id}]    all                     list, or read
//	POST   /installations/-/token[?account.id=ACC-...] secret of the extension mint a token
//
// # Authorization
//
// A request has one of three kinds of bearer token: an API token of an account, the secret of an
// extension, or a JSON Web Token (JWT) of the [Issuer]. The host implements the [Directory], which
// looks up accounts, extensions, API tokens and secrets.
//
// A client sees the installations in its account. A vendor sees the installations of its extensions
// and those in its own account. Operations sees all installations. An extension sees its own
// installations. With a token for one account, it sees only its installation in that account. Any
// other installation is answered with 404. An API token can be limited to some extensions.
//
// Only the extension and its vendor see the configuration, with sensitive values masked. The
// schema of the extension marks the sensitive values. Without a schema, the names of the values
// decide.
//
// A JWT has the rights of the account that it names. If it also names an extension, these rights
// are limited to the extension. If it names an extension, but neither a user nor an API token, it
// has the rights of the extension, and can only read. A token that is minted with the secret of an
// extension is always of this last kind, even if it is for the account of the vendor.
//
// The directory decides who owns an extension. When an extension is sold, the new owner gets all
// its installations, and the old owner loses them. This is true even if a stored installation still
// names the old owner, so the host does not need to update the store.
//
// # Lifecycle
//
// POST /installations installs at once. A second POST for the same extension and account is
// answered with 409, so a caller can safely repeat a POST. If the body has an invitation, nothing
// is installed yet. The answer then has a ticket, which is a text with the ID of the installation
// and a code. No later answer shows the ticket or the code again. The account that redeems the
// code installs the extension for itself. A private extension can be installed only by invitation.
// If the service has Options.AcceptURL, the URL of the invitation is the address to accept it, with
// the code. Otherwise it is the ticket. Later answers have the address without the code, or "".
//
// DELETE keeps the installation, with the status Uninstalled. A POST after that makes a new
// installation. If an installation can no longer be decrypted, because its key is gone, GET shows
// its unencrypted part. DELETE still works.
//
// The field revision is a JSON number. After [installation.Service.AcceptRestore] it is about 2^51,
// so a client must not read it as a 32-bit integer.
//
// # Lists
//
// The query of a list is in the Resource Query Language (RQL): eq, ne, gt, ge, lt, le, in, out,
// like, ilike, and, or, not, any, all, null(), empty(), the shortcut field=value, and order,
// select, limit and offset. any and all are for modules and terms. A row is one installation in a
// list. A page has at most 100 rows, and the limit in the answer says so if the query has a larger
// one. A page of more than about 4 MiB ends early. The limit is then the number of rows on the
// page, so the next page starts at offset plus limit.
//
// select adds fields to the default ones, and "-" removes fields. If a field is not a default one,
// select can add a part of it alone: select=audit.created.at. To select a part of a default field
// changes nothing. To get only some fields, remove all others first: select=-*,extension.id.
//
// Indexes serve filters on the account, the extension, and the statuses Installed and Uninstalled.
// If indexes cannot serve all filters of a list, the list scans at most 10,000 rows and a bounded
// number of bytes. A list that needs more is answered with 400 and a request for a narrower filter.
//
// Answers are never compressed. A host can do so in a middleware.
package softwareone
