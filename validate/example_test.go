package validate_test

import (
	"errors"
	"fmt"

	"github.com/go-installation/installation/validate"
)

func ExampleList() {
	var l validate.List
	l.ID("extension.id", "")
	l.OptionalURL("account.url", "https://user:password@example.com")
	l.Document("configuration", []byte(`{"region":"eu","region":"us"}`))

	err := l.Err()
	fmt.Println(errors.Is(err, validate.ErrInvalid))
	if e, ok := errors.AsType[*validate.Error](err); ok {
		for _, v := range e.Violations {
			fmt.Println(v.Path, v.Rule)
		}
	}
	// Output:
	// true
	// extension.id required
	// account.url format
	// configuration/region duplicate-key
}

// Check a schema when you receive it, so that its author learns of a fault before anyone writes
// a configuration.
func ExampleCheckSchema() {
	err := validate.CheckSchema([]byte(`{"properties":{"authorization":{"type":"strnig"}}}`))
	fmt.Println(errors.Is(err, validate.ErrSchema))
	if fault, ok := errors.AsType[*validate.SchemaError](err); ok {
		fmt.Println(fault.Fault, fault.Pointer)
	}
	// Output:
	// true
	// keyword /properties/authorization/type
}
