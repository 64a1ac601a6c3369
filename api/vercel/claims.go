package vercel

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// Auth is the kind of a token, with the names of X-Vercel-Auth.
type Auth string

// Kinds of tokens.
const (
	AuthUser   Auth = "user"   // a person in the customer's team
	AuthSystem Auth = "system" // Vercel itself, on behalf of an account
)

// Role says what a user may do in the team. Users with unknown roles may only read.
type Role string

// Known roles.
const (
	RoleAdmin Role = "ADMIN" // installs and changes
	RoleUser  Role = "USER"  // reads
)

// Claims are the claims of a verified token. The fields of a user are empty in a system token.
type Claims struct {
	Auth           Auth
	AccountID      string // the Vercel account or team; "" before there is an installation
	InstallationID string // "" = the token names none

	UserID     string
	UserRole   Role
	UserName   string
	UserEmail  string
	UserAvatar string // URL
}

// Actor returns the actor for the service. A user is a Customer of its account, ReadOnly unless
// the role is ADMIN. A system token is the Platform, with the ID of the account that it is
// confined to. A token without an account gives an actor that may do nothing.
func (c *Claims) Actor() installation.Actor {
	if c.AccountID == "" {
		return installation.Actor{}
	}
	if c.Auth == AuthSystem {
		return installation.Actor{Kind: installation.Platform, ID: c.AccountID}
	}
	return installation.Actor{
		Kind: installation.Customer, ID: c.AccountID, ReadOnly: c.UserRole != RoleAdmin,
		User: installation.Reference{ID: c.UserID, Name: oneLine(c.UserName)},
	}
}

// oneLine makes a name fit the audit trail, so that an odd name does not stop an installation.
func oneLine(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > validate.MaxName {
		return string(runes[:validate.MaxName])
	}
	return name
}

// readClaims reads the payload of a verified token. A token is a user's if it has a claim of
// users or a subject that is a user, and then it needs all of these claims.
func readClaims(in httpapi.Object) *Claims {
	in = in.NullAsAbsent()
	c := &Claims{
		Auth: AuthSystem, AccountID: in.String("account_id"),
		InstallationID: in.String("installation_id"),
		UserID:         in.String("user_id"), UserRole: Role(in.String("user_role")),
		UserName: in.String("user_name"), UserEmail: in.String("user_email"),
		UserAvatar: in.String("user_avatar_url"),
	}
	l := in.Violations()
	l.OptionalID("account_id", c.AccountID)
	if c.UserID != "" || c.UserRole != "" || strings.Contains(in.String("sub"), ":user:") {
		c.Auth = AuthUser
		l.ID("user_id", c.UserID)
		l.Required("user_role", c.UserRole != "")
	}
	return c
}
