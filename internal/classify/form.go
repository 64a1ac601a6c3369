package classify

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/jsontree"
)

// maxNested is how many levels of JSON text in strings of JSON text are parsed.
const maxNested = 3

// sensitiveText reports whether a string has the form of a secret, whatever its name. Such forms
// are
//
//   - a URL with user information, and a URL of a hook whose path is the secret;
//   - a private key in PEM form;
//   - a setting, query parameter or header with the name of a secret: "Server=db;Password=x",
//     "?sig=x", "Authorization: Bearer x";
//   - the value of such a header: "Bearer x";
//   - JSON text with a sensitive value.
//
// The string is read a fixed number of times, and JSON text in it once more for each of maxNested
// levels.
func sensitiveText(s string) bool { return isSecretForm(s, maxNested) }

func isSecretForm(s string, nested int) bool {
	count(len(s))
	if hasUserinfo(s) || hasPrivateKey(s) || isHook(s) || isAuthorization(s) {
		return true
	}
	if nested > 0 && strings.IndexAny(strings.TrimSpace(s), "{[") == 0 {
		if doc, err := jsontree.Parse([]byte(s), jsontree.Limits{}); err == nil {
			f := finder{nested: nested - 1}
			f.walk(doc, jsontree.NewTrail(), plain)
			return len(f.found) > 0
		}
	}
	return hasSecretSetting(s)
}

// Addresses of hooks and bots up to the secret in the path.
var hooks = strings.Fields(`
	hooks.slack.com/services/ hooks.slack.com/workflows/ hooks.slack.com/triggers/
	discord.com/api/webhooks/ discordapp.com/api/webhooks/ webhook.office.com/webhook
	hooks.zapier.com/hooks/ api.telegram.org/bot
`)

func isHook(s string) bool {
	if !strings.Contains(s, "/") {
		return false
	}
	s = strings.ToLower(s)
	return slices.ContainsFunc(hooks, func(hook string) bool { return strings.Contains(s, hook) })
}

// Words after "Bearer" that are no token.
var aboutBearer = wordSet(`token tokens auth authentication authorization jwt`)

// isAuthorization reports whether s is the value of an Authorization header with a token, or with a
// user and a password in base64.
func isAuthorization(s string) bool {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case rest == "" || strings.ContainsAny(rest, blanks):
	case strings.EqualFold(scheme, "bearer"):
		return !aboutBearer[strings.ToLower(rest)]
	case strings.EqualFold(scheme, "basic"):
		text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(rest, "="))
		return err == nil && slices.Contains(text, ':')
	}
	return false
}

const (
	blanks      = " \t\r\n"
	settingEnds = ";,&|{[(\r\n"
	decoration  = blanks + `-$"'\`
)

// hasSecretSetting reports whether s has a setting with the name of a secret and a value. A name
// stands before "=" and can have spaces, as in "Account Key=x"; or it is a single word before ": ",
// as in a header, or a quoted one before ":", as in JSON text that is not valid. Delimiters divide
// s into parts. In each part, only the first colon counts, so that no part is read again and again.
func hasSecretSetting(s string) bool {
	start := 0 // of a name
	inValue, blank, header := false, false, true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '=':
			inQuery := start > 0 && strings.IndexByte("?&", s[start-1]) >= 0
			if isSecretSetting(s[start:i], inQuery) && hasValue(s[i+1:]) {
				return true
			}
			start, inValue, blank = i+1, true, true
		case c == ':' && header && !strings.HasPrefix(s[i:], "://"):
			if isSecretHeader(s[start:i], before(s[i+1:], settingEnds)) {
				return true
			}
			header = false
		case strings.IndexByte(settingEnds+"?#", c) >= 0:
			start, inValue, header = i+1, false, true
		case c != ' ' && c != '\t':
			blank = false
		case inValue && !blank: // the value ends, in settings with spaces between them
			start, inValue = i+1, false
		}
	}
	return false
}

// isSecretSetting reports whether the text before "=" is, or ends in, the name of a secret. A lone
// "key" is one only in the query of a URL, because examples and patterns say "key=value".
func isSecretSetting(text string, inQuery bool) bool {
	count(len(text))
	text = strings.TrimRight(text, decoration)
	words := strings.Fields(strings.Trim(text[max(0, len(text)-maxName):], decoration))
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	if name, err := url.QueryUnescape(last); err == nil && strings.Contains(last, "%") {
		last = name
	}
	if len(words) == 1 && strings.EqualFold(last, "key") {
		return inQuery
	}
	return readName(last).degree > plain ||
		1 < len(words) && len(words) <= 3 && readName(strings.Join(words, " ")).degree > plain
}

func hasValue(s string) bool {
	s = strings.TrimLeft(s, " \t")
	return s != "" && strings.IndexByte(";,&\r\n", s[0]) < 0 &&
		!strings.HasPrefix(s, `""`) && !strings.HasPrefix(s, `''`)
}

// isSecretHeader reports whether the text before ":" is the name of a secret, with a value. More
// than two words without "=" are prose.
func isSecretHeader(text, value string) bool {
	count(len(text) + len(value))
	words := strings.Fields(value)
	if len(words) > 1 && isAuthorization(words[0]+" "+strings.Trim(words[1], decoration)) {
		return true
	}
	name := strings.Trim(text, decoration)
	if len(words) == 0 || len(name) > maxName || strings.ContainsAny(name, blanks) {
		return false
	}
	switch found, text := readName(name).degree, strings.TrimRight(text, blanks); {
	case found == plain:
		return false
	case strings.HasSuffix(text, `"`), strings.HasSuffix(text, `'`):
		inner := strings.Trim(value, blanks+`\}])`)
		return inner != strings.TrimLeft(inner, `"'`) && strings.Trim(inner, `\"'`) != ""
	case found == direct, strings.IndexByte(blanks, value[0]) >= 0:
		return len(words) <= 2 || strings.Contains(value, "=")
	}
	return false
}

