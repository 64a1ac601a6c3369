package redistest

import "testing"

// TestSlot compares with the check value of CRC-16/XMODEM and with slots that a server has given.
func TestSlot(t *testing.T) {
	for tag, want := range map[string]uint16{"123456789": 0x31c3, "": 0, "foo": 12182, "user1000": 3443} {
		if got := Slot(tag); got != want {
			t.Errorf("slot of %q is %d, want %d", tag, got, want)
		}
	}
}

// TestKill checks that a server is gone when Kill returns, and that its port is free again.
func TestKill(t *testing.T) {
	s := Start(t)
	s.Kill()
	s.Kill()
	if err := s.Client(t).Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	if !free(s.port) {
		t.Error("a killed server holds its port")
	}
}
