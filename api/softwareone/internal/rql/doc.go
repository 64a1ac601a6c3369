// Package rql reads the resource query language of the SoftwareOne platform from the raw query of a
// URL:
//
//	and(eq(status,Installed),ilike(name,"Stock*"))&order=-audit.created.at&select=audit&limit=10
//
// "&" joins parts. A part is limit, offset, order or select, or render(), which changes nothing.
// Every other part is a filter: op(field,value) or the shortcut field=value. All filters must
// match. Values are bare or in quotes of either kind; in quotes, everything but the quote is data.
//
// Text is percent-decoded before it is parsed, as the platform does. So an encoded quote is a
// quote, and only an encoded "&" is always data. "+" is a sign and not a space.
//
// The caller knows the fields and their types.
package rql
