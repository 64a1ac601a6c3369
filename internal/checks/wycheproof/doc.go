// Package wycheproof tests the ciphers and the key derivation of package crypto with the
// vectors of project Wycheproof. It also tests package crypto itself with values and keys that
// it makes from them. It is a module of its own, so that users of the library do not download
// the vectors.
package wycheproof
