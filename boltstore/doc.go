// Package boltstore is an [installation.Store] in one file, for one process. It is based on bbolt.
package boltstore
