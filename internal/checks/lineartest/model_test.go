package lineartest

import (
	"fmt"
	"testing"

	"github.com/anishathalye/porcupine"
)

const (
	keys    = 4  // records of a history
	digests = 24 // idempotency keys of a record
)

// input is a call: a Commit if written is not 0, an Outcome if digest is not 0, else a Get.
type input struct {
	key        int
	expected   int64 // Change.If
	written    int64 // content of the record after it, different in every commit
	generation int64 // of the record after it
	removes    bool  // the commit leaves a tombstone
	digest     int   // idempotency key, from 1; 0 for none
}

// output is the answer to a call.
type output struct {
	revision   int64 // of the stored record, or of the receipt
	generation int64 // of the stored record
	value      int64 // content of the record, 0 for a tombstone or no record
	outcome    int64 // content that the commit with the idempotency key has written; see commit
	conflict   bool
	torn       bool // the parts of a record are of different commits
	unknown    bool // the commit was applied; no answer says so, but its event does
}

// state is one record of a single-threaded store, with its idempotency keys.
type state struct {
	revision, generation, value int64
	outcomes                    [digests]int64 // 0 for a key that was never used
}

// model is a single-threaded store. Records are independent of each other, so the
// checker handles each one separately.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, keys)
		for _, op := range history {
			k := op.Input.(input).key
			parts[k] = append(parts[k], op)
		}
		return parts
	},
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) {
		now, call, answer := s.(state), in.(input), out.(output)
		if call.written != 0 {
			return commit(now, call, answer)
		}
		if call.digest != 0 {
			return answer.outcome == now.outcomes[call.digest-1], now
		}
		return answer.revision == now.revision && answer.value == now.value &&
			answer.generation == now.generation && !answer.torn, now
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

// commit is the step of a Commit. If an answer has the outcome of the commit itself, an earlier try
// was applied, and the record has forgotten it.
func commit(now state, call input, answer output) (bool, any) {
	applied := answer.unknown || answer.outcome == call.written
	if call.digest != 0 && now.outcomes[call.digest-1] != 0 {
		return answer.outcome == now.outcomes[call.digest-1], now
	}
	fits := now.revision == call.expected
	if answer.outcome != 0 && !applied {
		return false, now
	}
	if answer.conflict {
		return !fits && answer.revision == now.revision, now
	}
	next := now
	next.revision, next.generation, next.value = now.revision+1, call.generation, call.written
	if call.removes {
		next.value = 0
	}
	if call.digest != 0 {
		next.outcomes[call.digest-1] = call.written
	}
	return fits && (applied || answer.revision == next.revision), next
}

// The checker finds a lost update, a stale read, a false conflict, and more.
func TestModelRejectsBadHistories(t *testing.T) {
	at := func(from, to int64, in input, out output) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: from, Return: to}
	}
	made := at(1, 2, input{written: 1, digest: 1}, output{revision: 1})
	removed := at(3, 4, input{expected: 1, written: 2, removes: true}, output{revision: 2})
	late := at(3, forever, input{expected: 1, written: 2}, output{unknown: true})
	for name, history := range map[string][]porcupine.Operation{
		"lost update": {
			made,
			at(3, 4, input{expected: 1, written: 2}, output{revision: 2}),
			at(3, 4, input{expected: 1, written: 3}, output{revision: 2}),
		},
		"stale read": {made, at(3, 4, input{}, output{})},
		"false conflict": {
			made, at(3, 4, input{expected: 1, written: 2}, output{revision: 1, conflict: true}),
		},
		"resurrection":   {made, removed, at(5, 6, input{}, output{revision: 2, value: 1})},
		"torn record":    {made, at(3, 4, input{}, output{revision: 1, value: 1, torn: true})},
		"old generation": {made, at(3, 4, input{}, output{revision: 1, value: 1, generation: 1})},
		"key used twice": {
			made, at(3, 4, input{expected: 1, written: 2, digest: 1}, output{revision: 2}),
		},
		"outcome of another": {
			made, at(3, 4, input{expected: 1, written: 2, digest: 1}, output{outcome: 2}),
		},
		"outcome of nobody": {made, at(3, 4, input{written: 2, digest: 2}, output{outcome: 1})},
		"outcome is gone":   {made, at(3, 4, input{digest: 1}, output{})},
		"applied twice": {
			made, late, at(5, 6, input{}, output{revision: 2, value: 2}),
			at(7, 8, input{}, output{revision: 3, value: 2}),
		},
		"applied over another": {
			made, late, at(4, 5, input{expected: 1, written: 3}, output{revision: 2}),
		},
	} {
		if porcupine.CheckOperations(model, history) {
			t.Errorf("%s: the checker accepts it", name)
		}
	}
	for name, history := range map[string][]porcupine.Operation{
		"read": {made, at(3, 4, input{}, output{revision: 1, value: 1})},
		"own outcome": {
			made, at(3, 4, input{expected: 1, written: 2, digest: 2}, output{outcome: 2}),
			at(5, 6, input{}, output{revision: 2, value: 2}),
		},
		"key used": {made, at(3, 4, input{written: 2, digest: 1}, output{outcome: 1})},
		"applied late": {
			made, late, at(5, 6, input{}, output{revision: 1, value: 1}),
			at(7, 8, input{}, output{revision: 2, value: 2}),
		},
	} {
		if !porcupine.CheckOperations(model, history) {
			t.Errorf("%s: the checker rejects it", name)
		}
	}
}
