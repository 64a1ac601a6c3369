package boltstore

import "sync"

// maxIdle caps the read transactions that wait for their next use.
const maxIdle = 32

// readers keeps read transactions open between reads, because beginning one is a third of the cost
// of a read. Each has one user at a time. Those that wait are of the newest state: a write first
// ends them, and what is in use then is not kept. So a waiting transaction never stops bbolt from
// using free pages again, or from growing its map of the file.
type readers struct {
	mu   sync.Mutex
	idle []*tx
	age  int64 // grows when a write transaction begins and when it ends; odd between
}

// take returns a waiting transaction, or nil and the age that a new one gets.
func (r *readers) take() (t *tx, age int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.idle) - 1; last >= 0 {
		t = r.idle[last]
		r.idle[last], r.idle = nil, r.idle[:last]
	}
	return t, r.age
}

// keep keeps a transaction for its next use. If it reports false, the caller ends the transaction.
func (r *readers) keep(t *tx) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.age != r.age || r.age%2 != 0 || len(r.idle) == maxIdle {
		return false
	}
	r.idle = append(r.idle, t)
	return true
}

// stop ends all waiting transactions. None is kept until resume.
func (r *readers) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	for _, t := range r.idle {
		_ = t.Rollback() // it has nothing to write
	}
	clear(r.idle)
	r.idle = r.idle[:0]
}

// resume keeps transactions again.
func (r *readers) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
}
