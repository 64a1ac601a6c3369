package schema

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
)

// number is the library's type of numbers.
type number = json.Number

// Bounds of a number that the library can compare exactly. The library uses fractions of
// integers, and a few bytes can spell a number with a million digits, or one that it cannot
// parse.
const (
	maxDigits   = 1000
	maxExponent = 1000
)

// firstIncomparable returns the pointer of the first number out of these bounds that is not
// known.
func firstIncomparable(n *jsontree.Node, at string, known map[string]bool) (string, bool) {
	if n.Kind() == jsontree.Number && !canCompare(n.Text()) && !known[n.Text()] {
		return at, true
	}
	for token, c := range n.Children() {
		if pointer, found := firstIncomparable(c, jsontree.ChildPointer(at, token),
			known); found {
			return pointer, true
		}
	}
	return "", false
}

// collectIncomparable adds the texts of the numbers out of bounds to known.
func collectIncomparable(n *jsontree.Node, known map[string]bool) {
	if n == nil {
		return
	}
	if n.Kind() == jsontree.Number && !canCompare(n.Text()) {
		known[n.Text()] = true
	}
	for _, c := range n.Children() {
		collectIncomparable(c, known)
	}
}

func canCompare(number string) bool {
	mantissa, exponent := splitNumber(number)
	return len(mantissa) <= maxDigits && exponent >= -maxExponent && exponent <= maxExponent
}

// splitNumber returns the mantissa and the exponent. It caps an exponent that is far out of
// bounds.
func splitNumber(number string) (mantissa string, exponent int) {
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return number, 0
	}
	exponent, err := strconv.Atoi(number[i+1:])
	if err != nil {
		exponent = 1 << 30
		if number[i+1] == '-' {
			exponent = -exponent
		}
	}
	return number[:i], exponent
}

// approximate returns a number close to one that the library cannot compare. It keeps the first
// digits and caps the exponent beyond every number of a schema.
func approximate(text string) number {
	mantissa, exponent := splitNumber(text)
	sign := ""
	if mantissa[0] == '-' {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent += len(digits) - len(fraction) // of 0.DIGITS
	digits = cmp.Or(digits[:min(len(digits), maxDigits)], "0")
	const most = 2*maxExponent + maxDigits
	return number(sign + "0." + digits + "e" + strconv.Itoa(max(-most, min(exponent, most))))
}
