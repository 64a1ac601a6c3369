package installation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/canonical"
	"github.com/go-installation/installation/internal/vault"
)

// Installation describes one extension in one customer's account: installed now, installed before,
// or invited. One model serves every platform. Fields that a platform does not have stay empty.
//
// The service returns a copy that belongs to the caller, with secrets masked. To change a part,
// send the changed part back in an [UpsertRequest]. A mask in the part keeps the stored secret.
type Installation struct {
	ID     string // at most 256 bytes; must not begin with "@", which the library reserves
	Tenant string // the project, client or platform it belongs to; "" = the default tenant
	Name   string

	Extension     Extension
	Account       Account
	Status        Status // at the time of reading: an invitation past its expiry reads as expired
	Health        Health
	Consent       Consent
	Configuration *Configuration // nil = none is stored, or the actor has no right to see it
	Connection    *Connection
	BillingPlan   *billing.Plan
	Notification  *Notification
	Invitation    *Invitation // nil if it was installed directly
	Audit         Audit

	Generation int64 // grows with each new generation, from 1
	Revision   int64 // grows with each commit, from 1
	Purged     bool  // configuration, connection, invitation and Extra were removed with their key

	Extra  Document // wire fields that the model does not name
	Sealed []Ref    // where secrets are stored, sorted; see Open and Reveal

	// Err says why the record could not be opened: [ErrSealed], [ErrUnknownKey],
	// [ErrKeyUnavailable] or [ErrShredded]. The other fields then hold what the store keeps in
	// plain: ID, tenant, status, generation, revision and the IDs of extension, owner and account.
	Err error
}

// Status is a state of the lifecycle. Values that this release does not know survive reading and
// writing.
type Status string

// The states of an installation.
const (
	StatusInvited     Status = "invited"
	StatusInstalled   Status = "installed"
	StatusExpired     Status = "expired"
	StatusUninstalled Status = "uninstalled"
)

// Health says whether the installation works, as the host sees it. Values that this release does
// not know survive reading and writing.
type Health string

