// Package descriptors lets programs use protobuf definitions that they were not built with. A device collects the definitions of its services
// and streams with [Collect].
package descriptors
