// Package oauth refreshes, uses and revokes the OAuth 2.0 tokens of installations.
//
// [Refresh] makes the function that [installation.Service.Refresh] calls: it sends a refresh token
// to a provider and says what the answer means. [TokenSource] and [Client] are for programs that
// use golang.org/x/oauth2. They differ from its own in two ways: a new token is stored before it is
// used, and only one process at a time refreshes it.
//
//	fn, err := oauth.Refresh(config, nil)
//	...
//	client := oauth.Client(svc, "EXI-1", fn, nil)
//	resp, err := client.Get("https://api.example/orders")
//
// [Revoke] makes the function for Options.Revoke of the service. [SafeClient] is for endpoints that
// a customer chooses. The service pauses the refreshes of a provider that is down.
//
// # What an answer means
//
// A refresh token may be sent again only if the provider surely did not take it.
//
//	answer                                         means      reason
//	invalid_grant, RefreshOptions.Permanent        permanent  the code
//	no refresh token is stored                     permanent  no_refresh_token
//	the stored tokens cannot be opened             passing    not_opened
//	other errors with status 2xx or 4xx            passing    the code, or http_400 and so on
//	redirect                                       passing    http_307 and so on
//	temporarily_unavailable, 503 with Retry-After  passing    the code, or http_503
//	no connection: refused, DNS, TLS               passing    unreachable, timeout, canceled
//	refused by SafeClient                          passing    address_refused
//	server_error, status 408, other 5xx            unknown    the code, or http_500 and so on
//	sent, and the connection ended                 unknown    connection_lost
//	sent, and the context ended                    unknown    timeout, canceled
//	an answer without an access token              unknown    malformed
//
// invalid_client and unauthorized_client are mistakes of the host, so they are passing: they never
// mark the connection of a customer as failed. A code in an answer with status 408 or 5xx is never
// permanent.
//
// A reason is a code from a fixed list, a code that the host named, or one of this package. No
// error has a text of the provider. Retry-After is in refresh.Error.After, up to [MaxRetryAfter].
//
// # Limits
//
// An answer has at most 1 MiB; a longer one is malformed. Requests follow no redirect, because that
// would show a token to another server. The context bounds how long a request takes.
package oauth
