#!/bin/bash
# go-nmea turns empty fields into numbers.
#
# In NMEA 0183 an empty field means "not available". github.com/adrianmo/go-nmea v1.10.0 (Go 1.26) parses such sentences
# without an error, and its structs cannot tell an empty field from a zero: a receiver without a fix is at latitude 0 and
# longitude 0 at midnight, one at rest has course 0, a satellite that is not received has an SNR of 0. A GSV sentence of
# NMEA 4.10 ends with the signal, which go-nmea calls SystemID; and a sentence with a backslash in its text is refused,
# because any backslash is taken for part of a tag block.
#
# Seen:  GGA 0 0 0 00:00:00.0000 | RMC 0 | GSV 0 7 | TXT refused
#
# So Waldo reads fields with its own table, and only those that are present (services/serial/codec).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/adrianmo/go-nmea"
)

func parse(body string) nmea.Sentence {
	s, err := nmea.Parse("$" + body + "*" + nmea.Checksum(body))
	if err != nil {
		return nil
	}
	return s
}

func main() {
	gga := parse("GPGGA,,,,,,0,00,99.99,,,,,,").(nmea.GGA)
	rmc := parse("GNRMC,092750.000,A,4800.0000,N,01100.0000,E,0.02,,280511,,,A").(nmea.RMC)
	gsv := parse("GAGSV,1,1,01,02,00,179,,7").(nmea.GSV)
	text := "read"
	if parse(`GPTXT,01,01,02,a\b`) == nil {
		text = "refused"
	}
	fmt.Println("GGA", gga.Latitude, gga.Longitude, gga.Altitude, gga.Time, "| RMC", rmc.Course, "| GSV", gsv.Info[0].SNR, gsv.SystemID, "| TXT", text)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/adrianmo/go-nmea@v1.10.0 >/dev/null 2>&1
got=$(GOWORK=off go run .)
echo "$got"
[ "$got" = "GGA 0 0 0 00:00:00.0000 | RMC 0 | GSV 0 7 | TXT refused" ] || { echo "this has changed" >&2; exit 1; }
