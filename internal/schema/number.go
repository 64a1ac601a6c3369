package schema

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
)

// number is the type of numbers in what the library is given.
type number = json.Number

// Bounds of a number that the library can compare exactly. It takes them as fractions of whole numbers, and one of a few
// bytes can have a million digits, or be more than it can read.
const (
	maxDigits   = 1000
	maxExponent = 1000
)

// beyond returns the pointer of the first number that is out of these bounds and not among the known ones.
func beyond(n *jsontree.Node, at string, known map[string]bool) (string, bool) {
	if n.Kind() == jsontree.Number && !canCompare(n.Text()) && !known[n.Text()] {
		return at, true
	}
	for token, c := range n.Children() {
		if pointer, found := beyond(c, jsontree.ChildPointer(at, token), known); found {
			return pointer, true
		}
	}
	return "", false
}

// collectBeyond adds the texts of the numbers that are out of bounds.
func collectBeyond(n *jsontree.Node, known map[string]bool) {
	if n == nil {
		return
	}
	if n.Kind() == jsontree.Number && !canCompare(n.Text()) {
		known[n.Text()] = true
	}
	for _, c := range n.Children() {
		collectBeyond(c, known)
	}
}

func canCompare(number string) bool {
	mantissa, exponent := splitNumber(number)
	return len(mantissa) <= maxDigits && exponent >= -maxExponent && exponent <= maxExponent
}

// splitNumber returns what stands before the exponent, and the exponent, which is cut to a value far out of bounds.
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

// near returns a number that the library can compare, close to one that it cannot: cut to the first digits, and to an exponent that
// no number of a schema reaches.
func near(text string) number {
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
