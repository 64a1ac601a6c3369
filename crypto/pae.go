package crypto

import (
	"encoding/binary"
	"sync"
)

// appendPAE appends the pre-authentication encoding of parts to dst: their number, then each one's length and bytes, numbers
// as 32 bits big-endian. No two lists of parts have the same encoding, so nothing can be shifted from one part into the
// next. (The idea is PASETO's, which writes 64 bits little-endian.)
func appendPAE[T string | []byte](dst []byte, parts ...T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(parts)))
	for _, p := range parts {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

// A scratch holds the additional data of one call. The ciphers take it through an interface, so it cannot live on the stack.
type scratch struct{ buf []byte }

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 256)} }}

// maxScratch is the largest buffer kept for the next call, in bytes.
const maxScratch = 4 << 10

func (s *scratch) free() {
	if cap(s.buf) <= maxScratch {
		scratches.Put(s)
	}
}
