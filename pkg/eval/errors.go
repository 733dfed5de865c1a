package eval

import "errors"

// ErrMalformed is wrapped by every error of Decode and Compile: the text is no config specs document.
var ErrMalformed = errors.New("malformed config specs")

// ErrInvalidUser is wrapped by every error of ParseUser.
var ErrInvalidUser = errors.New("invalid user")
