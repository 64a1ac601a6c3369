package crypto

import (
	"encoding/binary"
	"sync"
)

// appendPAE appends the pre-authentication encoding of parts to dst: the number of parts, then
// the length and the bytes of each part. Numbers are 32 bits, big-endian. Different lists have
// different encodings, so no byte can move from one part to the next. The idea is from PASETO,
// whose numbers are 64 bits, little-endian.
func appendPAE[T string | []byte](dst []byte, parts ...T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(parts)))
	for _, p := range parts {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

// scratch is a buffer for the additional data of one call. The ciphers take it through an
// interface, so it cannot live on the stack.
type scratch struct{ buf []byte }

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 256)} }}

// maxScratch is the largest buffer that the pool keeps, in bytes.
const maxScratch = 4 << 10

// newScratch returns a buffer with the encoding of parts.
func newScratch[T string | []byte](parts ...T) *scratch {
	s := scratches.Get().(*scratch)
	s.buf = appendPAE(s.buf[:0], parts...)
	return s
}

func (s *scratch) free() {
	if cap(s.buf) <= maxScratch {
		scratches.Put(s)
	}
}
