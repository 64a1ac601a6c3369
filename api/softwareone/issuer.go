package softwareone

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/internal/jwt"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// ErrToken means that a token is not valid, or no longer valid. The error that wraps it adds the
// reason, and quotes nothing of the token.
var ErrToken = errors.New("softwareone: token not valid")

// Defaults of [IssuerOptions].
const (
	DefaultIssuer   = "https://api.platform.softwareone.com"
	DefaultLifetime = time.Hour
)

// Limits of an issuer.
const (
	minKey      = 32 // bytes
	minLifetime = time.Minute
)

// claimPrefix begins the names of the platform's own claims.
const claimPrefix = "https://claims.softwareone.com/"

// Claims are the claims of a JWT.
type Claims struct {
	AccountID      string
	AccountType    AccountType
	ExtensionID    string              // "" = not of an extension
	InstallationID string              // "" = not of one installation
	UserID         string              // of the person who uses the JWT; "" = nobody
	APITokenID     string              // of the API token behind the JWT; "" = none
	Modules        map[string][]string // consented modules, with the actions allowed there
	Expires        time.Time           // to the second; set by Verify, ignored by Mint
}

// texts returns the claims that are texts, by their names after claimPrefix.
func (c *Claims) texts() map[string]*string {
	return map[string]*string{
		"accountId": &c.AccountID, "accountType": (*string)(&c.AccountType),
		"extensionId": &c.ExtensionID, "installationId": &c.InstallationID,
		"userId": &c.UserID, "apiTokenId": &c.APITokenID,
	}
}

// IssuerOptions configure an [Issuer]. A zero field means its default.
type IssuerOptions struct {
	// Name is both the iss and the aud claim, since the platform makes tokens for itself.
	// Default: DefaultIssuer.
	Name string
	// Lifetime is how long a token is valid. It has to be at least a minute, since clients discard
	// a token with less than 30 seconds left. Default: DefaultLifetime.
	Lifetime time.Duration
	// Now is the clock for the times of tokens. Default: time.Now.
	Now func() time.Time
}

// Issuer makes and verifies the JSON Web Tokens (JWT) of the platform. They are signed with HS256,
// since only the platform verifies them. All processes of a platform have to use the same key. An
// Issuer is safe for concurrent use.
type Issuer struct {
	key      []byte
	signer   jose.Signer
	rules    jwt.Verifier
	lifetime time.Duration
}

// NewIssuer returns an issuer with a signing key of at least 32 random bytes. If opts is nil, all
// options have their defaults.
func NewIssuer(key crypto.Secret, opts *IssuerOptions) (*Issuer, error) {
	if key.IsMasked() {
		return nil, errors.New("softwareone: NewIssuer: the key is masked")
	}
	o := *cmp.Or(opts, &IssuerOptions{})
	if o.Now == nil {
		o.Now = time.Now
	}
	name := cmp.Or(o.Name, DefaultIssuer)
	i := &Issuer{
		key: key.Reveal(), lifetime: cmp.Or(o.Lifetime, DefaultLifetime),
		rules: jwt.Verifier{
			Algorithm: jwt.HS256, Issuer: name, Audience: name, Now: o.Now, Invalid: ErrToken,
		},
	}
	switch {
	case len(i.key) < minKey:
		return nil, fmt.Errorf("softwareone: NewIssuer: the key has less than %d bytes", minKey)
	case i.lifetime < minLifetime:
		return nil, fmt.Errorf("softwareone: NewIssuer: the lifetime is less than %s", minLifetime)
	}
	var err error
	signing := jose.SigningKey{Algorithm: jwt.HS256, Key: i.key}
	i.signer, err = jose.NewSigner(signing, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, errors.New("softwareone: NewIssuer: the key cannot be used")
	}
	return i, nil
}

// Mint returns a token with the claims c. It ignores c.Expires: the token expires after the
// lifetime of the issuer. Hosts call Mint to make the tokens of people who use the platform.
func (i *Issuer) Mint(c Claims) (crypto.Secret, error) {
	now := i.rules.Now()
	claims := map[string]any{
		"iss": i.rules.Issuer, "aud": i.rules.Audience,
		"iat": now.Unix(), "exp": now.Add(i.lifetime).Unix(),
	}
	for name, text := range c.texts() {
		if *text != "" {
			claims[claimPrefix+name] = *text
		}
	}
	if c.Modules != nil {
		claims[claimPrefix+"modules"] = c.Modules
	}
	payload, _ := json.Marshal(claims) // texts and numbers can always be encoded
	signed, err := i.signer.Sign(payload)
	if err != nil {
		return crypto.Secret{}, errors.New("mint token: it cannot be signed")
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return crypto.Secret{}, errors.New("mint token: it cannot be written")
	}
	return crypto.NewSecret(text), nil
}

// Verify returns the claims of a valid token. A valid token is signed with HS256 and the key of the
// issuer, names the issuer in iss and aud, and has not expired. The error matches [ErrToken].
func (i *Issuer) Verify(token string) (*Claims, error) {
	find := func(context.Context, string) (any, error) { return i.key, nil }
	t, err := i.rules.Verify(context.Background(), token, find)
	if err != nil {
		return nil, err
	}
	c, err := httpapi.ReadNode(t.Claims, readClaims)
	if err != nil {
		return nil, i.rules.Reject("its claims are not valid")
	}
	c.Expires = t.Expires
	return c, nil
}

// readClaims reads the payload of a verified token. The issuer has to be the only audience.
func readClaims(in httpapi.Object) *Claims {
	c, l := &Claims{}, in.Violations()
	for name, text := range c.texts() {
		*text = in.String(claimPrefix + name)
		l.OptionalID(name, *text)
	}
	in.String("aud") // a list is a violation
	l.Required("accountId", c.AccountID != "")
	validate.Enum(l, "accountType", c.AccountType, AccountClient, AccountVendor, AccountOperations)
	if modules := claimPrefix + "modules"; in.Has(modules) {
		c.Modules = make(map[string][]string)
		actions := in.Object(modules)
		for id := range actions.Members() {
			c.Modules[id] = actions.Strings(id)
		}
	}
	return c
}
