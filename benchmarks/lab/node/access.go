package node

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// RootCA is the name of the ConfigMap, in the namespace of a Pod, with the
// certificate that verifies the API server, as a controller makes it in a cluster.
const RootCA = "kube-root-ca.crt"

// PodAccess gives every container of the Pod what a cluster gives it to reach the API
// in the name of its ServiceAccount: the token that is bound to the Pod, the
// certificate of [RootCA], the namespace, and the server's address in the environment. In a
// cluster an admission plugin and the kubelet do.
func PodAccess(pod *corev1.PodSpec) {
	const name = "api-access"
	pod.AutomountServiceAccountToken = ptr.To(false)
	pod.EnableServiceLinks = ptr.To(false)
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: ptr.To[int32](0o644),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr.To[int64](3607)}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: RootCA},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}},
			}}},
		},
	}}})
	for i := range pod.Containers {
		c := &pod.Containers[i]
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{
			Name: name, ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
		})
		c.Env = append(c.Env,
			corev1.EnvVar{Name: "KUBERNETES_SERVICE_HOST", Value: lab.VirtualIP.Addr().String()},
			corev1.EnvVar{Name: "KUBERNETES_SERVICE_PORT", Value: "443"})
	}
}
