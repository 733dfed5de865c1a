// Package binaries builds the programs of the local control plane, and the
// delivery controllers that end-to-end tests add to it, from Go modules. It
// keeps each group in a cache folder, named by what it was built from.
//
// The programs are pinned by the modules under hack/controlplane/build. Nothing
// prebuilt is downloaded; the Go module proxy is the only remote involved, and
// no C compiler is needed.
//
// Two processes may build at the same time: one does the work, the other waits.
package binaries
