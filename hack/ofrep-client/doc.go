// Package ofrepclient holds no code: its test drives OpenFeature's own OFREP clients, which npm installs, against
// pkg/ofrep.
package ofrepclient
