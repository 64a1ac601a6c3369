// Package sqlitestore is a store on SQLite, written as an outside author would: only from the
// comments of [installation.Store] and of package storetest. It shows whether they are enough to
// write a store. The program in the folder mutants plants faults in this store, to see whether the
// suite finds them.
//
// The package is a module of its own, so that the library does not depend on SQLite. Programs must
// not use it.
package sqlitestore
