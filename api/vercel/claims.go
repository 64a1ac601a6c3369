package vercel

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Auth is the kind of a token, as X-Vercel-Auth names it.
type Auth string

// Kinds of tokens.
const (
	User   Auth = "user"   // a person in the customer's team
	System Auth = "system" // Vercel itself, on behalf of an account
)

// Role is what a user may do in the team. Unknown ones read only.
type Role string

// Known roles.
const (
	RoleAdmin Role = "ADMIN" // installs and changes
	RoleUser  Role = "USER"  // reads
)

// Claims are what a verified token says. The fields of a user are empty in a system token.
type Claims struct {
	Auth           Auth
	AccountID      string // the Vercel account or team; "" = the token names none, as before there is an installation
	InstallationID string // "" = the token names none

	UserID     string
	UserRole   Role
	UserName   string
	UserEmail  string
	UserAvatar string // URL
}

// Actor returns who the token speaks for: a Customer of its account, ReadOnly unless the role is ADMIN, or for a system token the Platform, with
// the id of the account that it is confined to. A token that names no account speaks for nobody: its actor may do nothing.
func (c *Claims) Actor() installation.Actor {
	if c.AccountID == "" {
		return installation.Actor{}
	}
	if c.Auth == System {
		return installation.Actor{Kind: installation.Platform, ID: c.AccountID}
	}
	return installation.Actor{
		Kind: installation.Customer, ID: c.AccountID, ReadOnly: c.UserRole != RoleAdmin,
		User: installation.Reference{ID: c.UserID, Name: oneLine(c.UserName)},
	}
}

// oneLine makes a name fit the audit trail: what a person calls herself must not keep her from installing.
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

// readClaims reads the payload of a token whose signature was verified. Whether it is a user's follows from the claims that only users have; a
// token that has one of them, or a subject that is a user, and not all of them is neither kind. Unknown claims do not matter.
func readClaims(payload *jsontree.Node) (*Claims, bool) {
	var l validate.List
	in := httpapi.ReadObject(payload, "", &l).NullAsAbsent()
	c := &Claims{
		Auth: System, AccountID: in.String("account_id"), InstallationID: in.String("installation_id"),
		UserID: in.String("user_id"), UserRole: Role(in.String("user_role")), UserName: in.String("user_name"), UserEmail: in.String("user_email"),
		UserAvatar: in.String("user_avatar_url"),
	}
	l.OptionalID("account_id", c.AccountID)
	if c.UserID != "" || c.UserRole != "" || strings.Contains(in.String("sub"), ":user:") {
		c.Auth = User
		l.ID("user_id", c.UserID)
		l.Required("user_role", c.UserRole != "")
	}
	return c, l.Err() == nil
}
