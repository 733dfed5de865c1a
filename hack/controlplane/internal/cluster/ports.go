package cluster

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// loopback is the only address a cluster binds.
const loopback = "127.0.0.1"

// ports are the loopback ports of one cluster.
type ports struct {
	etcd, etcdPeer, apiServer, controllerManager, scheduler port
}

// port is a free port, held by a listener until the program that will use it is
// about to start: two clusters that start at once don't choose the same one.
type port struct {
	number   string
	listener net.Listener
}

// reservePorts picks free ports.
func reservePorts() (*ports, error) {
	var p ports
	for _, target := range p.all() {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reserving a port: %w", err), p.release())
		}
		addr, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.Join(errors.New("reserving a port: not a TCP address"), p.release())
		}
		*target = port{number: strconv.Itoa(addr.Port), listener: listener}
	}
	return &p, nil
}

func (p *ports) all() []*port {
	return []*port{&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllerManager, &p.scheduler}
}

func (p *ports) release() error {
	all := p.all()
	errs := make([]error, 0, len(all))
	for _, reserved := range all {
		errs = append(errs, reserved.release())
	}
	return errors.Join(errs...)
}

// release frees the port for the program that is about to use it.
func (p *port) release() error {
	if p.listener == nil {
		return nil
	}
	err := p.listener.Close()
	p.listener = nil
	return err
}

// url returns the address of the port.
func (p *port) url(scheme string) string {
	return scheme + "://" + net.JoinHostPort(loopback, p.number)
}
