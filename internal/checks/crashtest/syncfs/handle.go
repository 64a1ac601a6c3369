package syncfs

import (
	"context"
	"errors"
	"io"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// handle is an open file.
type handle struct {
	fs      *FS
	file    *file
	durable bool // opened with O_SYNC or O_DSYNC
}

var (
	_ fs.FileReader     = (*handle)(nil)
	_ fs.FileWriter     = (*handle)(nil)
	_ fs.FileFlusher    = (*handle)(nil)
	_ fs.FileFsyncer    = (*handle)(nil)
	_ fs.FileReleaser   = (*handle)(nil)
	_ fs.FileFsyncdirer = (*folderHandle)(nil)
)

// Read implements [fs.FileReader].
func (h *handle) Read(_ context.Context, to []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	n, err := h.file.disk.ReadAt(to, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return fuse.ReadResultData(to[:n]), errno(err)
}

// Write implements [fs.FileWriter].
func (h *handle) Write(_ context.Context, data []byte, at int64) (uint32, syscall.Errno) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	n, err := h.fs.write(h.file, data, at)
	if err == nil && h.durable {
		err = h.fs.sync(h.file)
	}
	if err != nil {
		return 0, errno(err)
	}
	return uint32(n), 0
}

// Fsync implements [fs.FileFsyncer]. Fdatasync is the same.
func (h *handle) Fsync(context.Context, uint32) syscall.Errno {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return errno(h.fs.sync(h.file))
}

// Flush implements [fs.FileFlusher]. A close makes nothing durable.
func (h *handle) Flush(context.Context) syscall.Errno { return 0 }

// Release implements [fs.FileReleaser].
func (h *handle) Release(context.Context) syscall.Errno {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	h.fs.release(h.file)
	return 0
}

// attributes reads the attributes of a file that may have no name any more.
func (h *handle) attributes(out *fuse.AttrOut) syscall.Errno {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(h.file.disk.Fd()), &st); err != nil {
		return errno(err)
	}
	out.FromStat(&st)
	return 0
}

// folderHandle is an open folder. A sync makes its names durable.
type folderHandle struct {
	stream
	node *node
}

// stream reads a folder.
type stream interface {
	fs.FileReaddirenter
	fs.FileSeekdirer
	fs.FileReleasedirer
}

// OpendirHandle implements [fs.NodeOpendirHandler].
func (n *node) OpendirHandle(
	ctx context.Context, flags uint32,
) (fs.FileHandle, uint32, syscall.Errno) {
	h, out, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &folderHandle{h.(stream), n}, out, 0
}

// Fsyncdir implements [fs.FileFsyncdirer].
func (h *folderHandle) Fsyncdir(context.Context, uint32) syscall.Errno {
	f := h.node.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.call():
		return syscall.EIO
	case f.ignore:
		return 0
	}
	inode := h.node.inode()
	f.syncNames(func(r rename) bool { return slices.Contains(r.folders, inode) })
	return 0
}
