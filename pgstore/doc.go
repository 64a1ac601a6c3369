// Package pgstore is an [installation.Store] on PostgreSQL 15 and later.
package pgstore
