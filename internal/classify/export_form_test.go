package classify

// SecretName reports whether a member name has the form of a secret.
func SecretName(name string) bool { return readName(name).IsSecret }

// CountRead returns how many bytes of texts and names the rules read while f runs.
func CountRead(f func()) int {
	sum := 0
	counted = func(bytes int) { sum += bytes }
	defer func() { counted = nil }()
	f()
	return sum
}
