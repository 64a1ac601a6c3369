package softwareone

// MaxScan is how many rows a list looks at where no index serves it.
const MaxScan = maxScan

// SetMaxScan sets another number.
func SetMaxScan(h *Handler, n int) { h.maxScan = n }

// SetNewID sets how ids are made.
func SetNewID(h *Handler, newID func() string) { h.newID = newID }

// NewID makes an id as the handler does.
var NewID = newID
