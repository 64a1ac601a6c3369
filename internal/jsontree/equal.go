package jsontree

import (
	"slices"
	"strconv"
	"strings"
)

// Equal reports whether n and o are the same JSON value. Objects may list their members in any
// order. Numbers compare by exact value: 1, 1.0 and 10e-1 are equal, 9007199254740993 and
// 9007199254740992 are not. Two nils are equal.
func (n *Node) Equal(o *Node) bool {
	if n == o {
		return true
	}
	if n == nil || o == nil || n.kind != o.kind || len(n.in.kids) != len(o.in.kids) {
		return false
	}
	switch n.kind {
	case Object:
		other := o.Lookup()
		for _, k := range n.in.kids {
			if !k.node.Equal(other(k.name)) {
				return false
			}
		}
		return true
	case Array:
		same := func(a, b kid) bool { return a.node.Equal(b.node) }
		return slices.EqualFunc(n.in.kids, o.in.kids, same)
	case Number:
		return sameNumber(n.in.text, o.in.text)
	default:
		return n.in.text == o.in.text
	}
}

// AppendCanonical appends a text for n to dst and returns the result. Two values have the same text
// exactly if [Node.Equal] reports that they are equal. Use the text as a map key. Do not store it,
// because its form can change.
func (n *Node) AppendCanonical(dst []byte) []byte {
	switch n.kind {
	case Number:
		if d, ok := parseDecimal(n.in.text); ok {
			return d.append(dst)
		}
	case Array:
		dst = append(dst, '[')
		for _, k := range n.in.kids {
			dst = append(k.node.AppendCanonical(dst), ',')
		}
		return append(dst, ']')
	case Object:
		sorted := slices.SortedFunc(slices.Values(n.in.kids), func(a, b kid) int {
			return strings.Compare(a.name, b.name)
		})
		dst = append(dst, '{')
		for _, k := range sorted {
			dst = append(k.node.AppendCanonical(append(appendString(dst, k.name), ':')), ',')
		}
		return append(dst, '}')
	}
	return n.Append(dst)
}

// sameNumber compares numbers as decimal fractions, never as floats. If an exponent does not fit in
// 62 bits, the numbers are equal only if their texts are.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, okX := parseDecimal(a)
	y, okY := parseDecimal(b)
	return okX && okY && x == y
}

// decimal is the number 0.DIGITS * 10^exp, without zeros at either end of the digits. Zero is
// the zero value.
type decimal struct {
	negative bool
	digits   string
	exp      int64
}

// parseDecimal parses a number that the grammar accepted. It reports false if the exponent is
// out of bounds.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	mantissa, exponent := s, "0"
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent = s[:i], s[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	zeros := len(whole) + len(fraction) - len(digits)
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	exp, err := strconv.ParseInt(exponent, 10, 64)
	if err != nil || exp > 1<<62 || exp < -1<<62 {
		return decimal{}, false
	}
	d.exp = exp + int64(len(whole)-zeros)
	return d, true
}

// append appends d in a form that depends only on the value. The text of a number with an exponent
// out of bounds never has this form.
func (d decimal) append(dst []byte) []byte {
	if d.negative {
		dst = append(dst, '-')
	}
	dst = append(dst, "0."...)
	dst = append(dst, d.digits...)
	return strconv.AppendInt(append(dst, 'e'), d.exp, 10)
}