// Known values of Health.
const (
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// Extension is what is installed. Its ID cannot change while the installation exists.
type Extension struct {
	ID       string
	Name     string
	Icon     string
	Href     string
	Owner    string // account ID of the vendor
	Revision int64
}

// Account is the customer: the account, team or group that the extension is installed in.
type Account struct {
	ID       string
	Name     string
	Icon     string
	Type     string
	Status   string
	URL      string
	Contact  *Contact
	Revision int64
	Created  time.Time
	Updated  time.Time
}

// Contact is a person to talk to.
type Contact struct {
	Name  string
	Email string
}

// Consent is what the customer agreed to.
type Consent struct {
	Scopes   []string             // granted permissions
	Policies map[string]time.Time // accepted policies, and when
	Modules  []Reference          // areas of the platform that the extension may use
	Terms    []Reference          // accepted terms
}

// Configuration is the set of parameters that an extension runs with. A write needs only Document.
// The service then keeps ID or makes a new one, makes a new RevisionID if the document changes, and
// fills in Created and CreatedBy. A caller can also set these four fields.
type Configuration struct {
	ID         string
	RevisionID string
	Created    time.Time // of this revision
	CreatedBy  string
	Document   Document // a JSON object

	// Err is set if the schema cannot be used. Every value in Document is then masked. Err matches
	// [validate.ErrSchema]. Writes ignore Err.
	Err error
}

// Connection says how the host reaches the customer's workspace at a provider, and holds the
// credentials. A host that shares connections between installations keeps them itself, and stores
// the ID and the public part here.
//
// A Connection in a write replaces the whole connection. Reads mask the secrets of a connection. In
// a write, a mask keeps the stored secret, and the zero [crypto.Secret] removes the stored secret;
// Result.Dropped names what was removed. To change one token, and nothing else, use
// patch.SetCredential with [Service.Patch].
//
// A masked token stands for the whole stored token. So a write ignores the times of a masked token,
// and TokenType if the access token is masked. A client can then write an old copy back: it does
// not put old times beside a token that was refreshed meanwhile. To change only the expiry, give
// the token again.
type Connection struct {
	ID           string
	Provider     string
	Scheme       string // such as "oauth2/authorizationCode", "apiKey"
	Status       string // such as "created", "working", "bad_credentials"
	App          *ProviderApp
	Consumer     *Consumer
	WorkspaceRef string // the provider's name for the workspace
	ConsumerRef  string // the provider's name for the consumer
	Scopes       []string
	TokenType    string // of AccessToken, such as "Bearer"
	AccessToken  Token
	RefreshToken Token
	APIKey       crypto.Secret
	Metadata     Document // what else the provider needs; can contain secrets
	Created      time.Time
	Updated      time.Time

	Failure *Failure // why the connection failed; nil = it did not. Writes ignore it
}

// ProviderApp is the application registered with the provider.
type ProviderApp struct {
	ID          string
	ExternalRef string
	Provider    string
	ClientID    string
	Scopes      []string
	Created     time.Time
	Updated     time.Time
}

// Consumer is the person of the account who made the connection.
type Consumer struct {
	ID      string
	Name    string
	Created time.Time
	Updated time.Time
}

// Token is a credential with the times of its issue and expiry. See [Connection] for a masked one.
type Token struct {
	Value   crypto.Secret
	Issued  time.Time
	Expires time.Time
}

// Notification is a message about the installation that the platform shows to the customer.
type Notification struct {
	Level   string // "info", "warn" or "error"
	Title   string
	Message string
	Href    string
}

// Audit says when each kind of change last happened. A nil entry means never in this generation.
type Audit struct {
	Created     *AuditEntry // a re-install keeps only its time
	Updated     *AuditEntry
	Invited     *AuditEntry
	Installed   *AuditEntry
	Expired     *AuditEntry
	Uninstalled *AuditEntry
}

// AuditEntry says when something happened, by whom and for which account.
type AuditEntry struct {
	At   time.Time // UTC, microseconds
	Kind ActorKind
	By   Reference
	Of   Reference // the account

	// Unvouched is set for an expiry or uninstall that was written without the key: by a process
	// that lacked it, or by a forger. The entry names nobody then. See [Service.Uninstall].
	Unvouched bool
}

// Reference names a person, a token or an account.
type Reference struct {
	ID   string
	Name string
	Icon string
}

// Ref names one stored secret. It consists of a kind, which says what contains the secret, and the
// JSON Pointer (RFC 6901) of the secret there:
//
//	config/api_key              in Configuration.Document
//	connection/aws/secret_key   in Connection.Metadata
//	extra/token                 in Extra
//	credential/access_token     Connection.AccessToken
//	credential/refresh_token    Connection.RefreshToken
//	credential/api_key          Connection.APIKey
type Ref string

// The kinds of secrets, each the first part of a Ref.
const (
	kindConfig     = "config"
	kindCredential = vault.Credential
	kindConnection = "connection"
	kindExtra      = "extra"
)

// refOf joins a kind and a pointer.
func refOf(kind, pointer string) Ref { return Ref(kind + pointer) }

// Kind returns the first part of r: "config", "credential", "connection" or "extra".
func (r Ref) Kind() string {
	kind, _, _ := strings.Cut(string(r), "/")
	return kind
}

// Pointer returns the JSON Pointer of r.
func (r Ref) Pointer() string { return string(r[len(r.Kind()):]) }

// Document is a JSON document that can contain secrets. A Document is plain or masked. Writes
// accept both.
//
// A document that a caller makes is plain. Every verb, encoder and logger prints it as "***". A
// document that the service returns is masked: it has "***" in place of each secret, and prints as
// JSON. If a caller sends a masked document back, its masks keep the stored secrets. The service
// rejects a mask where no secret is stored, for example in another installation.
//
// The zero value is no document. A Document never changes and may be shared.
type Document struct {
	plain  crypto.Secret // the text of a plain document
	masked string        // the text of a masked document
}

// JSON returns a Document that holds a copy of b. The Service validates it on write; see package
// validate for the limits.
func JSON[T ~string | ~[]byte](b T) Document {
	if len(b) == 0 {
		return Document{}
	}
	return Document{plain: crypto.SecretFromBytes([]byte(b))}
}

// DocumentOf returns v as a Document, encoded by [json.Marshal]. It rejects a value that contains a
// plain [crypto.Secret] or a plain Document, because the JSON would have a mask in place of the
// secret. Reveal such a secret first, or store it with patch.SetSecret. The error does not quote v.
func DocumentOf(v any) (Document, error) {
	b, err := json.Marshal(v) // first, since it rejects a value that contains itself
	if err != nil {
		return Document{}, errors.New("installation: the value cannot be written as JSON")
	}
	if canonical.HasPlainSecret(v, plainContentOf) {
		return Document{}, errors.New("installation: the value contains a secret that JSON would " +
			"mask: reveal it first, or set it with patch.SetSecret")
	}
	return JSON(b), nil
}

// plainContentOf is contentOf, except that a masked document has no content: it contains no plain
// secret.
func plainContentOf(v any) (content any, ok bool) {
	if d, ok := v.(Document); ok {
		return d.plain, true
	}
	return contentOf(v)
}

func maskedDocument(text []byte) Document { return Document{masked: string(text)} }

// IsZero reports whether d is the zero value, which is no document.
func (d Document) IsZero() bool { return d.plain.IsZero() && d.masked == "" }

// Bytes returns the masked JSON text, or nil for a document that did not come from the service. The
// slice belongs to the caller.
func (d Document) Bytes() []byte { return append([]byte(nil), d.masked...) }

// Text returns the JSON text as a Secret, masks included.
func (d Document) Text() crypto.Secret {
	if d.masked != "" {
		return crypto.NewSecret(d.masked)
	}
	return d.plain
}

// Decode decodes the document into v by the rules of [json.Unmarshal]. In a masked document, the
// secrets are masked: a [crypto.Secret] in v stands for the stored value, and revealing it panics.
// A string in v cannot hold a mask, because a program would use it as the secret. Decode returns an
// error then. Values of type any and [json.RawMessage] keep the masks, for display. No error quotes
// the text.
func (d Document) Decode(v any) error {
	if err := json.Unmarshal(d.content(), v); err != nil {
		return errors.New("installation: the document does not fit the value to decode into")
	}
	if d.masked != "" && canonical.HasString(v, crypto.Mask) {
		return errors.New("installation: the document has a masked secret where the value to " +
			"decode into has a string: use a crypto.Secret there")
	}
	return nil
}

// content returns the text, plain or masked.
func (d Document) content() []byte { return d.Text().Reveal() }

// Equal reports whether both documents are plain or both masked, and have the same text. The time
// to compare two plain documents does not depend on where they differ.
func (d Document) Equal(other Document) bool {
	return d.plain.Equal(other.plain) && d.masked == other.masked
}

// String returns the JSON text of a masked document, "***" for a plain document, and "" for the
// zero Document.
func (d Document) String() string { return cmp.Or(d.masked, d.plain.String()) }

// GoString implements [fmt.GoStringer] with the text of String.
func (d Document) GoString() string { return d.String() }

// Format implements [fmt.Formatter]: every verb prints the text of String.
func (d Document) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// LogValue implements [slog.LogValuer] with the text of String.
func (d Document) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText returns the text of String.
func (d Document) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalJSON returns the JSON text of a masked document, a mask for a plain document, and null for
// the zero Document.
func (d Document) MarshalJSON() ([]byte, error) {
	if d.masked != "" {
		return d.Bytes(), nil
	}
	return d.plain.MarshalJSON()
}

// UnmarshalJSON reads a plain document. JSON null gives the zero Document.
func (d *Document) UnmarshalJSON(b []byte) error {
	*d = JSON(b)
	if string(b) == "null" {
		*d = Document{}
	}
	return nil
}

// GobEncode always fails. Gob is for storing, and storing a mask would lose the secret.
func (d Document) GobEncode() ([]byte, error) {
	return nil, errors.New("installation: a document cannot be written as gob")
}

// contentOf returns the content of a value of this package that package canonical cannot read by
// its exported fields.
func contentOf(v any) (content any, ok bool) {
	switch v := v.(type) {
	case Document:
		return v.Text(), true
	case Configuration: // without Err, which writes ignore
		return []any{v.ID, v.RevisionID, v.Created, v.CreatedBy, v.Document}, true
	case Operation:
		return v.Content(), true
	case interface{ content() any }: // an Optional
		return v.content(), true
	default:
		return nil, false
	}
}
