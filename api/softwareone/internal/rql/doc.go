// Package rql parses the Resource Query Language (RQL) of the SoftwareOne platform. A query is the
// raw query of a URL, such as:
//
//	and(eq(status,Installed),ilike(name,"Stock*"))&order=-audit.created.at&select=audit&limit=10
//
// A query consists of parts with "&" between them. The parts limit, offset, order and select do
// not filter, and the part render() is ignored. Every other part is a filter. A filter is an
// operator with arguments, such as op(field,value), or field=value, which is short for
// eq(field,value). The operators any and all apply a condition to the items of a collection, as in
// any(modules,id=MOD-0478). An item matches a query if it matches all filters. A value is bare, or
// in single or double quotes. Inside quotes, only the same quote character ends the value.
//
// Text is percent-decoded before it is parsed, as on the platform. So an encoded quote works like a
// plain quote. The exception is an encoded "&", which never separates parts. "+" is a sign and not
// a space. HTTP libraries can send a part that ends in a parenthesis as the name of a form field:
// such a part has a "=" behind it, and there "+" is a space.
//
// This package does not know which fields exist and which types they have. The caller has to check
// both.
package rql
