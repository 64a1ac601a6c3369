package invite

import "testing"

func TestSameRecipient(t *testing.T) {
	for _, test := range []struct {
		invited, given string
		want           bool
	}{
		{"ada@shop.example", "ada@shop.example", true},
		{" Ada@Shop.EXAMPLE\t", "ada@shop.example", true},
		{"ada@shop.example", "ADA@shop.example\n", true},
		{"\u00c9mile@shop.example", "\u00e9mile@shop.example", true},
		{"ada@shop.example", "ada+x@shop.example", false},
		{"ada@shop.example", "ada@shop.example.evil.example", false},
		{"ada@shop.example", "ada@@shop.example", false},
		{"ada@shop.example", "", false},
		{"mike@shop.example", "mi\u212ae@shop.example", false}, // the Kelvin sign
		{"ilse@shop.example", "\u0130lse@shop.example", false}, // the Turkish capital i
		// These are no e-mail addresses, so each byte counts.
		{"USR-1", "USR-1", true},
		{"USR-1", "usr-1", false},
		{"USR-1", "USR-1 ", false},
		{"USR@realm", "usr@realm", false},
		{"@ada.example", "@Ada.example", false},
		{"ada love@shop.example", "Ada love@shop.example", false},
		{"ada@.example", "Ada@.example", false},
	} {
		if got := SameRecipient(test.invited, test.given); got != test.want {
			t.Errorf("%q and %q: got %v", test.invited, test.given, got)
		}
		if got := SameRecipient(test.given, test.invited); got != test.want {
			t.Errorf("%q and %q: got %v", test.given, test.invited, got)
		}
	}
}
