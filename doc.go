// Package installation keeps a record of each extension that is installed in a customer's account.
// A record has the customer's consent, the configuration, the credentials, the invitation that led
// to the installation, and the history.
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
// Get masks secrets. To use them, open the installation into a struct of your own:
//
//	opened, err := vendor.Open(ctx, installation.OpenRequest{ID: inst.ID, Reason: "sync"})
//	defer opened.Close()
//	var cfg struct {
//		URL    string        `json:"url"`
//		APIKey crypto.Secret `json:"api_key"`
//	}
//	err = opened.Decode(&cfg)
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
//	any --Upsert with InstalledAt--> installed                  (generation + 1)
//	uninstalled | expired --Invite--> invited                   (generation + 1)
//	uninstalled --Sweep after the grace period--> purged        (the record stays, its secrets go)
//	any --Delete--> gone                                        (a tombstone stays for a while)
//
// A generation is one install, from its start to its end. The next generation keeps only ID, name,
// extension and the time of creation. Expiry needs no job: an invitation past its expiry reads as
// expired, and Accept rejects it. [Service.Sweep] stores the expired state, and purges uninstalled
// installations whose grace period is over. [Service.Run] calls it. Uninstall with Final purges at
// once. If a process without the key wrote an uninstall, the grace period begins later: when a
// process with the key seals the uninstall; see [AuditEntry].
//
// # Writing
//
// A write contains the [Parts] that it changes. The other parts stay as they are. If a write
// changes nothing, nothing is stored. Each write request embeds a [Guard]:
//
//   - With an empty guard, the service retries a write that lost a race. Concurrent writes of
//     different parts both take effect.
//   - Revision rejects the write if anything changed since that revision.
//   - Generation and InstalledBefore stop a late event from changing a newer install. Generation
//     also stops an Upsert from installing again.
//   - IdempotencyKey makes a request safe to repeat. The repeat returns the first answer. A large
//     answer is not kept; the repeat then returns the present state, see [Result].
//
// Some platforms install again under the same ID, and report the earlier uninstall late or never.
// For such a platform, set UpsertRequest.InstalledAt to the time of each install event, and
// Guard.InstalledBefore to the time of each uninstall event. Then events can come twice and in any
// order, except that an uninstall that comes before its own install is lost.
//
// Options.Owner says who owns an extension. The owner is the vendor who may install the extension
// and sees its installations. A request cannot name another owner. Without the option, only the
// host and the platform can set an owner. Secrets do not follow an installation to another account:
// a write that changes Account.ID has to give them again or remove them, or set MoveSecrets.
//
// # Tokens
//
// [Service.Refresh] is [Service.Open] with a valid access token. It asks the provider for a new
// token only if it has to. Only one caller at a time asks, across all processes. If the provider
// refuses the refresh token for good, Connection.Failure says so until the connection has a new
// credential. [Service.Run] is the one loop of a host: it sweeps, refreshes tokens that are due,
// and revokes tokens after an uninstall. Package oauth has the functions for OAuth 2.0.
//
// # Secrets
//
// Reads mask every secret as "***". [Service.Get] and [Service.List] never open a secret. Only
// [Service.Open], [Service.Refresh] and [Service.Reveal] return plain secrets. They need the right
// to reveal, and write an event with a reason. Open is for programs: it returns configuration and
// secrets of one revision, to decode into a struct. It is recorded once in Options.AccessInterval.
// Reveal is for people: it returns the secrets that the request names. It is recorded each time,
// before it returns a value.
//
// Credentials of a [Connection] are always secret. In a [Document], a value is a secret if it is
// stored as a secret, if a schema marks it, or if its name or its form says so. The rule for names
// applies to a string with the name, and to all strings in an array or object with the name. If the
// name contains the word pin or otp, the rule also applies to numbers. The service splits a name
// into words at punctuation and case. A name is sensitive if one of these is true:
//
//   - It contains one of these words: password, passwd, pwd, pass, passphrase, passcode, secret,
//     token, apikey, credential, privatekey, bearer, jwt, jwk, cookie, otp, pin, pat, signature,
//     sig, dsn, hmac, seed, pem, pfx, p12, keytab, assertion, certificate, psk; or a word that ends
//     in a word such as password or token.
//   - It contains "connection string", "session id", "auth code" or a pair such as "api key".
//   - Its last word is key, and the word before does not say what the key looks up, as sort and
//     primary do.
//   - It is the name of a string, and its last word is authorization, or auth after other words.
//
// A name is not sensitive if its last word is a word such as id, url, name, type, expires or
// version; session id stays sensitive. Below a sensitive name, a string such as auth_method is not
// either. In a pair such as {"name": "DB_PASSWORD", "value": ...}, the name is that of the value.
// An empty string is no secret.
//
// These forms are secret under any name: a URL with user information, or of a hook; a private key
// in PEM; settings, query parameters and headers with a sensitive name, such as "Password=x",
// "?sig=x" and "Authorization: Bearer x"; JSON text with a secret in it. For secrets that the rule
// misses, use patch.SetSecret, or mark the place in a schema. A value that the schema lists in an
// enum or const is never a secret.
//
// # Masks
//
// A mask in a write keeps the secret that is stored at its place. So a client can read a document,
// change one value and write the whole document back: only that value changes. A mask where no
// secret is stored is an error; patch.SetSecret is the one way to store a literal "***". null
// removes a secret. Replacing a secret by an empty string is an error. In a [Connection], the mask
// of a token also keeps its times.
//
// A mask is not the secret. Revealing a masked [crypto.Secret] panics, and [Document.Decode] does
// not put a mask into a string. [Service.Open] and [Service.Reveal] return the value.
//
// Inside an array, a mask is accepted if the schema keyword x-key identifies the element; see
// [validate.SchemaSource]. Without x-key, it is accepted if the whole array is unchanged, or if all
// of these hold: the element is unchanged and at its old index, no other element equals it, and the
// array has as many elements as before.
//
// # Credentials
//
// A [Connection] in a write replaces the whole connection. Result.Dropped names the stored secrets
// that it left out and so removed. To change one credential and nothing else, use [Service.Patch]
// with patch.SetCredential, patch.UnsetCredential and patch.SetTokenType. Operations on documents,
// such as patch.Set, edit the metadata if they were made with InMetadata. All operations of a
// request are one commit, and the rules below apply to them as to whole documents.
//
// # Schemas
//
// Options.Schema returns the JSON Schema of an extension's configurations. The schema marks
// secrets, validates documents that change, adds defaults, and says where secrets are sent; see
// [validate.SchemaSource] for the keywords. If validation fails, the error matches [ErrInvalid].
// The error has one violation for each wrong place, with the keyword that failed. For the keywords
// "anyOf", "oneOf", "not" and "propertyNames", a violation names only the keyword and does not
// describe the branches. If one member of an object, such as "kind", decides which rules apply to
// the object, use the keywords "if" and "then". Their violations are more precise than those of
// "oneOf".
//
// # Destinations
//
// Someone who can write a configuration, but not reveal its secrets, could send them to a host of
// their own. So a write that changes a value must give again the secrets that the value can
// redirect, unless the old and the new value are harmless. A value is harmless if no program finds
// an address in it, and no name at or around it is about hosts (server, region, tenant, ...). For a
// switch or a number, no such name may be about ports or protection either (port, tls, verify,
// ...). So a plain word, a name in any language, a date or a UUID can change. A URL, a host, "a/b",
// "127.1" or "x=y" cannot. Free text, such as a description, can always change.
//
// A value redirects the secrets of its document. A value in Connection.Metadata or
// Installation.Extra, the provider, the provider of the app and the workspace also redirect the
// connection's secrets. A schema can say that no secret goes to a place ("x-exposes": []), or which
// ones do; the error shows the schema to add. An actor who may reveal the secrets can set
// AllowDestination on the request instead.
//
// # Sealing
//
// Each secret is sealed by itself: encrypted and authenticated under a data key of its
// installation. The rest of the content is sealed as one value, the manifest. The manifest also
// names each sealed secret, but does not contain it. Status, times, revisions and the IDs of
// extension, owner and account are also stored in plain, because a store needs them. A sealed value
// opens only at its own place: not in another field, installation or tenant. A record does not open
// if someone edited it, removed a part, or put back an older part. One thing goes unnoticed: a
// whole older record in place of the present record. The keyring or a key service wraps (encrypts)
// the data key; see package crypto.
//
// Deleting and purging destroy the data key. The secrets that it sealed cannot be read from this
// store any more. A restored backup brings them back.
//
// # Errors
//
// Match errors with [errors.Is] against the sentinels of this package. [ErrNotFound] comes only
// from a healthy store; a store that cannot answer returns [ErrUnavailable]. If its data went back
// to an older state, the error also matches [ErrRestored]. A write whose answer was lost returns
// [ErrUnknownOutcome]. If a record does not open, [Service.Get] and [Service.List]
// return it with its plain fields only. The field Err says why, such as [ErrSealed] or
// [ErrUnknownKey]; Get also returns that error. Such a record does not stop a list, a sweep or a
// deletion.
//
// # Stores
//
// Choose by where the host keeps its other data:
//
//	memstore    memory; for tests, and for data that may be lost
//	boltstore   one file; for a host that is one process
//	redisstore  Redis; for many processes, on one server or a cluster
//	pgstore     PostgreSQL; for many processes, also in transactions of the host
//
// All of them keep the contract of [Store]. A store never sees a plain secret. With [Service.On]
// and pgstore, rows of the host and installations commit together. To write another store,
// implement the four methods of [Store] and run package storetest.
//
// After a restore from a backup, call [Service.AcceptRestore]. All open invitations and cursors of
// events are then void, and no revision from after the backup matches. The documentation of each
// store has all steps.
//
// # Concurrency
//
// All methods of a Service and of a store are safe for concurrent use. No goroutine outlives a
// call, and every loop stops when its context ends. Results belong to the caller.
//
// # Compatibility
//
// Stored forms carry a version. From the first tag on, every release opens what earlier releases
// wrote; tests keep samples of each format. The service rejects a record of a newer version with an
// error that names the version, and never rewrites the record. The JSON of an [Installation] uses
// Go field names and shows secrets as masks. The host defines its own wire format.
package installation

