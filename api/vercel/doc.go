// Package vercel serves the part of Vercel's Marketplace Partner API that is about installations, over an [installation.Service]. The host is
// the partner, Vercel is the client.
//
//	verifier, err := vercel.NewVerifier("oac_...", nil)
//	svc, err := installation.New(store, keys, &installation.Options{Policy: vercel.Policy, Claims: vercel.NoClaims})
//	handler, err := vercel.NewHandler(svc, verifier, &vercel.Options{Plans: catalogue})
//	http.Handle("/vercel/", http.StripPrefix("/vercel", handler))
//
// # Endpoints
//
//	PUT    /v1/installations/{installationId}         user token     create, or replace scopes, policies, credentials and account
//	GET    /v1/installations/{installationId}         system token   billing plan and notification
//	PATCH  /v1/installations/{installationId}         user token     choose a billing plan
//	DELETE /v1/installations/{installationId}         either         uninstall
//	GET    /v1/installations/{installationId}/plans   system token   the plans to choose from
//
// [Handler.Webhook] makes a handler for the webhook that reports a removal, for a path of the host's choice.
//
// # The service
//
// The handler works in the tenant that the client id of the integration names; the extension is the integration. Make the service with
// [NoClaims]: Vercel chooses the ids, and a customer who comes back gets a new one while the old one still awaits its last invoice. Make it
// with [Policy] as well. The handler keeps accounts apart under [installation.DefaultPolicy] too; with Policy the service does so itself. A
// service that serves other platforms beside this one chooses both by the tenant of the installation it is asked about.
//
// # Who asks
//
// A [Verifier] checks the token of each request. Its claims say for whom it speaks ([Claims.Actor]): a user token for a customer account, who may
// only read unless the role is ADMIN; a system token for Vercel, on behalf of one account. X-Vercel-Auth may repeat what the claims say and not
// contradict it. The installation that a token names has to be the one in the path; a system token may name none and then reaches those of its
// account. Installations of other accounts do not exist for a token.
//
// # Uninstalling
//
// A DELETE ends the installation. Whether it is final is up to the [Finalizer]: if not, the answer says so and the access token is kept for
// Options.Grace of the service, 24 hours unless told otherwise, so that the last invoices can be sent. Then [installation.Service.Sweep] purges it:
// the host has to run it now and again, every minute or hour, as nothing here does. Vercel deletes no resources one by one: the host cleans up, from
// the change log or in its Finalizer. An id that was uninstalled never comes back: PUT and PATCH on it are 409.
//
// # Repeated requests
//
// PUT, PATCH and DELETE with an Idempotency-Key that was used before get the first answer again, and 409 if they ask for something else. Keys
// are separate for each method, installation and account. Two limits: what a request asks for is compared after it was read, so that fields which
// are not read make no difference, a plan that the host has changed since makes one, and a body that is not valid is 400 whatever it is compared
// with; and once an installation is purged, its first answers are gone, and a repeated request is answered from what is left, without being compared.
//
// # Failures
//
// What the server is at fault for goes to Options.Log. Errors of the host's own code, which are those of Plans, Finalizer and key sets, may quote
// secrets of the host, so the log has their kind and types and none of their text: code that wants to say more logs it itself.
package vercel
