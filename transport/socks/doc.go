// Package socks is the server's side of the SOCKS5 negotiation that lets an application enter without redirection
// (spec/dataplane.md §6, RFC 1928). It knows no authentication and no command but CONNECT.
//
// On the wire, client first:
//
//	05 n methods[n]                 greeting; the methods must include 00, "none"
//	                                -> 05 00
//	05 01 rsv type address port[2]  request; type 1 is 4 bytes, 4 is 16 bytes, 3 is a length byte and a name
//	                                -> 05 code 00 01 00000000 0000
//
// [Negotiate] reads up to the request and answers itself what is wrong with it. Success is the caller's to tell,
// with [Request.Reply], once it knows its upstream. The package reads not one byte beyond the request, so that the
// connection can go on as the application's stream. Callers negotiate on a goroutine, not inside an actor's Receive.
package socks
