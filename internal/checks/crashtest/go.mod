module github.com/go-installation/installation/internal/checks/crashtest

go 1.26.0

replace github.com/go-installation/installation => ../../..

require github.com/hanwen/go-fuse/v2 v2.12.1

require golang.org/x/sys v0.28.0 // indirect
