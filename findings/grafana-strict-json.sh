#!/bin/bash
# The strict JSON reader of Grafana's foundation SDK reports an error for every valid dashboard, and drops its panels.
#
# Dashboard.UnmarshalJSONStrict of github.com/grafana/grafana-foundation-sdk/go v0.0.22 (Go 1.26) collects mistakes in a
# slice of the type cog.BuildErrors and returns that slice as its error. An empty slice in an interface is not nil, so
# `err != nil` holds for a dashboard without a mistake, with an empty text. Within the reader the same test decides
# whether a panel is kept: none is. json.Unmarshal keeps them.
#
# Seen:  strict: error "", 0 mistakes, panel kept: false; lenient: panel kept: true
#
# So the dashboard's test (TestDashboardFitsGrafana) counts the mistakes in the error, and reads what it needs with
# json.Unmarshal.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	built, err := dashboard.NewDashboardBuilder("a dashboard").
		WithRow(dashboard.NewRowBuilder("a row")).Build()
	if err != nil {
		panic(err)
	}
	data, err := json.Marshal(built)
	if err != nil {
		panic(err)
	}
	var strict, lenient dashboard.Dashboard
	err = strict.UnmarshalJSONStrict(data)
	var mistakes cog.BuildErrors
	if err == nil || !errors.As(err, &mistakes) {
		fmt.Printf("strict: error %v\n", err)
		return
	}
	if err := json.Unmarshal(data, &lenient); err != nil {
		panic(err)
	}
	kept := func(d dashboard.Dashboard) bool { return len(d.Panels) == 1 && d.Panels[0].RowPanel != nil }
	fmt.Printf("strict: error %q, %d mistakes, panel kept: %v; lenient: panel kept: %v\n", err, len(mistakes), kept(strict),
		kept(lenient))
}
GO
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
MOD
export GOFLAGS=-mod=mod GOWORK=off
saw=$(go run .)
echo "$saw"
[ "$saw" = 'strict: error "", 0 mistakes, panel kept: false; lenient: panel kept: true' ]
