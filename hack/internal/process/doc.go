// Package process runs programs in the background and finds them again later.
//
// A program started here outlives the command that started it. Its pid file,
// kept in a state folder, says which process it is, so that another command can
// ask for it, or stop it, without ever touching a process that merely got the
// same number. It is meant for development tools on Linux and macOS, not for
// supervising anything in production: nothing is restarted.
//
// Functions on different names are safe for concurrent use. Use [Lock] where
// two commands could work on the same state folder.
package process
