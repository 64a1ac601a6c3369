// Package installation keeps installations: the fact that an extension is installed in a customer's account, with the customer's
// consent, the configuration, the credentials, the invitation that led to it, and the history of what happened.
//
// # Quick start
//
// A [Service] needs a [Store] and keys, and is asked in the name of a tenant and an actor:
//
//	keys, err := crypto.KeyringFromFile("installation.keys")
//	svc, err := installation.New(memstore.New(), keys, nil)
//	vendor := svc.In("project-456").As(installation.Actor{Kind: installation.Vendor, ID: "ACC-1"})
//	inst, err := vendor.Get(ctx, "EXI-1234-1234-0001")
//
// A service without an actor refuses everything. Who an actor is was verified by the host application; what it may do is decided by a
// [Policy], [DefaultPolicy] unless another is given.
//
// # Life
//
//	(none) --Upsert--> installed --Uninstall--> uninstalled         uninstalled | expired --Upsert--> installed  (generation+1)
//	(none) --Invite--> invited --Accept--> installed                uninstalled | expired --Invite--> invited    (generation+1)
//	                   invited --clock, Expire--> expired           invited --Uninstall--> uninstalled (revoked)
//	uninstalled --grace over, or Final--> purged (the row stays, its secrets are gone)       any --Delete--> gone
//
// Time needs no job: an invitation past its time reads as expired and is refused from that moment on. [Service.Sweep] writes it down, and
// purges what was uninstalled; call it from a timer.
//
// # Writing
//
// A write gives the [Parts] it means to change; the rest stays. Every write embeds a [Guard]. Without one, a write that meets another is
// applied again to what the other left, so that concurrent writes of different parts both survive. With Guard.Revision it is refused
// instead; with Guard.Generation or Guard.InstalledBefore an event that was delivered late cannot hurt an installation made since; with
// Guard.IdempotencyKey it can be sent again and gets the first answer. A write that changes nothing writes nothing.
//
// # Secrets
//
// What is sensitive in a configuration is decided by name and by value, and what is stored as a secret stays one. A name is taken apart
// into words at case and punctuation; it is sensitive if one of them is password, passwd, pwd, pass, passphrase, secret, token,
// apikey, credential, privatekey, bearer, jwt, cookie, otp, pin, pat, signature, dsn, hmac, seed, pem, pfx, p12, keytab, assertion
// or certificate, if two in a row are api, private, secret, access, auth, app, signing, encryption, account, service, master,
// client, shared, license, consumer or ssh and key, connection and string, or session and id, or if it has at most two words and
// ends in key; unless it ends in a word such as id, url, name, type, expires or version. By value, a URL with a password in it and
// a private key in PEM are.
//
// A name that is written as one word in one case, such as clientsecret, accesstoken or dbpassword, is one word and not in that list, so
// it is not found; neither is an authorization header. What the names do not cover has to be put in with [SetSecret], or marked in a
// schema. Credentials of a [Connection] are secrets always.
//
// Reading masks every secret as "***": [Service.Get] and its kin never open one. [Service.Reveal] is the one way to plain secrets: it
// takes a right of its own, a reason, and the name of each, and is recorded before a value leaves.
//
// # Masks
//
// A mask that is written keeps the secret that is stored at its place, so that "read, change one value, write all of it back" changes
// that value alone. A mask at a place where no secret is stored is an error, whatever the name of the place: what was read from another
// installation, or before the secret was removed, is not stored as the text "***". [SetSecret] is the one way to store that text itself.
// In an array, a mask is taken only inside an element that can be recognised: by the member that the schema names with x-key, or because
// the element is exactly as it was. null removes a secret, and an empty string in its place is an error.
//
// # Schemas
//
// Options.Schema gives the JSON Schema of the configurations of an extension. It says what is a secret and what is none, holds every
// document that changes against it, adds defaults, and says where secrets go; see [validate.SchemaSource] for the keywords. A document
// that is refused is an [ErrInvalid] with a violation for each place and the keyword that is not satisfied. Of anyOf, oneOf, not and
// propertyNames it is that keyword alone, not what is wrong in each branch: the branches of an object whose kind is told by a member
// say more if they are written with if and then.
//
// # Destinations
//
// A write that changes where secrets are sent is refused unless it brings these secrets along: who may write a configuration, but not
// reveal it, could otherwise have them sent to a host of his own. A destination in a document is
//
//   - a string whose name has one of the words url, uri, href, host, hostname, endpoint, domain, subdomain, proxy, server, origin, webhook,
//     callback, gateway, broker, port or dsn in it, also in compounds such as baseurl and dbhost, or is scheme or protocol; with all
//     strings below an object or array of such a name; and a port that is a number;
//   - a string whose name ends in address, addr, ip, fqdn, issuer, authority, instance, shop, site, node, smtp, imap or ldap; or in target,
//     destination, base, upstream or relay, if it looks like a host;
//   - the value of a pair such as {"name": "API_HOST", "value": ...} whose name says so;
//   - a string with a URL, an IP address or a setting such as "Server=db.example" in it, whatever its name, and a member named by a URL;
//   - path, query and user information beside one of these in the same object;
//   - what a schema declares with x-exposes or the format of an address, such as uri or hostname.
//
// Not one is a name that ends in a word such as id, count, enabled, type, timeout or version, unless its value looks like an address. No
// list of names is complete: declare in the schema whatever else says where secrets go, such as a region, a bucket or an account of the
// provider, with x-exposes, or with format: uri.
//
// A destination counts for all secrets of its document: the configuration, the unnamed fields (Installation.Extra), or the metadata of a
// [Connection]. One in the metadata or the unnamed fields counts for the credentials of the connection as well, as do its provider and
// workspace. One in the configuration counts for nothing else, and with x-exposes for the secrets that are named there alone. To change one
// rightfully, [Service.Reveal] the secrets that the error names, and write them again with it:
//
//	url, err := installation.DocumentOf("https://eu.acme.example")
//	inst, err = host.Patch(ctx, installation.PatchRequest{ID: id, Operations: []installation.Operation{
//		installation.Set("/url", url), installation.SetSecret("/api_key", revealed),
//	}})
//
// # Sealing
//
// In the store every secret is sealed by itself under a data key of its installation, and everything else is sealed as one manifest that
// also says which secrets there are. Sealing binds the place: a value that is moved to another field, installation or tenant does not
// open, and neither does a record in which anything was edited, removed or put back. The one thing not seen is a whole older record
// put back in place of the present one. The data key is wrapped by a key of the keyring; see package crypto for the formats.
//
// Deleting, and purging, destroys the data key, so that the record cannot be read any more from this store. A backup that is restored
// brings it back.
//
// # Errors
//
// Errors match the sentinels of this package by [errors.Is]; see each method for which. Three matter more than they do elsewhere:
// [ErrNotFound] is only said by a healthy store that holds no such record, never by one that could not look ([ErrUnavailable]); a write
// whose fate is unknown says so ([ErrUnknownOutcome]); and a record that does not open ([ErrSealed], [ErrUnknownKey]) is returned beside
// the error with what is known of it, and stops no list, sweep or deletion.
//
// # Stores
//
// Package memstore keeps everything in memory, package redisstore in Redis. Anyone can write another: [Store] is four methods with their
// duties spelt out, and package storetest checks them. A store never sees a plain secret.
//
// # Concurrency
//
// A service, a store and every method are safe for concurrent use. Nothing is started behind the caller's back: no goroutine outlives a
// call, and every loop ends with its context. What is returned is the caller's own.
//
// # Compatibility
//
// Stored records carry a version. Records, events and outcomes written by any release open in every later one; the files in testdata hold
// samples of each. A record of a newer version is refused by name and never rewritten. The wire forms of the domain types are the
// business of the host: encoding an [Installation] shows Go names and masks.
package installation
