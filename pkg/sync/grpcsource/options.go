package grpcsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// Defaults of [Options]. Those of the backoff, the retries and the connection are the official SDK's.
const (
	DefaultName           = "ForwardProxy"
	DefaultConnectTimeout = 5 * time.Second
	DefaultMaxSilence     = 90 * time.Second
	DefaultFailoverAfter  = 30 * time.Second
	DefaultMinBackoff     = 3 * time.Second
	DefaultMaxBackoff     = time.Minute
	DefaultRetryLimit     = 864_000
)

// Bounds of [Options].
const (
	MinDuration      = time.Millisecond
	MaxFailoverAfter = time.Hour
)

// Dialer opens connections; *net.Dialer is one.
type Dialer interface {
	// DialContext connects to address, a host and port. The network is always "tcp".
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Options configure a Source. Address and Key are required.
type Options struct {
	// Address is the host and port of the proxy's gRPC endpoint, as in statsig-proxy.statsig.svc:50051.
	Address string
	// Key is the SDK key.
	Key secret.Key
	// Name is what users see; "" is DefaultName.
	Name string
	// TLS switches TLS on; nil leaves the connection in plain text, which is how a proxy listens unless it was given a
	// certificate. Certificates in it make the TLS mutual. TLS 1.2 is the least, whatever it says.
	TLS *tls.Config
	// Dialer opens the connections, to the address as Address has it; it should be a pointer, for sources with another
	// Dialer are different ones. Nil connects directly, or through the HTTP proxy that the environment names.
	Dialer Dialer
	// ConnectTimeout bounds each attempt to connect; 0 is DefaultConnectTimeout.
	ConnectTimeout time.Duration
	// MaxSilence is how long a stream may bring no message before it is given up; 0 is DefaultMaxSilence. The proxy
	// sends one every 30 seconds, if only to say that nothing has changed.
	MaxSilence time.Duration
	// FailoverAfter is how long the proxy may be out of reach, after it was reached, before Fetch fails and the next
	// source is asked; until then what it said last stands. 0 is DefaultFailoverAfter, at most MaxFailoverAfter.
	FailoverAfter time.Duration
	// MinBackoff and MaxBackoff bound the wait before a stream is opened again; it doubles with each failure. 0 is
	// DefaultMinBackoff and DefaultMaxBackoff.
	MinBackoff, MaxBackoff time.Duration
	// RetryLimit is how many streams in a row may fail before Watch gives up; 0 is DefaultRetryLimit.
	RetryLimit int
}

// withDefaults validates o and fills in what it leaves open.
func (o Options) withDefaults() (Options, error) {
	if o.Key.IsZero() {
		return o, errors.New("the SDK key is empty")
	}
	if err := checkAddress(o.Address); err != nil {
		return o, err
	}
	if o.Name == "" {
		o.Name = DefaultName
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"connect timeout", &o.ConnectTimeout, DefaultConnectTimeout},
		{"longest silence", &o.MaxSilence, DefaultMaxSilence},
		{"time until failover", &o.FailoverAfter, DefaultFailoverAfter},
		{"least backoff", &o.MinBackoff, DefaultMinBackoff},
		{"longest backoff", &o.MaxBackoff, DefaultMaxBackoff},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
		if *d.value < MinDuration {
			return o, fmt.Errorf("the %s is %s, less than %s", d.name, *d.value, MinDuration)
		}
	}
	if o.FailoverAfter > MaxFailoverAfter {
		return o, fmt.Errorf("the time until failover is %s, more than %s", o.FailoverAfter, MaxFailoverAfter)
	}
	if o.MaxBackoff < o.MinBackoff {
		return o, fmt.Errorf("the longest backoff is %s, less than the least, %s", o.MaxBackoff, o.MinBackoff)
	}
	if o.RetryLimit < 0 {
		return o, errors.New("the retry limit is negative")
	}
	if o.RetryLimit == 0 {
		o.RetryLimit = DefaultRetryLimit
	}
	return o, nil
}

// checkAddress leaves the text out of its errors: somebody may have put a URL with a password there.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return errors.New("the address is not of the form host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("the address has no port between 1 and 65535")
	}
	return nil
}
