// Package rql reads the resource query language of the SoftwareOne platform, as it stands raw
// in the query of a URL:
//
//	and(eq(status,Installed),ilike(name,"Stock*"))&order=-audit.created.at&select=audit&limit=10
//
// Parts are joined with "&". One is limit, offset, order or select, or render(), which changes
// nothing; any other is a filter, either op(field,value) or the shortcut field=value. Several
// filters must all hold. Values stand bare or in quotes of either kind; within quotes
// everything is data but the quote itself. Text is percent-decoded before it is read, as the
// platform does, so an encoded quote is a quote; only an encoded "&" is always data. "+" is a
// sign, and not a space.
//
// Which fields there are, and of what type, is the business of the caller.
package rql
