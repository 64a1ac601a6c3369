package redistest

import (
	"slices"
	"testing"
)

// TestMoveSlot moves a slot with keys there and back: key by key, and whole.
func TestMoveSlot(t *testing.T) {
	c := StartCluster(t, 3, 0)
	slot := Slot("tag")
	keys := []string{"{tag}1", "{tag}2"}
	from := c.Owner(slot)
	to := c.Masters[(slices.Index(c.Masters, from)+1)%len(c.Masters)]
	for _, k := range keys {
		if err := from.Client(t).Set(t.Context(), k, "", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, move := range map[string]func(testing.TB, uint16, *Server, *Server){
		"key by key": c.MoveSlot, "whole": c.MoveSlotWhole,
	} {
		t.Run(name, func(t *testing.T) {
			move(t, slot, from, to)
			got := c.KeysInSlot(t, slot, to, 10)
			slices.Sort(got)
			if !slices.Equal(got, keys) || !owns(t, c.nodes[to], slot) {
				t.Errorf("the target has the keys %q, want %q and the slot", got, keys)
			}
			if left := c.KeysInSlot(t, slot, from, 10); len(left) > 0 {
				t.Errorf("the keys %q are left", left)
			}
			from, to = to, from
		})
	}
}
