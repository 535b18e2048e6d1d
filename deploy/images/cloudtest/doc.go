// Package cloudtest tests the compose file and the Kubernetes manifest of the cloud side of a fleet, and the images
// that they run.
//
// That both files are what Docker Compose and Kubernetes understand is checked anywhere, with the types and schemas
// that those use themselves. With the images at hand (deploy/images/check, as root) the hub and the gateway run as the
// files say, by an OCI runtime: arguments, user, read-only root file system, volumes, and secrets as each of the two
// mounts them.
package cloudtest
