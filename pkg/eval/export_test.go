package eval

// UserOf builds a user of decoded JSON, for tests whose numbers must be doubles.
var UserOf = userOf

// HashUnits is the evaluation hash over two salts and a unit ID.
var HashUnits = hashUnits
