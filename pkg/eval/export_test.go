package eval

// UserOf builds a user of decoded JSON, for tests whose numbers must be doubles.
var UserOf = userOf
