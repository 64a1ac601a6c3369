// Package leaktest looks for secrets in the output of the libraries that applications print with, and for damage that writing a masked
// document back could do. It is a module of its own, so that the library does not depend on them.
package leaktest
