package boltstore

import (
	"bytes"
	"errors"
	"fmt"
)

// maxDepth is more than the depth of any tree: each branch page has two children or more.
const maxDepth = 64

var errNoBucket = errors.New("it is missing")

// tree is the sorted keys of a bucket.
type tree struct {
	pages  *pages
	root   uint64
	inline []byte // the only page if root is 0
}

// rootNode returns the topmost page.
func (t tree) rootNode() (page, error) {
	if t.root != 0 {
		return t.pages.node(t.root)
	}
	n, err := parseNode(t.inline, 0)
	if err == nil && !n.leaf {
		err = errors.New("an inline page is no leaf")
	}
	return n, err
}

// bucket returns the tree of a bucket that t has under a name.
func (t tree) bucket(name bucket) (tree, error) {
	p, err := t.seek([]byte(name))
	if err != nil {
		return tree{}, err
	}
	n, i := p.leaf()
	if i >= n.count || string(n.key(i)) != string(name) {
		return tree{}, errNoBucket
	}
	if !n.isBucket(i) || len(n.value(i)) < bucketSize {
		return tree{}, errors.New("it is no bucket")
	}
	header := n.value(i)
	return tree{pages: t.pages, root: order.Uint64(header), inline: header[bucketSize:]}, nil
}

// position is a place in a tree: a page on each level, and an element of it.
type position struct {
	tree tree
	path []step
}

type step struct {
	page  page
	index int
	high  []byte // all keys of the page are below it; nil is no bound
}

// seek returns the position of the first key that is not below key. If all are below, the position
// is after the last key of a page.
func (t tree) seek(key []byte) (position, error) {
	p := position{tree: t}
	n, err := t.rootNode()
	if err != nil {
		return p, err
	}
	s := step{page: n}
	for {
		i, exact := s.page.search(key)
		if !s.page.leaf && !exact && i > 0 {
			i--
		}
		s.index = i
		p.path = append(p.path, s)
		if s.page.leaf {
			return p, nil
		}
		if s, err = p.down(); err != nil {
			return p, err
		}
	}
}

// leaf returns the page and the element at the position.
func (p position) leaf() (page, int) {
	s := p.path[len(p.path)-1]
	return s.page, s.index
}

// down returns the page below the position, which is on a branch.
func (p position) down() (step, error) {
	s := p.path[len(p.path)-1]
	if len(p.path) == maxDepth || s.index >= s.page.count {
		return step{}, fmt.Errorf("page %d: a branch has no such child", s.page.id)
	}
	low, high := s.page.key(s.index), s.high
	if s.index+1 < s.page.count {
		high = s.page.key(s.index + 1)
	}
	n, err := p.tree.pages.child(s.page.child(s.index), low, high)
	return step{page: n, high: high}, err
}

// child returns a checked page below a branch. Its keys have to be from low to below high; a nil
// high is no bound.
func (p *pages) child(id uint64, low, high []byte) (page, error) {
	n, err := p.node(id)
	if err == nil && (n.count == 0 || bytes.Compare(n.key(0), low) < 0 ||
		high != nil && bytes.Compare(n.key(n.count-1), high) >= 0) {
		err = fmt.Errorf("page %d: its keys are not those that the page above names", id)
	}
	return n, err
}

// next moves to the next key, or to the first key of the next page. It reports whether there is
// one.
func (p *position) next() (bool, error) { return p.move(1) }

// prev moves to the key before.
func (p *position) prev() (bool, error) { return p.move(-1) }

func (p *position) move(by int) (bool, error) {
	level := len(p.path) - 1
	for ; level >= 0; level-- {
		s := &p.path[level]
		if i := s.index + by; i >= 0 && i < s.page.count {
			s.index = i
			break
		}
	}
	if level < 0 {
		return false, nil
	}
	p.path = p.path[:level+1]
	for !p.path[len(p.path)-1].page.leaf {
		s, err := p.down()
		if err != nil {
			return false, err
		}
		if by < 0 {
			s.index = s.page.count - 1
		}
		p.path = append(p.path, s)
	}
	return true, nil
}
