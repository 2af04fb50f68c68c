// Command descriptors writes Envoy's protobuf model, and sluice's own messages, as descriptor sets.
//
// The messages are those that the packages imported by imports.go register when they are linked in, so
// nothing is parsed or downloaded beyond Go modules; sluice's own are compiled from ../sluice/**/*.proto.
// Two files come out: envoy.binpb.gz holds everything but what only the retired v2 API needs, and
// envoy-v2.binpb.gz holds that rest, which is read only when a v2 message is met.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// v2Package matches the packages of Envoy's retired API, such as envoy.api.v2.route or envoy.config.tap.v2alpha.
var v2Package = regexp.MustCompile(`^envoy\.(api|config|data|service|admin|type)(\.|$)`)

// laterVersion matches packages of the API in force, such as envoy.config.route.v3 or envoy.type.v3.
var laterVersion = regexp.MustCompile(`\.v3(alpha)?(\.|$)`)

type model map[string]*descriptorpb.FileDescriptorProto

func main() {
	files := registered()
	if err := addOwn(files, "../sluice"); err != nil {
		log.Fatal(err)
	}
	current := map[string]bool{}
	for name, file := range files {
		pkg := file.GetPackage()
		if !v2Package.MatchString(pkg) || laterVersion.MatchString(pkg) {
			files.need(name, current)
		}
	}
	old := map[string]bool{}
	for name := range files {
		if !current[name] {
			old[name] = true
		}
	}
	for name, set := range map[string]map[string]bool{"envoy": current, "envoy-v2": old} {
		size, err := files.write("../gen/"+name+".binpb.gz", set)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d files, %d octets gzipped\n", name, len(set), size)
	}
}

// registered returns the descriptors of all linked packages, without source information.
func registered() model {
	files := model{}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		files[file.Path()] = protodesc.ToFileDescriptorProto(file)
		return true
	})
	return files
}

// addOwn compiles every .proto below root; imports of Envoy's files are resolved from the linked packages.
func addOwn(files model, root string) error {
	if _, err := os.Stat(root); os.IsNotExist(err) {
		return nil
	}
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".proto") {
			name, _ := filepath.Rel(filepath.Dir(root), path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil || len(names) == 0 {
		return err
	}
	sort.Strings(names)
	linked := protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
		file, err := protoregistry.GlobalFiles.FindFileByPath(name)
		return protocompile.SearchResult{Desc: file}, err
	})
	sources := &protocompile.SourceResolver{ImportPaths: []string{filepath.Dir(root)}}
	compiler := protocompile.Compiler{Resolver: protocompile.CompositeResolver{sources, linked}}
	compiled, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return err
	}
	for _, file := range compiled {
		// Through the wire and back, so that options set by extensions become what the runtime expects.
		raw, err := proto.Marshal(protodesc.ToFileDescriptorProto(file))
		if err != nil {
			return err
		}
		plain := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(raw, plain); err != nil {
			return err
		}
		files[file.Path()] = plain
	}
	return nil
}

// need adds name and all that it imports to set.
func (files model) need(name string, set map[string]bool) {
	if set[name] {
		return
	}
	if files[name] == nil {
		log.Fatalf("%s is imported but not linked in", name)
	}
	set[name] = true
	for _, dependency := range files[name].GetDependency() {
		files.need(dependency, set)
	}
}

// write stores the files of set as a gzipped FileDescriptorSet, byte for byte the same on every run.
func (files model) write(path string, set map[string]bool) (int, error) {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	var raw []byte
	for _, name := range names {
		file, err := proto.MarshalOptions{Deterministic: true}.Marshal(files[name])
		if err != nil {
			return 0, err
		}
		raw = protowire.AppendBytes(protowire.AppendTag(raw, 1, protowire.BytesType), file)
	}
	var packed bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if _, err := writer.Write(raw); err != nil {
		return 0, err
	}
	if err := writer.Close(); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	return packed.Len(), os.WriteFile(path, packed.Bytes(), 0o644)
}
