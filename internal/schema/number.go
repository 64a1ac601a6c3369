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

// Bounds of the numbers that are compared exactly. The library converts numbers to fractions of
// integers. Without bounds, a few bytes such as 1e1000000 could cause an integer of a million
// digits, or a number that the library cannot parse.
const (
	maxDigits   = 1000
	maxExponent = 1000
)

// firstIncomparable returns the pointer of the first number that is out of bounds and not in known.
func firstIncomparable(n *jsontree.Node, known map[string]bool) (at string, found bool) {
	if n.Kind() == jsontree.Number {
		return "", !canCompare(n.Text()) && !known[n.Text()]
	}
	for token, c := range n.Children() {
		if at, found := firstIncomparable(c, known); found {
			return jsontree.ChildPointer("", token) + at, true
		}
	}
	return "", false
}

// addIncomparable adds the numbers in n that are out of bounds to known.
func addIncomparable(n *jsontree.Node, known map[string]bool) {
	if n.Kind() == jsontree.Number && !canCompare(n.Text()) {
		known[n.Text()] = true
	}
	for _, c := range n.Children() {
		addIncomparable(c, known)
	}
}

func canCompare(number string) bool {
	mantissa, exponent := splitNumber(number)
	return len(mantissa) <= maxDigits && exponent >= -maxExponent && exponent <= maxExponent
}

// splitNumber returns the mantissa and the exponent. It caps an exponent that does not fit an int.
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

// approximate returns a number close to text, which is out of bounds. It keeps the first digits. It
// caps the exponent at a value beyond all numbers that a schema can have.
func approximate(text string) number {
	mantissa, exponent := splitNumber(text)
	sign := ""
	if mantissa[0] == '-' {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent += len(digits) - len(fraction) // of the form 0.DIGITS
	digits = cmp.Or(digits[:min(len(digits), maxDigits)], "0")
	const most = 2*maxExponent + maxDigits
	return number(sign + "0." + digits + "e" + strconv.Itoa(max(-most, min(exponent, most))))
}
