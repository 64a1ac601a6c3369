// Package vercel serves the installation part of Vercel's Marketplace Partner API with an
// [installation.Service]. The host, which is the program that mounts the handler, is the partner.
// Vercel is the client.
//
//	verifier, err := vercel.NewVerifier("oac_...", nil)
//	svc, err := installation.New(store, keys, &installation.Options{
//		Policy: vercel.Policy, Claims: vercel.NoClaims,
//	})
//	handler, err := vercel.NewHandler(svc, verifier, &vercel.Options{Plans: catalogue})
//	http.Handle("/vercel/", http.StripPrefix("/vercel", handler))
//
// # Endpoints
//
// All paths begin with /v1/installations/{installationId}.
//
//	PUT           user token     create, or replace scopes, policies, credentials and account
//	GET           system token   read the billing plan and the notification
//	PATCH         user token     choose a billing plan
//	DELETE        either token   uninstall
//	GET /plans    system token   list the billing plans that the customer can choose or see
//
// [Handler.Webhook] returns a second handler, for events from Vercel. An event that reports a
// removal uninstalls the installation. The host chooses the path of the second handler.
//
// Answers are never compressed. A host can do so in a middleware.
//
// # What a live partner needs besides
//
// Vercel also calls the following endpoints of a partner. The host serves them beside the handler,
// and checks their tokens with the same [Verifier]; see the example for host routes. All paths but
// the first begin with /v1/installations/{installationId}.
//
//	GET /v1/products/{product}/plans     plans of a product; also before anything is installed
//	GET, POST, PATCH, DELETE /resources  what the customer has in the installation, with the
//	                                     secrets that Vercel gives to the customer's projects
//	POST /billing/provision              credit for a prepayment plan
//	/resource-transfer-requests          resources that move to another installation
//
// The host also needs a page for single sign-on, where it exchanges the code in the query for an
// ID token. And it calls Vercel with the access token of the installation: to send usage and
// invoices, to say that a plan or a notification changed, and to end the billing of an
// installation that is gone.
//
// # The service
//
// The tenant of all installations is the client ID of the integration. Their extension is the
// integration. Make the service with [NoClaims] and [Policy]:
//
//   - NoClaims allows several installations in an account. Vercel chooses the IDs, and a customer
//     who installs again gets a new ID while the old installation waits for its last invoice.
//   - With Policy, the service confines a system token to its account. With
//     [installation.DefaultPolicy], only the handler does.
//
// If the service also serves other platforms, choose both functions by the tenant.
//
// # Authorization
//
// A [Verifier] checks the token of each request. [Claims.Actor] returns the actor for the token. A
// user token acts for a customer account, and only a user with the role ADMIN may do more than
// read. A system token acts for Vercel within one account. The X-Vercel-Auth header is optional.
// If it has a value, it has to name the kind of the token: user or system.
//
// A token has to name the installation in the path. A system token that names no installation
// reaches all installations of its account. The answer is 404 for installations of other accounts.
//
// # Uninstalling
//
// DELETE uninstalls. The [Finalizer] decides whether the uninstall is final, and the answer says
// so. It can also refuse, for example because of open invoices. It cannot refuse a removal that the
// webhook reports, because that has happened. After an uninstall that is not final, the service
// keeps the access token for its Options.Grace, 24 hours by default, so that the host can send the
// last invoices. [installation.Service.Sweep] then purges the installation. The host has to call
// Sweep regularly.
//
// Vercel does not delete the resources of the installation one by one. The host deletes them when
// it finds the uninstall in the change log, or in its Finalizer. PUT and PATCH for the ID of an
// uninstalled installation are answered with 409 forever.
//
// # Repeated requests
//
// A PUT, PATCH or DELETE with an Idempotency-Key that was used before gets the first answer again.
// If the request differs from the first one, the answer is 409. Keys are separate for each method,
// installation and account. There are two limits:
//
//   - The service compares parsed requests, not bytes. Unknown fields make no difference. A PATCH
//     differs if the host has changed the billing plan since. An invalid body always gets 400.
//   - Once the installation is purged, the first answers are gone. A repeated request is then
//     answered without a comparison.
//
// # Failures
//
// The handler logs failures of the server to Options.Log. Errors of [Plans], [Finalizer] and
// VerifierOptions.Key can quote secrets of the host. The handler therefore logs only which known
// error they match, and their Go types. A host that needs the text has to log it itself.
package vercel