// hasUserinfo reports whether s contains a URL with user information, as in
// "https://user:password@host". The part of a URL with user and host ends at the first slash. But
// an unescaped password can contain slashes. In this case the text after the first colon is not a
// port, and an @ counts anywhere up to the end of the URL. hasUserinfo reads s only once.
func hasUserinfo(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "://")
		if !found {
			return false
		}
		authority := before(rest, "/?#"+spaces)
		count(len(authority))
		if strings.IndexByte(authority, '@') > 0 {
			return true
		}
		s = rest
		if _, port, _ := strings.Cut(authority, ":"); strings.Trim(port, "0123456789") != "" {
			word := before(rest, spaces)
			count(len(word))
			if strings.Contains(word, "@") {
				return true
			}
			s = rest[len(word):]
		}
	}
}

// spaces are characters that end a URL in a text.
const spaces = " \t\r\n\"'<>"

// before returns s up to the first of the characters in ends.
func before(s, ends string) string {
	if i := strings.IndexAny(s, ends); i >= 0 {
		return s[:i]
	}
	return s
}

// hasPrivateKey reports whether s contains a PEM block (RFC 7468) whose label contains PRIVATE KEY.
// Most labels end with these words, but the label of OpenPGP continues.
func hasPrivateKey(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "-----BEGIN ")
		if !found {
			return false
		}
		if label, _, ok := strings.Cut(rest, "-----"); ok &&
			strings.Contains(label, "PRIVATE KEY") {
			return true
		}
		s = rest
	}
}

// maskRunes are asterisks and bullets, with which programs write over the characters of a secret.
const maskRunes = "*＊∗✱•●∙⚫⬤◦‣⁃·‧・■▪█"

// LooksMasked reports whether a text is the mask of some program, or a secret with a part masked:
// ********, sk-t****u9XK, sk-...u9XK, xxxx4242, <redacted>.
func LooksMasked(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	run := 0
	for _, r := range text {
		if run++; !strings.ContainsRune(maskRunes, r) {
			run = 0
		}
		if run == 3 {
			return true
		}
	}
	first, _ := utf8.DecodeRuneInString(text)
	switch {
	case strings.HasPrefix(text, "xxxx") && len(text) < 64,
		!isWordRune(first) && utf8.RuneCountInString(text) > 2 &&
			strings.Trim(text, string(first)) == "",
		strings.Contains(text, "…"), strings.Contains(text, "..."):
		return !strings.ContainsAny(text, blanks)
	}
	words := []string{"redacted", "filtered", "hidden", "masked"}
	says := func(word string) bool { return strings.Contains(text, word) }
	for _, brackets := range []string{"<>", "[]", "()", "{{}}"} {
		half := len(brackets) / 2
		if strings.HasPrefix(text, brackets[:half]) && strings.HasSuffix(text, brackets[half:]) {
			return slices.ContainsFunc(append(words, "secret", "sensitive"), says)
		}
	}
	return slices.Contains(words, text)
}
