package vercel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-installation/installation"
)

// removedMark is a member of Installation.Extra. It is set after [Handler.Notify] has removed the
// notification. Answers then have "notification": null, and Vercel removes the notification that
// it shows. If an installation has no notification and no mark, answers leave the field out, and
// Vercel changes nothing.
const removedMark = "vercelNotificationRemoved"

// Notify stores the notification that Vercel shows to the customer. With [installation.Value],
// Vercel shows a new notification. With [installation.Remove], Vercel removes the notification that
// it shows. Vercel learns of the change from the next answer. Vercel sends a GET request after the
// partner has sent Vercel an installation.updated event.
//
// Notify acts as the host. Its errors are those of [installation.Service.Patch]. A host can also
// call Patch itself. If it removes the notification with Patch, Vercel goes on showing the
// notification.
func (h *Handler) Notify(
	ctx context.Context, id string, n installation.Optional[installation.Notification],
) error {
	svc := h.svc.As(installation.Actor{Kind: installation.Host})
	for {
		err := h.notify(ctx, svc, id, n)
		conflict, ok := errors.AsType[*installation.ConflictError](err)
		switch {
		case err == nil:
			return nil
		case !ok || conflict.To != "": // not a conflict with another write
			return fmt.Errorf("notify: %w", err)
		}
	}
}

// notify makes one attempt. It writes Extra as a whole, so it fails with a conflict if another
// writer changes the installation at the same time.
func (h *Handler) notify(
	ctx context.Context, svc *installation.Service, id string,
	n installation.Optional[installation.Notification],
) error {
	inst, err := svc.Get(ctx, id)
	if err != nil {
		return err
	}
	extra, err := withMark(inst.Extra, n.Removes())
	if err != nil {
		return err
	}
	_, err = svc.Patch(ctx, installation.PatchRequest{
		Guard: installation.Guard{Revision: inst.Revision}, ID: id,
		Parts: installation.Parts{Notification: n, Extra: extra},
	})
	return err
}

// withMark returns Extra with removedMark, or without it if removed is false. Other members stay,
// even masked ones.
func withMark(
	extra installation.Document, removed bool,
) (installation.Optional[installation.Document], error) {
	members, err := membersOf(extra)
	if err != nil {
		return installation.Optional[installation.Document]{}, err
	}
	delete(members, removedMark)
	if removed {
		members[removedMark] = json.RawMessage("true")
	}
	if len(members) == 0 {
		return installation.Remove[installation.Document](), nil
	}
	document, err := installation.DocumentOf(members)
	return installation.Value(document), err
}

// notificationRemoved reports whether an installation has removedMark.
func notificationRemoved(inst *installation.Installation) bool {
	members, err := membersOf(inst.Extra)
	return err == nil && string(members[removedMark]) == "true"
}

func membersOf(extra installation.Document) (map[string]json.RawMessage, error) {
	members := make(map[string]json.RawMessage)
	if extra.IsZero() {
		return members, nil
	}
	return members, extra.Decode(&members)
}
