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
// a private key in PEM are. Whatever else is secret, such as an authorization header, has to be put in with [SetSecret], or marked
// in the JSON Schema that Options.Schema gives for an extension. A write that changes where secrets are sent, such as a URL beside them, is
// refused unless it brings the secrets along. Credentials of a [Connection] always are. Reading masks them all as "***":
// [Service.Get] and its kin never open a secret. Writing a mask back keeps what is stored at that place, and is refused where nothing is,
// so that "read, change one value, write all of it back" changes that value alone. [Service.Reveal] is the one way to plain secrets: it
// takes a right of its own, a reason, and the name of each, and is recorded before a value leaves.
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
