// Package country finds the country of an IPv4 address, as Statsig's Server Core does: with the same table (of the
// module ip3country-go) and the same lenient reading of addresses. It knows no IPv6 and no network; the table is part
// of the program and as old as the module.
//
// The table takes about 5 MiB of memory and some milliseconds to unpack. That happens once in a process, in the first
// call of [New]; a program that never calls it pays nothing. A [Lookup] is immutable and safe for concurrent use.
package country
