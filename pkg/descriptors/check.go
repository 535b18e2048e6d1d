package descriptors

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// What a set may have. Waldo's own definitions together are about 60 KB in 20 files, with 1,200 names.
const (
	// MaxBytes is the most that a set may have when it is encoded.
	MaxBytes = 1 << 20
	// maxFiles, maxNames, maxDepth and maxName bound how many files and names there are, how deep messages nest, and
	// how long a full name is.
	maxFiles = 256
	maxNames = 20_000
	maxDepth = 32
	maxName  = 512
	// maxPaths bounds the ways by which public imports lead from file to file: each is walked when a set is built.
	maxPaths = 10_000
)

// check looks through a set before it is built.
func check(set *descriptorpb.FileDescriptorSet) error {
	if n := len(set.GetFile()); n > maxFiles {
		return fmt.Errorf("there are %d files, more than %d", n, maxFiles)
	}
	if n := proto.Size(set); n > MaxBytes {
		return fmt.Errorf("the files have %d bytes, more than %d", n, MaxBytes)
	}
	c := checker{paths: map[string]int{}}
	for _, f := range set.GetFile() {
		if err := c.file(f); err != nil {
			return fmt.Errorf("file %.128q: %w", f.GetName(), err)
		}
	}
	return nil
}

// checker counts what a set has.
type checker struct {
	names int
	paths map[string]int // by file, how many ways of public imports begin there
	total int
}

func (c *checker) file(f *descriptorpb.FileDescriptorProto) error {
	if len(f.GetPackage()) > maxName || len(f.GetName()) > maxName {
		return fmt.Errorf("its path or package is longer than %d bytes", maxName)
	}
	if err := checkSyntax(f); err != nil {
		return err
	}
	if err := c.imports(f); err != nil {
		return err
	}
	scope := f.GetPackage()
	errs := []error{
		c.messages(scope, f.GetMessageType(), 1), c.enums(scope, f.GetEnumType()),
		each(c, scope, f.GetExtension()), each(c, scope, f.GetService()),
	}
	for _, s := range f.GetService() {
		errs = append(errs, each(c, scope+"."+s.GetName(), s.GetMethod()))
	}
	return errors.Join(errs...)
}

// checkSyntax admits what the library can build. For some editions that it does not know it panics or ends the program.
func checkSyntax(f *descriptorpb.FileDescriptorProto) error {
	switch f.GetSyntax() {
	case "", "proto2", "proto3":
		return nil
	case "editions":
		switch f.GetEdition() {
		case descriptorpb.Edition_EDITION_2023, descriptorpb.Edition_EDITION_2024:
			return nil
		}
		return fmt.Errorf("edition %d is not supported: use proto3, or edition 2023 or 2024", f.GetEdition())
	}
	return fmt.Errorf("syntax %.32q is not supported: use proto3, or edition 2023 or 2024", f.GetSyntax())
}

// imports checks that a file stands after its imports, and counts the ways by which public imports lead on from it.
func (c *checker) imports(f *descriptorpb.FileDescriptorProto) error {
	if _, twice := c.paths[f.GetName()]; twice {
		return errors.New("it is there twice")
	}
	if len(f.GetDependency()) > maxFiles {
		return fmt.Errorf("it imports more than %d files", maxFiles)
	}
	public := map[int]bool{}
	for _, i := range f.GetPublicDependency() {
		public[int(i)] = true
	}
	ways := 1
	for i, path := range f.GetDependency() {
		of, there := c.paths[path]
		if !there {
			return fmt.Errorf("its import %.128q does not stand before it", path)
		}
		c.total += of
		if public[i] {
			ways += of
		}
	}
	if c.total += ways; c.total > maxPaths {
		return fmt.Errorf("public imports lead from file to file in more than %d ways", maxPaths)
	}
	c.paths[f.GetName()] = ways
	return nil
}

func (c *checker) messages(scope string, messages []*descriptorpb.DescriptorProto, depth int) error {
	if depth > maxDepth && len(messages) > 0 {
		return fmt.Errorf("messages nest more than %d deep", maxDepth)
	}
	if err := each(c, scope, messages); err != nil {
		return err
	}
	for _, m := range messages {
		name := scope + "." + m.GetName()
		err := errors.Join(each(c, name, m.GetField()), each(c, name, m.GetExtension()), each(c, name, m.GetOneofDecl()),
			c.enums(name, m.GetEnumType()), c.messages(name, m.GetNestedType(), depth+1))
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) enums(scope string, enums []*descriptorpb.EnumDescriptorProto) error {
	if err := each(c, scope, enums); err != nil {
		return err
	}
	for _, e := range enums {
		if err := each(c, scope, e.GetValue()); err != nil {
			return err
		}
	}
	return nil
}

// each counts the declarations of a scope.
func each[D interface{ GetName() string }](c *checker, scope string, declarations []D) error {
	for _, d := range declarations {
		if c.names++; c.names > maxNames {
			return fmt.Errorf("the set has more than %d names", maxNames)
		}
		if len(scope)+1+len(d.GetName()) > maxName {
			return fmt.Errorf("a name in %.64q is longer than %d bytes", scope, maxName)
		}
	}
	return nil
}
