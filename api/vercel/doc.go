// Package vercel serves the installation part of Vercel's Marketplace Partner API over an
// [installation.Service]. The host is the partner; Vercel is the client.
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
//	GET           system token   billing plan and notification
//	PATCH         user token     choose a billing plan
//	DELETE        either         uninstall
//	GET /plans    system token   the plans to choose from
//
// [Handler.Webhook] makes a handler for the webhook that reports a removal. The host chooses its
// path.
//
// # The service
//
// The handler works in the tenant named after the client ID of the integration; the extension
// is the integration. Make the service with [NoClaims]: Vercel chooses the IDs, and a customer
// who returns gets a new one while the old one still waits for its last invoice. Make it with
// [Policy] too. The handler also separates accounts under [installation.DefaultPolicy], but with
// Policy the service does. A service for several platforms chooses both by tenant.
//
// # Authorization
//
// A [Verifier] checks the token of each request. [Claims.Actor] says for whom it speaks. A user
// token speaks for a customer account, and only an ADMIN may do more than read. A system token
// speaks for Vercel, on behalf of one account. X-Vercel-Auth may repeat the kind of the token
// but must not contradict it. The token must name the installation in the path; a system token
// may name none and then reaches those of its account. Installations of other accounts are 404.
//
// # Uninstalling
//
// DELETE ends the installation. The [Finalizer] decides whether it is final. If not, the answer
// says so, and the access token is kept for Options.Grace of the service, 24 hours by default,
// so that the last invoices can be sent. [installation.Service.Sweep] then purges it; the host
// must call Sweep regularly. Vercel does not delete resources one by one, so the host cleans up
// from the change log or in its Finalizer. PUT and PATCH on an uninstalled ID are 409 forever.
//
// # Repeated requests
//
// PUT, PATCH and DELETE with a used Idempotency-Key get the first answer again, or 409 if they
// ask for something else. Keys are separate for each method, installation and account. There
// are two limits:
//
//   - Requests are compared after they are read. Unknown fields make no difference, a plan that
//     the host has changed since does, and an invalid body is always 400.
//   - The first answers are gone once the installation is purged. A repeated request is then
//     answered without a comparison.
//
// # Failures
//
// Failures of the server go to Options.Log. Errors of Plans, Finalizer and key functions may
// quote secrets of the host, so the log has their kind and types and not their text. Code that
// wants to say more must log it itself.
package vercel
