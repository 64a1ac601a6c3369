package syncfs

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or a folder. What it does not override is as in the folder below.
type node struct {
	*fs.LoopbackNode
	fs *FS
}

// WrapChild implements [fs.NodeWrapChilder].
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{child.(*fs.LoopbackNode), n.fs}
}

func (n *node) path(names ...string) string {
	return filepath.Join(append([]string{n.fs.folder, n.Path(nil)}, names...)...)
}

// inode returns the number of the folder n below the mount.
func (n *node) inode() uint64 {
	var st syscall.Stat_t
	_ = syscall.Lstat(n.path(), &st) // 0 is no folder, so its names are synced by no call
	return st.Ino
}

// change calls do, which changes names in folders, unless the file system is down.
func (f *FS) change(do func() (rename, error), folders ...*node) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.call() {
		return syscall.EIO
	}
	r, err := do()
	if err != nil {
		return errno(err)
	}
	for _, n := range folders {
		r.folders = append(r.folders, n.inode())
	}
	if r.settle == nil {
		r.settle = func() {}
	}
	f.names = append(f.names, r)
	return 0
}

// keep gives the file at a path a second name, so that its removal can be undone.
func (f *FS) keep(path string) (name string, settle func(), err error) {
	f.numbers++
	name = filepath.Join(f.kept, strconv.Itoa(f.numbers))
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return "", nil, err
	}
	return name, func() {
		_ = os.Remove(name)
		if x := f.files[st.Ino]; x != nil {
			f.forget(x)
		}
	}, os.Link(path, name)
}

// Create implements [fs.NodeCreater].
func (n *node) Create(
	ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut,
) (child *fs.Inode, h fs.FileHandle, _ uint32, e syscall.Errno) {
	e = n.fs.change(func() (rename, error) {
		var errno syscall.Errno
		var opened fs.FileHandle
		child, opened, _, errno = n.LoopbackNode.Create(ctx, name, flags|syscall.O_EXCL, mode, out)
		if errno != 0 {
			return rename{}, errno
		}
		opened.(fs.FileReleaser).Release(ctx)
		x, err := n.fs.file(n.path(name))
		h = &handle{fs: n.fs, file: x, durable: flags&syscall.O_DSYNC != 0}
		return rename{undo: func() error { return os.Remove(n.path(name)) }}, err
	}, n)
	return child, h, 0, e
}

// made is the change of a new name that is no open file.
func (n *node) made(name string, make func() syscall.Errno) syscall.Errno {
	return n.fs.change(func() (rename, error) {
		if errno := make(); errno != 0 {
			return rename{}, errno
		}
		path := n.path(name)
		return rename{undo: func() error { return os.Remove(path) }}, nil
	}, n)
}

// Mkdir implements [fs.NodeMkdirer].
func (n *node) Mkdir(
	ctx context.Context, name string, mode uint32, out *fuse.EntryOut,
) (child *fs.Inode, e syscall.Errno) {
	e = n.made(name, func() (e syscall.Errno) {
		child, e = n.LoopbackNode.Mkdir(ctx, name, mode, out)
		return e
	})
	return child, e
}

// Mknod implements [fs.NodeMknoder]: a socket.
func (n *node) Mknod(
	ctx context.Context, name string, mode, device uint32, out *fuse.EntryOut,
) (child *fs.Inode, e syscall.Errno) {
	e = n.made(name, func() (e syscall.Errno) {
		child, e = n.LoopbackNode.Mknod(ctx, name, mode, device, out)
		return e
	})
	return child, e
}

// Symlink implements [fs.NodeSymlinker].
func (n *node) Symlink(
	ctx context.Context, target, name string, out *fuse.EntryOut,
) (child *fs.Inode, e syscall.Errno) {
	e = n.made(name, func() (e syscall.Errno) {
		child, e = n.LoopbackNode.Symlink(ctx, target, name, out)
		return e
	})
	return child, e
}

// Link implements [fs.NodeLinker].
func (n *node) Link(
	ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut,
) (child *fs.Inode, e syscall.Errno) {
	e = n.made(name, func() (e syscall.Errno) {
		child, e = n.LoopbackNode.Link(ctx, target.(*node).LoopbackNode, name, out)
		return e
	})
	return child, e
}

// Unlink implements [fs.NodeUnlinker].
func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	return n.fs.change(func() (rename, error) {
		path := n.path(name)
		kept, settle, err := n.fs.keep(path)
		if err != nil {
			return rename{}, err
		}
		undo := func() error { return os.Rename(kept, path) }
		return rename{undo: undo, settle: settle}, os.Remove(path)
	}, n)
}

// Rmdir implements [fs.NodeRmdirer].
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return n.fs.change(func() (rename, error) {
		path := n.path(name)
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			return rename{}, err
		}
		undo := func() error {
			if err := syscall.Mkdir(path, st.Mode); err != nil {
				return err
			}
			return os.Chown(path, int(st.Uid), int(st.Gid))
		}
		return rename{undo: undo}, syscall.Rmdir(path)
	}, n)
}

// Rename implements [fs.NodeRenamer]. It knows no flags.
func (n *node) Rename(
	_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32,
) syscall.Errno {
	if flags != 0 {
		return syscall.EINVAL
	}
	target := to.(*node)
	return n.fs.change(func() (rename, error) {
		from, to := n.path(name), target.path(newName)
		if _, err := os.Lstat(to); os.IsNotExist(err) {
			undo := func() error { return os.Rename(to, from) }
			return rename{undo: undo}, os.Rename(from, to)
		}
		kept, settle, err := n.fs.keep(to)
		if err != nil {
			return rename{}, err
		}
		undo := func() error {
			if err := os.Rename(to, from); err != nil {
				return err
			}
			return os.Rename(kept, to)
		}
		return rename{undo: undo, settle: settle}, os.Rename(from, to)
	}, n, target)
}

// Open implements [fs.NodeOpener].
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	x, err := n.fs.file(n.path())
	if err == nil && flags&syscall.O_TRUNC != 0 {
		err = n.fs.truncate(x, 0)
	}
	if err != nil {
		return nil, 0, errno(err)
	}
	return &handle{fs: n.fs, file: x, durable: flags&syscall.O_DSYNC != 0}, 0, 0
}

// Getattr implements [fs.NodeGetattrer].
func (n *node) Getattr(ctx context.Context, h fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if h, ok := h.(*handle); ok {
		return h.attributes(out)
	}
	return n.LoopbackNode.Getattr(ctx, nil, out)
}

// Setattr implements [fs.NodeSetattrer].
func (n *node) Setattr(
	ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut,
) syscall.Errno {
	size, ok := in.GetSize()
	if !ok {
		return n.LoopbackNode.Setattr(ctx, nil, in, out)
	}
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	opened, ok := h.(*handle)
	if !ok {
		x, err := n.fs.file(n.path())
		if err != nil {
			return errno(err)
		}
		opened = &handle{fs: n.fs, file: x}
		defer n.fs.release(x)
	}
	if err := n.fs.truncate(opened.file, int64(size)); err != nil {
		return errno(err)
	}
	return opened.attributes(out) // other attributes that come with a length are times
}
