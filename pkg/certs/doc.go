// Package certs gives a robot its certificates for TLS: page, gRPC and bus use the same one.
//
// A robot has a certificate authority of its own ([Authority]), which is made once and which people add to their phones
// and browsers. Its name constraints (RFC 5280, 4.2.1.10) keep it to the names of the robot and localhost, so a thief
// of its key cannot pose as a site of the internet. Addresses are not constrained: BoringSSL, with which gRPC in
// Python, C++ and other languages verifies, refuses an authority that constrains them ("unsupported name constraint
// type", grpcio 1.85.3). The authority issues one leaf for the robot's names and addresses. An [Issuer], of which a
// robot has one, issues another when an address comes up, or when less than a third of its life is left. Instead, a
// robot can have a certificate of its owner's.
//
// Who listens uses a [Source], which reads the files again when they change: nothing restarts for a new certificate.
// [Port] takes TLS and plain connections on one port. Who dials uses [Client].
//
// # Files
//
// In the folder that [Folder] returns, ca.crt and leaf.crt can be read by everybody, authority/ca.key and leaf.key by
// their owner only. All are PEM. A file is replaced as a whole. The key of the leaf stays when the leaf is renewed, so
// that there is no moment when certificate and key do not fit.
//
// # Clocks
//
// A robot without a battery for its clock can wake in 1970. [Now] is therefore never before the day this version was
// made ([version.Day]). The authority is valid from 1970 on. A leaf is valid from the day before it was issued, for 820
// days: Apple's systems refuse leaves that live longer than 825 (https://support.apple.com/en-us/103769). What a wrong
// clock says about the time of a certificate keeps no process from starting; only [Check] reports it.
//
// Everything here is safe for concurrent use. An Issuer owns a goroutine, which Close ends; nothing else starts any.
package certs
