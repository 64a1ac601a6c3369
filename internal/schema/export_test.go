package schema

// Weight returns the weight of a schema in a [Cache].
func (s *Schema) Weight() int { return s.weight }
