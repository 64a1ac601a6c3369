package classify

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// Class is what a name says about the values at the name and below, if they can be a part of an
// address or switch a protection off.
type Class uint8

const (
	Label   Class = 1 << iota // every string counts: one label can redirect a secret
	Number                    // numbers count, and strings that are numbers
	Guarded                   // a protection: strings, numbers and booleans count
	prose                     // free text: no string counts
	mailbox                   // e-mail addresses do not count
)

// addressWords maps the words of a name to its classes. A plural or a number after a word changes
// nothing.
var addressWords = newDictionary(map[Class]string{
	Label: `account bucket broker cluster datacenter dc dns domain dsn endpoint env environment
		extension gateway handle host hostname instance nameserver org pod port proxy region
		registry relay server shop site socket subdomain tenant tld upstream vhost webhook
		workspace`,
	Number: `addr address backend callback destination ip link location node origin peer remote
		target uri url`,
	Guarded: `ca cert certificate cipher encrypt encrypted encryption https insecure plaintext proto
		protocol proxy redirect sasl scheme secure security ssl sslmode starttls tls transport trust
		unauthorized verification verify`,
})

// lastWords are the words that count only at the end of a name.
var lastWords = newDictionary(map[Class]string{
	prose: `caption comment description footer greeting hint instruction message note prompt
		reason remark scope subject summary text title tooltip`,
	mailbox: `bcc cc email from login mail owner recipient sender to user username`,
})

// lastPairs are pairs of words that count at the end of a name.
var lastPairs = map[string]Class{
	"display name": prose, "email address": mailbox, "mail address": mailbox,
	"connection string": Label,
}

// labelEndings and guardedEndings are the ends of words, such as dbhost, that count like the word.
var (
	labelEndings   = strings.Fields("host hostname url uri server domain endpoint proxy broker")
	guardedEndings = strings.Fields("tls ssl verify")
)

// classOf returns the classes of the words of a name: those for the values there and below, and
// those for the values directly there. The latter include Label if the name is that of an address:
// no word of a secret stands behind the word of an address, so token_server is one, and
// server_token is not.
func classOf(words []string) (below, own Class) {
	address := Class(0)
	for i, word := range words {
		says := find(addressWords, word)
		stem := strings.TrimSuffix(withoutNumber(word), "s")
		if endsIn(stem, labelEndings) {
			says |= Label
		}
		if endsIn(stem, guardedEndings) {
			says |= Guarded
		}
		below |= says
		if says&(Label|Number) != 0 {
			address = Label
		} else if word == "key" || meaningOf(word)&ofSecret != 0 {
			address = 0
		}
		if i < len(words)-1 {
			continue
		}
		own = find(lastWords, word)
		if i > 0 {
			own |= lastPairs[words[i-1]+" "+word]
		}
	}
	return below, own | address
}

// find returns the classes of a word: as it is, without a number, and in the singular.
func find(words *dictionary[Class], word string) Class {
	word = withoutNumber(word)
	found := words.of(word)
	if one, ok := strings.CutSuffix(word, "s"); ok {
		found |= words.of(one) | words.of(strings.TrimSuffix(one, "e"))
	}
	if stem, ok := strings.CutSuffix(word, "ies"); ok {
		found |= words.of(stem + "y")
	}
	return found
}

// Counts reports whether a value, which may be nil, can be a part of an address or switch a
// protection off. below and own are the classes of its names, and place is what a schema says.
func Counts(n *jsontree.Node, place *schema.Place, below, own Class) bool {
	switch {
	case n == nil:
		return false
	case n.Kind() == jsontree.Bool:
		return below&Guarded != 0
	case n.Kind() == jsontree.Number:
		return below&(Guarded|Label|Number) != 0
	}
	return n.Kind() == jsontree.String && TextCounts(n.Text(), place, below, own)
}

// TextCounts is Counts for a string, or for a member name.
func TextCounts(text string, place *schema.Place, below, own Class) bool {
	switch {
	case text == "", own&prose != 0 && (place == nil || !place.Address()):
		return false
	case below&Guarded != 0:
		return true
	case place != nil && place.Fixed(text), own&mailbox != 0 && isMailbox(text):
		return false
	case below&Label != 0, place != nil && place.Address(), !isHarmless(text):
		return !isForm(text)
	}
	return below&Number != 0 && isNumber(text)
}

// isMailbox reports whether a text is a plain e-mail address.
func isMailbox(text string) bool {
	user, domain, ok := strings.Cut(text, "@")
	other := func(r rune) bool {
		return !isASCIIWord(r) && !strings.ContainsRune("._+-", r)
	}
	return ok && user != "" && domain != "" && !strings.ContainsFunc(user+domain, other)
}

// IsAddress reports whether a secret, which may be nil, is itself an address: by its name, or
// because it is a URL, or settings such as Server=db.example;Password=x or an object in JSON.
func IsAddress(n *jsontree.Node, own Class) bool {
	return n != nil && n.Kind() == jsontree.String &&
		(own&Label != 0 || strings.Contains(n.Text(), "://") || isSettings(n.Text()))
}

