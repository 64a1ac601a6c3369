package vercel

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
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
		switch {
		case err == nil:
			return nil
		case !httpapi.Raced(err):
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
	changes := map[string]any{removedMark: nil}
	if n.Removes() {
		changes[removedMark] = true
	}
	extra, err := httpapi.WithMembers(inst.Extra, changes)
	if err != nil {
		return err
	}
	_, err = svc.Patch(ctx, installation.PatchRequest{
		Guard: installation.Guard{Revision: inst.Revision}, ID: id,
		Parts: installation.Parts{Notification: n, Extra: extra},
	})
	return err
}

// notificationRemoved reports whether an installation has removedMark.
func notificationRemoved(inst *installation.Installation) bool {
	var members map[string]json.RawMessage
	err := inst.Extra.Decode(&members)
	return err == nil && string(members[removedMark]) == "true"
}
