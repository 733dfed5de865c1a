package cluster

import (
	"context"
	"fmt"
)

// node is the part of a Kubernetes node that this package writes and reads.
type node struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Metadata   metadata   `json:"metadata"`
	Spec       nodeSpec   `json:"spec"`
	Status     nodeStatus `json:"status"`
}

type metadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type nodeSpec struct {
	Taints []struct{} `json:"taints,omitempty"`
}

type nodeStatus struct {
	Conditions []condition `json:"conditions,omitempty"`
}

type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

type nodeList struct {
	Items []node `json:"items"`
}

// zones are given to nodes in turn, so that values can differ by place.
var zones = []struct{ region, zone string }{
	{"eu-central-1", "eu-central-1a"}, {"us-east-1", "us-east-1a"}, {"ap-south-1", "ap-south-1a"},
}

// newNode describes the i-th fake node.
func newNode(i int) node {
	name := fmt.Sprintf("node-%d", i+1)
	place := zones[i%len(zones)]
	return node{
		APIVersion: "v1",
		Kind:       "Node",
		Metadata: metadata{
			Name:        name,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			Labels: map[string]string{
				"kubernetes.io/hostname":        name,
				"kubernetes.io/os":              "linux",
				"kubernetes.io/arch":            "amd64",
				"topology.kubernetes.io/region": place.region,
				"topology.kubernetes.io/zone":   place.zone,
				"type":                          "kwok",
			},
		},
	}
}

// ready reports whether pods can be scheduled on the node.
func (n node) ready() bool {
	if len(n.Spec.Taints) > 0 {
		return false
	}
	for _, c := range n.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

func createNodes(ctx context.Context, c *client, count int) error {
	for i := range count {
		if err := c.post(ctx, "/api/v1/nodes", newNode(i)); err != nil {
			return fmt.Errorf("creating nodes: %w", err)
		}
	}
	return nil
}
