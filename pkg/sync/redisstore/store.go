package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

// DefaultTimeout is the default of Options.Timeout.
const DefaultTimeout = 3 * time.Second

// hashField is where Statsig's forward proxy puts the document: it writes hashes, where SDKs write strings.
const hashField = "config"

// Options configure a [Store]. Only Address is required.
type Options struct {
	// Address is host:port. Proxies are not used.
	Address string
	// Username and Password log in; a password alone is that of the default user. Both empty: no login.
	Username string
	Password secret.Key
	// Database is the number of the database, from 0.
	Database int
	// TLS speaks TLS with these certificates; nil speaks none.
	TLS *transport.TLSOptions
	// Timeout bounds each of: setting up the connection, writing a command, waiting for its answer. 0 is
	// DefaultTimeout. The deadline of a context counts too.
	Timeout time.Duration
}

// Store reads from one Redis server. It implements [specsync.DataStore].
type Store struct{ current atomic.Pointer[config] }

// config does not change.
type config struct {
	options  redis.Options
	scrubber secret.Scrubber
}

// New validates o. It makes no connection.
func New(o Options) (*Store, error) {
	s := &Store{}
	if err := s.Update(o); err != nil {
		return nil, err
	}
	return s, nil
}

// Update validates o and uses it for all reads that begin from now on, as when a password was changed. After an error
// everything is as it was.
func (s *Store) Update(o Options) error {
	c, err := configure(o)
	if err != nil {
		return fmt.Errorf("redis options: %w", err)
	}
	s.current.Store(c)
	return nil
}

// Identity implements [specsync.DataStore]. No two stores have the same, for each is updated by itself.
func (s *Store) Identity() string { return fmt.Sprintf("redis:%p", s) }

// silence keeps go-redis from writing to the standard error.
var silence = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })

func configure(o Options) (*config, error) {
	if err := checkAddress(o.Address); err != nil {
		return nil, err
	}
	switch {
	case o.Username != "" && o.Password.IsZero():
		return nil, errors.New("there is a user name, but no password")
	case strings.ContainsFunc(o.Username+o.Password.Reveal(), unicode.IsControl):
		return nil, errors.New("the user name or the password holds a control character, perhaps a line break at its end")
	case o.Database < 0:
		return nil, errors.New("the number of the database is negative")
	case o.Timeout < 0:
		return nil, errors.New("the timeout is negative")
	case o.Timeout == 0:
		o.Timeout = DefaultTimeout
	}
	var tlsConfig *tls.Config
	if o.TLS != nil {
		var err error
		if tlsConfig, err = o.TLS.Config(); err != nil {
			return nil, err
		}
	}
	silence()
	c := &config{options: redis.Options{
		Addr: o.Address, Username: o.Username, Password: o.Password.Reveal(), DB: o.Database, TLSConfig: tlsConfig,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		// The syncer's own back-off is the only one.
		MaxRetries: -1, DialerRetries: 1,
		PoolSize: 1, Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}}
	c.scrubber.Add(o.Password)
	return c, nil
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, "/@ ") {
		return errors.New("the address is not host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("the port of the address is not between 1 and 65535")
	}
	return nil
}

// Get implements [specsync.DataStore]: the string under key, or the document of a forward proxy's hash. At most one
// byte more than [specsync.MaxDocumentBytes] is read. Errors match specsync.ErrNoValue, specsync.ErrTooLarge or what a
// context ends with where that applies.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	c := s.current.Load()
	options := c.options // go-redis fills in the defaults of what it is given
	client := redis.NewClient(&options)
	defer func() { _ = client.Close() }()
	value, err := client.GetRange(ctx, key, 0, specsync.MaxDocumentBytes).Bytes()
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		value, err = getField(ctx, client, key)
	}
	switch {
	case errors.Is(err, specsync.ErrTooLarge):
		return nil, err
	case err != nil && !errors.Is(err, redis.Nil):
		return nil, c.clean(err)
	case len(value) == 0:
		return nil, specsync.ErrNoValue
	}
	return value, nil
}

// getField asks for the length first, since Redis has no way to ask for a part of a hash's field.
func getField(ctx context.Context, client *redis.Client, key string) ([]byte, error) {
	length, err := client.HStrLen(ctx, key, hashField).Result()
	switch {
	case err != nil:
		return nil, err
	case length > specsync.MaxDocumentBytes:
		return nil, fmt.Errorf("%w: more than %d bytes", specsync.ErrTooLarge, specsync.MaxDocumentBytes)
	}
	return client.HGet(ctx, key, hashField).Bytes()
}

// clean keeps of an error what happened, and of its chain only what a context ends with.
func (c *config) clean(err error) error {
	text := c.scrubber.Scrub(fmt.Sprintf("asking redis at %s: %s", c.options.Addr, transport.Reason(err)))
	switch {
	case errors.Is(err, context.Canceled):
		return &cleanError{text: text, cause: context.Canceled}
	case transport.IsTimeout(err):
		return &cleanError{text: text, cause: context.DeadlineExceeded}
	default:
		return errors.New(text)
	}
}

type cleanError struct {
	text  string
	cause error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.cause }
