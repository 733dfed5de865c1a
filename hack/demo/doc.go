// Command demo shows the operator at work on a bare machine: a real control plane, a local Statsig server with a demo project, the
// manager as a process of its own with the rights of its ServiceAccount, the samples applied with kubectl, and what comes of them.
// Then a gate is flipped, and the change is shown arriving; and a release waits behind a closed gate until that opens.
//
// It leaves everything running, says how to look around, and "demo down" ends it. With DEMO_ONESHOT=1 it ends by itself, with an
// exit code other than 0 if anything expected did not happen.
package main
