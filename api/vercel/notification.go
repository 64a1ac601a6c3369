package vercel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-installation/installation"
)

// removedMark is an unnamed field of an installation. Vercel's notification has three states: one that is shown, none, and none any more, which
// takes away the one that Vercel shows. Without Installation.Notification it is one of the last two; which of them, the mark says.
const removedMark = "vercelNotificationRemoved"

// Notify changes what the customer is shown about an installation from the next answer on: a value shows it, [installation.Remove] has Vercel take
// away what it shows. It acts as the host. Vercel asks again when the partner sends it an installation.updated event.
//
// A host may also change the notification by [installation.Service.Patch]; answers then leave out one that was removed that way, and Vercel goes on
// showing it. Errors: those of Patch.
func (h *Handler) Notify(ctx context.Context, id string, n installation.Optional[installation.Notification]) error {
	svc := h.svc.As(installation.Actor{Kind: installation.Host})
	for {
		inst, err := svc.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("notify: %w", err)
		}
		extra, err := markRemoved(inst.Extra, n.Removes())
		if err != nil {
			return fmt.Errorf("notify %s: %w", id, err)
		}
		_, err = svc.Patch(ctx, installation.PatchRequest{
			Guard: installation.Guard{Revision: inst.Revision}, ID: id,
			Parts: installation.Parts{Notification: n, Extra: extra},
		})
		conflict, ok := errors.AsType[*installation.ConflictError](err)
		switch {
		case err == nil:
			return nil
		case !ok || conflict.To != "":
			return fmt.Errorf("notify: %w", err)
		}
	}
}

// markRemoved sets or clears the mark and leaves the other unnamed fields, masked ones included.
func markRemoved(extra installation.Document, removed bool) (installation.Optional[installation.Document], error) {
	fields := make(map[string]json.RawMessage)
	if !extra.IsZero() {
		if err := extra.Decode(&fields); err != nil {
			return installation.Optional[installation.Document]{}, err
		}
	}
	delete(fields, removedMark)
	if removed {
		fields[removedMark] = json.RawMessage("true")
	}
	if len(fields) == 0 {
		return installation.Remove[installation.Document](), nil
	}
	document, err := installation.DocumentOf(fields)
	return installation.Value(document), err
}

// notificationRemoved reports whether the mark is set.
func notificationRemoved(inst *installation.Installation) bool {
	var fields map[string]json.RawMessage
	if inst.Extra.IsZero() || inst.Extra.Decode(&fields) != nil {
		return false
	}
	return string(fields[removedMark]) == "true"
}
