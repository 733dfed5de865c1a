package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 4 << 20

// client talks to the API server as administrator.
type client struct {
	server string
	token  string
	http   *http.Client
}

func newClient(server string, c credentials) *client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.caPEM)
	return &client{
		server: server,
		token:  c.token,
		http: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		},
	}
}

func (c *client) get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, nil, into)
}

func (c *client) post(ctx context.Context, path string, object any) error {
	return c.do(ctx, http.MethodPost, path, object, nil)
}

func (c *client) do(ctx context.Context, method, path string, object, into any) error {
	var body bytes.Buffer
	if object != nil {
		if err := json.NewEncoder(&body).Encode(object); err != nil {
			return fmt.Errorf("encoding request: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, &body)
	if err != nil {
		return fmt.Errorf("building request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	data, err := answer(c.http, request)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("decoding answer to %s %s: %w", method, path, err)
	}
	return nil
}

// usable returns nil once pods can be created in the default namespace and land
// on a node: its service account exists, and every node is ready and untainted.
func (c *client) usable(ctx context.Context) error {
	if err := c.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil); err != nil {
		return err
	}
	var nodes nodeList
	if err := c.get(ctx, "/api/v1/nodes", &nodes); err != nil {
		return err
	}
	for _, node := range nodes.Items {
		if !node.ready() {
			return fmt.Errorf("node %s is not ready", node.Metadata.Name)
		}
	}
	return nil
}

// probes reach servers that make their own certificate, on loopback, without
// sending anything secret.
var probes = &http.Client{
	Timeout:   5 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

// probe returns nil if url answers with success.
func probe(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("building request: %w", err)
	}
	_, err = answer(probes, request)
	return err
}

func answer(c *http.Client, request *http.Request) ([]byte, error) {
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	err = errors.Join(err, response.Body.Close())
	if err != nil {
		return nil, fmt.Errorf("reading answer: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: %s: %.300s", request.Method, request.URL.Path, response.Status, data)
	}
	return data, nil
}
