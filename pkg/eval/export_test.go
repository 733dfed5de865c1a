package eval

// HashUnits is the evaluation hash over two salts and a unit ID.
var HashUnits = hashUnits