import (
	"errors"
	"fmt"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// Sentinel errors. Match them with [errors.Is]. Typed errors carry the details and match the
// sentinel of their kind. No error of this library contains a secret, a payload, or the text of
// another library's error that could quote them.
var (
	// ErrInvalid means bad input. The detail is a [*validate.Error]: path, rule and a sentence for
	// each violation, never the value.
	ErrInvalid = validate.ErrInvalid

	// ErrForbidden means that the actor may see the installation, but may not do what the call asks
	// for.
	ErrForbidden = errors.New("installation: forbidden")
	// ErrNotFound means that a healthy store has no such installation, or that the actor has no
	// right to see the installation.
	ErrNotFound = errors.New("installation: not found")
	// ErrExists means that another installation holds a claim, or that Guard.Absent was set and the
	// installation exists. See [*ExistsError].
	ErrExists = errors.New("installation: already exists")
	// ErrConflict means that the stored revision or generation is not the one in the guard, or that
	// the lifecycle or the generation in the guard does not allow the change of status. See
	// [*ConflictError].
	ErrConflict = errors.New("installation: conflict")
	// ErrStale means that the request is about an older generation, or about an install that has
	// ended. The request changed nothing, and a retry fails too.
	ErrStale = errors.New("installation: stale: superseded by a newer generation")
	// ErrInvitation is the one answer to every rejected invitation code.
	ErrInvitation = errors.New("installation: invitation not valid")
	// ErrIdempotencyMismatch means that the idempotency key was used for another request.
	ErrIdempotencyMismatch = errors.New("installation: idempotency key used for another request")

	// ErrSealed means that a record does not open or contradicts itself, because it was damaged or
	// edited. The error has no details.
	ErrSealed = crypto.ErrSealed
	// ErrUnknownKey means that the keyring lacks the key-encryption key that a record names. The
	// text contains the key ID.
	ErrUnknownKey = crypto.ErrUnknownKey
	// ErrKeyUnavailable means that a key service could not be reached. A retry may succeed.
	ErrKeyUnavailable = crypto.ErrKeyUnavailable
	// ErrKeyInUse means that a key-encryption key is still needed. See [*KeyInUseError].
	ErrKeyInUse = errors.New("installation: key in use")
	// ErrShredded means that the data key of the record was destroyed, or that its grace period is
	// over and Sweep will destroy it. The secrets cannot be read any more.
	ErrShredded = errors.New("installation: shredded")

	// ErrClock means that the clock is more than 400 days ahead of every stored time, so it is
	// probably wrong. Nothing was changed. See [Service.Sweep].
	ErrClock = errors.New("installation: the clock is far ahead of every stored time")

	// ErrUnavailable means that the store cannot answer, is not the expected one, or is unsafe to
	// use, or that Options.Owner failed. It says nothing about any record.
	ErrUnavailable = errors.New("installation: store unavailable")
	// ErrRestored means that the store went back to an older state: its data was restored from a
	// backup, or a failover lost more than a few seconds. The error also matches [ErrUnavailable].
	// The store answers again after [Service.AcceptRestore].
	ErrRestored = errors.New("installation: the store went back to an older state")
	// ErrEpoch means that a store refused a change that was built before a restore was accepted.
	// The change is not part of what is stored, and never will be. The service builds such a change
	// again, so its callers never get this error.
	ErrEpoch = errors.New("installation: the change was built before a restore was accepted")
	// ErrUnknownOutcome means that a write was sent and its answer was lost, and that no retry
	// settled whether the write was applied. Read the record, or repeat the request with its
	// idempotency key.
	ErrUnknownOutcome = errors.New("installation: outcome unknown: the write may have been applied")
	// ErrNotReplicated means that a write was applied and is visible, but fewer replicas than
	// required confirmed it. The method returns its result with the error, invitation code
	// included.
	ErrNotReplicated = errors.New("installation: applied, not confirmed by replicas")
	// ErrTrimmed means that events after the given cursor were already trimmed.
	ErrTrimmed = errors.New("installation: events trimmed")
	// ErrUnsupported means that the store lacks an optional ability, or that the method cannot be
	// part of a transaction; see [Service.On].
	ErrUnsupported = errors.New("installation: not supported by the store")
)

// ConflictError is the detail of [ErrConflict]. It names either the stored revision that differs
// from the guard, or the two states of a change that the lifecycle does not allow.
type ConflictError struct {
	Key        Key
	Revision   int64  // stored revision, 0 = nothing stored
	Generation int64  // stored generation if the service compared one, else 0
	From, To   Status // set if the lifecycle does not allow this change
	// NotApplied means that the stored record proves that no try of the change was applied, and
	// none will be. If it is false, an earlier try may have been applied, and the record may have
	// forgotten it.
	NotApplied bool
}

// Error implements error.
func (e *ConflictError) Error() string {
	if e.To != "" {
		return fmt.Sprintf("%v: %s cannot go from %s to %s", ErrConflict, e.Key.ID, e.From, e.To)
	}
	at := fmt.Sprintf("%v: %s is at revision %d", ErrConflict, e.Key.ID, e.Revision)
	if e.Generation != 0 {
		at += fmt.Sprintf(" of generation %d", e.Generation)
	}
	return at
}

// Is matches [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// ExistsError is the detail of [ErrExists].
type ExistsError struct {
	Key Key // the record that was to be written

	// Holder is the ID of the installation that holds the claim, or Key.ID for Guard.Absent. It is
	// "" if the actor may not see that installation.
	Holder string
}

// Error implements error.
func (e *ExistsError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("%v: another installation holds a claim", ErrExists)
	}
	return fmt.Sprintf("%v: %s is in the way", ErrExists, e.Holder)
}

// Is matches [ErrExists].
func (e *ExistsError) Is(target error) bool { return target == ErrExists }

// KeyInUseError is the detail of [ErrKeyInUse].
type KeyInUseError struct {
	KeyID   string
	Primary bool  // new data keys are wrapped under it
	Records int64 // how many records cannot be opened without it
}

// Error implements error.
func (e *KeyInUseError) Error() string {
	if e.Primary {
		return fmt.Sprintf("%v: %s is the primary key", ErrKeyInUse, e.KeyID)
	}
	return fmt.Sprintf("%v: %s, by %d records", ErrKeyInUse, e.KeyID, e.Records)
}

// Is matches [ErrKeyInUse].
func (e *KeyInUseError) Is(target error) bool { return target == ErrKeyInUse }
