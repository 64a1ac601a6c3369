package operation

import (
	"fmt"
	"strings"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/validate"
)

// timesPath has the path of the times of each credential in violations, "" if it has no times.
var timesPath = map[string]string{
	"credential/access_token":  "connection.accessToken",
	"credential/refresh_token": "connection.refreshToken",
	"credential/api_key":       "",
}

// CheckCredentials adds the violations of operations on credentials, whatever is stored.
func CheckCredentials(l *validate.List, ops []Operation) {
	l.Count("connection", len(ops), validate.MaxEdits)
	for i, o := range ops {
		if o.kind == SetTokenType {
			l.Name("connection.tokenType", o.value.RevealString())
			continue
		}
		times, ok := timesPath[o.pointer]
		switch path := credentialPath(o.pointer); {
		case !ok:
			l.Add("connection", validate.RuleUnknown, fmt.Sprintf("operation %d on a credential "+
				"must name credential/access_token, credential/refresh_token or "+
				"credential/api_key", i))
		case o.kind == UnsetCredential:
		case o.value.IsZero():
			l.Add(path, validate.RuleRequired,
				"the operation needs a value: use patch.UnsetCredential to remove the credential")
		case o.value.IsMasked():
			l.Add(path, validate.RuleMaskWithoutStoredValue, "a mask is not a secret")
		case times == "" && !(o.issued.IsZero() && o.expires.IsZero()):
			l.Add(path, validate.RuleExclusive, "an API key has no time of issue or expiry")
		case CheckCredential(l, path, o.value) && times != "":
			l.OptionalTime(times+".issued", o.issued)
			l.OptionalTime(times+".expires", o.expires)
		}
	}
}

// credentialPath returns the path of a credential in violations. ref names the credential.
func credentialPath(ref string) string {
	return "connection" + strings.TrimPrefix(ref, "credential")
}

// CheckCredential reports whether a plain credential may be stored.
func CheckCredential(l *validate.List, path string, value crypto.Secret) bool {
	text := value.RevealString()
	if text == "" {
		l.Add(path, validate.RuleEmptySecret, "must not be empty: remove the credential instead")
		return false
	}
	if classify.LooksMasked(text) {
		l.Add(path, validate.RuleMaskWithoutStoredValue, "looks like the mask of another "+
			"program: give the secret itself, or a masked Secret to keep the stored one")
		return false
	}
	return CheckSecret(l, path, value)
}
