// A control plane made of go-control-plane's own cache and server, for tests: it serves secrets over SDS and ADS, state of
// the world and incremental, and rate-limit configurations over ADS. It is told what to serve by lines of JSON on standard input and tells what happens by lines
// of JSON on standard output; it ends when its input does.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// One secret of a "set" line: exactly one kind of content is given.
type secret struct {
	Name        string `json:"name"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	TrustedCa   string `json:"trusted_ca"`
	Generic     string `json:"generic"`
}

// A "set" line. Configs are RateLimitConfig messages, encoded, in base64: so they may have fields that this program's
// modules do not know yet.
type command struct {
	Version string   `json:"version"`
	Secrets []secret `json:"secrets"`
	Configs [][]byte `json:"configs"`
}

type event struct {
	Event    string         `json:"event"`
	Address  string         `json:"address,omitempty"`
	Stream   int64          `json:"stream,omitempty"`
	Type     string         `json:"type,omitempty"`
	Delta    bool           `json:"delta,omitempty"`
	Names    []string       `json:"names,omitempty"`
	Removed  []string       `json:"removed,omitempty"`
	Versions []string       `json:"versions,omitempty"`
	Version  string         `json:"version,omitempty"`
	Nonce    string         `json:"nonce,omitempty"`
	Error    string         `json:"error,omitempty"`
	Node     string         `json:"node,omitempty"`
	Token    string         `json:"token,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

var output sync.Mutex

func tell(e event) {
	output.Lock()
	defer output.Unlock()
	text, _ := json.Marshal(e)
	fmt.Println(string(text))
}

// Every client is served the same.
type everyone struct{}

func (everyone) ID(*core.Node) string { return "" }

func inline(text string) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineString{InlineString: text}}
}

func message(s secret) types.Resource {
	made := &tlsv3.Secret{Name: s.Name}
	switch {
	case s.TrustedCa != "":
		made.Type = &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(s.TrustedCa)}}
	case s.Generic != "":
		made.Type = &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{Secret: inline(s.Generic)}}
	default:
		made.Type = &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: inline(s.Certificate), PrivateKey: inline(s.Key)}}
	}
	return made
}

func callbacks() server.CallbackFuncs {
	opened := func(ctx context.Context, id int64, typeURL string) error {
		token := ""
		if md, ok := metadata.FromIncomingContext(ctx); ok {
			token = strings.Join(md.Get("x-token"), ",")
		}
		tell(event{Event: "open", Stream: id, Type: typeURL, Token: token})
		return nil
	}
	return server.CallbackFuncs{
		StreamOpenFunc:        opened,
		DeltaStreamOpenFunc:   opened,
		StreamClosedFunc:      func(id int64, _ *core.Node) { tell(event{Event: "close", Stream: id}) },
		DeltaStreamClosedFunc: func(id int64, _ *core.Node) { tell(event{Event: "close", Stream: id}) },
		StreamRequestFunc: func(id int64, r *discovery.DiscoveryRequest) error {
			tell(event{Event: "request", Stream: id, Type: r.TypeUrl, Names: r.ResourceNames, Version: r.VersionInfo,
				Nonce: r.ResponseNonce, Error: r.GetErrorDetail().GetMessage(), Node: r.GetNode().GetId(),
				Metadata: r.GetNode().GetMetadata().AsMap()})
			return nil
		},
		StreamResponseFunc: func(_ context.Context, id int64, _ *discovery.DiscoveryRequest, r *discovery.DiscoveryResponse) {
			tell(event{Event: "response", Stream: id, Type: r.TypeUrl, Version: r.VersionInfo, Nonce: r.Nonce})
		},
		StreamDeltaRequestFunc: func(id int64, r *discovery.DeltaDiscoveryRequest) error {
			versions := []string{}
			for name, version := range r.InitialResourceVersions {
				versions = append(versions, name+"="+version)
			}
			tell(event{Event: "request", Stream: id, Delta: true, Type: r.TypeUrl, Names: r.ResourceNamesSubscribe,
				Removed: r.ResourceNamesUnsubscribe, Versions: versions, Nonce: r.ResponseNonce,
				Error: r.GetErrorDetail().GetMessage(), Node: r.GetNode().GetId()})
			return nil
		},
		StreamDeltaResponseFunc: func(id int64, _ *discovery.DeltaDiscoveryRequest, r *discovery.DeltaDiscoveryResponse) {
			names := []string{}
			for _, found := range r.Resources {
				names = append(names, found.Name)
			}
			tell(event{Event: "response", Stream: id, Delta: true, Type: r.TypeUrl, Names: names, Removed: r.RemovedResources,
				Version: r.SystemVersionInfo, Nonce: r.Nonce})
		},
	}
}

func transport(certificate, key, clientCa string) ([]grpc.ServerOption, error) {
	if certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clientCa != "" {
		pem, err := os.ReadFile(clientCa)
		if err != nil {
			return nil, err
		}
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(pem)
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(config))}, nil
}

func run() error {
	address := flag.String("listen", "127.0.0.1:0", "host:port or unix:PATH")
	certificate := flag.String("cert", "", "certificate file: serve TLS")
	key := flag.String("key", "", "its key file")
	clientCa := flag.String("client-ca", "", "require client certificates of this authority")
	flag.Parse()
	options, err := transport(*certificate, *key, *clientCa)
	if err != nil {
		return err
	}
	network, where := "tcp", *address
	if path, isUnix := strings.CutPrefix(where, "unix:"); isUnix {
		network, where = "unix", path
	}
	listener, err := net.Listen(network, where)
	if err != nil {
		return err
	}
	snapshots := cache.NewSnapshotCache(false, everyone{}, nil)
	xds := server.NewServer(context.Background(), snapshots, callbacks())
	rpc := grpc.NewServer(options...)
	secretservice.RegisterSecretDiscoveryServiceServer(rpc, xds)
	discovery.RegisterAggregatedDiscoveryServiceServer(rpc, xds)
	go func() { _ = rpc.Serve(listener) }()
	tell(event{Event: "listening", Address: listener.Addr().String()})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var wanted command
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			return err
		}
		resources := []types.Resource{}
		for _, s := range wanted.Secrets {
			resources = append(resources, message(s))
		}
		configs := []types.Resource{}
		for _, octets := range wanted.Configs {
			made := &ratelimitv3.RateLimitConfig{}
			if err := proto.Unmarshal(octets, made); err != nil {
				return err
			}
			configs = append(configs, made)
		}
		snapshot, err := cache.NewSnapshot(wanted.Version, map[resource.Type][]types.Resource{
			resource.SecretType: resources, resource.RateLimitConfigType: configs})
		if err != nil {
			return err
		}
		if err := snapshots.SetSnapshot(context.Background(), "", snapshot); err != nil {
			return err
		}
		tell(event{Event: "set", Version: wanted.Version})
	}
	rpc.Stop()
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
