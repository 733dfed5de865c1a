package cluster

import (
	"encoding/base64"
	"fmt"
	"os"
)

// kubeconfigFormat takes the server, the certificate authority and the token.
const kubeconfigFormat = `apiVersion: v1
kind: Config
current-context: statsig-operator
clusters:
- name: statsig-operator
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: admin
  user:
    token: %s
contexts:
- name: statsig-operator
  context:
    cluster: statsig-operator
    user: admin
`

func writeKubeconfig(file, server string, c credentials) error {
	data := fmt.Sprintf(kubeconfigFormat, server, base64.StdEncoding.EncodeToString(c.caPEM), c.token)
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		return fmt.Errorf("writing kubeconfig: %w", err)
	}
	return nil
}
