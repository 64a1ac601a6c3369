// Package installation manages installations: the fact that an extension is installed in a
// customer's account, with the customer's consent, the configuration, the credentials, the
// invitation that led to it, and its history.
//
// # Quick start
//
// A [Service] needs a [Store] and keys. Each call is made for a tenant and an actor:
//
//	keys, err := crypto.KeyringFromFile("installation.keys")
//	svc, err := installation.New(memstore.New(), keys, nil)
//	vendor := svc.In("project-456").As(installation.Actor{Kind: installation.Vendor, ID: "ACC-1"})
//	inst, err := vendor.Get(ctx, "EXI-1234-1234-0001")
//
// A Service without an actor refuses everything. The host application verifies who an actor is. A
// [Policy] decides what the actor may do; the default is [DefaultPolicy].
//
// # Lifecycle
//
//	(none) --Upsert--> installed --Uninstall--> uninstalled
//	(none) --Invite--> invited --Accept--> installed
//	                   invited --expiry, Expire--> expired
//	                   invited --Uninstall--> uninstalled       (revokes the invitation)
//	uninstalled | expired --Upsert--> installed                 (generation + 1)
//	uninstalled | expired --Invite--> invited                   (generation + 1)
//	uninstalled --grace period over, Final--> purged            (the row stays, its secrets go)
//	any --Delete--> gone                                        (a tombstone stays for a while)
//
// A new generation starts empty. Expiry needs no job: an invitation past its expiry reads as
// expired, and Accept rejects it. [Service.Sweep] writes expiry down and purges uninstalled
// installations; call it from a timer.
//
// # Writing
//
// A write contains the [Parts] that it changes. The rest stays. A write that changes nothing writes
// nothing. Each write embeds a [Guard]:
//
//   - Without a guard, the service retries a write that meets another one, so concurrent writes of
//     different parts both survive.
//   - Revision rejects the write if anything changed since that revision.
//   - Generation and InstalledBefore keep an event that arrives late from hurting a newer install.
//   - IdempotencyKey makes a request safe to repeat: it gets the first answer again.
//
// # Secrets
//
// Reads mask every secret as "***". [Service.Get] and [Service.List] never open one.
// [Service.Reveal] is the one way to plain secrets. It needs a right of its own and a reason, and
// records the access before a value leaves.
//
// Credentials of a [Connection] are always secret. In a document, a value is a secret if it is
// stored as one, if a schema marks it, or if its name or its form says so. Names are split into
// words at punctuation and case. A name is sensitive if
//
//   - one of its words is password, passwd, pwd, pass, passphrase, secret, token, apikey,
//     credential, privatekey, bearer, jwt, cookie, otp, pin, pat, signature, dsn, hmac, seed, pem,
//     pfx, p12, keytab, assertion or certificate;
//   - two neighbours are connection and string, session and id, or key after one of api, private,
//     secret, access, auth, app, signing, encryption, account, service, master, client, shared,
//     license, consumer and ssh;
//   - it has at most two words and ends in key;
//   - and it does not end in a word such as id, url, name, type, expires or version.
//
// Two forms are secret under any name: a URL with a password, and a private key in PEM. Names
// written as one word, such as clientsecret or dbpassword, are not recognized. Neither is an
// authorization header. Use patch.SetSecret for such values, or mark them in a schema.
//
// # Masks
//
// A mask in a write keeps the secret that is stored at its place. So reading a document, changing
// one value and writing all of it back changes that value alone. A mask where no secret is stored
// is an error; patch.SetSecret is the one way to store a literal "***". In an array, a mask is
// accepted in an element that the schema's x-key identifies, or that is otherwise unchanged. null
// removes a secret. An empty string in its place is an error.
//
// # Schemas
//
// Options.Schema returns the JSON Schema of an extension's configurations. It marks secrets,
// validates documents that change, adds defaults, and says where secrets are sent; see
// [validate.SchemaSource] for the keywords. A rejected document is an [ErrInvalid] with a violation
// for each place, which names the keyword. For anyOf, oneOf, not and propertyNames that is the
// keyword itself, and not what is wrong in each branch. Use if and then for objects whose kind
// depends on a member: their violations say more.
//
// # Destinations
//
// Whoever may write a configuration and not reveal it could have its secrets sent to a host of
// their own. So a write that changes a destination is rejected unless it gives the secrets for that
// destination again. A destination in a document is
//
//   - a string under a name with one of the words url, uri, href, host, hostname, endpoint, domain,
//     subdomain, proxy, server, origin, webhook, callback, gateway, broker, port or dsn, alone or
//     in a compound such as baseurl; under a name scheme or protocol; any string below such a name;
//     and a port that is a number;
//   - a string under a name that ends in address, addr, ip, fqdn, issuer, authority, instance,
//     shop, site, node, smtp, imap or ldap; or in target, destination, base, upstream or relay, if
//     it looks like a host;
//   - the value of a pair such as {"name": "API_HOST", "value": ...} with such a name;
//   - a string that contains a URL, an IP address or a setting such as "Server=db.example", and a
//     member that is named by a URL;
//   - path, query and user information beside one of these in the same object;
//   - what a schema declares with x-exposes, or with a format of addresses, such as uri.
//
// A name that ends in a word such as id, count, enabled, type, timeout or version is no
// destination, unless its value looks like an address. No list of names is complete. Declare
// anything else that says where secrets go in the schema, such as a region or a bucket.
//
// A destination protects all secrets of its document. One in the metadata of a [Connection] or in
// Installation.Extra also protects the credentials of the connection, and so do its provider and
// workspace. One in the configuration protects nothing else, and with x-exposes only the secrets
// named there. To change a destination, reveal the secrets that the error names, and write both in
// one patch:
//
//	url, err := installation.DocumentOf("https://eu.harbor.example")
//	ops := []installation.Operation{
//		patch.Set("/url", url), patch.SetSecret("/api_key", revealed),
//	}
//	inst, err = host.Patch(ctx, installation.PatchRequest{ID: id, Operations: ops})
//
// # Sealing
//
// Each secret is sealed by itself, under a data key of its installation. Everything else is sealed
// as one manifest, which also lists the secrets. Sealing binds the place: a value that is moved to
// another field, installation or tenant does not open. Neither does a record in which anything was
// edited, removed or put back. One thing goes unnoticed: a whole older record in place of the
// present one. The keyring or a key service wraps the data key; see package crypto.
//
// Deleting and purging destroy the data key, so the record cannot be read from this store any more.
// A restored backup brings it back.
//
// # Errors
//
// Match errors with [errors.Is] against the sentinels of this package. [ErrNotFound] comes only
// from a healthy store; a store that cannot look returns [ErrUnavailable]. A write whose answer was
// lost returns [ErrUnknownOutcome]. A record that does not open ([ErrSealed], [ErrUnknownKey]) is
// returned with what the store keeps in plain, and stops no list, sweep or deletion.
//
// # Stores
//
// Package memstore keeps everything in memory, package redisstore in Redis. To write another,
// implement the four methods of [Store] and run package storetest. A store never sees a plain
// secret.
//
// # Concurrency
//
// All methods of a Service and of a store are safe for concurrent use. No goroutine outlives a
// call, and every loop ends with its context. Results belong to the caller.
//
// # Compatibility
//
// Stored forms carry a version. Every release opens what earlier releases wrote; samples are kept
// as tests. A record of a newer version is rejected by name and never rewritten. The encoding of an
// [Installation] as JSON has Go names and masks; the wire format is the host's own.
package installation
