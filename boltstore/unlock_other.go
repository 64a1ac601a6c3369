//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package boltstore

import "os"

func unlock(*os.File) {}
