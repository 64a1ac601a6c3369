package softwareone

// MaxScan is how many rows a list looks at where no index serves it.
const MaxScan = maxScan

// SetMaxScan sets another number.
func SetMaxScan(h *Handler, n int) { h.maxScan = n }