// isSettings reports whether a text is a list of settings, two or more, or an object in JSON.
func isSettings(text string) bool {
	if inner, ok := strings.CutPrefix(strings.TrimSpace(text), "{"); ok {
		if strings.HasPrefix(strings.TrimSpace(inner), `"`) {
			return true
		}
	}
	n := 0
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return r == ';' || r == '&' || r == ',' || unicode.IsSpace(r)
	}) {
		if name, value, ok := strings.Cut(part, "="); ok && name != "" && value != "" {
			n++
		}
	}
	return n > 1
}

// isHarmless reports whether no program can read a text as more than plain words: it has no
// character that separates the parts of an address, a command or a setting, and no word that is
// the number of a host. The list says what may be in a text, because lists of what may not are
// never complete.
func isHarmless(text string) bool {
	if len(text) > maxText || !utf8.ValidString(text) {
		return false
	}
	if !norm.NFKC.IsNormalString(text) {
		given := len(text)
		if text = norm.NFKC.String(text); len(text) > 4*given {
			return false // a few characters stand for 18 others
		}
	}
	var last rune // 0 = the start
	for i, r := range text {
		rest := text[i+utf8.RuneLen(r):]
		next, _ := utf8.DecodeRuneInString(rest)
		if rest == "" {
			next = 0
		}
		if !harmlessRune(last, r, next, rest) {
			return false
		}
		last = r
	}
	for word := range strings.FieldsFuncSeq(text, betweenWords) {
		if isHost(strings.Trim(word, ".-")) {
			return false
		}
	}
	return true
}

// maxText is the length of the longest text that is read. A longer one counts whatever it says.
const maxText = 16 << 10

// harmlessRune reports whether a character is harmless between its neighbours, which are 0 at the
// start and the end. rest is the text behind it.
func harmlessRune(last, r, next rune, rest string) bool {
	digits := isDigit(last) && isDigit(next)
	ends := next == ' ' || next == 0
	switch {
	case r >= utf8.RuneSelf:
		return harmlessOutsideASCII(last, r, ends)
	case isASCIIWord(r), strings.ContainsRune(" _!'()+*&", r):
		return true
	case r == '-':
		return ends || isASCIIWord(last) || last >= utf8.RuneSelf || last == '-'
	case r == '.': // no top-level domain begins with a digit; see also isHost
		return last != ' ' && last != 0 && ends || digits
	case r == ',':
		return ends || digits
	case r == '/':
		return last == ' ' && next == ' '
	case r == '#':
		return last == ' '
	case r == '%':
		return len(rest) < 2 || !isHex(rest[0]) || !isHex(rest[1])
	}
	return false
}

func harmlessOutsideASCII(last, r rune, ends bool) bool {
	switch {
	case r == '\u200c' || r == '\u200d' || r == '\ufe0f': // joiners, as in words of Hindi
		return last >= utf8.RuneSelf
	case r == '。':
		return ends
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.Sm, unicode.Zs):
		return false
	}
	return unicode.IsGraphic(r)
}

// betweenWords reports whether a character of a harmless text ends a word.
func betweenWords(r rune) bool {
	return r < utf8.RuneSelf && !isASCIIWord(r) && !strings.ContainsRune("-_%.", r)
}

// isHost reports whether a word names a host by itself: this machine, or numbers that programs read
// as an IPv4 address, such as 2130706433 or 127.1. Smaller numbers are in 0.0.0.0/8, where only
// zero reaches a host. Larger ones are no addresses.
func isHost(word string) bool {
	numbers := 0
	for part := range strings.SplitSeq(word, ".") {
		n, ok := parseNumber(part)
		if !ok {
			return strings.EqualFold(word, "localhost")
		}
		if numbers++; n == 0 || n >= 1<<24 && n < 1<<32 {
			return true
		}
	}
	return numbers > 1
}

// isNumber reports whether a text is a number that can be an address or a port.
func isNumber(text string) bool {
	if len(text) > maxName {
		return false
	}
	n, ok := parseNumber(strings.TrimSpace(norm.NFKC.String(text)))
	return ok && n < 1<<32
}

// parseNumber reads a whole number as C does: decimal, or hexadecimal after 0x, or octal after 0.
// Numbers beyond 64 bits are the largest one.
func parseNumber(word string) (uint64, bool) {
	if word == "" || !isDigit(rune(word[0])) {
		return 0, false
	}
	n, err := strconv.ParseUint(word, 0, 64)
	if errors.Is(err, strconv.ErrSyntax) { // 09 is no octal number
		n, err = strconv.ParseUint(word, 10, 64)
	}
	return n, (err == nil || errors.Is(err, strconv.ErrRange)) && !strings.Contains(word, "_")
}

// isForm reports whether a text has a form that is common, contains no word, and is no address:
// a UUID, a date, a time, or a schedule of cron.
func isForm(text string) bool {
	if len(text) == 36 && uuid.Validate(text) == nil {
		return true
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	other := func(r rune) bool { return !isDigit(r) && !strings.ContainsRune(" *?,-/", r) }
	fields := strings.Fields(text)
	return len(fields) >= 5 && len(fields) <= 7 && !strings.ContainsFunc(text, other)
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isASCIIWord(r rune) bool {
	return isDigit(r) || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}
