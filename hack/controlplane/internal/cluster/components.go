package cluster

import (
	"context"
	"path/filepath"

	"github.com/statsig-operator/statsig-operator/hack/controlplane/internal/binaries"
)

// stopOrder lists the components so that clients go before their servers.
var stopOrder = []string{
	binaries.Kwok, binaries.Scheduler, binaries.ControllerManager, binaries.APIServer, binaries.Etcd,
}

// component is one program of the cluster.
type component struct {
	name  string
	args  []string
	ports []*port
	// ready returns nil when the program serves.
	ready func(context.Context) error
}

func etcd(l layout, p *ports) component {
	client, peer := p.etcd.url("http"), p.etcdPeer.url("http")
	return component{
		name: binaries.Etcd,
		args: []string{
			"--data-dir=" + l.etcd(),
			"--listen-client-urls=" + client,
			"--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=default=" + peer,
			"--log-level=warn",
			"--quota-backend-bytes=8589934592",
			// The data is thrown away with the cluster: don't wait for the disk.
			"--unsafe-no-fsync",
		},
		ports: []*port{&p.etcd, &p.etcdPeer},
		ready: func(ctx context.Context) error { return probe(ctx, client+"/health") },
	}
}

func apiServer(l layout, p *ports, c *client) component {
	const issuer = "https://kubernetes.default.svc"
	return component{
		name: binaries.APIServer,
		args: []string{
			"--etcd-servers=" + p.etcd.url("http"),
			"--bind-address=" + loopback,
			"--secure-port=" + p.apiServer.number,
			"--advertise-address=" + loopback,
			// A loopback address is not a valid endpoint of the kubernetes service.
			"--endpoint-reconciler-type=none",
			"--tls-cert-file=" + l.pki(servingCert),
			"--tls-private-key-file=" + l.pki(servingKey),
			"--cert-dir=" + l.pki(""),
			"--token-auth-file=" + l.pki(tokenFile),
			"--authorization-mode=RBAC",
			"--service-account-issuer=" + issuer,
			"--service-account-key-file=" + l.pki(serviceAccount),
			"--service-account-signing-key-file=" + l.pki(serviceAccount),
			"--service-cluster-ip-range=10.96.0.0/16",
			"--allow-privileged",
		},
		ports: []*port{&p.apiServer},
		ready: func(ctx context.Context) error { return c.get(ctx, "/readyz", nil) },
	}
}

func controllerManager(l layout, p *ports) component {
	return component{
		name: binaries.ControllerManager,
		args: []string{
			"--kubeconfig=" + l.kubeconfig(),
			"--bind-address=" + loopback,
			"--secure-port=" + p.controllerManager.number,
			"--cert-dir=" + l.pki(binaries.ControllerManager),
			"--service-account-private-key-file=" + l.pki(serviceAccount),
			"--root-ca-file=" + l.pki(caCertFile),
			"--leader-elect=false",
			"--kube-api-qps=200",
			"--kube-api-burst=400",
		},
		ports: []*port{&p.controllerManager},
		ready: func(ctx context.Context) error { return probe(ctx, p.controllerManager.url("https")+"/healthz") },
	}
}

func scheduler(l layout, p *ports) component {
	return component{
		name: binaries.Scheduler,
		args: []string{
			"--kubeconfig=" + l.kubeconfig(),
			"--bind-address=" + loopback,
			"--secure-port=" + p.scheduler.number,
			"--cert-dir=" + l.pki(binaries.Scheduler),
			"--leader-elect=false",
			"--kube-api-qps=200",
			"--kube-api-burst=400",
		},
		ports: []*port{&p.scheduler},
		ready: func(ctx context.Context) error { return probe(ctx, p.scheduler.url("https")+"/readyz") },
	}
}

// kwok is ready when its nodes are, and the whole cluster with it.
func kwok(l layout, set *binaries.Set, c *client) component {
	return component{
		name: binaries.Kwok,
		args: []string{
			"--kubeconfig=" + l.kubeconfig(),
			"--config=" + filepath.Join(set.Dir(), binaries.StagesFile),
			"--manage-all-nodes=true",
			"--node-lease-duration-seconds=40",
		},
		ready: c.usable,
	}
}
