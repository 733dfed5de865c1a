// Package useragent reads operating system and browser out of user agents, as Statsig's Server Core does. It has the
// two parsers that Server Core has:
//
//   - [FirstParty], the default: a tokenizer of Server Core's own, kept here with all its habits.
//   - [ThirdParty], for projects that ask for it: the regular expressions of the uap-core project, by way of uap-go,
//     and of those the reduced list that Server Core keeps.
//
// The two disagree often, on purpose. Neither reads the clock, the network or files, and neither judges what is too
// long: Server Core gives no value for a user agent of more than 1,000 bytes, which is for the caller to see to. Both
// are immutable and safe for concurrent use.
package useragent
