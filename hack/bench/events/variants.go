package main

import (
	"fmt"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

const (
	gateName  = "new_checkout"
	userCount = 1 << 14
)

// document is of the form that both evaluators read: one gate, open for all.
const document = `{"has_updates":true,"time":1767981029384,"dynamic_configs":[],"layer_configs":[],"id_lists":{},` +
	`"diagnostics":{},"feature_gates":[{"name":"new_checkout","type":"feature_gate","salt":"f2ac6975","enabled":true,` +
	`"defaultValue":false,"idType":"userID","entity":"feature_gate","version":1,"rules":[{"name":"everyone",` +
	`"id":"6X3qJgyfwA81IJ2dxI7lYp","salt":"8d3c","passPercentage":100,"idType":"userID","groupName":"everyone",` +
	`"returnValue":true,"conditions":[{"type":"public","targetValue":null,"operator":null,"field":null,` +
	`"additionalValues":{},"isDeviceBased":false,"idType":"userID"}]}]}]}`

func userID(i int) string { return userIDs[i] }

// userIDs are made once: the benchmark is not about making names.
var userIDs = func() []string {
	ids := make([]string, userCount)
	for i := range ids {
		ids[i] = fmt.Sprintf("shop/checkout-7d9f8b6c5d-%05d", i)
	}
	return ids
}()

// customVariants and exposureVariants begin with the one that the others are compared with.
func customVariants() []variant   { return variants(goSDKCustom, operatorCustom) }
func exposureVariants() []variant { return variants(goSDKExposure, operatorExposure) }

func variants(sdk func(*goSDK, int), ours func(*operator, int) bool) []variant {
	with := func(o operatorOptions) func(*sink, string) (session, error) {
		o.log = ours
		return func(server *sink, dir string) (session, error) { return startOperator(server, dir, o) }
	}
	return []variant{
		{"Go SDK 1.35.1", func(server *sink, _ string) (session, error) { return startGoSDK(server, sdk) }},
		{"in memory", with(operatorOptions{})},
		{"with the spool", with(operatorOptions{isSpool: true})},
		{"each 1,000 in the spool before the next", with(operatorOptions{isSpool: true, isSafe: true, fsync: spool.SyncNever})},
		{"the same, forced to the disk", with(operatorOptions{isSpool: true, isSafe: true})},
	}
}
