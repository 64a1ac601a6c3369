package vercel

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// Auth is the kind of a token. Its values are those of the X-Vercel-Auth header.
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
	RoleAdmin Role = "ADMIN" // may read and write
	RoleUser  Role = "USER"  // may read
)

// Claims are the claims of a verified token. Fields that begin with User are empty for a system
// token.
type Claims struct {
	Auth           Auth
	AccountID      string // the Vercel account or team; "" while nothing is installed
	InstallationID string // "" = the token names none

	UserID     string
	UserRole   Role
	UserName   string
	UserEmail  string
	UserAvatar string // URL
}

// Actor returns the sender of the token as an actor of the service. A user token makes a Customer
// with the ID of the account, which is ReadOnly unless the role is ADMIN. A system token makes a
// Platform with the ID of the account; see [Policy]. A token without an account makes the zero
// Actor, which may do nothing.
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

// oneLine removes control characters and invalid UTF-8 from a name, and cuts the name to the length
// that the audit trail allows. The service would otherwise reject the write.
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

// readClaims reads the payload of a verified token. A token with user_id, user_role or a subject
// with ":user:" is a user token, and needs both user_id and user_role.
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
