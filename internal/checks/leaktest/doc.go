// Package leaktest looks for secrets in the output of libraries that applications
// print with. It also looks for damage from writing back a masked document. It is
// a module of its own, so that the library does not depend on these libraries.
package leaktest
