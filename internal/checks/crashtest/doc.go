// Package crashtest kills the stores that keep data on this machine's disk, and loses what they
// did not sync. It is a module of its own, so that the library does not depend on FUSE.
package crashtest
