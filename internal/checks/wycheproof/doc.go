// Package wycheproof holds the ciphers and the key derivation that package crypto is made of against the test vectors of project
// Wycheproof, and package crypto itself against what can be made of them. It is a module of its own, so that nobody who uses the library
// downloads them.
package wycheproof
