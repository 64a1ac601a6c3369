package jsontree

const hexDigits = "0123456789abcdef"

// shortEscapes maps a character with a two-byte escape to the second byte.
var shortEscapes = [256]byte{
	'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't',
}

// Append appends n to dst as JSON without white space and returns the result. Members keep
// their order and numbers their digits. Strings escape only the characters that RFC 8259
// section 7 requires. The output is never longer than the text that [Parse] read, and parses to
// an equal tree.
func (n *Node) Append(dst []byte) []byte {
	switch n.kind {
	case Null:
		return append(dst, "null"...)
	case String:
		return appendString(dst, n.in.text)
	case Array:
		return n.appendChildren(dst, '[', ']')
	case Object:
		return n.appendChildren(dst, '{', '}')
	default:
		return append(dst, n.in.text...)
	}
}

func (n *Node) appendChildren(dst []byte, opening, closing byte) []byte {
	dst = append(dst, opening)
	for i, k := range n.in.kids {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.kind == Object {
			dst = append(appendString(dst, k.name), ':')
		}
		dst = k.node.Append(dst)
	}
	return append(dst, closing)
}

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[done:i]...)
		done = i + 1
		if short := shortEscapes[c]; short != 0 {
			dst = append(dst, '\\', short)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// Check returns an [*Error] if an edited tree exceeds the limits. It applies the same limits and
// faults as [Parse].
func (n *Node) Check(lim Limits) error {
	lim = lim.orDefault()
	if err := n.check(lim, 0, 0, ""); err != nil {
		return err
	}
	if n.Weight() > lim.Values {
		return &Error{Fault: TooMany, Offset: -1}
	}
	if len(n.Append(nil)) > lim.Bytes {
		return &Error{Fault: TooLarge, Offset: -1}
	}
	return nil
}

// check validates depth and pointer length. It runs first, because other functions recurse as deep
// as the tree.
func (n *Node) check(lim Limits, depth, size int, pointer string) error {
	if !n.IsContainer() {
		return nil
	}
	if depth >= lim.Depth {
		return &Error{Fault: TooDeep, Pointer: pointer, Offset: -1}
	}
	for token, c := range n.Children() {
		if size+tokenLen(token) > lim.Pointer {
			return &Error{Fault: TooLong, Pointer: pointer, Offset: -1}
		}
		child := pointer
		if c.IsContainer() {
			child = ChildPointer(pointer, token)
		}
		if err := c.check(lim, depth+1, size+tokenLen(token), child); err != nil {
			return err
		}
	}
	return nil
}
